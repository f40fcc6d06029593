"""Starts programs on free ports, watches what they cost, and stops all of them however the run ends."""

import ctypes
import os
import resource
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1
# Threads that do not stand between a request and its reply.
BACKGROUND_THREADS = ("worker", "db-", "checkpoint")


class Failure(Exception):
    """Something that the person who runs the comparison has to mend; the text says what."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def raise_file_limit():
    """5000 connections need as many descriptors, in this process' children."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = 65536 if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def parse_stat(line):
    """(name, CPU ticks) of a line of /proc/PID/stat; the name may hold spaces and brackets."""
    name = line[line.index("(") + 1 : line.rindex(")")]
    fields = line[line.rindex(")") + 2 :].split()
    return name, int(fields[11]) + int(fields[12])


def read_stat(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return parse_stat(file.read())


def is_background(thread_name):
    return any(
        thread_name.startswith(name) if name.endswith("-") else thread_name == name
        for name in BACKGROUND_THREADS
    )


def children_of(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
            found += [int(child) for child in file.read().split()]
    return found


class CpuReading:
    """CPU seconds so far: of what serves, and of each background thread's name."""

    def __init__(self, serving, background):
        self.serving = serving
        self.background = background

    def since(self, earlier):
        spent = {name: value - earlier.background.get(name, 0) for name, value in self.background.items()}
        return CpuReading(self.serving - earlier.serving, spent)


def read_cpu(pid):
    """The process and its children. The process' total holds ended threads too, so what serves is that total
    less the background threads."""
    total, background = 0, {}
    for process in [pid, *children_of(pid)]:
        total += read_stat(f"/proc/{process}/stat")[1]
        for task in os.listdir(f"/proc/{process}/task"):
            try:
                name, ticks = read_stat(f"/proc/{process}/task/{task}/stat")
            except OSError:
                continue  # the thread ended meanwhile
            if is_background(name):
                total -= ticks
                background[name] = background.get(name, 0) + ticks / TICKS
    return CpuReading(total / TICKS, background)


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Process:
    """A server that we started."""

    def __init__(self, what, command, log_path, cwd=None):
        self.what = what
        self.log_path = log_path
        with open(log_path, "wb") as log:
            self.popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=cwd, preexec_fn=die_with_parent
            )

    @property
    def pid(self):
        return self.popen.pid

    def cpu(self):
        return read_cpu(self.pid)

    def check_alive(self):
        if self.popen.poll() is not None:
            raise Failure(f"{self.what} ended with status {self.popen.returncode}: {self.last_words()}")

    def last_words(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()[-600:].strip() or "it said nothing"

    def wait_for(self, ready, seconds=15):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check_alive()
            if ready():
                return
            time.sleep(0.05)
        raise Failure(f"{self.what} was not ready within {seconds} s: {self.last_words()}")

    def settle(self, seconds=20):
        """Waits until the background threads have nothing left to do. False when they still had."""
        deadline = time.monotonic() + seconds
        before = sum(self.cpu().background.values())
        while time.monotonic() < deadline:
            time.sleep(0.25)
            now = sum(self.cpu().background.values())
            if now - before < 0.02:
                return True
            before = now
        return False

    def stop(self):
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()


class Group:
    """All that one scenario has started; stops it in reverse order."""

    def __init__(self):
        self.members = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for member in reversed(self.members):
            member.stop()

    def start(self, what, command, log_path, cwd=None):
        process = Process(what, command, log_path, cwd)
        self.members.append(process)
        return process


def port_answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def http(method, port, path, body=None, timeout=15):
    """(status, body); status 0 when nothing answers."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", method=method, data=body.encode() if body else None,
        headers={"Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except OSError:
        return 0, ""


def run_measured(command, seconds):
    """Runs a generator to its end. \\returns (output, exit status, its CPU seconds, wall seconds)"""
    started = time.monotonic()
    popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             preexec_fn=die_with_parent)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        output, _ = popen.communicate(timeout=seconds + 30)
    except subprocess.TimeoutExpired as error:
        raise Failure(f"{command[0]} did not end within {seconds + 30} s") from error
    finally:
        if popen.poll() is None:
            popen.kill()
            popen.communicate()
    # Servers are still running and so not part of this figure: only children that were waited for are.
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return output.decode(errors="replace"), popen.returncode, cpu, time.monotonic() - started
