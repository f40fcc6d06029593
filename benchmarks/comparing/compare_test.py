"""The parts of the comparison that can be wrong without anybody noticing: parsing, charging, pairing, budgets."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

from comparing import figures, generators, processes, servers
from comparing.figures import Budget, Derived, Line, Side

WRK = """Running 1s test @ http://127.0.0.1:18080/v1/campaigns/sold/coupons
  1 threads and 100 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.15ms  340.22us   9.31ms   92.11%
    Req/Sec    86.33k     4.10k   92.15k    72.00%
  429310 requests in 5.02s, 71.24MB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 429000
Requests/sec:  85519.12
"""


def line(ours, peer, budget=None):
    return Line("name", 100, "peer", [(Side(a, 1000, 0.5), Side(b, 1000, 0.5)) for a, b in zip(ours, peer)], budget)


class WrkReport(unittest.TestCase):
    def test_counts_refusals_and_socket_errors_apart(self):
        self.assertEqual(generators.parse_wrk(WRK), (429310, 429000, 5.02, 10))

    def test_a_run_without_errors_has_none(self):
        self.assertEqual(generators.parse_wrk("  10 requests in 500.00ms, 1KB read"), (10, 0, 0.5, 0))

    def test_minutes_are_seconds(self):
        self.assertEqual(generators.parse_wrk("10 requests in 2.00m, 1KB read")[2], 120.0)

    def test_no_report_is_a_failure_that_shows_what_was_said(self):
        with self.assertRaisesRegex(processes.Failure, "unable to connect"):
            generators.parse_wrk("unable to connect to 127.0.0.1:1 Connection refused")


class ThreadTimes(unittest.TestCase):
    def test_a_name_with_spaces_and_brackets_does_not_shift_the_fields(self):
        stat = "12 (a ) (b) S 1 2 3 4 5 6 7 8 9 10 70 30 0 0 20 0 1 0 100 0 0"
        self.assertEqual(processes.parse_stat(stat), ("a ) (b", 100))

    def test_only_the_named_threads_are_background(self):
        background = [name for name in ("io-0", "log", "worker", "worker-x", "db-0", "db", "checkpoint", "doorbuster")
                      if processes.is_background(name)]
        self.assertEqual(background, ["worker", "db-0", "checkpoint"])

    def test_time_of_a_background_thread_is_not_charged_to_the_server(self):
        burn = ("import ctypes,sys,threading,time\n"
                "def spin(name, seconds):\n"
                "    ctypes.CDLL(None).prctl(15, name, 0, 0, 0)\n"
                "    while time.thread_time() < seconds: pass\n"
                "    done.append(name)\n"
                "    stay.wait()\n"
                "done, stay = [], threading.Event()\n"
                "for name, seconds in ((b'worker', 0.6), (b'io-0', 0.2)):\n"
                "    threading.Thread(target=spin, args=(name, seconds), daemon=True).start()\n"
                "while len(done) < 2: time.sleep(0.01)\n"
                "print('ready', flush=True)\n"
                "sys.stdin.read()\n")
        with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            self.assertEqual(child.stdout.readline(), b"ready\n")
            reading = processes.read_cpu(child.pid)
            child.stdin.close()
        self.assertGreaterEqual(reading.background["worker"], 0.55)
        self.assertGreaterEqual(reading.serving, 0.15)
        self.assertLess(reading.serving, 0.55)


class Pairs(unittest.TestCase):
    def test_the_ratio_is_the_median_of_the_pairs_not_the_ratio_of_medians(self):
        measured = line([10, 20, 90], [10, 10, 30])
        self.assertEqual(measured.ratios, [1, 2, 3])
        self.assertEqual(measured.ratio, 2)
        self.assertEqual(measured.peer_cpu_us, 10)

    def test_a_budget_in_microseconds_looks_at_ours_alone(self):
        self.assertEqual(line([8.0], [1.0], Budget("us", 8)).verdict, "ok")
        self.assertEqual(line([8.1], [100.0], Budget("us", 8)).verdict, "OVER")

    def test_a_budget_as_ratio_looks_at_the_pairs(self):
        self.assertEqual(line([17], [10], Budget("ratio", 1.7)).verdict, "ok")
        self.assertEqual(line([18], [10], Budget("ratio", 1.7)).verdict, "OVER")

    def test_a_line_without_budget_has_no_verdict(self):
        self.assertEqual(line([1], [1]).verdict, "-")
        self.assertEqual(Derived("growth", 1.31, Budget("ratio", 1.3)).verdict, "OVER")

    def test_the_table_for_documents_says_what_is_missed_and_how_it_was_taken(self):
        facts = dict(command="benchmarks/compare", runs="5 pairs", commit="abc", date="today", machine="2 cores",
                     kernel="6", durability="log")
        text = figures.markdown(facts, [line([15, 16], [10, 10], Budget("ratio", 1.4))],
                                [Derived("worker", 9.0, Budget("us", 20))])
        self.assertIn("| name | 100 | 15.50 | 10.00 | 1.55 (1.50–1.60) | 1.4×, **missed** | peer |", text)
        self.assertIn("- worker: 9.00 (budget 20 µs)", text)
        self.assertIn("Taken with `benchmarks/compare` (5 pairs) at commit abc", text)

    def test_the_table_marks_a_rate_that_is_the_generators(self):
        full = Line("name", 1, "peer", [(Side(1, 12345, 0.95), Side(1, 1, 0.95))])
        self.assertIn("12,345*", figures.table([full]))
        self.assertNotIn("*", figures.table([line([1], [1])]))


class Templates(unittest.TestCase):
    def test_every_name_of_a_template_is_filled_in(self):
        values = dict(PORT=1, DIR="/d", USER_LINE="", FILES=1, CONNECTIONS=1, BODY="{}", MODULES="/m", PEERS="/p",
                      REDIS_PORT=2, SHA="f", UPSTREAM_PORT=3)
        with tempfile.TemporaryDirectory() as folder:
            for template in (name for name in os.listdir(servers.PEERS) if name.endswith((".conf", ".cfg"))):
                with open(servers.fill(template, folder, values), encoding="utf-8") as file:
                    self.assertIsNone(re.search(r"@[A-Z_]+@", file.read()), template)


class Programs(unittest.TestCase):
    def test_a_server_that_ends_at_once_is_reported_with_its_last_words(self):
        with tempfile.TemporaryDirectory() as folder, processes.Group() as group:
            process = group.start("server", ["sh", "-c", "echo port in use; exit 1"], os.path.join(folder, "log"))
            process.popen.wait()
            with self.assertRaisesRegex(processes.Failure, "server ended with status 1: port in use"):
                process.wait_for(lambda: False)

    def test_everything_is_stopped_when_the_run_fails(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaises(processes.Failure), processes.Group() as group:
                process = group.start("server", ["sleep", "60"], os.path.join(folder, "log"))
                raise processes.Failure("anything")
            self.assertIsNotNone(process.popen.poll())


if __name__ == "__main__":
    unittest.main()
