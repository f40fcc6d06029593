#!/usr/bin/env python3
"""What can be wrong with the parts that the full stack stands on: one clear line that names the key of the
configuration, and exit status 1, at once."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]
from harness import Server, SystemTest, free_port, main  # noqa: E402
from stack import TestStack  # noqa: E402

NO_SUCH_HOST = "no-such-host.invalid"
ROLES = ("api", "worker", "recover")


class StartErrorsTest(SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.stack = TestStack(redis=True, kafka=1, mariadb=True)
        cls.addClassCleanup(cls.stack.stop)
        cls.stack.start()
        api = Server(None, extra=["--config", cls.stack.config, "--stack", "full"])  # makes tables and topics
        cls.addClassCleanup(api.clean_up)
        api.start().create("sale", 10)
        api.stop()

    def assert_refuses(self, role, key, *parts, flags=(), environment=None):
        command = [role, "--config", self.stack.config, *flags]
        command += {"api": ["--stack", "full", "--port", "0"], "worker": ["--port", "0"],
                    "recover": ["--campaign", "sale"]}[role]
        done = self.run_program(*command, timeout=60, environment=environment)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        errors = done.stderr.splitlines()
        self.assertEqual(len(errors), 1, done.stderr)
        self.assertTrue(errors[0].startswith(f"doorbuster {role}: "), errors[0])
        for part in (key, *parts):
            self.assertIn(part, errors[0])
        for password in (self.stack.mariadb.password, self.stack.redis.password, "wrong-one"):
            self.assertNotIn(password, errors[0])

    def test_a_wrong_password(self):
        for role in ROLES:
            self.assert_refuses(role, "database.password", environment={"DOORBUSTER_DATABASE_PASSWORD": "wrong-one"})
        for role in ("api", "recover"):
            self.assert_refuses(role, "redis.password", environment={"DOORBUSTER_REDIS_PASSWORD": "wrong-one"})

    def test_a_host_that_nobody_knows(self):
        for role in ROLES:
            self.assert_refuses(role, "database.host", NO_SUCH_HOST, flags=("--database-host", NO_SUCH_HOST))
            self.assert_refuses(role, "kafka.brokers", NO_SUCH_HOST, flags=("--kafka-brokers", f"{NO_SUCH_HOST}:9092"))
        for role in ("api", "recover"):
            self.assert_refuses(role, "redis.host", NO_SUCH_HOST, flags=("--redis-host", NO_SUCH_HOST))

    def test_a_port_where_nobody_listens(self):
        port = str(free_port())
        self.assert_refuses("api", "database.host", port, flags=("--database-port", port))
        self.assert_refuses("api", "redis.host", port, flags=("--redis-port", port))
        self.assert_refuses("api", "kafka.brokers", port, flags=("--kafka-brokers", f"127.0.0.1:{port}"))

    def test_a_database_that_is_not_there(self):
        self.assert_refuses("api", "database.name", "nothing", flags=("--database-name", "nothing"))

    def test_a_schema_of_a_later_version(self):
        # A database of its own: the others' tables are in order.
        database = self.stack.mariadb.database + "_later"
        self.sql(f"CREATE DATABASE {database}")
        flags = ("--database-name", database)
        self.assert_refuses("api", "redis.host", flags=(*flags, "--redis-host", NO_SUCH_HOST))  # makes the tables
        self.sql(f"INSERT INTO {database}.schema_version (version) VALUES (99)")
        for role in ROLES:
            self.assert_refuses(role, "database.name", "99", flags=flags)

    def test_a_topic_with_too_few_replicas(self):
        flags = ("--kafka-topic", "thin", "--kafka-dead-letter-topic", "thin-dead")
        for role in ("api", "worker"):
            self.assert_refuses(role, "kafka.replication", "3", flags=(*flags, "--kafka-replication", "3"))
        # There already, with one replica:
        self.assert_refuses("api", "redis.host", flags=(*flags, "--redis-host", NO_SUCH_HOST))
        self.assert_refuses("api", "kafka.replication", flags=(*flags, "--kafka-replication", "3"))
        self.assert_refuses("api", "kafka.min_insync_replicas", flags=(*flags, "--kafka-min-insync-replicas", "2"))

    def test_a_redis_that_keeps_nothing_or_evicts(self):
        for name, wrong, right in (("appendonly", "no", "yes"), ("maxmemory-policy", "allkeys-lru", "noeviction")):
            self.stack.redis.call("CONFIG", "SET", name, wrong)
            try:
                for role in ("api", "recover"):
                    self.assert_refuses(role, "redis.host", name)
            finally:
                self.stack.redis.call("CONFIG", "SET", name, right)

    def sql(self, statement):
        server = self.stack.mariadb
        subprocess.run(["mariadb", "--no-defaults", f"--socket={server.socket}", f"--user={server.user}",
                        f"--password={server.password}", "-e", statement], check=True, capture_output=True, text=True)


if __name__ == "__main__":
    main()
