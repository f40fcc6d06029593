"""Runs a program with real servers beside it, and ends them after it.

  with_stack.py [--redis] [--kafka [BROKERS]] [--mariadb] -- PROGRAM ARGUMENTS...

The program finds them by its environment (tests/support/real_servers.hpp), and may kill, stop and start them: it
sends lines such as `kill9 redis`, `pause kafka 2` or `wipe mariadb` to the address in DOORBUSTER_TEST_CONTROL, and
each is answered by a line, `ok` or what went wrong.
"""

import argparse
import ctypes
import os
import signal
import socketserver
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stack import ServerError, TestStack  # noqa: E402

ACTIONS = ("launch", "start", "stop", "kill9", "pause", "resume", "wipe")
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


class Control(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            try:
                answer = self.obey(line.decode().split()) or "ok"
            except (ServerError, OSError, ValueError, IndexError) as error:
                answer = " ".join(str(error).split()) or "failed"
            self.wfile.write(answer.encode() + b"\n")

    def obey(self, words):
        action, name, node = words[0], words[1], words[2:]
        server = getattr(self.server.stack, name, None)
        if action not in ACTIONS or server is None:
            return f"there is no '{' '.join(words)}' here"
        # A thread that starts a server must not end before it (PR_SET_PDEATHSIG), so the main thread does it.
        with self.server.turn:
            self.server.call = (getattr(server, action), [int(number) for number in node])
            self.server.asked.set()
            self.server.answered.wait()
            self.server.answered.clear()
            return self.server.failure


class ControlServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, stack):
        super().__init__(("127.0.0.1", 0), Control)
        self.stack, self.call, self.failure = stack, None, None
        self.turn = threading.Lock()
        self.asked, self.answered = threading.Event(), threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take_turn(self, seconds):
        """On the main thread: does what was asked for."""
        if not self.asked.wait(seconds):
            return
        self.asked.clear()
        action, arguments = self.call
        try:
            action(*arguments)
            self.failure = None
        except (ServerError, OSError, IndexError) as error:
            self.failure = " ".join(str(error).split()) or "failed"
        self.answered.set()


def run(stack, command):
    with ControlServer(stack) as control:
        host, port = control.server_address
        environment = {**os.environ, **stack.environment(), "DOORBUSTER_TEST_CONTROL": f"{host}:{port}"}
        child = subprocess.Popen(command, env=environment,
                                 preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        ended = threading.Event()

        def wait_end():
            child.wait()
            ended.set()

        threading.Thread(target=wait_end, daemon=True).start()
        while not ended.is_set():
            control.take_turn(0.05)
        control.shutdown()
        return child.returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--redis", action="store_true")
    parser.add_argument("--kafka", type=int, nargs="?", const=1, default=0, metavar="BROKERS")
    parser.add_argument("--mariadb", action="store_true")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    try:
        with TestStack(options.redis, options.kafka, options.mariadb) as stack:
            status = run(stack, options.command)
    except ServerError as error:
        print(f"with_stack: {error}", file=sys.stderr)
        return 1
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
