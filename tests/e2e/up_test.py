#!/usr/bin/env python3
"""`doorbuster up`: a child that is started again when it dies, and that ends with its parent, however that ends."""

import os
import signal

from harness import SystemTest, main, wait_until


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class UpTest(SystemTest):
    def up(self):
        up = self.started(role="up")
        self.child = wait_until(lambda: children_of(up.pid), what="a child")[0]
        self.addCleanup(self.end, self.child)
        return up

    def end(self, child):
        if alive(child):
            os.kill(child, signal.SIGKILL)

    def test_a_first_coupon_as_the_greeting_says(self):
        up = self.up()
        wait_until(lambda: "curl" in up.output(), what="the greeting")
        self.assertIn(f"{up.url}/v1/campaigns/default/coupons", up.output())
        self.assert_reply(up.issue("default", "alice"), 201)
        self.assertEqual(up.request("GET", "/v1/campaigns/default").json()["limit"], 1000)
        self.assertEqual(up.stop(), 0)
        self.assertFalse(alive(self.child))

    def test_the_child_shows_its_role_and_its_flags(self):
        up = self.up()
        with open(f"/proc/{self.child}/comm", encoding="ascii") as file:
            self.assertEqual(file.read().strip(), "doorbuster")
        with open(f"/proc/{self.child}/cmdline", encoding="utf-8") as file:
            words = file.read().split("\0")
        self.assertEqual(words[:2], ["doorbuster", "api"])
        self.assertIn(str(up.port), words)

    def test_a_child_that_dies_is_started_again_and_knows_everything(self):
        up = self.up()
        coupon = self.assert_reply(up.issue("default", "alice"), 201).json()
        os.kill(self.child, signal.SIGKILL)
        successor = wait_until(lambda: [pid for pid in children_of(up.pid) if pid != self.child], 20, "a successor")[0]
        self.addCleanup(self.end, successor)
        up.wait_ready()
        self.assertEqual(self.assert_reply(up.issue("default", "alice"), 200).json(), coupon)
        self.assertEqual(up.stop(), 0)
        self.assertFalse(alive(successor))

    def test_the_child_ends_when_its_parent_is_killed(self):
        up = self.up()
        up.kill()
        wait_until(lambda: not alive(self.child), 15, "the end of the child")

    def test_ctrl_c_reaches_both_and_stops_cleanly(self):
        up = self.up()
        for pid in (up.pid, self.child):  # as a terminal does
            os.kill(pid, signal.SIGINT)
        self.assertEqual(up.wait(15), 0, up.output())
        self.assertFalse(alive(self.child))

    def test_a_start_that_cannot_succeed_is_not_tried_again(self):
        first = self.started()
        up = self.server(role="up").launch()
        self.assertEqual(up.wait(15), 1, up.output())
        self.assert_one_line(up.output(), "doorbuster up", str(first.pid))


if __name__ == "__main__":
    main()
