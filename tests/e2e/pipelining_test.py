#!/usr/bin/env python3
"""Requests in the air together are decided and made safe together."""

import json
import socket

from harness import SystemTest, issue_bytes, main, read_replies

IN_FLIGHT = 64
ROUNDS = 20


class PipeliningTest(SystemTest):
    def test_one_connection_with_many_requests_in_flight_needs_few_commits(self):
        api = self.started()
        api.create("sale", IN_FLIGHT * ROUNDS)
        before = api.metrics()
        with socket.create_connection(("127.0.0.1", api.port), timeout=20) as raw:
            for turn in range(ROUNDS):
                raw.sendall(b"".join(issue_bytes("sale", f"u{turn}-{n}") for n in range(IN_FLIGHT)))
                replies = read_replies(raw, IN_FLIGHT)
                self.assertEqual({status for status, _ in replies}, {201})
                coupons = [json.loads(body) for _, body in replies]
                self.assertEqual([coupon["user_id"] for coupon in coupons], [f"u{turn}-{n}" for n in range(IN_FLIGHT)])
                self.assertEqual([coupon["sequence"] for coupon in coupons],
                                 list(range(turn * IN_FLIGHT + 1, (turn + 1) * IN_FLIGHT + 1)))
        after = api.metrics()
        events = after["doorbuster_log_events_total"] - before["doorbuster_log_events_total"]
        commits = after["doorbuster_log_commits_total"] - before["doorbuster_log_commits_total"]
        self.assertEqual(events, IN_FLIGHT * ROUNDS)
        self.assertLess(commits, events / 8)

    def test_the_same_user_many_times_in_one_batch_gets_one_coupon(self):
        api = self.started()
        api.create("sale", 10)
        with socket.create_connection(("127.0.0.1", api.port), timeout=20) as raw:
            raw.sendall(issue_bytes("sale", "alice") * IN_FLIGHT)
            replies = read_replies(raw, IN_FLIGHT)
        statuses = [status for status, _ in replies]
        self.assertEqual(statuses.count(201), 1)
        self.assertEqual(statuses.count(200), IN_FLIGHT - 1)
        self.assertEqual(len({json.loads(body)["code"] for _, body in replies}), 1)

    def test_the_limit_falls_within_a_batch(self):
        api = self.started()
        api.create("sale", 10)
        with socket.create_connection(("127.0.0.1", api.port), timeout=20) as raw:
            raw.sendall(b"".join(issue_bytes("sale", f"u{n}") for n in range(IN_FLIGHT)))
            statuses = [status for status, _ in read_replies(raw, IN_FLIGHT)]
        self.assertEqual(statuses, [201] * 10 + [410] * (IN_FLIGHT - 10))

    def test_replies_come_in_the_order_of_the_requests(self):
        api = self.started()
        api.create("sale", 10)
        with socket.create_connection(("127.0.0.1", api.port), timeout=20) as raw:
            raw.sendall(issue_bytes("sale", "a") + b"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n" + issue_bytes("none", "b")
                        + issue_bytes("sale", "c"))
            self.assertEqual([status for status, _ in read_replies(raw, 4)], [201, 200, 404, 201])


if __name__ == "__main__":
    main()
