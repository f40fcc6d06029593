#!/usr/bin/env python3
"""The HTTP API as the contract describes it, endpoint by endpoint, against the real program."""

import csv
import io
import re

from harness import SystemTest, main, wait_until

CODE = re.compile(r"^[0-9A-HJKMNP-TV-Z]{16}$")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
PAST, FUTURE, FAR = "2020-01-01T00:00:00Z", "2199-01-01T00:00:00Z", "2199-06-01T00:00:00Z"


class ApiTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.api = self.started()

    def patch(self, campaign, **change):
        return self.api.request("PATCH", f"/v1/campaigns/{campaign}", change)


class Campaigns(ApiTest):
    def test_create_show_and_list(self):
        created = self.assert_reply(self.api.create("sale", 3), 201)
        shown = self.assert_reply(self.api.request("GET", "/v1/campaigns/sale"), 200).json()
        self.assertEqual(created.json(), shown)
        for key, value in {"id": "sale", "name": "sale", "limit": 3, "issued": 0, "remaining": 3, "state": "open",
                           "starts_at": None, "ends_at": None}.items():
            self.assertEqual(shown[key], value, key)
        listed = self.api.request("GET", "/v1/campaigns").json()["campaigns"]
        self.assertIn(shown, listed)

    def test_creating_the_same_again_changes_nothing_and_another_one_conflicts(self):
        self.assert_reply(self.api.create("sale", 3), 201)
        self.assert_reply(self.api.create("sale", 3), 200)
        self.assert_reply(self.api.request("POST", "/v1/campaigns", {"id": "sale", "name": "sale", "limit": 4}), 409,
                          "conflict")

    def test_bad_definitions_name_the_field(self):
        for body, field in (({"name": "x", "limit": 1}, "id"), ({"id": "x", "limit": 1}, "name"),
                            ({"id": "x", "name": "x"}, "limit"), ({"id": "Upper", "name": "x", "limit": 1}, "id"),
                            ({"id": "x" * 65, "name": "x", "limit": 1}, "id"),
                            ({"id": "x", "name": "x", "limit": 0}, "limit"),
                            ({"id": "x", "name": "x", "limit": -1}, "limit"),
                            ({"id": "x", "name": "x", "limit": "many"}, "limit"),
                            ({"id": "x", "name": "x", "limit": 1, "starts_at": "noon"}, "starts_at"),
                            ({"id": "x", "name": "x", "limit": 1, "starts_at": FAR, "ends_at": FUTURE}, "ends_at"),
                            ({"id": "x", "name": "x", "limit": 1, "colour": "red"}, "colour")):
            with self.subTest(body=body):
                reply = self.assert_reply(self.api.request("POST", "/v1/campaigns", body), 422)
                self.assertEqual(reply.json()["field"], field)

    def test_unknown_campaigns_are_not_found(self):
        for method, path, body in (("GET", "/v1/campaigns/none", None), ("PATCH", "/v1/campaigns/none", {"limit": 1}),
                                   ("POST", "/v1/campaigns/none/coupons", {"user_id": "a"}),
                                   ("GET", "/v1/campaigns/none/coupons", None),
                                   ("GET", "/v1/campaigns/none/coupons.csv", None),
                                   ("GET", "/v1/campaigns/none/coupons/a", None),
                                   ("GET", "/v1/admin/campaigns/none/ledger", None)):
            with self.subTest(path=path):
                self.assert_reply(self.api.request(method, path, body), 404)


