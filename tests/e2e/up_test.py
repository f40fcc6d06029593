#!/usr/bin/env python3
"""`doorbuster up`: children that are started again when they die, and that end with their parent, however that ends."""

import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time

from harness import SystemTest, binary, free_port, main, wait_until


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def words_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
            return file.read().split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def by_role(pid):
    """Role -> process of each child that has begun to be one."""
    roles = {}
    for child in children_of(pid):
        words = words_of(child)
        if len(words) > 1 and words[0] == "doorbuster" and alive(child):
            roles[words[1]] = child
    return roles


class UpTest(SystemTest):
    ROLES = {"registry", "gateway", "api"}

    def up(self, *extra):
        up = self.server(role="up", extra=extra).launch()
        wait_until(lambda: "curl" in up.output() or up.process.poll() is not None, 40, "the greeting")
        self.assertIsNone(up.process.poll(), up.output())
        self.children = by_role(up.pid)
        self.assertEqual(set(self.children), self.ROLES)
        self.addCleanup(self.end_all, up)
        return up

    def end_all(self, up):
        for child in {*self.children.values(), *children_of(up.pid)}:
            if alive(child):
                os.kill(child, signal.SIGKILL)

    def assert_all_ended(self, seconds=15):
        wait_until(lambda: not any(alive(child) for child in self.children.values()), seconds, "the children's end")

    def test_a_first_coupon_as_the_greeting_says(self):
        up = self.up()
        self.assertIn(f"{up.url}/v1/campaigns/default/coupons", up.output())
        self.assert_reply(up.issue("default", "alice"), 201)
        self.assertEqual(up.request("GET", "/v1/campaigns/default").json()["limit"], 1000)
        self.assertEqual(up.stop(), 0, up.output())
        self.assertFalse(any(alive(child) for child in self.children.values()))

    def test_the_children_show_their_roles_and_their_flags(self):
        up = self.up("--api-flag=--io-threads=2")
        for role, child in self.children.items():
            with open(f"/proc/{child}/comm", encoding="ascii") as file:
                self.assertEqual(file.read().strip(), "doorbuster")
            words = words_of(child)
            self.assertEqual(words[:2], ["doorbuster", role])
            self.assertIn("--port", words)
            self.assertIn("--bind", words)
        self.assertIn("--io-threads=2", words_of(self.children["api"]))
        self.assertTrue(any(str(up.port) in words_of(child) for child in self.children.values()))

    def test_lines_of_children_say_whose_they_are(self):
        up = self.up()
        self.assertRegex(up.output(), r"(?m)^\[api\] .*http://127\.0\.0\.1:\d+")

    def test_a_child_that_dies_is_started_again_and_knows_everything(self):
        up = self.up()
        coupon = self.assert_reply(up.issue("default", "alice"), 201).json()
        for role, child in sorted(self.children.items()):
            with self.subTest(role=role):
                os.kill(child, signal.SIGKILL)
                wait_until(lambda role=role, child=child: by_role(up.pid).get(role) not in (None, child), 20,
                           "a successor")

                def knows():
                    try:
                        reply = up.issue("default", "alice")
                    except OSError:  # the port is not open yet
                        return None
                    return reply if reply.status == 200 else None

                self.assertEqual(wait_until(knows, 30, "the same coupon").json(), coupon)
        self.children = by_role(up.pid)
        self.assertEqual(up.stop(), 0, up.output())
        self.assert_all_ended()
        self.assertRegex(up.output(), r"was killed by signal 9; starting it again in 100 ms")

    def test_the_children_end_when_their_parent_is_killed(self):
        up = self.up()
        up.kill()
        self.assert_all_ended()

    def test_ctrl_c_reaches_all_and_stops_cleanly(self):
        up = self.up()
        for pid in (up.pid, *self.children.values()):  # as a careless tool does; a terminal reaches up alone
            os.kill(pid, signal.SIGINT)
        self.assertEqual(up.wait(15), 0, up.output())
        self.assert_all_ended()

    def test_children_are_in_groups_of_their_own(self):
        up = self.up()
        for child in self.children.values():
            self.assertNotEqual(os.getpgid(child), os.getpgid(up.pid))

    def test_a_start_that_cannot_succeed_is_not_tried_again(self):
        first = self.started()
        up = self.server(role="up").launch()
        self.assertEqual(up.wait(15), 1, up.output())
        self.assert_one_line(up.output(), "doorbuster up", str(first.pid))

    def test_a_flag_that_the_api_does_not_know_ends_it_with_the_apis_words(self):
        up = self.server(role="up", extra=["--api-flag=--no-such-flag"]).launch()
        self.assertEqual(up.wait(30), 1, up.output())
        self.assertIn("--no-such-flag", up.output())
        self.assertEqual(children_of(up.pid), [])

    def test_a_port_in_use_is_said_before_anything_starts(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            up = self.server(role="up")
            up.port = taken.getsockname()[1]
            up.launch()
            self.assertEqual(up.wait(15), 1, up.output())
            self.assert_one_line(up.output(), "doorbuster up", str(up.port), "in use")
        self.assertFalse(os.path.exists(os.path.join(self.data, "log.db")))


class ApiAloneTest(UpTest):
    """Without gateway and registry the api itself has the crowd's port; everything of up holds all the same."""
    ROLES = {"api"}

    def server(self, data=None, **more):
        if more.get("role") == "up":
            more["extra"] = ["--no-gateway", "--no-registry", *more.get("extra", ())]
        return super().server(data, **more)

    def test_nobody_stands_between_the_crowd_and_the_api(self):
        up = self.up()
        words = words_of(self.children["api"])
        self.assertEqual(words[words.index("--port") + 1], str(up.port))
        self.assertNotIn("--registry", words)
        self.assertNotIn("registry", up.output())
        self.assertNotIn("gateway", up.output())
        self.assertIn("doorbuster_issue_requests_total", up.request("GET", "/metrics").body.decode())

    def test_the_crowd_reaches_other_addresses_only_with_tokens(self):
        done = self.run_program("up", "--no-gateway", "--no-registry", "--bind", "0.0.0.0", "--data", self.data,
                                "--port", str(free_port()), timeout=30)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("tokens", done.stdout + done.stderr)


class Terminal:
    """`up` on a terminal of a given size; the screen is what xterm would show."""

    def __init__(self, command, columns, rows=24):
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm"
            os.execv(command[0], command)
        self.resize(columns, rows)
        self.output = b""

    def resize(self, columns, rows=24):
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds=0.2):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if select.select([self.file], [], [], 0.05)[0]:
                try:
                    self.output += os.read(self.file, 65536)
                except OSError:
                    return

    def lines(self):
        """What is on the screen: cursor to the beginning of the line N up, erase below, bold."""
        screen, row = [""], 0
        for part in re.split(r"(\x1b\[\d*[A-Za-z]|\r?\n)", self.output.decode(errors="replace")):
            if part in ("\n", "\r\n"):
                row += 1
                if row == len(screen):
                    screen.append("")
            elif part.startswith("\x1b["):
                if part.endswith("F"):
                    row = max(0, row - int(part[2:-1] or "1"))
                elif part.endswith("J"):
                    screen = screen[:row] + [""]
            else:
                screen[row] += part
        return screen

    def wait_for(self, condition, what):
        def look():
            self.read()
            return condition(self.lines())
        return wait_until(look, 40, what)

    def end(self):
        os.kill(self.pid, signal.SIGINT)
        self.wait_for(lambda _: os.waitpid(self.pid, os.WNOHANG)[0] == self.pid, "its end")
        os.close(self.file)


