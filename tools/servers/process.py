"""A server process: started in a folder of its own on a port of its own, found again by its pid file, and ended."""

import ctypes
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time

LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
# Below the ports that the system gives to outgoing connections, so that a server that was killed finds its own
# port free again.
LOWEST_PORT, HIGHEST_PORT = 12000, 32000
HOST = "127.0.0.1"


class ServerError(Exception):
    """One line that says what is wrong."""


def port_is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port(preferred=None):
    if preferred and port_is_free(preferred):
        return preferred
    for _ in range(200):
        port = random.SystemRandom().randrange(LOWEST_PORT, HIGHEST_PORT)
        if port_is_free(port):
            return port
    raise ServerError(f"no free port from {LOWEST_PORT} to {HIGHEST_PORT}")


def new_password():
    return secrets.token_hex(16)


def needed_program(name, package):
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if not found:
        raise ServerError(f"'{name}' is missing; the Debian package is {package}")
    return found


def write_private(path, text):
    """Only the owner may read it: passwords are in it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def configuration(settings):
    """Keys and values as a part of doorbuster.yaml."""
    sections = {}
    for key, value in settings.items():
        section, name = key.split(".", 1)
        sections.setdefault(section, []).append(f'  {name}: "{value}"\n')
    return "".join(f"{section}:\n" + "".join(lines) for section, lines in sections.items())


def start_ticks(pid):
    """When the process began, in ticks since boot: a pid alone may have been given to another. None: no process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


class Server:
    """Subclasses give `name`, command(), answers(), and what they add to prepare() and settings().

    detached: it outlives this process (`make stack`); otherwise it is killed with it (tests).
    """

    name = ""
    # Java on a busy machine takes its time: this is for a server that hangs, not for one that is slow.
    start_seconds = int(os.environ.get("DOORBUSTER_TEST_START_SECONDS", "180"))
    tell_every = 10
    stop_seconds = 20

    def __init__(self, folder, port=None, detached=False):
        self.folder = os.path.abspath(folder)
        self.detached = detached
        self.port = port or free_port()
        self.environment = {}  # beside what this process has; before it is launched
        self.child = None

    # What a kind of server says about itself.
    def command(self):
        raise NotImplementedError

    def answers(self):
        """True once it serves."""
        raise NotImplementedError

    def prepare(self):
        """Makes the files that it needs, as far as they are missing."""
        os.makedirs(self.data, exist_ok=True)

    def settings(self):
        """Keys of Doorbuster's configuration -> values."""
        raise NotImplementedError

    @property
    def data(self):
        return os.path.join(self.folder, "data")

    @property
    def log(self):
        return os.path.join(self.folder, "server.log")

    # Life.
    def start(self):
        """Starts it, or again on the same data and port, and waits until it answers."""
        self.launch()
        self.wait_ready()
        return self

    def launch(self):
        if self.running():
            return
        os.makedirs(self.folder, exist_ok=True)
        self.prepare()

        def before_exec():
            if self.detached:
                os.setsid()
            else:
                LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          cwd=self.folder, preexec_fn=before_exec,
                                          env={**os.environ, **self.environment})
        with open(self.pid_file, "w", encoding="utf-8") as file:
            file.write(f"{self.child.pid} {start_ticks(self.child.pid)}\n")

    def wait_ready(self):
        began = time.monotonic()
        told = self.tell_every
        while not self.answers():
            if not self.running():
                raise ServerError(f"{self.name} has ended at its start:\n{self.last_lines()}")
            waited = time.monotonic() - began
            if waited > self.start_seconds:
                raise ServerError(f"{self.name} does not answer within {self.start_seconds} s "
                                  f"(DOORBUSTER_TEST_START_SECONDS allows more):\n{self.last_lines()}")
            if waited > told:
                print(f"waiting for {self.name}: {told} of at most {self.start_seconds} s", file=sys.stderr, flush=True)
                told += self.tell_every
            time.sleep(0.03)

    @property
    def pid_file(self):
        return os.path.join(self.folder, "pid")

    @property
    def pid(self):
        """None while it does not run."""
        if self.child is not None and self.child.poll() is not None:
            self.child = None
        try:
            with open(self.pid_file, encoding="utf-8") as file:
                pid, ticks = file.read().split()
        except (OSError, ValueError):
            return None
        return int(pid) if str(start_ticks(int(pid))) == ticks else None

    def running(self):
        return self.pid is not None

    def signal(self, number):
        pid = self.pid
        if pid is not None:
            os.kill(pid, number)

    def pause(self):
        """SIGSTOP: it keeps its connections and answers nothing."""
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def kill9(self):
        self.signal(signal.SIGKILL)
        self.wait_end(self.stop_seconds)

    def stop(self):
        """In order; by force when that takes too long."""
        self.resume()
        self.signal(signal.SIGTERM)
        try:
            self.wait_end(self.stop_seconds)
        except ServerError:
            self.kill9()

    def wait_end(self, seconds):
        until = time.monotonic() + seconds
        while self.running():
            if time.monotonic() > until:
                raise ServerError(f"{self.name} (pid {self.pid}) does not end within {seconds} s")
            time.sleep(0.02)
        if self.child is not None:  # ended, and perhaps not yet waited for
            self.child.wait()
            self.child = None
        if os.path.exists(self.pid_file):
            os.remove(self.pid_file)

    def wipe(self):
        """All its data is gone. Only while it does not run."""
        if self.running():
            raise ServerError(f"{self.name} runs: its data cannot be wiped")
        shutil.rmtree(self.data, ignore_errors=True)

    def last_lines(self, count=20):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return "".join(file.readlines()[-count:])
        except OSError:
            return ""


def exchange(port, data, size, seconds=2):
    """Sends bytes and returns the first `size` bytes of the answer, fewer when it does not come."""
    received = b""
    try:
        with socket.create_connection((HOST, port), timeout=seconds) as connection:
            connection.sendall(data)
            while len(received) < size:
                part = connection.recv(size - len(received))
                if not part:
                    break
                received += part
    except OSError:
        pass
    return received
