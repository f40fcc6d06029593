#!/usr/bin/env python3
"""`doorbuster up --stack full`: three api instances over a real Redis, Kafka and MariaDB, behind gateway and registry."""

import os
import signal
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]
from harness import SystemTest, main, wait_until  # noqa: E402
from stack import TestStack  # noqa: E402
from up_test import alive, children_of, words_of  # noqa: E402

INSTANCES = 3
LIMIT = 400


def processes(pid):
    """(role, port) -> process"""
    found = {}
    for child in children_of(pid):
        words = words_of(child)
        if len(words) > 1 and words[0] == "doorbuster" and alive(child):
            found[words[1], words[words.index("--port") + 1]] = child
    return found


class Crowd:
    """Users who ask for a coupon of `sale` until the answer is final."""

    def __init__(self, up, threads=8):
        self.up, self.lock, self.next, self.stopping = up, threading.Lock(), 0, False
        self.codes, self.bad = {}, []
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self):
        connection = self.up.connection()
        while not self.stopping:
            with self.lock:
                user = f"u{self.next}"
                self.next += 1
            try:
                reply = connection.request("POST", "/v1/campaigns/sale/coupons", {"user_id": user})
            except OSError as error:
                self.bad.append(repr(error))
                continue
            with self.lock:
                if reply.status in (200, 201):  # 200: the gateway asked twice, the first answer was lost
                    self.codes[user] = reply.json()["code"]
                elif reply.status != 410:
                    self.bad.append(f"{user}: {reply}")
        connection.close()

    def answered(self):
        return self.next

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()


class UpFullTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.stack = TestStack(redis=True, kafka=1, mariadb=True)
        self.addCleanup(self.stack.stop)
        self.stack.start()

    def test_three_instances_take_turns_in_dying_and_no_promise_is_broken(self):
        up = self.server(role="up", extra=["--stack", "full", "--instances", str(INSTANCES),
                                           "--config", self.stack.config]).launch()
        wait_until(lambda: "curl" in up.output() or up.process.poll() is not None, 90, "the greeting")
        self.assertIsNone(up.process.poll(), up.output())
        first = processes(up.pid)
        self.addCleanup(lambda: [os.kill(pid, signal.SIGKILL) for pid in processes(up.pid).values()])
        self.assertEqual(sorted(role for role, _ in first), ["api"] * INSTANCES + ["gateway", "registry", "worker"])
        wait_until(lambda: up.output().count(" is UP at ") >= INSTANCES, 60, "all of them registered")

        self.assert_reply(up.request("POST", "/v1/campaigns", {"id": "sale", "name": "sale", "limit": LIMIT}), 201)
        crowd = Crowd(up)
        for key in sorted(key for key in first if key[0] == "api"):
            begun, registered = crowd.answered(), up.output().count(" is UP at ")
            os.kill(first[key], signal.SIGKILL)
            wait_until(lambda key=key: processes(up.pid).get(key) not in (None, first[key]), 60, f"a new {key}")
            # Only one at a time: its successor takes requests before the next one dies.
            wait_until(lambda registered=registered: up.output().count(" is UP at ") > registered, 60,
                       f"the new {key} in the registry")
            wait_until(lambda begun=begun: crowd.answered() > begun + 100 or crowd.bad, 60, "further answers")
        wait_until(lambda: len(crowd.codes) == LIMIT or crowd.bad, 60, "the last coupon")
        crowd.stop()
        self.assertEqual(crowd.bad, [], f"beside {len(crowd.codes)} coupons\n{up.output()[-4000:]}")
        self.assertEqual(len(crowd.codes), LIMIT)
        self.assertEqual(len(set(crowd.codes.values())), LIMIT)
        for user, code in sorted(crowd.codes.items())[:5]:
            reply = up.settled("GET", f"/v1/coupons/{code}", seconds=30)  # the worker has put it into MariaDB
            self.assertEqual(self.assert_reply(reply, 200).json()["user_id"], user)
        self.assertEqual(up.stop(40), 0, up.output()[-4000:])
        self.assertEqual(processes(up.pid), {})


if __name__ == "__main__":
    main()
