"""Apache Kafka in KRaft mode: each broker is a controller, too. The jars come from Maven Central (kafka_pom.xml)."""

import base64
import hashlib
import os
import shutil
import struct
import subprocess
import tempfile
import uuid

from .cache import cache_folder, cache_lock
from .process import HOST, Server, ServerError, exchange, free_port, needed_program

POM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kafka_pom.xml")
LOGGING = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
# The classes of a running broker, ready to map: it starts in half the time.
CLASSES = "classes.jsa"


def jars():
    """The folder of the jars, fetched once."""
    with open(POM, "rb") as file:
        folder = os.path.join(cache_folder(), "kafka-" + hashlib.sha256(file.read()).hexdigest()[:12])
    with cache_lock("kafka"):
        if not os.path.isdir(folder):
            unfinished = folder + ".unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            done = subprocess.run(
                [needed_program("mvn", "maven"), "-q", "-B", "-f", POM, "dependency:copy-dependencies",
                 "-DincludeScope=runtime", f"-DoutputDirectory={unfinished}"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise ServerError(f"Kafka's jars could not be fetched from Maven Central:\n{done.stdout[-3000:]}")
            os.rename(unfinished, folder)
        if not os.path.exists(os.path.join(folder, CLASSES)):
            archive_classes(folder)
    return folder


def archive_classes(folder):
    """Starts a broker once, which writes the archive when it ends."""
    with tempfile.TemporaryDirectory(prefix="doorbuster-kafka-") as place:
        broker = KafkaBroker(place)
        broker.jars = folder
        archive = os.path.join(place, CLASSES)
        broker.java_options = [f"-XX:ArchiveClassesAtExit={archive}"]
        broker.start().stop()
        if os.path.exists(archive):
            shutil.copyfile(archive, os.path.join(folder, CLASSES + ".new"))
            os.rename(os.path.join(folder, CLASSES + ".new"), os.path.join(folder, CLASSES))


def prepare_jars():
    """Before several brokers or tests start at once."""
    jars()


class KafkaBroker(Server):
    name = "kafka"

    def __init__(self, folder, port=None, detached=False, node=1, controller_port=None, cluster_id=None, large=False,
                 options=None):
        """options: lines of server.properties that differ"""
        super().__init__(folder, port, detached)
        self.node = node
        self.controller_port = controller_port or free_port()
        self.cluster_id = cluster_id or base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self.voters = f"{node}@{HOST}:{self.controller_port}"
        self.cluster_size = 1
        self.expected_brokers = 1  # that run, when it looks for the others
        self.jars = None
        # For a test the time to the first answer counts, for work the speed afterwards.
        self.java_options = ["-Xmx512m"] if large else ["-Xmx256m", "-XX:TieredStopAtLevel=1"]
        self.options = options or {}

    def prepare(self):
        self.jars = self.jars or jars()
        super().prepare()
        replicas = min(3, self.cluster_size)
        lines = {
            "process.roles": "broker,controller",
            "node.id": self.node,
            "controller.quorum.voters": self.voters,
            "listeners": f"PLAINTEXT://{HOST}:{self.port},CONTROLLER://{HOST}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": self.data,
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": 1,
            "offsets.topic.replication.factor": replicas,
            "group.initial.rebalance.delay.ms": 0,
            # A killed broker is let in again, or replaced as leader, after this long.
            "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500,
            "controlled.shutdown.enable": "true" if self.cluster_size > 1 else "false",
            "num.network.threads": 2,
            "num.io.threads": 4,
            "background.threads": 2,
            "log.cleaner.enable": "true",
            **self.options,
        }
        with open(os.path.join(self.folder, "server.properties"), "w", encoding="utf-8") as file:
            file.writelines(f"{key}={value}\n" for key, value in lines.items())
        # What `kafka-storage.sh format` writes; another JVM for three lines would take seconds.
        meta = os.path.join(self.data, "meta.properties")
        if not os.path.exists(meta):
            with open(meta, "w", encoding="utf-8") as file:
                file.write(f"version=1\ncluster.id={self.cluster_id}\nnode.id={self.node}\n")

    def command(self):
        classes = os.path.join(self.jars, CLASSES)
        shared = [f"-XX:SharedArchiveFile={classes}"] if os.path.exists(classes) else []
        paths = sorted(name for name in os.listdir(self.jars) if name.endswith(".jar"))
        return [needed_program("java", "openjdk-17-jre-headless"), "-Xms64m", "-XX:+UseSerialGC", "-Xshare:auto",
                "-Xlog:disable", "-Xlog:all=error:stderr", *shared, *self.java_options, LOGGING, "-cp",
                ":".join(os.path.join(self.jars, name) for name in paths), "kafka.Kafka",
                os.path.join(self.folder, "server.properties")]

    def answers(self):
        """It has found all brokers that run."""
        # Metadata, version 1, of no topic: the answer begins with the list of brokers.
        client = b"\x00\x05stack"
        request = struct.pack(">hhi", 3, 1, 1) + client + struct.pack(">i", 0)
        answer = exchange(self.port, struct.pack(">i", len(request)) + request, 12)
        if len(answer) < 12:
            return False
        return struct.unpack(">iii", answer)[2] >= self.expected_brokers

    def settings(self):
        return {"kafka.brokers": f"{HOST}:{self.port}"}


class KafkaCluster:
    """One broker, or three. What is done is done to all of them, or to `node` alone (from 1)."""

    name = "kafka"

    def __init__(self, folder, brokers=1, ports=None, detached=False, large=False, options=None):
        """ports: broker and controller port of each broker, in turn"""
        self.folder = os.path.abspath(folder)
        ports = ports or [None] * (2 * brokers)
        self.brokers = [
            KafkaBroker(os.path.join(self.folder, f"broker-{node}"), ports[2 * node - 2], detached, node,
                        ports[2 * node - 1], large=large, options=options)
            for node in range(1, brokers + 1)]
        for broker in self.brokers:
            broker.cluster_id = self.brokers[0].cluster_id
            broker.cluster_size = brokers
        voters = ",".join(f"{one.node}@{HOST}:{one.controller_port}" for one in self.brokers)
        for broker in self.brokers:
            broker.voters = voters

    @property
    def ports(self):
        return [port for broker in self.brokers for port in (broker.port, broker.controller_port)]

    @property
    def bootstrap(self):
        return ",".join(f"{HOST}:{broker.port}" for broker in self.brokers)

    def chosen(self, node=None):
        return self.brokers if node is None else [self.brokers[node - 1]]

    def launch(self, node=None):
        prepare_jars()
        for broker in self.chosen(node):
            broker.launch()

    def wait_ready(self, node=None):
        running = sum(1 for broker in self.brokers if broker.running())
        for broker in self.chosen(node):
            broker.expected_brokers = running
            broker.wait_ready()

    def start(self, node=None):
        self.launch(node)
        self.wait_ready(node)
        return self

    def running(self, node=None):
        return all(broker.running() for broker in self.chosen(node))

    def pause(self, node=None):
        for broker in self.chosen(node):
            broker.pause()

    def resume(self, node=None):
        for broker in self.chosen(node):
            broker.resume()

    def kill9(self, node=None):
        for broker in self.chosen(node):
            broker.kill9()

    def stop(self, node=None):
        for broker in self.chosen(node):
            broker.stop()

    def wipe(self, node=None):
        for broker in self.chosen(node):
            broker.wipe()

    def settings(self):
        replicas = min(3, len(self.brokers))
        return {"kafka.brokers": self.bootstrap, "kafka.replication": replicas,
                "kafka.min_insync_replicas": 2 if replicas >= 3 else 1}
