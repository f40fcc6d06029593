"""Starts the built program on a free port with a data folder of its own, talks to it, and always cleans up.

Only the standard library. The program is named by the environment variable DOORBUSTER_BINARY.
"""

import ctypes
import http.client
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKER = os.path.join(HERE, "..", "check", "checker.py")
LIBC = ctypes.CDLL(None)
READY_SECONDS = 30  # generous: sanitizer builds, many tests at once


def binary():
    path = os.environ.get("DOORBUSTER_BINARY", "")
    if not os.access(path, os.X_OK):
        raise AssertionError(f"DOORBUSTER_BINARY must name the built program, and is '{path}'")
    return os.path.abspath(path)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def now_us():
    return time.time_ns() // 1000


def slowness():
    """Factor for bounds that are about time: a build with a sanitizer is that much slower (tools/run_slow_tests)."""
    return float(os.environ.get("DOORBUSTER_TEST_SLOWNESS", "1"))


def wait_until(condition, seconds=10, what="the condition"):
    """Asks again every 10 ms. \returns the first true value"""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.01)


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def problem(self):
        """The last part of the problem type, '' when it is no problem."""
        if self.headers.get("content-type") != "application/problem+json":
            return ""
        return self.json()["type"].rsplit("/", 1)[-1]

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class Connection:
    """One keep-alive connection."""

    def __init__(self, port, timeout=20):
        self.port, self.timeout, self.http = port, timeout, None

    def request(self, method, path, body=None, headers=None):
        if self.http is None:
            self.http = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
            self.http.connect()
            self.http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        sent = {"Content-Type": "application/json"} if body is not None else {}
        sent.update(headers or {})
        try:
            self.http.request(method, path, body, sent)
            reply = self.http.getresponse()
            data = reply.read()
        except BaseException:
            self.close()
            raise
        if reply.will_close:
            self.close()
        return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, data)

    def close(self):
        if self.http is not None:
            self.http.close()
            self.http = None


