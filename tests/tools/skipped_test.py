#!/usr/bin/env python3
"""A skipped test fails its script: by the harness of the system tests, and by ctest for every other script."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
E2E = os.path.join(HERE, "..", "e2e")
MODULES = os.path.join(HERE, "..", "..", "cmake", "modules.cmake")

SCRIPT = """
import sys
import unittest
sys.dont_write_bytecode = True
sys.path.insert(0, {e2e!r})
import harness

class Some(unittest.TestCase):
    def test_good(self):
        pass

    def test_skips_itself(self):
        self.skipTest("no such thing here")

    @unittest.skip("never")
    def test_marked(self):
        pass

    def test_bad(self):
        self.fail("bad")

{main}
"""


class SkippedTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="skipped-test-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def script(self, main="harness.main()"):
        path = os.path.join(self.folder, "some_test.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(SCRIPT.format(e2e=E2E, main=main))
        return path

    def run_script(self, *tests, main="harness.main()"):
        done = subprocess.run([sys.executable, self.script(main), *(f"Some.{test}" for test in tests)],
                              capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        return done.returncode, done.stderr

    def test_the_harness_fails_for_what_was_skipped_and_says_what(self):
        status, said = self.run_script("test_good", "test_skips_itself")
        self.assertEqual(status, 1, said)
        self.assertIn("Some.test_skips_itself was skipped, which counts as failed: no such thing here", said)
        status, said = self.run_script("test_marked")
        self.assertEqual(status, 1, said)
        self.assertIn("Some.test_marked was skipped, which counts as failed: never", said)

    def test_the_harness_is_unittest_otherwise(self):
        self.assertEqual(self.run_script("test_good")[0], 0)
        self.assertEqual(self.run_script("test_bad")[0], 1)
        chosen = "harness.main(argv=[sys.argv[0], 'Some.test_good'])"
        self.assertEqual(self.run_script("test_bad", main=chosen)[0], 0)

    def test_no_test_at_all_is_a_failure(self):
        status, said = self.run_script(main="harness.main(argv=[sys.argv[0], '-k', 'nothing'])")
        self.assertEqual(status, 1, said)

    def test_ctest_fails_for_what_a_script_of_unittest_alone_has_skipped(self):
        """The real doorbuster_script_test, in a project of its own."""
        source, build = os.path.join(self.folder, "source"), os.path.join(self.folder, "build")
        os.makedirs(source)
        shutil.copy(self.script("unittest.main()"), source)
        tests = "".join(f"doorbuster_script_test(NAME {test} COMMAND python3 ${{CMAKE_SOURCE_DIR}}/some_test.py -v "
                        f"Some.test_good Some.{test})\n" for test in ("test_good", "test_skips_itself", "test_marked"))
        with open(os.path.join(source, "CMakeLists.txt"), "w", encoding="utf-8") as file:
            file.write("cmake_minimum_required(VERSION 3.20)\nproject(some NONE)\nenable_testing()\n"
                       f"include({MODULES})\n{tests}")
        made = subprocess.run(["cmake", "-S", source, "-B", build], capture_output=True, text=True, check=False)
        self.assertEqual(made.returncode, 0, made.stderr)
        done = subprocess.run(["ctest", "--test-dir", build], capture_output=True, text=True, check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        for test, outcome in (("test_good", "Passed"), ("test_skips_itself", "Failed"), ("test_marked", "Failed")):
            self.assertRegex(done.stdout, rf"(?m) {test} .*{outcome}", done.stdout)


if __name__ == "__main__":
    unittest.main()
