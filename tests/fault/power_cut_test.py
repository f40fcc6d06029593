#!/usr/bin/env python3
"""A power cut under load, by the library of lost_writes: what was written and not fsynced is gone. Everything that
was acknowledged is there nevertheless. And with fsync made to do nothing, the same test sees the loss.

  DOORBUSTER_BINARY=... DOORBUSTER_LOST_WRITES=.../liblost_writes.so python3 power_cut_test.py [--rounds N] [--seed S]
"""

import argparse
import os
import random
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

from harness import Acks, Load, SystemTest, main, wait_until  # noqa: E402

PUT_BACK = os.path.join(HERE, "lost_writes", "put_back.py")
ROUNDS, SEED = 3, 0


class PowerCutTest(SystemTest):
    def watched(self, **more):
        library = os.environ.get("DOORBUSTER_LOST_WRITES", "")
        self.assertTrue(os.path.exists(library), "DOORBUSTER_LOST_WRITES must name liblost_writes.so")
        return self.started(environment={"LD_PRELOAD": library, "DOORBUSTER_LOSE_DIR": self.data, **more})

    def cut_power_under_load(self, api, acks, prefix, seconds, seed):
        with Load(api, "sale", acks, threads=6, prefix=prefix, seed=seed) as load:
            before = acks.count(200, 201)
            wait_until(lambda: acks.count(200, 201) > before + 50, 60, "the load's first coupons")
            time.sleep(seconds)
            api.kill()
            load.stopping.set()
        done = subprocess.run([sys.executable, PUT_BACK, self.data], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_what_was_acknowledged_survives(self):
        print(f"seed {SEED}, {ROUNDS} rounds", file=sys.stderr)
        rng = random.Random(SEED)
        acks = Acks()
        path = os.path.join(self.folder, "acks.jsonl")
        api = self.watched()
        api.create("sale", 1_000_000)
        for turn in range(ROUNDS):
            self.cut_power_under_load(api, acks, f"r{turn}", rng.uniform(0, 1), SEED * 1000 + turn)
            api = self.watched()
            self.audit("sale", [acks.write(path)], api.url)
            self.check("sale", [path])
        self.assertEqual(api.stop(), 0)

    def test_a_loss_would_be_seen(self):
        acks = Acks()
        path = os.path.join(self.folder, "acks.jsonl")
        api = self.watched()
        api.create("sale", 1_000_000)
        self.assertEqual(api.stop(), 0)
        api = self.watched(DOORBUSTER_IGNORE_FSYNC="1")
        self.cut_power_under_load(api, acks, "lost", 0.2, SEED)
        api = self.started()
        told = acks.coupons()
        lost = [user for user in told if api.request("GET", f"/v1/campaigns/sale/coupons/{user}").status != 200]
        self.assertGreater(len(lost), 0, "fsync did nothing, and yet nothing was lost: the library does not work")
        report = self.audit("sale", [acks.write(path)], api.url, expect=3)
        self.assertFalse(report["promises"][2]["ok"])
        self.assertIn("3 BROKEN", self.check("sale", [path], expect=3))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    options, rest = parser.parse_known_args()
    ROUNDS, SEED = options.rounds, options.seed
    main(argv=[sys.argv[0], *rest])
