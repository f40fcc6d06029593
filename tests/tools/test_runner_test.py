#!/usr/bin/env python3
"""What tools/run_tests counts: cases of GoogleTest and script tests, and everything unusual as failed."""

import json
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
import test_runner  # noqa: E402


def case(name, **more):
    return {"name": name, "status": "RUN", "result": "COMPLETED", **more}


class CountTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="test-runner-test-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def count(self, tests, programs=None):
        """\\param tests name -> status as ctest writes it; programs: name -> cases, or raw text"""
        junit = os.path.join(self.folder, "ctest.xml")
        with open(junit, "w", encoding="utf-8") as file:
            rows = "".join(f'<testcase name="{name}" status="{status}"/>' for name, status in tests.items())
            file.write(f"<testsuite>{rows}</testsuite>")
        for name, cases in (programs or {}).items():
            with open(os.path.join(self.folder, name + ".json"), "w", encoding="utf-8") as file:
                file.write(cases if isinstance(cases, str) else
                           json.dumps({"testsuites": [{"name": "S", "testsuite": cases}]}))
        return test_runner.count_results(junit, self.folder)

    def assert_counts(self, counts, passed, failed, *parts):
        self.assertEqual(counts.line(), f"{passed} passed, {failed} failed", counts.complaints)
        self.assertEqual(len(counts.complaints), failed)
        for part in parts:
            self.assertIn(part, " ".join(counts.complaints))

    def test_a_script_is_one_and_a_program_is_its_cases(self):
        counts = self.count({"e2e.api": "run", "base_tests": "run"}, {"base_tests": [case("A"), case("B"), case("C")]})
        self.assert_counts(counts, 4, 0)

    def test_failed_ones_are_named(self):
        counts = self.count({"e2e.api": "fail", "base_tests": "fail"},
                            {"base_tests": [case("A"), case("B", failures=[{"failure": "no"}])]})
        self.assert_counts(counts, 1, 2, "e2e.api", "S.B")

    def test_a_skipped_case_counts_as_failed(self):
        counts = self.count({"base_tests": "run"}, {"base_tests": [case("A"), case("B", result="SKIPPED")]})
        self.assert_counts(counts, 1, 1, "S.B was skipped")
        counts = self.count({"base_tests": "run"}, {"base_tests": [case("A"), case("B", status="NOTRUN")]})
        self.assert_counts(counts, 1, 1, "S.B was skipped")

    def test_what_ctest_did_not_run_counts_as_failed(self):
        for status in ("notrun", "disabled"):
            self.assert_counts(self.count({"a": "run", "b": status}), 1, 1, f"b: was not run ({status})")

    def test_a_program_that_ends_early_counts_as_failed(self):
        self.assert_counts(self.count({"base_tests": "fail"}), 0, 1, "base_tests")
        self.assert_counts(self.count({"base_tests": "run"}, {"base_tests": '{"testsuites": ['}), 0, 1, "without a report")
        self.assert_counts(self.count({"base_tests": "fail"}, {"base_tests": [case("A")]}), 1, 1, "none of its cases")

    def test_a_program_without_cases_counts_as_failed(self):
        self.assert_counts(self.count({"base_tests": "run"}, {"base_tests": []}), 0, 1, "has no cases")

    def test_no_tests_at_all_count_as_failed(self):
        self.assert_counts(self.count({}), 0, 1, "no tests")
        self.assert_counts(test_runner.count_results(os.path.join(self.folder, "none.xml"), self.folder), 0, 1)


if __name__ == "__main__":
    unittest.main()
