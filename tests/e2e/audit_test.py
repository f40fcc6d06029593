#!/usr/bin/env python3
"""`doorbuster audit` on files that were altered by raw SQL: it and the checker say BROKEN of the promise that was
broken, and of no other, with exit status 3."""

import contextlib
import http.server
import json
import os
import sqlite3
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "check"))

import log_rows  # noqa: E402
from harness import Acks, SystemTest, free_port, main, now_us  # noqa: E402

COUPONS = 20


class AuditTest(SystemTest):
    """A small sale that has been given out and stopped; tests alter what it left."""

    def setUp(self):
        super().setUp()
        api = self.started()
        api.create("sale", COUPONS)
        self.acks = Acks()
        connection = api.connection()
        for number in range(1, COUPONS + 3):
            sent = now_us()
            self.acks.add(f"u{number}", sent,
                          connection.request("POST", "/v1/campaigns/sale/coupons", {"user_id": f"u{number}"}))
        connection.close()
        self.ledger = api.request("GET", "/v1/admin/campaigns/sale/ledger?after=0&limit=1000").body
        self.assertTrue(self.audit("sale", [self.write()], api.url)["good"])
        self.assertEqual(api.stop(), 0)

    def write(self):
        return self.acks.write(os.path.join(self.folder, "acks.jsonl"))

    def alter(self, name, *statements):
        if name == "log.db":
            # The chain fits what was altered, so that only the audit can see the fault.
            log_rows.alter(os.path.join(self.data, name), *statements)
            return
        database = sqlite3.connect(os.path.join(self.data, name))
        for statement in statements:
            database.execute(statement)
        database.commit()
        database.close()

    def assert_broken(self, *promises, acks=True, url=None, checked=True):
        paths = [self.write()] if acks else []
        report = self.audit("sale", paths, url, expect=3)
        broken = [verdict["promise"] for verdict in report["promises"] if not verdict["ok"]]
        self.assertEqual(broken, list(promises), report)
        for promise in promises:
            self.assertTrue(report["promises"][promise - 1]["examples"])
        if checked:
            said = self.check("sale", paths, expect=3)
            self.assertEqual([line[0] for line in said.splitlines() if " BROKEN " in line],
                             [str(promise) for promise in promises], said)

    @contextlib.contextmanager
    def ledger_that_says(self, answer):
        """An api of which there are the ledger's endpoints alone. Gives its address."""

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = answer(self.path)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class Altered(AuditTest):
    def test_untouched_files_are_good(self):
        report = self.audit("sale", [self.write()])
        self.assertEqual(report["ledger"], "rebuilt from the log")
        self.check("sale", [self.write()])

    def test_1_more_coupons_than_the_limit(self):
        self.acks.all = [ack for ack in self.acks.all if ack["status"] == 201]
        self.alter("log.db", f"UPDATE campaign_change SET coupon_limit = {COUPONS - 1}")
        self.assert_broken(1)

    def test_2_a_user_with_two_coupons(self):
        self.alter("log.db", "UPDATE event SET user_id = 'u1' WHERE sequence = 2")
        self.alter("repo.db", "DROP INDEX coupon_user", "UPDATE coupon SET user_id = 'u1' WHERE sequence = 2")
        self.assert_broken(2, acks=False)

    def test_2_a_user_who_was_told_another_code(self):
        self.acks.all.append({**self.acks.all[0], "status": 200, "code": "0123456789ABCDEF"})
        self.assert_broken(2)

    def test_3_an_acknowledged_coupon_that_is_nowhere(self):
        self.acks.all.append({**self.acks.all[0], "user": "lost", "code": "0123456789ABCDEF", "sequence": COUPONS + 1})
        self.assert_broken(3)

    def test_3_an_acknowledged_coupon_without_a_row(self):
        self.alter("repo.db", "DELETE FROM coupon WHERE sequence = 7")
        self.assert_broken(3)

    def test_4_a_row_without_an_event(self):
        self.alter("repo.db", f"INSERT INTO coupon SELECT campaign, {COUPONS + 1}, 'forger', x'00112233445566778899', epoch,"
                              " revision, decided_at, refilled FROM coupon WHERE sequence = 1")
        self.assert_broken(4)

    def lose_number_7(self):
        """As after a failed write and a crash: the number is nowhere, and higher ones are there."""
        self.alter("log.db", "DELETE FROM event WHERE sequence = 7")
        self.alter("repo.db", "DELETE FROM coupon WHERE sequence = 7", "UPDATE progress SET position = position - 1")

    def test_4_a_missing_number_that_somebody_was_told_of(self):
        self.lose_number_7()
        self.acks.all = [ack for ack in self.acks.all if ack["status"] == 201]
        self.assert_broken(3, 4)

    def test_4_a_missing_number_that_the_ledger_does_not_know(self):
        self.lose_number_7()
        lines = b"".join(line + b"\n" for line in self.ledger.splitlines() if json.loads(line)["sequence"] != 7)
        for missing, expect in ((b"[]", 3), (b'[{"first":7,"last":7}]', 0)):
            def answer(path, missing=missing):
                if path.endswith("/missing"):
                    return b'{"missing":' + missing + b"}"
                return lines if "after=0" in path else b""

            with self.ledger_that_says(answer) as url:
                report = self.audit("sale", [], url, expect=expect)
            self.assertEqual(report["promises"][3]["ok"], expect == 0, report)

    def test_4_a_missing_number_of_which_nobody_was_told_waits_for_its_refill(self):
        self.lose_number_7()
        report = self.audit("sale", [])
        self.assertEqual(report["refill_pending"], [{"first": 7, "last": 7}])
        self.assertIn("refill pending: 7 to 7", self.check("sale"))

    def test_5_sold_out_with_coupons_left(self):
        early = next(ack for ack in self.acks.all if ack["status"] == 201)
        self.acks.all.append({"user": "early", "status": 410, "problem": "sold-out", "sent_us": early["sent_us"],
                              "received_us": early["sent_us"] + 1})
        self.assert_broken(5)

    def test_6_an_event_without_a_row(self):
        self.alter("repo.db", "DELETE FROM coupon WHERE sequence = 7")
        self.assert_broken(6, acks=False)

    def test_6_a_ledger_that_differs(self):
        lines = b"".join(line + b"\n" for line in self.ledger.splitlines() if json.loads(line)["sequence"] != 7)

        def answer(path):
            if path.endswith("/missing"):
                return b'{"missing":[]}'
            return lines if "after=0" in path else b""

        with self.ledger_that_says(answer) as url:
            self.assert_broken(6, url=url, checked=False)

    def test_7_a_later_number_decided_earlier(self):
        for name, table in (("log.db", "event"), ("repo.db", "coupon")):
            self.alter(name, f"UPDATE {table} SET decided_at = (SELECT decided_at - 1 FROM {table} WHERE sequence = 1)"
                             " WHERE sequence = 3")
        self.assert_broken(7)