class Issuing(ApiTest):
    def test_a_coupon_has_every_field(self):
        self.api.create("sale", 3)
        coupon = self.assert_reply(self.api.issue("sale", "alice"), 201).json()
        self.assertRegex(coupon["code"], CODE)
        self.assertRegex(coupon["issued_at"], TIME)
        self.assertEqual({key: coupon[key] for key in ("campaign_id", "user_id", "sequence", "durable")},
                         {"campaign_id": "sale", "user_id": "alice", "sequence": 1, "durable": "log"})

    def test_asking_again_gives_the_same_coupon(self):
        self.api.create("sale", 3)
        first = self.assert_reply(self.api.issue("sale", "alice"), 201).json()
        self.assertEqual(self.assert_reply(self.api.issue("sale", "alice"), 200).json(), first)
        self.assertEqual(self.api.request("GET", "/v1/campaigns/sale").json()["issued"], 1)

    def test_an_integer_is_taken_as_its_digits(self):
        self.api.create("sale", 3)
        first = self.assert_reply(self.api.issue("sale", 123), 201).json()
        self.assertEqual(first["user_id"], "123")
        self.assertEqual(self.assert_reply(self.api.issue("sale", "123"), 200).json(), first)
        self.assert_reply(self.api.issue("sale", "0123"), 201)

    def test_the_path_of_the_seed_issues_from_the_default_campaign(self):
        self.api.request("POST", "/v1/campaigns", {"id": "default", "name": "default", "limit": 100})
        coupon = self.assert_reply(self.api.request("POST", "/coupon/issue", {"userId": 123}), 201).json()
        self.assertEqual((coupon["campaign_id"], coupon["user_id"]), ("default", "123"))
        self.assert_reply(self.api.request("POST", "/coupon/issue", {"userId": 123}), 200)

    def test_numbers_count_up_and_then_it_is_sold_out(self):
        self.api.create("sale", 3)
        self.assertEqual([self.api.issue("sale", f"u{n}").json()["sequence"] for n in range(3)], [1, 2, 3])
        self.assert_reply(self.api.issue("sale", "late"), 410, "sold-out")
        self.assert_reply(self.api.issue("sale", "u1"), 200)
        shown = self.api.request("GET", "/v1/campaigns/sale").json()
        self.assertEqual((shown["state"], shown["issued"], shown["remaining"]), ("sold_out", 3, 0))

    def test_campaigns_do_not_share_coupons(self):
        self.api.create("one", 1)
        self.api.create("two", 1)
        first = self.assert_reply(self.api.issue("one", "a"), 201).json()
        second = self.assert_reply(self.api.issue("two", "a"), 201).json()
        self.assertNotEqual(first["code"], second["code"])
        self.assert_reply(self.api.issue("one", "b"), 410)

    def test_bad_requests_say_what_is_wrong(self):
        self.api.create("sale", 3)
        path = "/v1/campaigns/sale/coupons"
        for user in ("", "x" * 65, "a b", "a/b", "ü", None, True, 1.5, -1, [], {}):
            with self.subTest(user=user):
                reply = self.assert_reply(self.api.request("POST", path, {"user_id": user}), 422)
                self.assertEqual(reply.json()["field"], "user_id")
        self.assert_reply(self.api.request("POST", path, {}), 422)
        broken = self.assert_reply(self.api.request("POST", path, '{"user_id": '), 400)
        self.assertRegex(broken.json()["detail"], r"\d")  # names the offset
        self.assert_reply(self.api.request("POST", path, '["a"]'), 400)
        self.assert_reply(self.api.request("POST", path, '{"user_id":"' + "a" * 5000 + '"}'), 413)
        self.assertEqual(self.api.request("GET", "/v1/campaigns/sale").json()["issued"], 0)


