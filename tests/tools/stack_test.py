"""`tools/stack`: starts once, is found again, and ends what it started and nothing else."""

import os
import re
import stat
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
STACK = os.path.join(ROOT, "tools", "stack")
NAMES = ("redis", "mariadb", "kafka/broker-1")


class StackTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="doorbuster-test-")
        self.addCleanup(folder.cleanup)
        self.folder = os.path.join(folder.name, "stack")
        self.addCleanup(subprocess.run, [STACK, "down", "--folder", self.folder], capture_output=True, check=False)

    def run_stack(self, *arguments):
        done = subprocess.run([STACK, *arguments, "--folder", self.folder], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read()

    def pids(self):
        return {name: self.read(f"{name}/pid") for name in NAMES}

    def test_starts_once_is_found_again_and_ends_what_it_started(self):
        said = self.run_stack("up")
        pids, places = self.pids(), self.read("stack.yaml")
        for section in ("redis:", "kafka:", "database:"):
            self.assertIn(section, places)
        for password in re.findall(r'password: "(\w+)"', places):
            self.assertNotIn(password, said)
        for name in ("stack.yaml", "stack.json", "redis/redis.conf", "mariadb/init.sql"):
            mode = stat.S_IMODE(os.stat(os.path.join(self.folder, name)).st_mode)
            self.assertEqual(mode, 0o600, name)

        self.assertEqual(self.run_stack("up"), said)
        self.assertEqual(self.pids(), pids, "nothing was started anew")

        # A process that got the number of an old one is not ours.
        with open(os.path.join(self.folder, "redis", "pid"), "w", encoding="utf-8") as file:
            file.write(f"{os.getpid()} 1\n")
        self.assertEqual(self.run_stack("down"), "stopped: mariadb, kafka\n")
        with open(os.path.join(self.folder, "redis", "pid"), "w", encoding="utf-8") as file:
            file.write(pids["redis"])
        self.assertEqual(self.run_stack("down"), "stopped: redis\n")

        self.run_stack("up")
        self.assertEqual(self.read("stack.yaml"), places, "ports and passwords stay")
        self.assertEqual(self.run_stack("down", "--wipe"), "stopped: redis, mariadb, kafka\n")
        self.assertFalse(os.path.exists(self.folder))


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main()
