#!/usr/bin/env python3
"""The power cut itself is tested: SQLite keeps what it synced, loses what it did not, and is never left damaged.

usage: lost_writes_test.py LIBRARY
"""

import contextlib
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from put_back import put_back  # noqa: E402

LIBRARY = ""

# Commits rows one by one and tells of each after its commit; killed from outside at a commit of the test's choice.
WRITER = """
import os, sqlite3, sys
folder, synchronous, checkpoint = sys.argv[1], sys.argv[2], sys.argv[3]
db = sqlite3.connect(folder + "/t.db", isolation_level=None)
db.execute("PRAGMA journal_mode=WAL")
db.execute("PRAGMA synchronous=" + synchronous)
db.execute("PRAGMA wal_autocheckpoint=" + checkpoint)
db.execute("CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, text)")
n = db.execute("SELECT coalesce(max(n), 0) FROM t").fetchone()[0]
while True:
    n += 1
    db.execute("INSERT INTO t VALUES(?, ?)", (n, "x" * (n % 3000)))
    os.write(1, b"%d\\n" % n)
"""

PLAIN = """
import os, sys
folder = sys.argv[1]
with open(folder + "/synced", "wb", buffering=0) as f:
    f.write(b"one"); os.fsync(f.fileno()); f.write(b"two")
    f.seek(0); f.write(b"O")
with open(folder + "/never", "wb", buffering=0) as f:
    f.write(b"gone")
with open(folder + "/cut", "wb", buffering=0) as f:
    f.write(b"0123456789"); os.fsync(f.fileno()); f.truncate(4); os.fsync(f.fileno()); f.truncate(0)
with open(folder + "/old", "r+b", buffering=0) as f:
    f.write(b"NEW")
os.rename(folder + "/moved", folder + "/new-name")
os.write(1, b"done\\n")
sys.stdin.read()
"""


def run_until_killed(program: str, folder: str, arguments: list[str], lines: int, ignore_fsync: bool = False) -> str:
    """Runs until so many lines have come, kills, and returns the last line."""
    environment = dict(os.environ, LD_PRELOAD=LIBRARY, DOORBUSTER_LOSE_DIR=folder)
    environment.pop("DOORBUSTER_IGNORE_FSYNC", None)
    if ignore_fsync:
        environment["DOORBUSTER_IGNORE_FSYNC"] = "1"
    with subprocess.Popen([sys.executable, "-c", program, folder, *arguments], env=environment, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        line = ""
        for _ in range(lines):
            line = process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().splitlines()
        process.wait()
    return rest[-1] if rest and rest[-1] else line.strip()


def rows(folder: str) -> int:
    """How many rows are left; the numbers must be 1..n and the file whole."""
    with contextlib.closing(sqlite3.connect(folder + "/t.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        try:
            count, largest = db.execute("SELECT count(*), coalesce(max(n), 0) FROM t").fetchone()
        except sqlite3.OperationalError:  # not even the table was synced
            return 0
        assert count == largest, (count, largest)
        return count


class LostWrites(unittest.TestCase):
    def test_plain_files(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("old", "moved", "untouched"):
                with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                    file.write("was here")
            self.assertEqual(run_until_killed(PLAIN, folder, [], 1), "done")
            put_back(folder)
            left = {entry.name: pathlib.Path(entry).read_text("ascii") for entry in os.scandir(folder)}
            self.assertEqual(left, {"synced": "one", "cut": "0123", "old": "was here", "new-name": "was here",
                                    "untouched": "was here"})

    def test_what_was_synced_is_kept(self):
        for checkpoint in ("0", "5"):
            with tempfile.TemporaryDirectory() as folder:
                for lines in (3, 40, 100):  # power fails three times
                    told = int(run_until_killed(WRITER, folder, ["FULL", checkpoint], lines))
                    put_back(folder)
                    left = rows(folder)
                    self.assertIn(left, (told, told + 1))  # one more may have been synced and not yet told

    def test_without_fsync_it_is_lost(self):
        with tempfile.TemporaryDirectory() as folder:
            told = int(run_until_killed(WRITER, folder, ["FULL", "0"], 40, ignore_fsync=True))
            put_back(folder)
            self.assertLess(rows(folder), told)
        with tempfile.TemporaryDirectory() as folder:
            told = int(run_until_killed(WRITER, folder, ["NORMAL", "0"], 40))
            put_back(folder)
            self.assertLess(rows(folder), told)

    def test_a_kill_alone_loses_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            told = int(run_until_killed(WRITER, folder, ["NORMAL", "0"], 40))
            self.assertGreaterEqual(rows(folder), told)

    def test_a_restart_without_a_power_cut_goes_on(self):
        with tempfile.TemporaryDirectory() as folder:
            run_until_killed(WRITER, folder, ["FULL", "0"], 20)
            told = int(run_until_killed(WRITER, folder, ["FULL", "0"], 20))
            put_back(folder)
            self.assertIn(rows(folder), (told, told + 1))


if __name__ == "__main__":
    if len(sys.argv) != 2 or not os.path.exists(sys.argv[1]):
        sys.exit("usage: lost_writes_test.py LIBRARY")
    LIBRARY = os.path.abspath(sys.argv.pop())
    unittest.main()