class Server:
    """`doorbuster api`, or another serving role, on a free port."""

    def __init__(self, data, role="api", extra=(), environment=None, preexec=None):
        self.data, self.role, self.extra = data, role, list(extra)
        self.environment, self.preexec = environment or {}, preexec
        self.port = free_port()
        self.process = None
        self.log = tempfile.TemporaryFile()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def launch(self):
        command = [binary(), self.role, "--port", str(self.port), "--bind", "127.0.0.1"]
        if self.data is not None and self.role not in ("registry", "gateway"):  # which keep nothing
            command += ["--data", self.data]
        if self.role == "up":
            command += ["--registry-port", "0", "--api-port", "0", "--worker-port", "0"]
        def prepare():
            # A test that is killed takes its servers along: PR_SET_PDEATHSIG is 1.
            LIBC.prctl(1, signal.SIGKILL)
            if self.preexec:
                self.preexec()

        self.process = subprocess.Popen(command + self.extra, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, env={**os.environ, **self.environment},
                                        preexec_fn=prepare)
        return self

    def start(self):
        self.launch()
        self.wait_ready()
        return self

    def wait_ready(self, seconds=READY_SECONDS):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the program ended with {self.process.returncode}:\n{self.output()}")
            try:
                return self.request("GET", "/readyz").status == 200
            except OSError:
                return False

        wait_until(ready, seconds, f"{self.url}/readyz\n{self.output()}")

    def output(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def connection(self):
        return Connection(self.port)

    def request(self, method, path, body=None, headers=None):
        connection = self.connection()
        try:
            return connection.request(method, path, body, headers)
        finally:
            connection.close()

    def settled(self, method, path, body=None, headers=None, seconds=10):
        """Asks again while the answer is 503: the worker is a moment behind."""
        def ask():
            reply = self.request(method, path, body, headers)
            return reply if reply.status != 503 else None

        return wait_until(ask, seconds, f"{method} {path} other than 503")

    def issue(self, campaign, user):
        return self.request("POST", f"/v1/campaigns/{campaign}/coupons", {"user_id": user})

    def create(self, campaign, limit, **more):
        reply = self.request("POST", "/v1/campaigns", {"id": campaign, "name": campaign, "limit": limit, **more})
        if reply.status not in (200, 201):
            raise AssertionError(f"creating {campaign}: {reply}")
        return reply

    def metrics(self):
        """Name with labels -> value."""
        values = {}
        for line in self.request("GET", "/metrics").body.decode().splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                values[name] = float(value)
        return values

    def stop(self, seconds=20):
        """SIGTERM. \returns the exit status"""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
        return self.wait(seconds)

    def kill(self):
        """kill -9"""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def wait(self, seconds=20):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the program did not end within {seconds} s:\n{self.output()}") from None

    def clean_up(self):
        if self.process is not None:
            self.kill()
        self.log.close()


class Acks:
    """What clients saw, in the form of `doorbuster bench --acks`."""

    def __init__(self):
        self.lock = threading.Lock()
        self.all = []

    def add(self, user, sent, reply):
        ack = {"user": user, "status": None, "sent_us": sent, "received_us": now_us()}
        if reply is not None:
            ack["status"] = reply.status
            if reply.status in (200, 201):
                coupon = reply.json()
                ack["code"], ack["sequence"] = coupon["code"], coupon["sequence"]
            elif reply.problem():
                ack["problem"] = reply.problem()
        with self.lock:
            self.all.append(ack)
        return ack

    def coupons(self):
        """user -> (code, sequence) of all that were told they have one."""
        with self.lock:
            return {ack["user"]: (ack["code"], ack["sequence"]) for ack in self.all if ack["status"] in (200, 201)}

    def count(self, *statuses):
        with self.lock:
            return sum(1 for ack in self.all if ack["status"] in statuses)

    def write(self, path):
        with self.lock, open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(ack) + "\n" for ack in self.all)
        return path


class Load:
    """Threads that ask for coupons until they are told to stop. Users are `prefix-thread-number`; a share of the
    requests asks again for a user who was answered, or was not, before."""

    def __init__(self, server, campaign, acks, threads=8, prefix="u", seed=1, repeat_share=0.1):
        self.server, self.campaign, self.acks, self.prefix = server, campaign, acks, prefix
        self.repeat_share = repeat_share
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(number, random.Random(seed * 1000 + number)))
                        for number in range(threads)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def run(self, number, rng):
        connection = self.server.connection()
        asked = 0
        while not self.stopping.is_set():
            if asked and rng.random() < self.repeat_share:
                user = f"{self.prefix}-{number}-{rng.randrange(asked)}"
            else:
                user = f"{self.prefix}-{number}-{asked}"
                asked += 1
            sent = now_us()
            try:
                reply = connection.request("POST", f"/v1/campaigns/{self.campaign}/coupons", {"user_id": user})
            except (OSError, http.client.HTTPException):
                self.acks.add(user, sent, None)
                self.stopping.wait(0.01)
                continue
            self.acks.add(user, sent, reply)
            if reply.status == 503:
                self.stopping.wait(0.01)
        connection.close()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def raw_exchange(port, data, timeout=15, half_close=False):
    """Sends bytes and reads until the server closes or falls silent. \returns what came"""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as raw:
        try:
            raw.sendall(data)
            if half_close:
                raw.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        received = b""
        try:
            while True:
                part = raw.recv(65536)
                if not part:
                    break
                received += part
        except OSError:
            pass
        return received


def read_replies(raw, count):
    """Reads `count` replies with Content-Length from a socket. \returns [(status, body)]"""
    replies, pending = [], b""
    while len(replies) < count:
        while b"\r\n\r\n" not in pending:
            part = raw.recv(65536)
            if not part:
                raise AssertionError(f"closed after {len(replies)} replies: {pending[:200]!r}")
            pending += part
        head, _, pending = pending.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        while len(pending) < length:
            part = raw.recv(65536)
            if not part:
                raise AssertionError("closed within a body")
            pending += part
        replies.append((int(lines[0].split()[1]), pending[:length]))
        pending = pending[length:]
    return replies