class Usage(AuditTest):
    def assert_fails(self, *arguments, says):
        done = self.run_program("audit", *arguments)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn(says, done.stderr + done.stdout)

    def test_what_cannot_be_read_is_exit_1(self):
        self.assert_fails("--data", self.data, says="campaign")
        self.assert_fails("--campaign", "other", "--data", self.data, says="other")
        self.assert_fails("--campaign", "Not An Id", "--data", self.data, says="campaign")
        self.assert_fails("--campaign", "sale", "--data", self.folder + "/none", says="log.db")
        self.assert_fails("--campaign", "sale", "--data", self.data, "--acks", "/none/acks", says="/none/acks")
        self.assert_fails("--campaign", "sale", "--data", self.data, "--wait", "soon", says="wait")
        bad = os.path.join(self.folder, "bad.jsonl")
        with open(bad, "w", encoding="utf-8") as file:
            file.write("nonsense\n")
        self.assert_fails("--campaign", "sale", "--data", self.data, "--acks", bad, says="bad.jsonl line 1")

    def test_a_log_with_a_broken_chain_is_not_judged(self):
        log = sqlite3.connect(os.path.join(self.data, "log.db"))
        row, = log.execute("SELECT events FROM batch WHERE last = 3").fetchone()
        log.execute("UPDATE batch SET events = ? WHERE last = 3", (row.replace(b"u2", b"u9"),))
        log.commit()
        log.close()
        self.assert_fails("--campaign", "sale", "--data", self.data, says="position 3")
        self.assertIn("0 BROKEN", self.check("sale", expect=3))

    def test_the_log_prints_its_events_up_to_the_damage(self):
        def events(*arguments, expect=0, data=self.data):
            done = self.run_program("log", "--data", data, *arguments)
            self.assertEqual(done.returncode, expect, done.stderr)
            return [json.loads(line) for line in done.stdout.splitlines()], done.stderr

        printed, _ = events()
        self.assertEqual([event["position"] for event in printed], list(range(1, COUPONS + 2)))
        self.assertEqual([event["type"] for event in printed], ["campaign"] + COUPONS * ["issued"])
        self.assertEqual([(event["user_id"], event["sequence"]) for event in printed[1:]],
                         [(f"u{number}", number) for number in range(1, COUPONS + 1)])
        self.assertEqual(events("--campaign", "sale")[0], printed)
        self.assertEqual(events("--campaign", "other")[0], [])
        log = sqlite3.connect(os.path.join(self.data, "log.db"))
        log.execute("UPDATE batch SET crc = 0 WHERE last = 5")
        log.commit()
        log.close()
        before, complaint = events(expect=1)
        self.assertEqual(before, printed[:4])
        self.assert_one_line(complaint, "doorbuster log", "damaged at position 5")
        self.assertIn("log.db", events(data=self.folder + "/none", expect=1)[1])
        self.assertIn("campaign id", events("--campaign", "Not An Id", expect=1)[1])

    def test_a_worker_that_does_not_arrive_is_said(self):
        self.alter("repo.db", "UPDATE progress SET position = 3")
        self.assert_fails("--campaign", "sale", "--data", self.data, "--wait", "50ms", says="position 3")

    def test_without_an_api_the_log_stands_for_the_ledger(self):
        done = self.run_program("audit", "--campaign", "sale", "--data", self.data, "--url",
                                f"http://127.0.0.1:{free_port()}")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("rebuilt from the log", done.stdout)


if __name__ == "__main__":
    main()