class TableTest(SystemTest):
    ROLES = UpTest.ROLES

    def terminal(self, columns):
        terminal = Terminal([binary(), "up", "--port", str(free_port()), "--data", self.data, "--registry-port", "0",
                             "--api-port", "0"], columns)
        self.addCleanup(subprocess.run, ["kill", "-9", str(terminal.pid)], stderr=subprocess.DEVNULL, check=False)
        return terminal

    def table(self, lines):
        heads = [i for i, line in enumerate(lines) if line.startswith("role ")]
        return lines[heads[-1]:] if heads else []

    def all_ready(self, lines):
        table = self.table(lines)
        return sum(" ready" in line for line in table) == len(self.ROLES) and table

    def test_a_table_is_painted_in_place_below_the_lines(self):
        terminal = self.terminal(100)
        table = terminal.wait_for(self.all_ready, "all ready")
        self.assertRegex(table[0], r"^role +pid +port +state +restarts +req/s +cpu +memory$")
        self.assertEqual({line.split()[0] for line in table[1:] if line}, self.ROLES)
        terminal.wait_for(lambda lines: any("curl" in line for line in lines) and "%" in self.table(lines)[-2],
                          "the greeting, and the second sample")
        self.assertEqual(sum(line.startswith("role ") for line in terminal.lines()), 1, "painted in place")
        terminal.end()
        self.assertEqual(self.table(terminal.lines()), [], "erased at the end")

    def test_a_narrow_terminal_gets_a_narrow_table(self):
        terminal = self.terminal(30)
        table = terminal.wait_for(self.all_ready, "all ready")
        self.assertTrue(all(len(line) < 30 for line in table), table)
        self.assertIn("state", table[0])
        terminal.end()


if __name__ == "__main__":
    main()
