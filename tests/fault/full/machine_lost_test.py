#!/usr/bin/env python3
"""Power cuts of Redis' and of the brokers' machines, by the library of lost_writes: what was written and not fsynced is
gone. Redis: durability `ledger`, with each `appendfsync`. Kafka: durability `log(rf=1)`.

  DOORBUSTER_BINARY=... DOORBUSTER_LOST_WRITES=.../liblost_writes.so python3 machine_lost_test.py
"""

import os
import re
import sys

from full_system import HERE, Acks, FullSystem, SystemTest, main, now_us, wait_until

sys.path.insert(0, os.path.join(HERE, "..", "lost_writes"))
from put_back import put_back  # noqa: E402

EARLY, LATE, LIMIT = 60, 40, 1000


class MachineLostTest(SystemTest):
    def watched(self, folder, **more):
        """The environment of a server whose files below `folder` the power cut is about."""
        library = os.environ.get("DOORBUSTER_LOST_WRITES", "")
        self.assertTrue(os.path.exists(library), "DOORBUSTER_LOST_WRITES must name liblost_writes.so")
        return {"LD_PRELOAD": os.path.abspath(library), "DOORBUSTER_LOSE_DIR": folder, **more}

    def system(self, prepare, **more):
        system = FullSystem(self.folder, apis=2, **more)
        self.addCleanup(system.__exit__)
        prepare(system)
        system.__enter__()
        return system

    def issue(self, system, campaign, users):
        """Each until it is answered. \\returns what they were told"""
        acks = Acks()
        for number, user in enumerate(users):
            api = system.apis[number % len(system.apis)]
            sent = now_us()
            acks.add(user, sent, wait_until(lambda api=api, user=user: self.answer(api, campaign, user), 30,
                                            f"an answer for {user}"))
        return acks

    @staticmethod
    def answer(api, campaign, user):
        reply = api.issue(campaign, user)
        return reply if reply.status in (200, 201) else None

    def cut_power_of(self, system, server):
        """The apis end with it: what waits in their producers would be told to Kafka otherwise."""
        for api in system.apis:
            api.kill()
        server.kill9()
        return put_back(server.data)

    def lost(self, system, campaign, acks):
        """Who was told of a coupon, and is given another one now."""
        system.wait_open(campaign)
        return [user for user, (code, _) in acks.coupons().items()
                if wait_until(lambda user=user: self.answer(system.apis[0], campaign, user), 30,
                              f"an answer for {user}").json()["code"] != code]

    # Redis, while Kafka stands still: what is answered is in Redis alone.

    def restart_redis(self, system, appendfsync, **environment):
        redis = system.stack.redis
        redis.stop()
        redis.options["appendfsync"] = appendfsync
        redis.environment = self.watched(redis.data, **environment)
        redis.start()
        system.wait_all_ready()

    def cut_redis(self, system, campaign, early=0):
        """\\returns what was answered before a moment at which Redis had synced all of it, and after"""
        system.create(campaign, LIMIT, durability="ledger")
        self.issue(system, campaign, ["warm"])
        system.stack.kafka.pause()
        synced = self.issue(system, campaign, [f"early-{n}" for n in range(early)])
        if early:
            self.wait_synced(system.stack.redis.data)
        late = self.issue(system, campaign, [f"late-{n}" for n in range(LATE)])
        self.assertTrue(self.cut_power_of(system, system.stack.redis), "the library watched no file")
        system.stack.kafka.resume()
        system.restart_dead()
        return synced, late

    @staticmethod
    def wait_synced(data):
        """Until the twin of each file has all that was written by now."""
        sizes = {entry.path: entry.stat().st_size for entry in os.scandir(os.path.join(data, "appendonlydir"))
                 if entry.name.endswith(".aof")}

        def synced():
            return all(os.path.exists(path + ".durable") and os.path.getsize(path + ".durable") >= size
                       for path, size in sizes.items())

        wait_until(synced, 5, "the append-only file to be synced")

    def test_durability_ledger_and_a_power_cut_of_redis(self):
        def prepare(system):
            system.stack.redis.options["appendfsync"] = "always"
            system.stack.redis.environment = self.watched(system.stack.redis.data)

        system = self.system(prepare)
        _, told = self.cut_redis(system, "always")
        self.assertEqual(self.lost(system, "always", told), [])
        system.judge("always", told, LIMIT)

        self.restart_redis(system, "everysec")
        synced, told = self.cut_redis(system, "everysec", EARLY)
        self.assertEqual(self.lost(system, "everysec", synced), [], "answered longer ago than the last fsync")
        lost = self.lost(system, "everysec", told)
        print(f"everysec: {len(lost)} of {LATE} answers of the last moment are lost", file=sys.stderr)
        system.judge("everysec", synced, LIMIT)

        self.restart_redis(system, "always", DOORBUSTER_IGNORE_FSYNC="1")
        _, told = self.cut_redis(system, "ignored")
        self.assertGreater(len(self.lost(system, "ignored", told)), 0,
                           "fsync did nothing, and yet nothing was lost: the library does not work")
        system.judge("ignored", Acks(), LIMIT)

    # Kafka: a broker acknowledges what is in its page cache.

    def test_durability_log_of_one_replica_and_a_power_cut_of_the_broker(self):
        system = self.system_with_brokers()
        acks = self.stored_coupons(system)
        self.cut_power_of_brokers(system, acks)
        self.assertEqual(self.lost(system, "sale", acks), [])
        system.judge("sale", acks, LIMIT)

    def test_a_power_cut_of_all_three_brokers(self):
        system = self.system_with_brokers(brokers=3, settings={"kafka.replication": "3",
                                                               "kafka.min_insync_replicas": "2"})
        acks = self.stored_coupons(system)
        self.cut_power_of_brokers(system, acks)
        self.assertEqual(self.lost(system, "sale", acks), [])
        system.judge("sale", acks, LIMIT)

    def test_a_power_cut_of_the_only_broker_that_nobody_notices(self):
        """The log ends where the database believes that it does, so that nothing says that more had been in it.
        Whoever asks is told the same from Redis; audit sees it, and `recover` mends it (docs/operations.md)."""
        system = self.system_with_brokers()
        acks = self.stored_coupons(system)
        for member in system.members:
            member.stop()
        broker = system.stack.kafka.brokers[0]
        broker.stop()  # in order: all is synced
        broker.start()
        for api in system.apis:
            api.launch().wait_ready(60)
        self.cut_power_of_brokers(system, acks)
        self.assertEqual(self.lost(system, "sale", acks), [])
        system.audit("sale", [acks.write(os.path.join(self.folder, "acks.jsonl"))], expect=3)
        system.recover("sale")
        system.judge("sale", acks, LIMIT)

    def system_with_brokers(self, **more):
        def prepare(system):
            for broker in system.stack.kafka.brokers:
                broker.environment = self.watched(broker.data)

        return self.system(prepare, **more)

    def stored_coupons(self, system):
        system.create("sale", LIMIT)
        acks = self.issue(system, "sale", [f"early-{n}" for n in range(EARLY)])
        system.wait_drained("sale")
        return acks

    def cut_power_of_brokers(self, system, acks):
        """After some more coupons, of which the database has none."""
        for worker in system.workers:
            worker.stop()
        acks.all += self.issue(system, "sale", [f"late-{n}" for n in range(LATE)]).all
        kafka = system.stack.kafka
        kafka.kill9()  # before the apis, and all of them: none may bring another up to date
        gone = [line for broker in kafka.brokers for line in self.cut_power_of(system, broker)
                if re.search(r"/coupon-issued-\d+/.*\.log:", line)]
        self.assertTrue(gone, "the log's segments lost nothing")
        kafka.start()
        system.apis[0].launch().wait_ready(60)  # an api first: docs/operations.md
        system.restart_dead()


if __name__ == "__main__":
    main()
