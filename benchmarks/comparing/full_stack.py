"""The full stack for measurements: Redis, Kafka and MariaDB as `make stack` runs them, api processes and workers."""

import os
import sys

from comparing.processes import Failure, Process, free_port, http, read_cpu, read_stat

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from stack import ServerError, TestStack  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


class RealServer:
    """A server of the stack, with the face of processes.Process."""

    def __init__(self, what, server):
        self.what = what
        self.server = server

    @property
    def pid(self):
        return self.server.pid

    def cpu(self):
        return read_cpu(self.pid)

    def check_alive(self):
        if not self.server.running():
            raise Failure(f"{self.what} has ended:\n{self.server.last_lines()}")


class FullStack:
    """`with FullStack(folder, binary) as stack`; stack.redis, stack.kafka, stack.mariadb, stack.start_api()."""

    def __init__(self, folder, binary, mariadb_options=None):
        self.folder, self.binary = folder, binary
        self.stack = TestStack(redis=True, kafka=1, mariadb=True, folder=os.path.join(folder, "stack"), large=True,
                               mariadb_options=mariadb_options)
        self.processes = []

    def __enter__(self):
        try:
            self.stack.start()
        except ServerError as error:
            self.stack.stop()
            raise Failure(str(error)) from error
        self.redis = RealServer("redis-server", self.stack.redis)
        self.kafka = RealServer("kafka", self.stack.kafka.brokers[0])
        self.mariadb = RealServer("mariadbd", self.stack.mariadb)
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.stop()
        self.stack.stop()

    def start(self, role, *more):
        port = free_port()
        name = f"{role}-{len(self.processes)}"
        process = Process(f"doorbuster {role}", [self.binary, role, "--config", self.stack.config, "--port", str(port),
                                                 *more], os.path.join(self.folder, f"{name}.out"))
        process.port = port
        self.processes.append(process)
        process.wait_for(lambda: http("GET", port, "/readyz")[0] == 200, 60)
        return process

    def start_api(self):
        return self.start("api", "--stack", "full", "--io-threads", "1")

    def start_worker(self):
        return self.start("worker")


def metrics(port, *names):
    """The sum of each metric over its labels."""
    status, text = http("GET", port, "/metrics")
    if status != 200:
        raise Failure(f"GET /metrics was answered {status}")
    sums = dict.fromkeys(names, 0.0)
    for line in text.splitlines():
        name = line.split("{", 1)[0].split(" ", 1)[0]
        if name in sums:
            sums[name] += float(line.rsplit(" ", 1)[1])
    return [sums[name] for name in names]


def thread_seconds(pid):
    """CPU seconds of each thread's name; numbers at the end of a name do not count."""
    seconds = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            name, ticks = read_stat(f"/proc/{pid}/task/{task}/stat")
        except OSError:
            continue  # it has ended meanwhile
        name = name.rstrip("0123456789-:")
        seconds[name] = seconds.get(name, 0) + ticks / TICKS
    return seconds
