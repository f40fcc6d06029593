#!/usr/bin/env python3
"""Answers of several api processes that must not contradict each other (consistency.md, rules 1 to 5).

  DOORBUSTER_BINARY=build/release/doorbuster python3 answers_test.py [--pause SECONDS]
"""

import argparse
import sys
import threading
import time

from full_system import Acks, Crowd, FullSystem, SystemTest, main, now_us, wait_until

PAUSE_SECONDS = 10


class AnswersTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.acks = Acks()

    def system(self, **more):
        system = FullSystem(self.folder, **more)
        system.__enter__()
        self.addCleanup(system.__exit__)
        return system

    def issue(self, api, user, campaign="sale"):
        sent = now_us()
        reply = api.issue(campaign, user)
        self.acks.add(user, sent, reply)
        return reply

    def settled(self, api, user, seconds=30):
        return wait_until(lambda: (lambda reply: reply if reply.status != 503 else None)(self.issue(api, user)),
                          seconds, f"an answer for {user}")

    def test_sold_out_holders_and_a_raised_limit(self):
        system = self.system()
        first, second, third = system.apis
        system.create("sale", 40)
        codes = {}
        for number in range(40):
            reply = self.assert_reply(self.issue(system.apis[number % 3], f"u{number}"), 201)
            codes[f"u{number}"] = reply.json()["code"]
        # Every instance says so itself, more than once: it believes in it now.
        for _ in range(20):
            for api in system.apis:
                self.assert_reply(self.settled(api, "latecomer"), 410, "sold-out")
        for api in system.apis:
            for user in ("u0", "u39"):
                reply = self.assert_reply(self.issue(api, user), 200)
                self.assertEqual(reply.json()["code"], codes[user])
        stop, contradictions = threading.Event(), []
        raised = []

        def believe(api, name):
            """Asks all the time; once PATCH has been answered, a new 410 contradicts it until 45 are out."""
            number = 0
            while not stop.is_set():
                asked = time.monotonic()
                reply = self.issue(api, f"{name}-{number}")
                number += 1
                if reply.status == 410 and raised and asked > raised[0]:
                    if reply.problem() == "sold-out" and system.issued("sale") < 45:
                        contradictions.append((name, number, reply))
                time.sleep(0.01)

        threads = [threading.Thread(target=believe, args=(api, f"b{index}"))
                   for index, api in enumerate((second, third))]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        reply = first.request("PATCH", "/v1/campaigns/sale", {"limit": 45})
        raised.append(time.monotonic())
        self.assert_reply(reply, 200)
        wait_until(lambda: system.issued("sale") == 45, 20, "the five more coupons")
        time.sleep(0.3)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(contradictions, [])
        system.judge("sale", self.acks, 45)

    def test_one_user_asks_two_instances_while_kafka_is_slow(self):
        system = self.system()
        system.create("sale", 100)
        self.assert_reply(self.settled(system.apis[0], "warm"), 201)
        for turn in range(5):
            system.stack.kafka.pause()
            user, replies = f"twice-{turn}", []
            threads = [threading.Thread(target=lambda api=api: replies.append(self.issue(api, user)))
                       for api in system.apis]
            for thread in threads:
                thread.start()
            time.sleep(0.4)
            system.stack.kafka.resume()
            for thread in threads:
                thread.join()
            told = [reply for reply in replies if reply.status in (200, 201)]
            self.assertLessEqual(sum(1 for reply in replies if reply.status == 201), 1, replies)
            final = self.settled(system.apis[turn % 3], user).json()
            self.assertEqual({reply.json()["code"] for reply in told} | {final["code"]}, {final["code"]})
            self.assertEqual({reply.status for reply in replies} - {200, 201, 503}, set(), replies)
        system.judge("sale", self.acks, 100)

    def test_a_slow_kafka_pushes_back_and_loses_nothing(self):
        system = self.system()
        system.create("sale", 5000)
        with Crowd(system, "sale", self.acks, threads=8):
            wait_until(lambda: self.acks.count(201) > 100, 30, "coupons")
            system.stack.kafka.pause()
            refused = self.acks.count(503)
            wait_until(lambda: self.acks.count(503) > refused + 50, 30, "503 while the broker stands")
            time.sleep(2)
            system.stack.kafka.resume()
            told = self.acks.count(201)
            wait_until(lambda: self.acks.count(201) > told + 100, 60, "coupons once it goes on")
        system.judge("sale", self.acks, 5000)

    def test_an_instance_stands_still_in_the_middle_of_a_batch(self):
        system = self.system()
        stopped = system.apis[0]
        system.create("sale", 3000)
        with Crowd(system, "sale", self.acks, threads=8, timeout=1):
            wait_until(lambda: self.acks.count(201) > 100, 30, "coupons")
            stopped.pause()
            began, told = time.monotonic(), self.acks.count(201)
            wait_until(lambda: self.acks.count(201) > told + 100, 60, "the others go on")
            time.sleep(max(0.0, PAUSE_SECONDS - (time.monotonic() - began)))
            stopped.resume()
            told = self.acks.count(200, 201, 410)
            wait_until(lambda: self.acks.count(200, 201, 410) > told + 100, 60, "answers afterwards")
        system.judge("sale", self.acks, 3000)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pause", type=float, default=PAUSE_SECONDS, help="seconds for which an instance is stopped")
    options, rest = parser.parse_known_args()
    PAUSE_SECONDS = options.pause
    main(argv=[sys.argv[0], *rest])
