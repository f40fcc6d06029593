"""Real Eureka clients, and a real Spring Cloud Eureka server, as programs to start in tests.

    registry = clients.SpringServer().start()                   # http://127.0.0.1:PORT/eureka
    shop = clients.JavaClient(registry.url, "SHOP").start()     # also PythonClient, NodeClient
    shop.view()       # {("SHOP", "java:41234", "UP", "127.0.0.1:41234"), ...}: what this client sees
    shop.hello()      # "hello from java:41234": it serves HTTP on shop.port, too
    shop.stop()       # clean: it deregisters;  shop.kill(): kill -9

The packages come from Maven Central, PyPI and npm once and are kept in build/eureka/, by the hash of the files
that name them. `python3 tests/eureka/clients.py` fetches all of them. Nothing is skipped: what cannot be had
raises.
"""

import contextlib
import ctypes
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("DOORBUSTER_EUREKA_CACHE") or os.path.join(HERE, "..", "..", "build", "eureka")
LIBC = ctypes.CDLL(None)
START_SECONDS = 240  # a Java program on a machine with much else to do; ten when there is nothing
# Start-up counts here, not throughput.
JAVA = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xss512k", "-Xmx256m"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def files_below(folder):
    for path, _, names in sorted(os.walk(folder)):
        yield from (os.path.join(path, name) for name in sorted(names))


def kept(kind, build):
    """\\returns a folder that build(source, folder) has filled, now or in an earlier run"""
    source = os.path.join(HERE, kind)
    digest = hashlib.sha256()
    for path in files_below(source):
        with open(path, "rb") as file:
            digest.update(os.path.relpath(path, source).encode() + b"\0" + file.read() + b"\0")
    os.makedirs(CACHE, exist_ok=True)
    folder = os.path.abspath(os.path.join(CACHE, f"{kind}-{digest.hexdigest()[:16]}"))
    with open(os.path.join(CACHE, f"{kind}.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(folder):
            unfinished = folder + ".unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(source, unfinished)
            build(unfinished)
            os.rename(unfinished, folder)
    return folder


def run(command, folder):
    last = None
    for attempt in range(3):  # a registry of packages may be busy
        if attempt:
            time.sleep(2)
        last = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if last.returncode == 0:
            return last.stdout
    raise AssertionError(f"{' '.join(command)} failed:\n{last.stdout[-4000:]}")


def java_folder():
    """\\returns a folder with classes/ and lib/*.jar"""
    def build(folder):
        run(["mvn", "-B", "-ntp", "-q", "package"], folder)
    return os.path.join(kept("java", build), "target")


def python_interpreter():
    # Scripts of a virtual environment name its folder, the interpreter alone does not: it may be moved.
    def build(folder):
        run([sys.executable, "-m", "venv", "--clear", os.path.join(folder, "venv")], folder)
        run([os.path.join(folder, "venv", "bin", "python"), "-m", "pip", "install", "-q",
             "--disable-pip-version-check", "-r", "requirements.txt"], folder)
    return os.path.join(kept("python", build), "venv", "bin", "python")


def node_folder():
    def build(folder):
        run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder)
    return kept("node", build)


class Program:
    """A child process that says `listening PORT`, or answers at a URL, when it is ready."""

    def __init__(self):
        self.process = None
        self.port = 0
        self.output_file = tempfile.TemporaryFile()

    def command(self):
        raise NotImplementedError

    def folder(self):
        return None

    def launch(self):
        """Starts it without waiting."""
        def prepare():
            LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: it ends with the test
        self.process = subprocess.Popen(self.command(), cwd=self.folder(), stdin=subprocess.DEVNULL,
                                        stdout=self.output_file, stderr=subprocess.STDOUT, preexec_fn=prepare)
        return self

    def ready(self):
        for line in self.output().splitlines():
            if line.startswith("listening "):
                self.port = int(line.split()[1])
                return True
        return False

    def wait_ready(self, seconds=START_SECONDS):
        until = time.monotonic() + seconds
        while not self.ready():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.command()[0]} ended with {self.process.returncode}:\n{self.output()}")
            if time.monotonic() > until:
                raise AssertionError(f"not ready within {seconds} s:\n{self.output()}")
            time.sleep(0.05)
        return self

    def start(self):
        return self.launch().wait_ready()

    def output(self):
        self.output_file.seek(0)
        return self.output_file.read().decode(errors="replace")

    def get(self, path, headers=None, timeout=10):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers or {})
        with urllib.request.urlopen(request, timeout=timeout) as reply:
            return reply.read().decode()

    def stop(self, seconds=30):
        """SIGTERM: a client deregisters. \\returns the exit status"""
        self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not end within {seconds} s:\n{self.output()}") from None

    def kill(self):
        """kill -9: the registry is told nothing."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    def clean_up(self):
        self.kill()
        self.output_file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.clean_up()


class SpringServer(Program):
    """Spring Cloud Netflix Eureka Server. Caches are refreshed each second, evictions run each second."""

    def __init__(self, port=0, extra=()):
        super().__init__()
        self.port = port or free_port()
        self.extra = list(extra)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/eureka"

    def command(self):
        folder = java_folder()
        return [*JAVA, "-cp", f"{folder}/classes:{folder}/lib/*", "doorbuster.eureka.Server",
                "--server.address=127.0.0.1", f"--server.port={self.port}", "--spring.application.name=eureka",
                "--eureka.client.register-with-eureka=false", "--eureka.client.fetch-registry=false",
                "--eureka.server.enable-self-preservation=false",
                "--eureka.server.eviction-interval-timer-in-ms=1000",
                "--eureka.server.response-cache-update-interval-ms=500", *self.extra]

    def ready(self):
        with contextlib.suppress(OSError):
            return "applications" in self.get("/eureka/apps", {"Accept": "application/json"}, timeout=2)
        return False


class Client(Program):
    """A registered service. `registry`: `http://127.0.0.1:8761/eureka`, several with commas between."""

    def __init__(self, registry, app, port=0, renew=1, lease=3, fetch=1):
        super().__init__()
        self.registry, self.app, self.wanted_port = registry, app, port
        self.renew, self.lease, self.fetch = renew, lease, fetch

    def view(self):
        """What the client's own copy of the registry holds: a set of (app, id, status, host:port)."""
        return {tuple(line.split(" ")) for line in self.get("/view").splitlines() if not line.startswith("hash ")}

    def hello(self):
        return self.get("/").strip()

    @property
    def instance_id(self):
        return f"{self.kind}:{self.port}"


