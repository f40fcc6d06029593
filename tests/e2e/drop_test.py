#!/usr/bin/env python3
"""The drop itself: 1,000 users at once, 10,000 coupons, and more requests than coupons."""

import json
import os

from harness import SystemTest, main

LIMIT = 10_000


class DropTest(SystemTest):
    def bench(self, api, *more):
        acks, report = os.path.join(self.folder, "acks.jsonl"), os.path.join(self.folder, "bench.json")
        done = self.run_program("bench", api.url, "--vusers", "1000", "--campaign", "drop", "--json", report,
                                "--acks", acks, *more)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(report, encoding="utf-8") as file:
            result = json.load(file)
        with open(acks, encoding="utf-8") as file:
            return acks, [json.loads(line) for line in file], result

    def test_exactly_the_limit_is_given_out(self):
        api = self.started()
        api.create("drop", LIMIT)
        path, acks, result = self.bench(api, "--requests", "15000")

        self.assertEqual(len(acks), 15_000)
        winners = {ack["user"]: ack for ack in acks if ack["status"] in (200, 201)}
        self.assertEqual(len(winners), LIMIT)
        self.assertEqual(sorted(ack["sequence"] for ack in winners.values()), list(range(1, LIMIT + 1)))
        self.assertEqual(len({ack["code"] for ack in winners.values()}), LIMIT)
        self.assertEqual({ack["status"] for ack in acks} - {200, 201}, {410})
        self.assertEqual(result["outcomes"]["issued"], LIMIT)
        self.assertEqual(result["outcomes"]["sold_out"], 5_000)
        self.assertEqual(result["errors"], 0)

        user, won = next(iter(winners.items()))
        again = self.assert_reply(api.issue("drop", user), 200).json()
        self.assertEqual((again["code"], again["sequence"]), (won["code"], won["sequence"]))
        self.assert_reply(api.issue("drop", "somebody-else"), 410, "sold-out")

        report = self.audit("drop", [path], api.url)
        self.assertTrue(report["good"])
        self.assertEqual(report["ledger"], "api")
        self.assertEqual(report["acknowledged_coupons"], LIMIT)
        self.check("drop", [path])

        fair = self.run_program("audit", "--campaign", "drop", "--data", self.data, "--url", api.url, "--acks", path,
                                "--fairness")
        self.assertEqual(fair.returncode, 0, fair.stdout)
        self.assertIn("fairness:", fair.stdout)

        self.assertEqual(api.stop(), 0)
        self.assertEqual(self.audit("drop", [path])["ledger"], "rebuilt from the log")

    def test_a_drop_on_several_threads_keeps_the_same_promises(self):
        api = self.started(extra=["--io-threads", "2"])
        api.create("drop", 3_000)
        path, acks, _ = self.bench(api, "--requests", "5000")
        self.assertEqual(len({ack["user"] for ack in acks if ack["status"] in (200, 201)}), 3_000)
        self.audit("drop", [path], api.url)
        self.check("drop", [path])


if __name__ == "__main__":
    main()
