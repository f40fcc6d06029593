#!/usr/bin/env python3
"""Each rule of tools/tidy complains when it is broken, and only then."""

import os
import subprocess
import sys
import tempfile
import unittest

TIDY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "tidy")
HEADER = "#pragma once\n"
# Put together here, so that this file keeps the rules itself.
UNFINISHED = "TO" + "DO"
MACHINE_PATH = "/ho" + "me/somebody/src"
AWAIT = "co_" + "await"


class TidyTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tidy-test-")
        self.addCleanup(folder.cleanup)
        self.root = folder.name

    def write(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)

    def run_tidy(self):
        return subprocess.run([sys.executable, TIDY, "--root", self.root], capture_output=True, text=True, check=False)

    def assert_breach(self, path, text, line, *parts):
        self.write(path, text)
        done = self.run_tidy()
        self.assertEqual(done.returncode, 1, f"no complaint about {path}")
        breaches = done.stderr.splitlines()
        self.assertEqual(len(breaches), 1, done.stderr)
        self.assertTrue(breaches[0].startswith(f"{path}:{line}: "), breaches[0])
        for part in parts:
            self.assertIn(part, breaches[0])
        os.unlink(os.path.join(self.root, path))

    def assert_silent(self, path, text):
        self.write(path, text)
        done = self.run_tidy()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        os.unlink(os.path.join(self.root, path))

    def test_includes_go_down_only(self):
        for path, include, part in (
                ("src/base/a.hpp", "core/x.hpp", "go down only"),
                ("src/core/a.cpp", "ports/x.hpp", "go down only"),
                ("src/rt/a.cpp", "net/x.hpp", "go down only"),
                ("src/net/a.cpp", "services/api/x.hpp", "go down only"),
                ("src/adapters/memory/a.cpp", "services/api/x.hpp", "go down only"),
                ("src/services/api/a.cpp", "apps/doorbuster/x.hpp", "go down only"),
                ("src/adapters/sqlite/a.cpp", "adapters/memory/x.hpp", "do not include each other"),
                ("src/services/api/a.cpp", "services/worker/x.hpp", "do not include each other"),
                ("src/services/api/a.cpp", "adapters/memory/x.hpp", "never an adapter"),
                ("src/core/a.cpp", "adapters/memory/x.hpp", "go down only"),
                ("src/loadlab/a.cpp", "adapters/memory/x.hpp", "knows no adapter"),
                ("src/core/a.cpp", "tests/support/x.hpp", "only tests"),
                ("src/core/a.cpp", "nowhere/x.hpp", "leads to no layer")):
            with self.subTest(path=path, include=include):
                self.assert_breach(path, f'{HEADER}\n#include "{include}"\n', 3, part)

    def test_includes_that_go_down_are_fine(self):
        for path, include in (
                ("src/core/a.cpp", "base/x.hpp"), ("src/core/a.cpp", "core/issuing/x.hpp"), ("src/core/a.cpp", "x.hpp"),
                ("src/ports/a.hpp", "core/x.hpp"), ("src/adapters/sqlite/a.cpp", "adapters/sqlite/x.hpp"),
                ("src/adapters/sqlite/a.cpp", "proto/event/x.hpp"), ("src/services/api/a.cpp", "net/x.hpp"),
                ("apps/doorbuster/a.cpp", "adapters/memory/x.hpp"), ("apps/doorbuster/a.cpp", "apps/doorbuster/x.hpp")):
            with self.subTest(path=path, include=include):
                self.assert_silent(path, f'{HEADER}#include "{include}"\n')
        # Tests stand outside of the layers.
        self.assert_silent("src/services/api/a_test.cpp",
                           '#include "adapters/memory/x.hpp"\n#include "tests/support/y.hpp"\nTEST(A, B) {}\n')

    def test_third_party_headers_stay_in_their_part(self):
        for path, include in (
                ("src/net/a.hpp", "boost/beast/http.hpp"), ("src/services/api/a.cpp", "boost/beast/http.hpp"),
                ("src/services/api/a.hpp", "boost/asio/post.hpp"), ("src/adapters/sqlite/a.cpp", "boost/asio.hpp"),
                ("apps/doorbuster/a.hpp", "boost/asio/post.hpp"),
                ("src/services/worker/a.cpp", "sqlite3.h"), ("apps/doorbuster/a.cpp", "sqlite3.h"),
                ("src/config/a.hpp", "yaml-cpp/yaml.h"), ("apps/doorbuster/a.cpp", "yaml-cpp/yaml.h"),
                ("src/config/a.cpp", "CLI/CLI.hpp"), ("src/net/a.cpp", "spdlog/spdlog.h")):
            with self.subTest(path=path, include=include):
                self.assert_breach(path, f"{HEADER}#include <{include}>\n", 2, include)
        for path, include in (
                ("src/net/a.cpp", "boost/beast/http.hpp"), ("src/rt/a.hpp", "boost/asio/post.hpp"),
                ("src/loadlab/a.hpp", "boost/asio.hpp"), ("apps/doorbuster/a.cpp", "boost/asio/post.hpp"),
                ("src/adapters/sqlite/a.hpp", "sqlite3.h"), ("src/config/a.cpp", "yaml-cpp/yaml.h"),
                ("apps/doorbuster/a.hpp", "CLI/CLI.hpp"), ("src/base/a.hpp", "spdlog/logger.h"),
                ("tests/support/a.hpp", "sqlite3.h")):
            with self.subTest(path=path, include=include):
                self.assert_silent(path, f"{HEADER}#include <{include}>\n")

    def test_coroutines(self):
        for word in (AWAIT, "co_return", "co_yield"):
            self.assert_breach("src/net/a.cpp", f"void f() {{\n  {word} x;\n}}\n", 2, "no coroutines")
            self.assert_breach("apps/doorbuster/a.cpp", f"void f() {{\n  {word} x;\n}}\n", 2, "no coroutines")
        self.assert_breach("src/net/a.cpp", "f(asio::detached);\n", 1, "detached")
        self.assert_silent("src/net/a.cpp", f'// No {AWAIT} here.\n/* nor\n{AWAIT} */ const char* x = "{AWAIT}";\n')

    def test_tests_do_not_sleep(self):
        for call in ("std::this_thread::sleep_for(1s)", "std::this_thread::sleep_until(t)", "usleep(1)", "::sleep(1)"):
            with self.subTest(call=call):
                self.assert_breach("src/rt/a_test.cpp", f"TEST(A, B) {{\n  {call};\n}}\n", 2, "does not sleep")
                self.assert_silent("src/rt/a.cpp", f"void f() {{\n  {call};\n}}\n")

    def test_pragma_once(self):
        self.assert_breach("src/rt/a.hpp", "// #pragma once\nint x;\n", 1, "#pragma once")
        self.assert_silent("src/rt/a.hpp", "// What this is.\n#pragma once\n")

    def test_length_of_lines(self):
        self.assert_silent("src/rt/a.cpp", "// " + "x" * 107 + "\n")
        self.assert_breach("src/rt/a.cpp", "\n// " + "x" * 108 + "\n", 2, "111 characters")
        self.assert_breach("src/rt/a.cpp", 'x = R"(\n)";\n// ' + "x" * 108 + "\n", 3, "111 characters")
        self.assert_silent("src/rt/a.cpp", 'x = R"(\n' + "x" * 200 + '\n)";\n')
        self.assert_silent("src/rt/a.cpp", "/// | " + "x" * 200 + " |\n")
        self.assert_silent("src/rt/a.cpp", "// " + "\N{LATIN SMALL LETTER U WITH DIAERESIS}" * 107 + "\n")

    def test_names_of_files(self):
        self.assert_breach("src/rt/BigName.cpp", "", 1, "snake_case")
        for case in ("TEST(A, B) {}", "TEST_F(A, B) {}", "TYPED_TEST(A, B) {}"):
            self.assert_breach("tests/sim/a.cpp", f"\n{case}\n", 2, "_test.cpp")
        self.assert_breach("src/rt/a_test.cpp", "// nothing in it\n", 1, "has test cases")
        self.assert_breach("src/rt/a_kafkatest.cpp", "// nothing in it\n", 1, "has test cases")
        self.assert_silent("src/rt/a_kafkatest.cpp", "TEST(A, B) {}\n")
        self.assert_silent("src/rt/a_test.cpp", "INSTANTIATE_TYPED_TEST_SUITE_P(A, B, C);\n")
        self.assert_silent("tests/support/a_suite.hpp", "#pragma once\nTYPED_TEST_P(A, B) {}\n")

    def test_unfinished_work(self):
        for path in ("src/rt/a.cpp", "tools/a", "docs/a.md", "Makefile"):
            with self.subTest(path=path):
                self.write("src/rt/keep.cpp", "")
                self.assert_breach(path, f"\n# {UNFINISHED}: later\n", 2, "unfinished")
        self.assert_silent("src/rt/a.cpp", f"// {UNFINISHED}NE is another word.\n")

    def test_paths_of_a_machine(self):
        self.assert_breach("docs/a.md", f"see {MACHINE_PATH}\n", 1, "somebody's machine")
        self.assert_breach("src/rt/a.cpp", f'const char* x = "{MACHINE_PATH}";\n', 1, "somebody's machine")
        self.assert_silent("docs/a.md", f"see https://example.org{MACHINE_PATH} and ~{MACHINE_PATH}\n")

    def test_this_project_keeps_its_rules(self):
        done = subprocess.run([sys.executable, TIDY], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