class Changing(ApiTest):
    def test_a_raised_limit_gives_out_more(self):
        self.api.create("sale", 1)
        self.api.issue("sale", "a")
        self.assert_reply(self.api.issue("sale", "b"), 410, "sold-out")
        self.assertEqual(self.assert_reply(self.patch("sale", limit=2), 200).json()["limit"], 2)
        self.assertEqual(self.assert_reply(self.api.issue("sale", "b"), 201).json()["sequence"], 2)
        self.assert_reply(self.api.issue("sale", "c"), 410, "sold-out")
        self.audit("sale", url=self.api.url)

    def test_a_limit_is_lowered_as_far_as_what_is_issued(self):
        self.api.create("sale", 5)
        for user in "ab":
            self.api.issue("sale", user)
        conflict = self.assert_reply(self.patch("sale", limit=1), 409)
        self.assertEqual(conflict.json()["field"], "limit")
        self.assertEqual(self.assert_reply(self.patch("sale", limit=2), 200).json()["state"], "sold_out")
        self.assert_reply(self.api.issue("sale", "c"), 410, "sold-out")
        self.audit("sale", url=self.api.url)

    def test_the_window(self):
        self.api.create("sale", 5, starts_at=FUTURE)
        self.assertEqual(self.api.request("GET", "/v1/campaigns/sale").json()["state"], "scheduled")
        self.assert_reply(self.api.issue("sale", "a"), 409, "not-started")
        self.assert_reply(self.patch("sale", starts_at=PAST), 200)
        coupon = self.assert_reply(self.api.issue("sale", "a"), 201).json()
        self.assert_reply(self.patch("sale", ends_at="2020-02-01T00:00:00Z"), 200)
        self.assert_reply(self.api.issue("sale", "b"), 410, "ended")
        self.assertEqual(self.assert_reply(self.api.issue("sale", "a"), 200).json(), coupon)
        self.assert_reply(self.patch("sale", ends_at=None), 200)
        self.assert_reply(self.api.issue("sale", "b"), 201)

    def test_pause_and_open(self):
        self.api.create("sale", 5)
        self.api.issue("sale", "a")
        self.assertEqual(self.assert_reply(self.patch("sale", state="paused"), 200).json()["state"], "paused")
        self.assert_reply(self.api.issue("sale", "b"), 409, "paused")
        self.assert_reply(self.api.issue("sale", "a"), 200)
        self.assert_reply(self.patch("sale", state="open"), 200)
        self.assert_reply(self.api.issue("sale", "b"), 201)

    def test_the_end_is_for_good(self):
        self.api.create("sale", 5)
        self.assert_reply(self.patch("sale", state="ended"), 200)
        self.assert_reply(self.api.issue("sale", "a"), 410, "ended")
        self.assert_reply(self.patch("sale", state="open"), 409)
        self.assert_reply(self.patch("sale", name="Over"), 200)

    def test_bad_changes(self):
        self.api.create("sale", 5)
        for change in ({}, {"state": "sold_out"}, {"limit": 0}, {"id": "other"}, {"limit": None}):
            with self.subTest(change=change):
                self.assert_reply(self.api.request("PATCH", "/v1/campaigns/sale", change), 422)


