#!/usr/bin/env python3
"""The memory of an ended campaign is given back, and nobody can tell: every answer is what it was before."""

import json
import os

from harness import SystemTest, fill, main, slowness, wait_until

HOLDERS = 6_000


def metric(api, name):
    return api.metrics()[name]


def wait_unloaded(api, campaigns=1):
    wait_until(lambda: metric(api, "doorbuster_ledger_unloaded_campaigns") == campaigns, 20 * slowness(),
               "campaigns that are unloaded")


class UnloadTest(SystemTest):
    def api(self, after="300ms", extra=()):
        return self.started(extra=["--unload-ended-after", after, *extra])

    def answers(self, api, code):
        """Every kind of answer about the campaign `past`; `u1` is a holder, `nobody` is none."""
        asked = [
            api.request("GET", "/v1/campaigns"),
            api.request("GET", "/v1/campaigns/past"),
            api.issue("past", "u1"),
            api.issue("past", f"u{HOLDERS}"),
            api.issue("past", "nobody"),
            api.request("GET", "/v1/campaigns/past/coupons/u2"),
            api.request("GET", "/v1/campaigns/past/coupons/nobody"),
            api.request("GET", "/v1/coupons/" + code),
            api.request("GET", "/v1/campaigns/past/coupons?after=10&limit=5"),
            api.request("GET", "/v1/campaigns/past/coupons.csv"),
            api.request("GET", "/v1/admin/campaigns/past/ledger?after=0&limit=5000"),
            api.request("GET", "/v1/admin/campaigns/past/ledger?after=5000&limit=5000"),
            api.request("GET", "/v1/admin/campaigns/past/ledger/missing"),
            api.request("PATCH", "/v1/campaigns/past", {"state": "open"}),
            api.request("PATCH", "/v1/campaigns/past", {"limit": 2 * HOLDERS}),
            api.request("PATCH", "/v1/campaigns/past", {"ends_at": "2199-01-01T00:00:00Z"}),
            api.request("POST", "/v1/campaigns", {"id": "past", "name": "past", "limit": HOLDERS + 5}),
            api.request("POST", "/v1/campaigns", {"id": "past", "name": "past", "limit": 7}),
            api.request("POST", f"/v1/coupons/{code}/redemption", headers={"Idempotency-Key": "again"}),
        ]
        return [(reply.status, reply.headers.get("retry-after"), reply.body) for reply in asked]

    def check_answers(self, answers):
        self.assertEqual([status for status, _, _ in answers],
                         [200, 200, 200, 200, 410, 200, 404, 200, 200, 200, 200, 200, 200, 409, 409, 409, 200, 409, 200])
        shown = json.loads(answers[1][2])
        self.assertEqual((shown["issued"], shown["remaining"], shown["state"]), (HOLDERS, 5, "ended"))
        self.assertEqual(json.loads(answers[4][2])["type"], "/problems/ended")

    def test_memory_is_given_back_and_every_answer_stays(self):
        api = self.api("0s")  # never
        api.create("past", HOLDERS + 5, name="past")
        acks = fill(api, "past", HOLDERS)
        issued = acks.coupons()
        self.assertEqual(len(issued), HOLDERS)
        code = issued["u1"][0]
        self.assert_reply(api.request("PATCH", "/v1/campaigns/past", {"state": "ended"}), 200)
        first = api.settled("POST", f"/v1/coupons/{code}/redemption", headers={"Idempotency-Key": "again"})
        self.assert_reply(first, 201)
        wait_until(lambda: metric(api, "doorbuster_worker_lag_events") == 0, 30 * slowness(), "the worker")
        before = self.answers(api, code)
        self.check_answers(before)
        loaded = metric(api, "doorbuster_ledger_bytes")
        self.assertEqual(metric(api, "doorbuster_ledger_unloaded_campaigns"), 0)
        self.assertEqual(api.stop(), 0)

        # By several threads: those that do not own the ledger ask the one that does.
        for extra in ((), ("--io-threads", "2")):
            api = self.api(extra=extra)
            wait_unloaded(api)
            given_back = loaded - metric(api, "doorbuster_ledger_bytes")
            self.assertGreater(given_back, 20 * HOLDERS, "36 bytes a holder were taken, and 2 are kept")
            self.assertEqual(self.answers(api, code), before)
            for user in ("u3", "u4", f"u{HOLDERS // 2}"):
                again = self.assert_reply(api.issue("past", user), 200).json()
                self.assertEqual((again["code"], again["sequence"]), issued[user])
            self.audit("past", [acks.write(os.path.join(self.folder, "acks.jsonl"))], url=api.url)
            self.check("past", [os.path.join(self.folder, "acks.jsonl")])

            # Killed, it reads everything back into memory, answers from there, and unloads it again.
            api.kill()
            api = self.api(f"{2 * slowness():.0f}s", extra)
            self.assertEqual(metric(api, "doorbuster_ledger_unloaded_campaigns"), 0)
            self.assertEqual(self.answers(api, code), before)
            wait_unloaded(api)
            self.assertEqual(self.answers(api, code), before)
            self.assertEqual(api.stop(), 0)

    def test_asked_all_the_while_no_holder_is_refused(self):
        api = self.api("50ms")
        api.create("past", 40)
        coupons = {f"u{n}": self.assert_reply(api.issue("past", f"u{n}"), 201).json() for n in range(40)}
        self.assert_reply(api.request("PATCH", "/v1/campaigns/past", {"state": "ended"}), 200)
        connection = api.connection()
        self.addCleanup(connection.close)
        rounds_after = 0
        while rounds_after < 3:
            rounds_after += metric(api, "doorbuster_ledger_unloaded_campaigns") == 1
            for user, coupon in coupons.items():
                reply = connection.request("POST", "/v1/campaigns/past/coupons", {"user_id": user})
                self.assertEqual(self.assert_reply(reply, 200).json(), coupon)
                reply = connection.request("POST", "/v1/campaigns/past/coupons", {"user_id": "not-" + user})
                self.assert_reply(reply, 410, "ended")
        renamed = api.request("PATCH", "/v1/campaigns/past", {"name": "Long ago"})
        self.assertEqual(self.assert_reply(renamed, 200).json()["issued"], 40)
        self.assertEqual(self.assert_reply(api.issue("past", "u1"), 200).json(), coupons["u1"])
        self.assertEqual(api.stop(), 0)
        api = self.api()
        self.assertEqual(api.request("GET", "/v1/campaigns/past").json()["name"], "Long ago")

    def test_a_damaged_repository_refuses_no_holder(self):
        api = self.api("50ms")
        api.create("past", 3000)
        coupons = fill(api, "past", 3000).coupons()
        self.assert_reply(api.request("PATCH", "/v1/campaigns/past", {"state": "ended"}), 200)
        wait_unloaded(api)
        for name in ("repo.db", "repo.db-wal"):
            path = os.path.join(self.data, name)
            size = os.path.getsize(path)
            with open(path, "r+b") as file:
                file.write(b"\xff" * size)
        connection = api.connection()
        self.addCleanup(connection.close)
        unknown = 0
        for number in range(1, 3001, 10):
            reply = connection.request("POST", "/v1/campaigns/past/coupons", {"user_id": f"u{number}"})
            if reply.status == 503:
                self.assertEqual(reply.headers["retry-after"], "1")
                unknown += 1
            else:  # from a page that was read before
                self.assertEqual(self.assert_reply(reply, 200).json()["code"], coupons[f"u{number}"][0])
        self.assertGreater(unknown, 0)
        self.assertEqual(api.request("GET", "/v1/campaigns/past").json()["issued"], 3000)
        refused = sum(api.issue("past", f"not-{number}").status == 410 for number in range(100))
        self.assertGreater(refused, 90, "who is surely no holder needs no look-up")

        # The log has everything: without its files the repository is filled again.
        api.kill()
        for name in ("repo.db", "repo.db-wal", "repo.db-shm"):
            os.remove(os.path.join(self.data, name))
        api = self.api("50ms")
        wait_unloaded(api)
        for number in range(1, 3001, 100):
            again = self.assert_reply(api.issue("past", f"u{number}"), 200).json()
            self.assertEqual((again["code"], again["sequence"]), coupons[f"u{number}"])

    def test_a_window_that_is_over_is_no_end(self):
        api = self.api("1ms")
        api.create("over", 5, ends_at="2001-01-01T00:00:00Z")
        api.create("past", 5)
        self.assert_reply(api.request("PATCH", "/v1/campaigns/past", {"state": "ended"}), 200)
        wait_unloaded(api)
        self.assert_reply(api.issue("over", "a"), 410, "ended")
        moved = api.request("PATCH", "/v1/campaigns/over", {"ends_at": "2199-01-01T00:00:00Z"})
        self.assert_reply(moved, 200)
        self.assert_reply(api.issue("over", "a"), 201)
        self.assertEqual(metric(api, "doorbuster_ledger_unloaded_campaigns"), 1)

    def test_a_hundred_that_ended_together(self):
        api = self.api("1ms")
        connection = api.connection()
        self.addCleanup(connection.close)
        for number in range(100):
            connection.request("POST", "/v1/campaigns", {"id": f"c{number}", "name": "c", "limit": 2})
            connection.request("POST", f"/v1/campaigns/c{number}/coupons", {"user_id": "ann"})
        listed = {c["id"]: c for c in api.request("GET", "/v1/campaigns").json()["campaigns"]}
        for number in range(100):
            connection.request("PATCH", f"/v1/campaigns/c{number}", {"state": "ended"})
        wait_unloaded(api, 100)
        for campaign in api.request("GET", "/v1/campaigns").json()["campaigns"]:
            self.assertEqual(campaign, {**listed[campaign["id"]], "state": "ended", "revision": 2})
        for number in range(100):
            reply = connection.request("POST", f"/v1/campaigns/c{number}/coupons", {"user_id": "ann"})
            self.assertEqual(self.assert_reply(reply, 200).json()["sequence"], 1)


if __name__ == "__main__":
    main()
