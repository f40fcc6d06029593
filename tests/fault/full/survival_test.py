#!/usr/bin/env python3
"""Cells of the survival table (README) that no other test shows: durability `ledger`, a Kafka that loses its data, and
three brokers of which any one dies, or all.

  DOORBUSTER_BINARY=build/release/doorbuster python3 survival_test.py
"""

from full_system import Acks, Crowd, FullSystem, SystemTest, main, now_us, wait_until

EARLY, LATE, LIMIT = 100, 60, 1000
THREE = {"brokers": 3, "settings": {"kafka.replication": "3", "kafka.min_insync_replicas": "2"}}


class SurvivalTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.acks = Acks()

    def system(self, **more):
        system = FullSystem(self.folder, **more)
        system.__enter__()
        self.addCleanup(system.__exit__)
        return system

    def issue(self, system, users, campaign="sale", acks=None):
        """Each once, or until it is answered; by all instances in turn."""
        acks = acks or self.acks
        for number, user in enumerate(users):
            api = system.apis[number % len(system.apis)]
            sent = now_us()
            reply = wait_until(lambda api=api, user=user: self.answer(api, campaign, user), 30, f"an answer for {user}")
            acks.add(user, sent, reply)
        return acks

    @staticmethod
    def answer(api, campaign, user):
        reply = api.issue(campaign, user)
        return reply if reply.status in (200, 201, 410) else None

    def kill_members(self, system):
        for member in system.members:
            member.kill()

    def test_ledger_what_redis_answered_outlives_every_process(self):
        """The answers come while Kafka stands still, so Redis alone has them. Then everything is killed."""
        system = self.system()
        system.create("sale", LIMIT, durability="ledger")
        self.issue(system, ["warm"])
        system.stack.kafka.pause()
        self.issue(system, [f"u{n}" for n in range(LATE)])
        told = self.answer(system.apis[0], "sale", "u0").json()
        self.assertEqual(told["durable"], "ledger")
        rows = int(system.sql("SELECT count(*) FROM coupon_issued_user")[0][0])
        self.assertLess(rows, LATE, "Kafka has not got them yet")
        self.kill_members(system)
        system.stack.redis.kill9()
        system.stack.kafka.kill9()
        system.stack.mariadb.kill9()
        system.restart_dead()
        system.judge("sale", self.acks, LIMIT)

    def test_ledger_a_lost_redis_takes_only_what_kafka_did_not_have(self):
        system = self.system()
        system.create("sale", LIMIT, durability="ledger")
        self.issue(system, [f"early-{n}" for n in range(EARLY)])
        system.wait_drained("sale")
        system.stack.kafka.pause()
        risky = self.issue(system, [f"late-{n}" for n in range(LATE)], acks=Acks())
        self.kill_members(system)  # or their own queues would still bring the events
        system.stack.redis.call("FLUSHALL")
        system.stack.kafka.resume()
        system.restart_dead()
        system.wait_open("sale")
        kept = {user: code for user, (code, _) in risky.coupons().items()}
        gone = 0
        for user, code in kept.items():
            now = wait_until(lambda user=user: self.answer(system.apis[0], "sale", user), 30, f"an answer for {user}")
            gone += now.json()["code"] != code
        self.assertGreater(gone, 0, "the table says that these may be lost; if none is, it is wrong")
        system.judge("sale", self.acks, LIMIT)

    def test_kafka_loses_its_data(self):
        """Under both durabilities every coupon is in the database afterwards, and the new log has it again."""
        system = self.system()
        acks = {}
        for durability in ("log", "ledger"):
            system.create(durability, LIMIT, durability=durability)
            acks[durability] = self.issue(system, [f"u{n}" for n in range(EARLY)], durability, Acks())
        system.wait_drained("ledger")
        for worker in system.workers:
            worker.kill()  # what comes now is in ledger and log alone
        for durability in acks:
            self.issue(system, [f"v{n}" for n in range(LATE)], durability, acks[durability])
        self.kill_members(system)
        system.stack.kafka.kill9()
        system.stack.kafka.wipe()
        system.stack.kafka.start()
        # An api first, as docs/operations.md says: a worker does not begin with a log that has lost its data.
        system.apis[0].launch().wait_ready(60)
        system.restart_dead()
        for durability, seen in acks.items():
            self.issue(system, [f"w{n}" for n in range(10)], durability, seen)
            system.judge(durability, seen, LIMIT)

    def test_any_one_of_three_brokers_is_killed(self):
        """One after another, each as soon as the one before is there again: until that has caught up nothing is
        promised, and then coupons go on."""
        system = self.system(**THREE)
        system.create("sale", 30_000)
        kafka = system.stack.kafka
        with Crowd(system, "sale", self.acks, threads=3):
            wait_until(lambda: self.acks.count(201) > 50, 60, "the first coupons")
            for node in (1, 2, 3):
                kafka.kill9(node)
                told = self.acks.count(201)
                wait_until(lambda told=told: self.acks.count(201) > told + 50, 60, f"coupons without broker {node}")
                kafka.start(node)
        reply = wait_until(lambda: self.answer(system.apis[0], "sale", "one-more"), 30, "an answer").json()
        self.assertEqual(reply["durable"], "log", "and not log(rf=1)")
        system.judge("sale", self.acks, 30_000)

    def test_all_of_three_brokers_are_lost(self):
        """Killed together; then with their data, while the database lacks some coupons; then Redis, too."""
        system = self.system(**THREE)
        system.create("sale", LIMIT)
        kafka = system.stack.kafka
        told = self.issue(system, [f"killed-{n}" for n in range(LATE)])
        kafka.kill9()
        kafka.start()
        system.wait_all_ready()
        system.judge("sale", told, LIMIT)

        for worker in system.workers:
            worker.stop()
        self.issue(system, [f"wiped-{n}" for n in range(LATE)])
        self.kill_members(system)
        kafka.kill9()
        kafka.wipe()
        kafka.start()
        system.apis[0].launch().wait_ready(60)
        system.restart_dead()
        system.judge("sale", told, LIMIT)

        for worker in system.workers:
            worker.stop()
        self.issue(system, [f"flushed-{n}" for n in range(LATE)])
        self.kill_members(system)  # the workers have left their group, so that nobody waits for them
        system.stack.redis.call("FLUSHALL")
        system.restart_dead()
        system.judge("sale", told, LIMIT)


if __name__ == "__main__":
    main()
