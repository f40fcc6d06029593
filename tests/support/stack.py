"""Real servers for tests: `with TestStack(redis=True, kafka=1, mariadb=True) as stack: ...`.

In a temporary folder, on free ports; they end with the test, however it ends. stack.redis, stack.kafka and
stack.mariadb have start(), stop(), kill9(), pause(), resume() and wipe() (tools/servers); those of kafka take the
number of a broker, too.
"""

import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
from servers import KafkaCluster, MariaDbServer, RedisServer, ServerError  # noqa: E402
from servers.kafka import prepare_jars  # noqa: E402
from servers.process import configuration, write_private  # noqa: E402

__all__ = ["ServerError", "TestStack"]


class TestStack:
    """kafka: number of brokers, 0 for none. Options: of the server's configuration, see tools/servers.
    large: for work rather than for a quick start, as `make stack` has them."""

    def __init__(self, redis=False, kafka=0, mariadb=False, folder=None, redis_options=None, kafka_options=None,
                 mariadb_options=None, large=False):
        self.folder = folder or tempfile.mkdtemp(prefix="doorbuster-stack-")
        self.redis = RedisServer(self.at("redis"), options=redis_options) if redis else None
        self.kafka = KafkaCluster(self.at("kafka"), kafka, large=large, options=kafka_options) if kafka else None
        self.mariadb = MariaDbServer(self.at("mariadb"), options=mariadb_options, large=large) if mariadb else None
        self.servers = [server for server in (self.redis, self.mariadb, self.kafka) if server is not None]

    def at(self, name):
        return os.path.join(self.folder, name)

    def start(self):
        if self.kafka:
            prepare_jars()
        for server in self.servers:
            server.launch()
        for server in self.servers:
            server.wait_ready()
        write_private(self.config, configuration(self.settings()))
        return self

    def stop(self):
        """Their data is thrown away, so there is nothing to end in order."""
        for server in self.servers:
            server.kill9()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    @property
    def config(self):
        """A part of Doorbuster's configuration, for `--config`."""
        return self.at("stack.yaml")

    def settings(self):
        """Keys of Doorbuster's configuration -> values."""
        return {key: value for server in self.servers for key, value in server.settings().items()}

    def environment(self):
        """What tests/support/real_servers.hpp reads."""
        values = {"DOORBUSTER_TEST_STACK": self.config}
        if self.redis:
            values["DOORBUSTER_TEST_REDIS"] = f"127.0.0.1:{self.redis.port}"
            values["DOORBUSTER_TEST_REDIS_PASSWORD"] = self.redis.password
        if self.kafka:
            values["DOORBUSTER_TEST_KAFKA"] = self.kafka.bootstrap
        if self.mariadb:
            values["DOORBUSTER_TEST_MARIADB"] = f"127.0.0.1:{self.mariadb.port}"
            values["DOORBUSTER_TEST_MARIADB_USER"] = self.mariadb.user
            values["DOORBUSTER_TEST_MARIADB_PASSWORD"] = self.mariadb.password
            values["DOORBUSTER_TEST_MARIADB_NAME"] = self.mariadb.database
        return values
