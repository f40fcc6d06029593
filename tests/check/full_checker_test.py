#!/usr/bin/env python3
"""The checker of the full stack complains of each promise when it is broken, and of that one alone. Without servers:
what they would say is made up."""

import json
import os
import sys
import tempfile
import unittest
from datetime import datetime, timedelta, timezone

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import full_checker  # noqa: E402
from checker import Unreadable, code_text  # noqa: E402


def code(number):
    return code_text(number.to_bytes(10, "big"))


def time_text(micros):
    return (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=micros)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Stack:
    """A small system that is whole; coupon n is user un's, decided at 1000 n, in partition n % 2."""

    def __init__(self, limit, count):
        self.facts = full_checker.Facts()
        self.facts.ends = {0: 0, 1: 0}
        self.facts.holders = {}
        self.facts.counted = 0
        self.acks = []
        self.change(1, limit)
        for number in range(1, count + 1):
            self.give(number)

    def append(self, partition, payload):
        self.facts.ends[partition] += 1
        self.facts.stored = dict(self.facts.ends)
        self.facts.add_record("sale", partition, self.facts.ends[partition], payload)

    def change(self, revision, limit, **fields):
        self.append(0, json.dumps({"v": 1, "type": "campaign", "campaign_id": "sale", "limit": limit, "status": "open",
                                   "revision": revision, **fields}))

    def log(self, number, partition=None, **fields):
        event = {"v": 1, "type": "issued", "campaign_id": "sale", "epoch": 1, "revision": 1, "sequence": number,
                 "user_id": f"u{number}", "code": code(number), "decided_at": time_text(1000 * number), **fields}
        self.append(number % 2 if partition is None else partition, json.dumps(event))

    def hold(self, number):
        self.facts.holders[f"u{number}"] = (number, code(number), 1000 * number, False)
        self.facts.counted += 1

    def row(self, number):
        self.facts.rows.append((number, f"u{number}", code(number), 1000 * number, 0))

    def ack(self, number, status=201, **fields):
        self.acks.append({"user": f"u{number}", "status": status, "code": code(number), "sequence": number,
                          "sent_us": 1000 * number - 500, "received_us": 1000 * number + 400, **fields})

    def give(self, number, **fields):
        self.log(number, **fields)
        self.hold(number)
        self.row(number)
        self.ack(number)


class FullCheckerTest(unittest.TestCase):
    def broken(self, stack):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.writelines(json.dumps(ack) + "\n" for ack in stack.acks)
            file.flush()
            found = full_checker.check_facts(stack.facts, "sale", [file.name])[0]
        return [number for number, examples in found.items() if examples]

    def test_a_whole_system_is_good(self):
        stack = Stack(10, 10)
        stack.log(3)
        stack.append(1, "{ poison")
        stack.append(1, json.dumps({"type": "issued", "campaign_id": "other"}))
        self.assertEqual(self.broken(stack), [])

    def test_a_limit_that_was_raised_holds_from_its_revision_on(self):
        stack = Stack(5, 5)
        stack.change(2, 8)
        for number in (6, 7, 8):
            stack.give(number, revision=2)
        self.assertEqual(self.broken(stack), [])
        stack.give(9, revision=2)
        self.assertEqual(self.broken(stack), [1])

    def test_one_too_many(self):
        self.assertEqual(self.broken(Stack(5, 6)), [1])

    def test_two_coupons_for_a_user(self):
        stack = Stack(10, 4)
        stack.log(5, user_id="u2", partition=0)
        self.assertIn(2, self.broken(stack))

    def test_an_acknowledged_coupon_without_a_row_and_one_that_is_nowhere(self):
        stack = Stack(10, 4)
        stack.facts.rows.pop()
        self.assertEqual(self.broken(stack), [3])
        stack = Stack(10, 4)
        stack.ack(5)
        self.assertEqual(self.broken(stack), [3])

    def test_a_row_from_nowhere_and_a_missing_number(self):
        stack = Stack(10, 4)
        stack.row(9)
        self.assertEqual(self.broken(stack), [4])
        stack = Stack(10, 4)
        stack.give(6)
        self.assertEqual(self.broken(stack), [4])
        stack.facts.missing = [(5, 5)]
        self.assertEqual(self.broken(stack), [], "it is given out next")

    def test_sold_out_too_early(self):
        stack = Stack(10, 10)
        stack.ack(99, status=410, problem="sold-out", received_us=5000)
        self.assertEqual(self.broken(stack), [5])

    def test_dead_letters_are_outstanding(self):
        stack = Stack(10, 4)
        stack.facts.letters.append(("1/7", "poison: no JSON"))
        self.assertEqual(self.broken(stack), [6])

    def test_numbers_against_the_clock(self):
        stack = Stack(10, 4)
        stack.log(5, decided_at=time_text(3500))
        stack.facts.rows.append((5, "u5", code(5), 3500, 0))
        stack.facts.holders["u5"] = (5, code(5), 3500, False)
        stack.facts.counted += 1
        self.assertEqual(self.broken(stack), [7])

    def test_the_ledger_and_the_log(self):
        stack = Stack(10, 4)
        stack.hold(5)
        self.assertEqual(self.broken(stack), [0])
        stack = Stack(10, 4)
        del stack.facts.holders["u2"]
        self.assertEqual(self.broken(stack), [0])
        stack = Stack(10, 4)
        stack.facts.holders["u5"] = (5, code(5), 5000, True)
        stack.facts.counted += 1
        self.assertEqual(self.broken(stack), [], "what waits for the log is not in it yet")

    def test_events_behind_a_fence_do_not_count(self):
        stack = Stack(4, 4)
        stack.facts.fences = [(2, 0, stack.facts.ends[0]), (2, 1, stack.facts.ends[1])]
        stack.log(5)
        self.assertEqual(self.broken(stack), [])
        stack.log(6, epoch=2)
        self.assertNotEqual(self.broken(stack), [])

    def test_rows_from_before_a_loss_of_the_log_need_no_event(self):
        stack = Stack(4, 3)
        stack.hold(4)
        stack.row(4)
        stack.ack(4)
        self.assertNotEqual(self.broken(stack), [])
        stack.facts.stored_alone = [{"sequence": 4, "user_id": "u4", "code": code(4), "decided_at": 4000, "epoch": 1,
                                     "revision": 1}]
        self.assertEqual(self.broken(stack), [])

    def test_a_worker_that_is_behind_gives_no_verdict(self):
        stack = Stack(4, 4)
        stack.facts.stored[1] -= 1
        with self.assertRaises(Unreadable):
            self.broken(stack)

    def test_settings_as_the_stack_writes_them(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write('redis:\n  host: "h"  # where\n  port: "1"\ndatabase:\n  name: d\n')
            file.flush()
            self.assertEqual(full_checker.read_settings(file.name),
                             {"redis.host": "h", "redis.port": "1", "database.name": "d"})


if __name__ == "__main__":
    unittest.main()
