#!/usr/bin/env python3
"""The drop on the full stack: three api processes over a real Redis, Kafka and MariaDB, under every strategy.

  DOORBUSTER_BINARY=build/release/doorbuster python3 full_stack_test.py [--limit N] [--strategies atomic,lock,...]

As many distinct winners and rows as the limit, audit and checker clean.
"""

import argparse
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fault", "full"))

from full_system import FullSystem, SystemTest, main  # noqa: E402

STRATEGIES = ["atomic", "set-incr", "async-queue", "lock", "fair-lock", "db-lock"]
# Under locks each coupon takes many round trips.
SLOW = {"lock": 20, "fair-lock": 20, "db-lock": 20}
LIMIT, CHOSEN, VUSERS = 6000, STRATEGIES, 1000


class FullStackTest(SystemTest):
    def drop(self, system, strategy, campaign=None, limit=None):
        campaign = campaign or strategy
        limit = limit or max(100, LIMIT // SLOW.get(strategy, 1))
        system.create(campaign, limit, strategy=strategy)
        acks, report = (os.path.join(self.folder, f"{campaign}.{kind}") for kind in ("jsonl", "json"))
        done = self.run_program(
            "bench", ",".join(api.url for api in system.apis), "--vusers", str(VUSERS), "--campaign", campaign,
            "--requests", str(limit + limit // 2), "--retry", "--allow-busy-generator", "--timeout", "60s",
            "--json", report, "--acks", acks, timeout=600)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(acks, encoding="utf-8") as file:
            seen = [json.loads(line) for line in file]
        winners = {ack["user"]: (ack["code"], ack["sequence"]) for ack in seen if ack["status"] in (200, 201)}
        self.assertEqual(len(winners), limit, done.stdout)
        self.assertEqual(len({code for code, _ in winners.values()}), limit)
        self.assertEqual(sorted(sequence for _, sequence in winners.values()), list(range(1, limit + 1)))
        self.assertEqual({ack["status"] for ack in seen} - {200, 201, 410, 503}, set())
        system.wait_drained(campaign)
        rows = system.sql(f"SELECT count(*), count(DISTINCT user_id), max(sequence) FROM coupon_issued_user"
                          f" WHERE campaign_id = '{campaign}'")[0]
        self.assertEqual([int(value) for value in rows], [limit] * 3)
        print(f"{campaign}: {system.audit(campaign, [acks]).splitlines()[0]}", file=sys.stderr)
        system.check(campaign, [acks])
        for api in system.apis:  # a holder asks again, wherever
            user, (code, _) = next(iter(winners.items()))
            if strategy == "async-queue":
                self.ask_behind_the_queue(system, api, user, code)
                continue
            again = self.assert_reply(api.issue(campaign, user), 200).json()
            self.assertEqual(again["code"], code)
            self.assert_reply(api.issue(campaign, "somebody-else"), 410, "sold-out")

    def ask_behind_the_queue(self, system, api, user, code):
        """Accepted by one instance, the outcome told by every one."""
        for asker, state in ((user, "already_issued"), ("somebody-else", "sold_out")):
            accepted = self.assert_reply(api.issue("async-queue", asker), 202)
            for other in system.apis:
                outcome = system.outcome(other, accepted)
                self.assertEqual(outcome["state"], state)
                if asker == user:
                    self.assertEqual(outcome["coupon"]["code"], code)
                    self.assertEqual(outcome["coupon"]["durable"], "log(rf=1)")
        self.assert_reply(api.request("GET", "/v1/requests/ZZZZZZZZZZZZZZZZ"), 404)
        self.assertIn("doorbuster_queued_outcomes_total", api.request("GET", "/metrics").body.decode())

    def lock_the_campaign(self, system, strategy):
        """One lock for all users: who holds it holds up everybody, and the limit is kept as ever."""
        for api in system.apis:
            if "--lock-scope" not in api.extra:
                api.stop()
                api.extra += ["--lock-scope", "campaign"]
                api.launch()
        system.wait_all_ready()
        if strategy == "fair-lock":
            self.drop(system, strategy, "fair-lock-of-campaign", 100)
        campaign = f"{strategy}-held"
        system.create(campaign, 1, strategy=strategy)
        lock = f"doorbuster:{{c:{campaign}}}:members:lock"
        self.assertEqual(system.stack.redis.call("SET", lock, "somebody-else", "PX", 60000), "+OK")
        self.assert_reply(system.apis[0].issue(campaign, "alice"), 503)
        self.assertEqual(system.stack.redis.call("DEL", lock), ":1")
        self.assert_reply(system.apis[1].issue(campaign, "bob"), 201)

    def reply_names_its_rule(self, system):
        """What a coupon's `durable` says is what docs/openapi.yaml lists."""
        for rule, named in (("log", "log(rf=1)"), ("ledger", "ledger")):  # one broker
            system.create(f"rule-{rule}", 1, durability=rule)
            for status in (201, 200):
                coupon = self.assert_reply(system.apis[0].issue(f"rule-{rule}", "alice"), status).json()
                self.assertEqual(coupon["durable"], named)

    def test_exactly_the_limit_under_every_strategy(self):
        with FullSystem(self.folder) as system:
            self.reply_names_its_rule(system)
            for strategy in CHOSEN:
                with self.subTest(strategy=strategy):
                    self.drop(system, strategy)
            for strategy in (each for each in CHOSEN if each in ("lock", "fair-lock")):
                with self.subTest(strategy=strategy, lock_scope="campaign"):
                    self.lock_the_campaign(system, strategy)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, default=LIMIT)
    parser.add_argument("--vusers", type=int, default=VUSERS)
    parser.add_argument("--strategies", default=",".join(STRATEGIES))
    options, rest = parser.parse_known_args()
    LIMIT, VUSERS, CHOSEN = options.limit, options.vusers, options.strategies.split(",")
    main(argv=[sys.argv[0], *rest])