class JavaClient(Client):
    """`transport`: "resttemplate" (Spring Cloud's default), "restclient" or "jersey" (Netflix's own)."""
    kind = "java"

    def __init__(self, registry, app, transport="resttemplate", extra=(), **more):
        super().__init__(registry, app, **more)
        self.transport, self.extra = transport, list(extra)

    def command(self):
        folder = java_folder()
        urls = ",".join(url.rstrip("/") + "/" for url in self.registry.split(","))
        return [*JAVA, "-cp", f"{folder}/classes:{folder}/lib/*", "doorbuster.eureka.Client",
                f"--http.port={self.wanted_port}", f"--spring.application.name={self.app.lower()}",
                f"--eureka.client.service-url.defaultZone={urls}",
                f"--eureka.client.jersey.enabled={str(self.transport == 'jersey').lower()}",
                f"--eureka.client.restclient.enabled={str(self.transport == 'restclient').lower()}",
                f"--eureka.instance.lease-renewal-interval-in-seconds={self.renew}",
                f"--eureka.instance.lease-expiration-duration-in-seconds={self.lease}",
                f"--eureka.client.registry-fetch-interval-seconds={self.fetch}",
                "--eureka.client.initial-instance-info-replication-interval-seconds=1",
                "--eureka.client.instance-info-replication-interval-seconds=1",
                "--eureka.client.filter-only-up-instances=false",
                "--eureka.instance.hostname=127.0.0.1", "--eureka.instance.ip-address=127.0.0.1",
                "--eureka.instance.prefer-ip-address=true", *self.extra]

    def hash_code(self):
        """The hash of the client's own copy."""
        return self.get("/view").splitlines()[0].removeprefix("hash ").strip()

    def load_balancer_finds(self, service):
        """The URIs that Spring's DiscoveryClient gives for a service."""
        return self.get(f"/lb/{service}").split()


class PythonClient(Client):
    kind = "python"

    def command(self):
        return [python_interpreter(), os.path.join(HERE, "python", "client.py"), "--registry", self.registry,
                "--app", self.app, "--port", str(self.wanted_port), "--renew", str(self.renew),
                "--lease", str(self.lease)]


class NodeClient(Client):
    kind = "node"

    def __init__(self, registry, app, delta=True, **more):
        super().__init__(registry, app, **more)
        self.delta = delta

    def folder(self):
        return node_folder()

    def command(self):
        return ["node", "client.js", f"--registry={self.registry}", f"--app={self.app}",
                f"--port={self.wanted_port}", f"--renew={self.renew}", f"--lease={self.lease}",
                f"--fetch={self.fetch}", f"--delta={str(self.delta).lower()}"]


def prepare():
    java_folder()
    python_interpreter()
    node_folder()


if __name__ == "__main__":
    prepare()
