#!/usr/bin/env python3
"""Stopped and started, the system has everything it had."""

import json
import shutil

from harness import SystemTest, main


class RestartTest(SystemTest):
    def test_everything_is_there_after_a_restart(self):
        api = self.started()
        api.create("sale", 300)
        api.create("paused", 5, starts_at="2199-01-01T00:00:00Z")
        api.request("PATCH", "/v1/campaigns/sale", {"limit": 250, "name": "The sale"})
        coupons = {f"u{n}": api.issue("sale", f"u{n}").json() for n in range(200)}
        code = coupons["u7"]["code"]
        redeemed = api.settled("POST", f"/v1/coupons/{code}/redemption", headers={"Idempotency-Key": "k"}).json()
        campaigns = api.request("GET", "/v1/campaigns").json()
        self.assertEqual(api.stop(), 0)

        api = self.started()
        self.assertEqual(api.request("GET", "/v1/campaigns").json(), campaigns)
        for user, coupon in coupons.items():
            self.assertEqual(self.assert_reply(api.issue("sale", user), 200).json(), coupon)
        self.assertEqual(api.settled("GET", f"/v1/coupons/{code}").json()["redeemed_at"], redeemed["redeemed_at"])
        again = api.settled("POST", f"/v1/coupons/{code}/redemption", headers={"Idempotency-Key": "k"})
        self.assertEqual(self.assert_reply(again, 200).json(), redeemed)
        self.assertEqual(self.assert_reply(api.issue("sale", "new"), 201).json()["sequence"], 201)
        self.audit("sale", url=api.url)
        self.check("sale")

    def test_the_ledger_of_the_next_process_is_the_same(self):
        api = self.started()
        api.create("sale", 50)
        for number in range(50):
            api.issue("sale", number)
        path = "/v1/admin/campaigns/sale/ledger?after=0&limit=100"

        def holders():
            # Times and codes, too: all but the mark `pending`, which is false on both sides.
            return [json.loads(line) for line in api.request("GET", path).body.splitlines()]

        before = holders()
        self.assertEqual(len(before), 50)
        self.assertEqual(api.stop(), 0)
        api = self.started()
        self.assertEqual(holders(), before)
        self.assert_reply(api.issue("sale", "late"), 410, "sold-out")

    def test_a_thousand_campaigns_at_once(self):
        names = [f"c{number}" for number in range(1000)]
        api = self.started()
        connection = api.connection()
        self.addCleanup(connection.close)
        for name in names:
            created = connection.request("POST", "/v1/campaigns", {"id": name, "name": name, "limit": 2})
            self.assert_reply(created, 201)
        for user in ("ann", "bob", "cid"):
            for name in names:
                reply = connection.request("POST", f"/v1/campaigns/{name}/coupons", {"user_id": user})
                self.assert_reply(reply, 410 if user == "cid" else 201)
        self.assertEqual(api.stop(), 0)

        api = self.started()
        connection = api.connection()
        self.addCleanup(connection.close)
        for name in names:
            reply = connection.request("POST", f"/v1/campaigns/{name}/coupons", {"user_id": "bob"})
            self.assertEqual(self.assert_reply(reply, 200).json()["sequence"], 2)
        for name in (names[0], names[-1]):
            self.audit(name, url=api.url)

    def test_a_data_folder_can_be_copied_while_stopped(self):
        api = self.started()
        api.create("sale", 5)
        coupon = api.issue("sale", "a").json()
        self.assertEqual(api.stop(), 0)
        copy = self.folder + "/copy"
        shutil.copytree(self.data, copy)
        api = self.started(copy)
        self.assertEqual(api.issue("sale", "a").json(), coupon)


if __name__ == "__main__":
    main()