class LookingUp(ApiTest):
    def test_by_user_and_by_code(self):
        self.api.create("sale", 5)
        coupon = self.api.issue("sale", "alice").json()
        self.assertEqual(self.assert_reply(self.api.request("GET", "/v1/campaigns/sale/coupons/alice"), 200).json(), coupon)
        stored = self.assert_reply(self.api.settled("GET", f"/v1/coupons/{coupon['code']}"), 200).json()
        self.assertEqual(stored, coupon)
        self.assertEqual(self.api.settled("GET", f"/v1/coupons/{coupon['code'].lower()}").json(), coupon)
        self.assert_reply(self.api.settled("GET", "/v1/campaigns/sale/coupons/nobody"), 404)
        self.assert_reply(self.api.settled("GET", "/v1/coupons/0123456789ABCDEF"), 404)

    def test_redemption_happens_once(self):
        self.api.create("sale", 5)
        code = self.api.issue("sale", "alice").json()["code"]
        path = f"/v1/coupons/{code}/redemption"
        first = self.assert_reply(self.api.settled("POST", path, headers={"Idempotency-Key": "till-1"}), 201).json()
        self.assertEqual(first["code"], code)
        self.assertRegex(first["redeemed_at"], TIME)
        again = self.assert_reply(self.api.settled("POST", path, headers={"Idempotency-Key": "till-1"}), 200).json()
        self.assertEqual(again, first)
        self.assert_reply(self.api.settled("POST", path, headers={"Idempotency-Key": "till-2"}), 409)
        shown = self.api.settled("GET", f"/v1/coupons/{code}").json()
        self.assertEqual(shown["redeemed_at"], first["redeemed_at"])
        self.assert_reply(self.api.settled("POST", "/v1/coupons/0123456789ABCDEF/redemption",
                                           headers={"Idempotency-Key": "till-3"}), 404)

    def test_the_list_pages_by_number(self):
        self.api.create("sale", 50)
        codes = [self.api.issue("sale", f"u{n}").json()["code"] for n in range(25)]
        wait_until(lambda: len(self.api.request("GET", "/v1/campaigns/sale/coupons?limit=100").json()["coupons"]) == 25,
                   what="all rows")
        seen, after, pages = [], 0, 0
        while after is not None:
            page = self.assert_reply(
                self.api.request("GET", f"/v1/campaigns/sale/coupons?after={after}&limit=10"), 200).json()
            seen += [(coupon["sequence"], coupon["code"]) for coupon in page["coupons"]]
            after, pages = page["next_after"], pages + 1
        self.assertEqual(seen, list(enumerate(codes, 1)))
        self.assertEqual(pages, 3)
        self.assert_reply(self.api.request("GET", "/v1/campaigns/sale/coupons?limit=0"), 422)
        self.assert_reply(self.api.request("GET", "/v1/campaigns/sale/coupons?after=x"), 422)

    def test_the_export_has_every_coupon(self):
        self.api.create("sale", 50)
        codes = [self.api.issue("sale", f"u{n}").json()["code"] for n in range(25)]
        wait_until(lambda: self.api.request("GET", "/v1/campaigns/sale/coupons.csv").body.count(b"\n") == 26,
                   what="all rows")
        reply = self.assert_reply(self.api.request("GET", "/v1/campaigns/sale/coupons.csv"), 200)
        self.assertTrue(reply.headers["content-type"].startswith("text/csv"))
        rows = list(csv.DictReader(io.StringIO(reply.body.decode())))
        self.assertEqual([row["code"] for row in rows], codes)
        self.assertEqual([int(row["sequence"]) for row in rows], list(range(1, 26)))
        self.assertEqual(rows[3]["user_id"], "u3")

    def test_the_ledger_pages_for_the_audit(self):
        self.api.create("sale", 50)
        for number in range(5):
            self.api.issue("sale", f"u{number}")
        page = self.assert_reply(self.api.request("GET", "/v1/admin/campaigns/sale/ledger?after=1&limit=2"), 200)
        self.assertEqual(page.body.count(b"\n"), 2)


class Serving(ApiTest):
    def test_health_readiness_and_metrics(self):
        self.assert_reply(self.api.request("GET", "/healthz"), 200)
        self.assert_reply(self.api.request("GET", "/readyz"), 200)
        self.api.create("sale", 5)
        self.api.issue("sale", "a")
        metrics = self.api.metrics()
        self.assertEqual(metrics['doorbuster_campaign_issued{campaign="sale"}'], 1)

    def test_unknown_paths_and_methods(self):
        self.assert_reply(self.api.request("GET", "/nothing"), 404)
        self.assert_reply(self.api.request("GET", "/v1/campaigns/"), 404)
        reply = self.assert_reply(self.api.request("DELETE", "/v1/campaigns"), 405)
        self.assertEqual({part.strip() for part in reply.headers["allow"].split(",")}, {"POST", "GET", "HEAD"})

    def test_head_answers_without_a_body(self):
        reply = self.assert_reply(self.api.request("HEAD", "/healthz"), 200)
        self.assertEqual(reply.body, b"")

    def test_errors_are_problem_json(self):
        problem = self.api.request("GET", "/v1/campaigns/none")
        self.assertEqual(problem.headers["content-type"], "application/problem+json")
        self.assertLessEqual({"type", "title", "status", "detail"}, set(problem.json()))


if __name__ == "__main__":
    main()