def issue_bytes(campaign, user):
    body = json.dumps({"user_id": user}).encode()
    return (f"POST /v1/campaigns/{campaign}/coupons HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def fill(server, campaign, count, acks=None, at_once=64):
    """Asks for users u1 to u<count>, many requests in flight on one connection. \returns what was answered"""
    acks = acks or Acks()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as raw:
        for first in range(1, count + 1, at_once):
            users = [f"u{number}" for number in range(first, min(first + at_once, count + 1))]
            sent = now_us()
            raw.sendall(b"".join(issue_bytes(campaign, user) for user in users))
            for user, (status, body) in zip(users, read_replies(raw, len(users))):
                kind = "application/problem+json" if status >= 400 else "application/json"
                acks.add(user, sent, Reply(status, {"content-type": kind}, body))
    return acks


def limit_file_size(size):
    """For preexec: a write beyond `size` fails with EFBIG instead of ending the process."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    return limit


def mounted_tmpfs(test, folder, options):
    """Mounts a file system in memory over a folder until the test ends; needs root."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False)
    if done.returncode != 0:
        test.fail("this test mounts a tmpfs, and may not: run it as root, or where `unshare -Urm` is allowed "
                  f"({done.stderr.decode(errors='replace').strip()})")
    test.addCleanup(subprocess.run, ["umount", "-l", folder], check=False)


class SystemTest(unittest.TestCase):
    """A data folder for each test, and servers that end with it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="doorbuster-test-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.data = os.path.join(self.folder, "data")

    def server(self, data=None, **more):
        server = Server(data or self.data, **more)
        self.addCleanup(server.clean_up)
        return server

    def started(self, data=None, **more):
        return self.server(data, **more).start()

    def run_program(self, *arguments, timeout=120, environment=None):
        return subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=timeout, check=False,
                              stdin=subprocess.DEVNULL, env={**os.environ, **(environment or {})})

    def audit(self, campaign, acks=(), url=None, data=None, expect=0):
        report = os.path.join(self.folder, "audit.json")
        command = ["audit", "--campaign", campaign, "--data", data or self.data, "--wait", "30s", "--json", report]
        if url:
            command += ["--url", url]
        if acks:
            command += ["--acks", *acks]
        done = self.run_program(*command)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        with open(report, encoding="utf-8") as file:
            return json.load(file)

    def check(self, campaign, acks=(), data=None, expect=0):
        """The independent checker. Call it when the worker has arrived (after audit())."""
        command = [sys.executable, CHECKER, "--campaign", campaign, "--data", data or self.data, "--acks", *acks]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout

    def assert_reply(self, reply, status, problem=None):
        self.assertEqual(reply.status, status, reply)
        if problem is not None:
            self.assertEqual(reply.problem(), problem, reply)
        return reply

    def assert_one_line(self, text, *parts):
        """One clear line on stderr, which has these parts; the program's own log lines of start-up are not counted."""
        lines = [line for line in text.splitlines() if line.strip()]
        self.assertEqual(len(lines), 1, text)
        for part in parts:
            self.assertIn(part, lines[0])


def main(**how):
    """unittest.main, but a test that was skipped, or no test at all, is a failure: nothing was shown by it."""
    result = unittest.main(exit=False, **how).result
    for test, reason in result.skipped:
        print(f"{test.id()} was skipped, which counts as failed: {reason}", file=sys.stderr)
    if result.testsRun == 0:
        print("no test was run, which counts as failed", file=sys.stderr)
    sys.exit(0 if result.wasSuccessful() and result.testsRun and not result.skipped else 1)
