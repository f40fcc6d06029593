"""Builds a preset, runs its ctest programs, counts: each GoogleTest case is one, each script test is one."""

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as xml
from dataclasses import dataclass, field

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    complaints: list = field(default_factory=list)

    def fail(self, complaint, count=1):
        self.failed += count
        self.complaints.append(complaint)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.complaints += other.complaints

    def line(self):
        return f"{self.passed} passed, {self.failed} failed"


def build_folder(preset):
    return os.path.join(ROOT, "build", preset)


def build(preset, jobs, targets=("all",)):
    """True when everything was built."""
    command = [os.path.join(ROOT, "tools", "build"), preset, str(jobs), *targets]
    return subprocess.run(command, check=False).returncode == 0


def count_program(name, document, succeeded):
    """One program of GoogleTest. `document` is what it wrote about itself, None when it wrote nothing."""
    counts = Counts()
    if document is None:
        counts.fail(f"{name}: ended without a report of its cases")
        return counts
    for suite in document.get("testsuites", []):
        for case in suite.get("testsuite", []):
            title = f"{suite['name']}.{case['name']}"
            if case.get("failures"):
                counts.fail(f"{name}: {title} failed")
            elif case.get("result") == "SKIPPED" or case.get("status") == "NOTRUN":
                counts.fail(f"{name}: {title} was skipped, which counts as failed")
            else:
                counts.passed += 1
    if counts.passed + counts.failed == 0:
        counts.fail(f"{name}: has no cases")
    if not succeeded and counts.failed == 0:
        counts.fail(f"{name}: failed, though none of its cases did")
    return counts


def count_results(junit, reports):
    """\\param junit path of ctest's report; reports: folder of GoogleTest's"""
    counts = Counts()
    try:
        cases = list(xml.parse(junit).getroot().iter("testcase"))
    except (OSError, xml.ParseError) as error:
        counts.fail(f"ctest wrote no report: {error}")
        return counts
    if not cases:
        counts.fail("no tests were found")
    for case in cases:
        name, status = case.get("name"), case.get("status")
        report = os.path.join(reports, name + ".json")
        if status not in ("run", "fail"):
            counts.fail(f"{name}: was not run ({status}), which counts as failed")
        elif os.path.exists(report):
            with open(report, encoding="utf-8") as file:
                try:
                    document = json.load(file)
                except ValueError:
                    document = None
            counts.add(count_program(name, document, status == "run"))
        elif status == "run":
            counts.passed += 1
        else:
            counts.fail(f"{name}: failed")
    return counts


def run_ctest(preset, jobs, arguments=(), environment=None):
    """Runs the tests of a preset that `arguments` of ctest choose."""
    folder = build_folder(preset)
    results = os.path.join(folder, "results")
    shutil.rmtree(results, ignore_errors=True)
    reports = os.path.join(results, "gtest")
    os.makedirs(reports)
    junit = os.path.join(results, "ctest.xml")
    command = ["ctest", "--test-dir", folder, "--output-on-failure", "--no-tests=error", "--parallel",
               str(jobs), "--output-junit", junit, *arguments]
    # The trailing slash makes it a folder, in which each program writes PROGRAM.json.
    surroundings = {**os.environ, **(environment or {}), "GTEST_OUTPUT": f"json:{reports}/"}
    sys.stdout.flush()
    status = subprocess.run(command, check=False, env=surroundings).returncode
    counts = count_results(junit, reports)
    if status != 0 and counts.failed == 0:
        counts.fail(f"ctest ended with status {status}")
    return counts
