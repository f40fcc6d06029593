#!/usr/bin/env python3
"""The ledger loses its data, or is set back, while Kafka stands still and coupons are pending.

  DOORBUSTER_BINARY=build/release/doorbuster python3 redis_lost_test.py [--seed S] [--recover-kills N]

Closed until it is recovered; then issuing goes on: nobody has two coupons, none is above the limit, numbers that were
lost are given out first, and what an old instance appends late is void.
"""

import argparse
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time

from full_system import Acks, FullSystem, SystemTest, binary, main, now_us, wait_until

from harness import Reply, issue_bytes, read_replies  # noqa: E402  (full_system knows where)

SEED, RECOVER_KILLS = 0, 3
LIMIT, PENDING = 1000, 150


class Burst:
    """Many requests at once on one connection; their answers are collected in the background."""

    def __init__(self, api, campaign, users, acks, patience=90):
        self.api, self.campaign, self.users, self.acks, self.patience = api, campaign, users, acks, patience
        self.raw = socket.create_connection(("127.0.0.1", api.port), timeout=patience)
        self.sent = now_us()
        self.raw.sendall(b"".join(issue_bytes(campaign, user) for user in users))
        self.replies = None
        self.thread = threading.Thread(target=self.collect)
        self.thread.start()

    def collect(self):
        try:
            self.replies = read_replies(self.raw, len(self.users))
        except (OSError, AssertionError):
            self.replies = []
        for index, user in enumerate(self.users):
            reply = None
            if index < len(self.replies):
                status, body = self.replies[index]
                kind = "application/problem+json" if status >= 400 else "application/json"
                reply = Reply(status, {"content-type": kind}, body)
            self.acks.add(user, self.sent, reply)
        self.raw.close()

    def wait(self):
        self.thread.join()
        return self.replies


class RedisLostTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.acks = Acks()
        self.rng = random.Random(SEED)
        print(f"seed {SEED}", file=sys.stderr)

    def system(self, **more):
        system = FullSystem(self.folder, **more)
        system.__enter__()
        self.addCleanup(system.__exit__)
        return system

    def issue(self, api, user):
        sent = now_us()
        reply = api.issue("sale", user)
        self.acks.add(user, sent, reply)
        return reply

    def issue_settled(self, api, user, seconds=60):
        """Asks again while the answer is 503."""
        return wait_until(lambda: (lambda reply: reply if reply.status != 503 else None)(self.issue(api, user)),
                          seconds, f"an answer for {user}")

    def first_coupons(self, system, count=200):
        Burst(system.apis[0], "sale", [f"early-{n}" for n in range(count)], self.acks).wait()
        self.assertEqual(self.acks.count(201), count)

    def pending_burst(self, system, api, name):
        """Kafka stands still: these are decided, and nobody is told."""
        before = self.ledger_issued(system)
        burst = Burst(api, "sale", [f"{name}-{n}" for n in range(PENDING)], self.acks)
        wait_until(lambda: self.ledger_issued(system) >= before + 100, 10, "100 pending admissions")
        return burst

    def ledger_issued(self, system):
        return int(system.stack.redis.call("HLEN", "doorbuster:{c:sale}:holders").lstrip(":"))

    def assert_closed(self, system):
        for api in system.apis:
            reply = self.issue(api, f"asks-while-closed-{api.port}")
            self.assertEqual(reply.status, 503, reply)
            self.assertIn("retry-after", reply.headers)

    def lose_while_kafka_stands(self, system, lose):
        system.create("sale", LIMIT)
        self.first_coupons(system)
        system.stack.kafka.pause()
        burst = self.pending_burst(system, system.apis[0], "pending")
        lose()
        self.assert_closed(system)
        system.stack.kafka.resume()
        burst.wait()
        system.wait_open("sale")
        for number in range(100):
            self.assertIn(self.issue_settled(self.rng.choice(system.apis), f"later-{number}").status, (200, 201))
        system.judge("sale", self.acks, LIMIT)
        self.assert_no_gaps(system)

    def assert_no_gaps(self, system):
        count, highest = system.sql("SELECT count(*), max(sequence) FROM coupon_issued_user WHERE campaign_id='sale'")[0]
        self.assertEqual(count, highest, "missing numbers are given out first")

    def test_flushed(self):
        system = self.system()
        self.lose_while_kafka_stands(system, lambda: system.stack.redis.call("FLUSHALL"))

    def test_data_folder_deleted(self):
        system = self.system()

        def lose():
            system.stack.redis.kill9()
            system.stack.redis.wipe()
            system.stack.redis.start()

        self.lose_while_kafka_stands(system, lose)

    def test_set_back_to_an_older_file(self):
        system = self.system()
        redis = system.stack.redis
        kept = os.path.join(self.folder, "older-aof")

        def keep():
            time.sleep(1.1)  # everysec: what was written is in the files
            shutil.copytree(redis.data, kept)

        def lose():
            redis.kill9()
            shutil.rmtree(redis.data)
            shutil.copytree(kept, redis.data)
            redis.start()

        system.create("sale", LIMIT)
        Burst(system.apis[0], "sale", [f"oldest-{n}" for n in range(50)], self.acks).wait()
        keep()
        Burst(system.apis[1], "sale", [f"early-{n}" for n in range(150)], self.acks).wait()
        system.stack.kafka.pause()
        burst = self.pending_burst(system, system.apis[0], "pending")
        lose()
        self.assert_closed(system)
        system.stack.kafka.resume()
        burst.wait()
        system.wait_open("sale")
        for number in range(100):
            self.assertIn(self.issue_settled(self.rng.choice(system.apis), f"later-{number}").status, (200, 201))
        system.judge("sale", self.acks, LIMIT)
        self.assert_no_gaps(system)

    def test_a_late_append_of_an_old_instance_is_void(self):
        system = self.system(settings={"kafka.delivery_timeout": "120s"})
        old, other = system.apis[0], system.apis[1]
        system.create("sale", LIMIT)
        self.first_coupons(system)
        system.stack.kafka.pause()
        burst = self.pending_burst(system, old, "void")
        old.pause()
        system.stack.kafka.kill9()  # takes what stands in its sockets along
        system.stack.kafka.start()
        system.stack.redis.call("FLUSHALL")
        wait_until(lambda: self.issue(other, "first-after-recovery").status == 201, 90, "the recovery")
        again = self.issue_settled(other, "first-after-recovery").json()
        self.assertEqual(again["sequence"], 201, "the numbers of the lost admissions are given out first")
        old.resume()
        burst.wait()
        self.assertEqual([status for status, _ in burst.replies if status in (200, 201)], [],
                         "nobody may be told of a coupon of an epoch that is over")
        for number in range(PENDING):
            self.assertIn(self.issue_settled(other, f"void-{number}").status, (200, 201))
        system.wait_open("sale")
        system.judge("sale", self.acks, LIMIT)
        self.assert_no_gaps(system)
        wait_until(lambda: self.voided(system) > 0, 20, "the late append in the log, left out by the worker")

    def voided(self, system):
        return sum(worker.metrics()["doorbuster_worker_void_total"] for worker in system.workers)

    def test_recover_killed_at_random_moments(self):
        system = self.system(settings={"api.auto_recover": "false"})
        system.create("sale", LIMIT)
        self.first_coupons(system)
        system.stack.kafka.pause()
        burst = self.pending_burst(system, system.apis[0], "pending")
        system.stack.redis.call("FLUSHALL")
        system.stack.kafka.resume()
        burst.wait()
        self.assert_closed(system)
        began = time.monotonic()
        for _ in range(RECOVER_KILLS):
            recover = subprocess.Popen([binary(), "recover", "--campaign", "sale", "--config", system.config],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(self.rng.uniform(0.0, 0.6))
            recover.kill()
            recover.wait()
        print(f"killed {RECOVER_KILLS} times in {time.monotonic() - began:.1f} s", file=sys.stderr)
        system.recover("sale")
        system.wait_open("sale")
        system.recover("sale")  # once more: no change but the epoch
        system.wait_open("sale")
        for number in range(50):
            self.assertIn(self.issue_settled(self.rng.choice(system.apis), f"later-{number}").status, (200, 201))
        system.judge("sale", self.acks, LIMIT)
        self.assert_no_gaps(system)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--recover-kills", type=int, default=RECOVER_KILLS)
    options, rest = parser.parse_known_args()
    SEED, RECOVER_KILLS = options.seed, options.recover_kills
    main(argv=[sys.argv[0], *rest])
