#!/usr/bin/env python3
"""The checker complains of each promise when it is broken, and of that one alone. Files are made by raw SQL."""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import unittest

import checker
from log_rows import Chain, alter, coupon_row, definition_row

HERE = os.path.dirname(os.path.abspath(__file__))
LOG_SCHEMA = """
CREATE TABLE batch(last INTEGER PRIMARY KEY, events BLOB, crc INTEGER);
"""
REPO_SCHEMA = """
CREATE TABLE campaign(number INTEGER PRIMARY KEY, id TEXT, watermark INTEGER);
CREATE TABLE coupon(campaign INTEGER, sequence INTEGER, user_id, code BLOB, epoch INTEGER, revision INTEGER,
  decided_at INTEGER, refilled INTEGER);
CREATE TABLE dead_letter(position INTEGER PRIMARY KEY, reason TEXT, event TEXT);
CREATE TABLE progress(one INTEGER PRIMARY KEY, position INTEGER);
INSERT INTO campaign VALUES(1, 'sale', 0);
INSERT INTO progress VALUES(1, 0);
"""


def code(number):
    return number.to_bytes(10, "big")


class Files:
    """A small system that is whole; coupon n is user n's, decided at 1000 n."""

    def __init__(self, folder, limit, count):
        self.folder = folder
        self.log = sqlite3.connect(os.path.join(folder, "log.db"))
        self.repo = sqlite3.connect(os.path.join(folder, "repo.db"))
        for database in (self.log, self.repo):
            database.execute("PRAGMA synchronous = OFF")  # these files need not survive anything
        self.log.executescript(LOG_SCHEMA)
        self.repo.executescript(REPO_SCHEMA)
        self.acks = []
        self.chain = Chain(self.log)
        self.define(limit)
        for number in range(1, count + 1):
            self.give(number)

    def define(self, limit):
        self.chain.put(definition_row("sale", 1, 1, "Sale", limit, None, None, "open", "atomic", "log", 5))

    def give(self, number, **changed):
        self.event(number, **changed)
        self.row(number, **changed)
        self.ack(number, **changed)

    def event(self, number, user=None, sequence=None, code_number=None, decided=None, refilled=0):
        user, sequence = user or f"u{number}", sequence or number
        coded, decided = code(code_number or number), decided or 1000 * number
        self.chain.put(coupon_row("sale", 1, 1, refilled, "api-1", (sequence, decided, coded, user)))

    def row(self, number, user=None, sequence=None, code_number=None, decided=None, refilled=0):
        self.repo.execute("INSERT INTO coupon VALUES(1,?,?,?,1,1,?,?)",
                          (sequence or number, user or f"u{number}", code(code_number or number),
                           decided or 1000 * number, refilled))

    def ack(self, number, user=None, sequence=None, code_number=None, decided=None, refilled=0, status=201):
        self.acks.append({"user": user or f"u{number}", "status": status, "sequence": sequence or number,
                          "code": checker.code_text(code(code_number or number)),
                          "sent_us": (decided or 1000 * number) - 500, "received_us": (decided or 1000 * number) + 400})

    def refuse(self, received, problem="sold-out"):
        self.acks.append({"user": "late", "status": 410, "problem": problem, "sent_us": received - 5,
                          "received_us": received})

    def write(self):
        self.repo.execute("UPDATE progress SET position = ?", (self.chain.position,))
        self.log.commit()
        self.repo.commit()
        path = os.path.join(self.folder, "acks.jsonl")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(ack) + "\n" for ack in self.acks)
        return path

    def close(self):
        self.log.close()
        self.repo.close()


class CheckerTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def files(self, limit, count):
        files = Files(self.folder, limit, count)
        self.addCleanup(files.close)
        return files

    def assert_broken(self, files, *promises):
        path = files.write()
        broken = checker.check(self.folder, "sale", [path])
        self.assertEqual([number for number, examples in broken.items() if examples], list(promises), broken)

    def test_whole_files_are_good(self):
        files = self.files(5, 5)
        files.refuse(6000)
        files.ack(2, status=200)
        self.assert_broken(files)

    def test_0_a_changed_row_breaks_the_chain(self):
        files = self.files(5, 3)
        row, = files.log.execute("SELECT events FROM batch WHERE last = 3").fetchone()
        files.log.execute("UPDATE batch SET events = ? WHERE last = 3", (row.replace(b"api-1", b"api-2"),))
        self.assert_broken(files, 0)

    def test_0_a_missing_row_breaks_the_chain(self):
        files = self.files(5, 3)
        files.event(2)  # repeated, so that nothing else is missed
        files.event(3)
        files.log.execute("DELETE FROM batch WHERE last = 5")
        self.assert_broken(files, 0)

    def test_0_a_row_that_cannot_be_read_is_said(self):
        for number, (row, says) in enumerate(((b"\x01\x01\x09", "cut off"), (b"\x03\x01", "kind 3"),
                                              (coupon_row("sale", 1, 1, 0, "a", (9, 9, code(9), "x")) + b"!", "follows"))):
            with self.subTest(says), tempfile.TemporaryDirectory() as self.folder:
                files = Files(self.folder, 5, 3)
                files.chain.put(row)
                path = files.write()
                broken = checker.check(self.folder, "sale", [path])
                self.assertIn(says, broken[0][0], number)
                files.close()

    def test_0_odd_damage_is_a_verdict_too(self):
        too_many = coupon_row("sale", 1, 1, 0, "a", *((n, n, code(n), f"u{n}") for n in range(1, 6)))
        for column, value in (("events", "text"), ("events", 7), ("crc", "x"), ("events", too_many)):
            with self.subTest(column, value=value), tempfile.TemporaryDirectory() as self.folder:
                files = Files(self.folder, 5, 3)
                files.log.execute(f"UPDATE batch SET {column} = ? WHERE last = 4", (value,))
                path = files.write()
                self.assertTrue(checker.check(self.folder, "sale", [path])[0])
                files.close()

    def test_coupons_in_one_row_are_all_seen(self):
        files = self.files(5, 1)
        files.chain.put(coupon_row("sale", 1, 1, 0, "api-1", *((n, 1000 * n, code(n), f"u{n}") for n in (2, 3, 4))), 3)
        for number in (2, 3, 4):
            files.row(number)
            files.ack(number)
        self.assert_broken(files)
        files.ack(5)
        self.assert_broken(files, 3)

    def test_1_more_coupons_than_the_limit(self):
        self.assert_broken(self.files(5, 6), 1)

    def test_1_by_the_limit_in_force_at_that_point(self):
        files = self.files(5, 6)
        files.define(10)
        self.assert_broken(files, 1)

    def test_1_a_raised_limit_is_good(self):
        files = self.files(2, 2)
        files.define(3)
        files.give(3)
        self.assert_broken(files)

    def test_2_a_user_with_two_coupons(self):
        files = self.files(5, 3)
        files.give(4, user="u1")
        self.assert_broken(files, 2)

    def test_2_a_user_who_was_told_two_codes(self):
        files = self.files(5, 3)
        files.ack(2, code_number=99, status=200)
        self.assert_broken(files, 2)

    def test_3_an_acknowledged_coupon_that_is_nowhere(self):
        files = self.files(5, 3)
        files.ack(4)
        self.assert_broken(files, 3)

    def test_3_an_acknowledged_coupon_without_a_row(self):
        files = self.files(5, 3)
        files.repo.execute("DELETE FROM coupon WHERE sequence = 2")
        self.assert_broken(files, 3)

    def test_4_a_row_without_an_event(self):
        files = self.files(5, 3)
        files.row(4)
        self.assert_broken(files, 4)

    def test_4_a_number_given_to_two(self):
        files = self.files(5, 3)
        files.give(4, sequence=3)
        self.assert_broken(files, 4)

    def test_4_a_code_given_to_two(self):
        files = self.files(5, 3)
        files.give(4, code_number=1)
        self.assert_broken(files, 4)

    def test_4_a_missing_number_that_somebody_was_told_of(self):
        files = self.files(9, 3)
        files.give(6)
        files.ack(5)
        self.assert_broken(files, 3, 4)

    def test_4_a_missing_number_of_which_nobody_was_told_waits_for_its_refill(self):
        files = self.files(9, 1)
        files.give(5)
        path = files.write()
        broken, remarks = checker.inspect(self.folder, "sale", [path])
        self.assertEqual([number for number, examples in broken.items() if examples], [], broken)
        self.assertEqual(remarks, {4: "refill pending: 2 to 4"})

    def test_4_missing_numbers_that_are_being_given_out_again(self):
        files = self.files(9, 1)
        files.give(5)
        files.give(2, decided=9000, refilled=1)
        self.assert_broken(files)

    def test_5_sold_out_with_coupons_left(self):
        files = self.files(5, 5)
        files.refuse(4999)
        self.assert_broken(files, 5)

    def test_5_sold_out_of_a_campaign_that_never_was(self):
        files = self.files(5, 4)
        files.refuse(90_000)
        self.assert_broken(files, 5)

    def test_5_a_lowered_limit_sells_out(self):
        files = self.files(5, 4)
        files.define(4)
        files.refuse(90_000)
        self.assert_broken(files)

    def test_5_the_end_of_a_campaign_is_another_reason(self):
        files = self.files(5, 4)
        files.refuse(2000, "ended")
        self.assert_broken(files)

    def test_6_an_event_without_a_row(self):
        files = self.files(5, 3)
        files.event(4)
        self.assert_broken(files, 6)

    def test_6_a_row_with_another_time(self):
        files = self.files(5, 3)
        files.repo.execute("UPDATE coupon SET decided_at = 1 WHERE sequence = 2")
        self.assert_broken(files, 6)

    def test_6_a_dead_letter(self):
        files = self.files(5, 3)
        files.repo.execute("INSERT INTO dead_letter VALUES(3, 'conflict', '{}')")
        self.assert_broken(files, 6)

    def test_7_a_later_number_decided_earlier(self):
        files = self.files(5, 2)
        files.give(3, decided=1500)
        self.assert_broken(files, 7)

    def test_a_worker_that_lags_is_no_verdict(self):
        files = self.files(5, 3)
        files.write()
        files.repo.execute("UPDATE progress SET position = 1")
        files.repo.commit()
        with self.assertRaises(checker.Unreadable):
            checker.check(self.folder, "sale")

    def test_5_a_refusal_without_a_reason_tells_nothing_of_an_ended_campaign(self):
        files = self.files(5, 4)
        files.refuse(2000, None)
        self.assert_broken(files, 5)
        alter(os.path.join(self.folder, "log.db"), "UPDATE campaign_change SET ends_at = 1500")
        self.assert_broken(files)  # sold-out is not judged any more

    def test_codes_are_crockford_base32(self):
        self.assertEqual(checker.code_text(bytes(10)), "0" * 16)
        self.assertEqual(checker.code_text(b"\xff" * 10), "Z" * 16)
        self.assertEqual(checker.code_text((1).to_bytes(10, "big")), "0" * 15 + "1")

    def test_the_command_says_by_its_exit_status(self):
        files = self.files(5, 5)
        path = files.write()
        command = [sys.executable, os.path.join(HERE, "checker.py"), "--data", self.folder, "--acks", path]
        good = subprocess.run([*command, "--campaign", "sale"], capture_output=True, text=True, check=False)
        self.assertEqual(good.returncode, 0, good.stdout + good.stderr)
        files.give(6)
        files.write()
        bad = subprocess.run([*command, "--campaign", "sale"], capture_output=True, text=True, check=False)
        self.assertEqual(bad.returncode, 3, bad.stdout + bad.stderr)
        self.assertIn("1 BROKEN", bad.stdout)
        absent = subprocess.run([*command, "--campaign", "other"], capture_output=True, text=True, check=False)
        self.assertEqual(absent.returncode, 1)
        self.assertIn("no campaign 'other'", absent.stderr)


if __name__ == "__main__":
    unittest.main()
