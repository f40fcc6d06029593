#!/usr/bin/env python3
"""kill -9 at random moments under load: everything that was acknowledged is there, once, and nothing above the limit.

  DOORBUSTER_BINARY=build/release/doorbuster python3 kill_test.py [--rounds N] [--seed S]
"""

import argparse
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from harness import Acks, Load, SystemTest, main, wait_until  # noqa: E402

MOST_RESTART_SECONDS = 5
ROUNDS, SEED = 3, 0


class KillTest(SystemTest):
    def test_nothing_is_lost(self):
        print(f"seed {SEED}, {ROUNDS} rounds", file=sys.stderr)
        rng = random.Random(SEED)
        acks = Acks()
        path = os.path.join(self.folder, "acks.jsonl")
        # The limit falls into the middle of the rounds: kills hit filling and sold-out campaigns alike.
        limit = 1200 * ROUNDS
        api = self.started()
        api.create("sale", limit)
        for turn in range(ROUNDS):
            with Load(api, "sale", acks, threads=6, prefix=f"r{turn}", seed=SEED * 1000 + turn) as load:
                before = len(acks.all)
                wait_until(lambda: len(acks.all) > before + 50, 30, "the load's first answers")
                time.sleep(rng.uniform(0, 1))
                api.kill()
                load.stopping.set()
            began = time.monotonic()
            api = self.started()
            took = time.monotonic() - began
            self.assertLess(took, MOST_RESTART_SECONDS, f"restart {turn}")
            self.judge_restarted(api, acks, limit, turn)
        report = self.audit("sale", [acks.write(path)], api.url)
        self.check("sale", [path])
        self.assertGreater(report["acknowledged_coupons"], 0)
        self.assertEqual(api.stop(), 0)
        self.audit("sale", [path])

    def judge_restarted(self, api, acks, limit, turn):
        where = f"seed {SEED}, round {turn}"
        holders = {}
        after = 0
        while True:
            lines = api.request("GET", f"/v1/admin/campaigns/sale/ledger?after={after}&limit=5000").body.splitlines()
            if not lines:
                break
            for line in lines:
                holder = json.loads(line)
                self.assertNotIn(holder["user_id"], holders, where)
                holders[holder["user_id"]] = (holder["code"], holder["sequence"])
                after = holder["sequence"]
        self.assertLessEqual(len(holders), limit, where)
        for user, coupon in acks.coupons().items():
            self.assertEqual(holders.get(user), coupon, f"{where}: {user}")
        connection = api.connection()
        for user, (code, sequence) in random.Random(turn).sample(sorted(acks.coupons().items()),
                                                                 min(50, len(acks.coupons()))):
            reply = connection.request("POST", "/v1/campaigns/sale/coupons", {"user_id": user})
            self.assert_reply(reply, 200)
            self.assertEqual((reply.json()["code"], reply.json()["sequence"]), (code, sequence), where)
        connection.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    options, rest = parser.parse_known_args()
    ROUNDS, SEED = options.rounds, options.seed
    main(argv=[sys.argv[0], *rest])
