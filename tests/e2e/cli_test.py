#!/usr/bin/env python3
"""The command line: what is refused is one clear line on stderr and exit status 1; `campaign` speaks to the API."""

import json
import os

from harness import SystemTest, free_port, main

# Arguments -> what the line on stderr must have. {file} is a configuration file with the text given.
BAD_USAGE = [
    ((), ["subcommand"]),
    (("gibberish",), ["--help"]),
    (("api", "--prot", "1"), ["--prot"]),
    (("api", "extra"), ["extra"]),
    (("api", "--port", "x"), ["--port", "0 to 65535", "x"]),
    (("api", "--port", "65536"), ["--port", "0 to 65535"]),
    (("api", "--io-threads", "0"), ["--io-threads", "1 to 64"]),
    (("api", "--idle-timeout", "5"), ["--idle-timeout", "duration"]),
    (("api", "--log-level", "loud"), ["level"]),
    (("api", "--config", "/no/such/file.yaml"), ["/no/such/file.yaml"]),
    (("api", "--lock-scope", "everybody"), ["api.lock_scope", "everybody", "user", "campaign"]),
    (("up", "--stack", "full", "--instances", "65"), ["--instances", "64"]),
    (("up", "--instances", "2"), ["--stack full", "owner"]),
    (("up", "--stack", "other"), ["other", "embedded"]),
    (("up", "--port", "0"), ["port"]),
    (("up", "--restart"), ["--restart"]),
    (("campaign",), ["subcommand"]),
    (("campaign", "show"), ["id"]),
    (("campaign", "create", "sale"), ["--limit"]),
    (("campaign", "list", "--url", "ftp://x"), ["http"]),
    (("audit",), ["--campaign"]),
]

BAD_FILES = [
    ("api:\n  prot: 1\n", [":2:", "api.prot", "api.port"]),
    ("api:\n  bind: 127.0.0.1\n  port: many\n", [":3:", "api.port", "many"]),
    ("api:\n  port: 1\n  port: 2\n", [":3:", "api.port", "twice"]),
    ("gatewey:\n  port: 1\n", [":2:", "gatewey.port"]),
    ("api: [\n", [":"]),
    ("- a\n", [":1:"]),
    ("api:\n  tokens:\n    - {token: secret-secret-secret, role: king}\n", [":3", "king"]),
    ("api:\n  tokens:\n    - {token: short, role: admin}\n", ["api.tokens[0]"]),
]


class RefusedTest(SystemTest):
    def assert_refused(self, arguments, parts, **more):
        done = self.run_program(*arguments, timeout=20, **more)
        self.assertEqual(done.returncode, 1, done)
        self.assertEqual(done.stdout, "")
        self.assert_one_line(done.stderr, "doorbuster", *parts)

    def test_bad_usage(self):
        for arguments, parts in BAD_USAGE:
            with self.subTest(arguments=arguments):
                self.assert_refused(arguments, parts)

    def test_bad_files(self):
        path = os.path.join(self.folder, "doorbuster.yaml")
        for text, parts in BAD_FILES:
            with self.subTest(text=text):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                self.assert_refused(("api", "--config", path, "--data", self.data), ["doorbuster.yaml" if ":" in parts[0]
                                                                                     else "", *parts])
                self.assertFalse(os.path.exists(self.data), "a refused start leaves nothing behind")

    def test_bad_environment(self):
        self.assert_refused(("api",), ["DOORBUSTER_API_PORT", "0 to 65535"], environment={"DOORBUSTER_API_PORT": "x"})

    def test_an_open_api_stays_on_this_machine(self):
        self.assert_refused(("api", "--bind", "0.0.0.0", "--data", self.data), ["loopback", "tokens"])

    def test_an_address_that_is_none(self):
        self.assert_refused(("api", "--bind", "localhorst", "--data", self.data), ["localhorst"])

    def test_help_and_version_are_no_errors(self):
        for arguments in (("--help",), ("api", "--help"), ("up", "--help"), ("campaign", "--help"), ("audit", "--help"),
                          ("campaign", "create", "--help"), ("--version",)):
            with self.subTest(arguments=arguments):
                done = self.run_program(*arguments)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertTrue(done.stdout.strip())

    def test_flag_beats_environment_beats_file(self):
        path = os.path.join(self.folder, "doorbuster.yaml")
        unused = [free_port(), free_port()]
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"api:\n  port: {unused[0]}\n  data: {self.data}\n")
        server = self.server(extra=["--config", path], environment={"DOORBUSTER_API_PORT": str(unused[1])})
        server.start()  # the harness gives --port
        self.assert_reply(server.request("GET", "/healthz"), 200)


class CampaignTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.api = self.started()

    def campaign(self, *arguments, expect=0):
        done = self.run_program("campaign", *arguments, "--url", self.api.url)
        self.assertEqual(done.returncode, expect, done)
        if expect:
            self.assertEqual(done.stdout, "")
            self.assert_one_line(done.stderr, "doorbuster campaign: ")
            return done.stderr
        return done.stdout

    def shown(self, name):
        return self.api.request("GET", f"/v1/campaigns/{name}").json()

    def test_a_campaign_from_creation_to_its_end(self):
        self.campaign("create", "sale", "--limit", "5", "--name", "The sale")
        self.assertEqual((self.shown("sale")["limit"], self.shown("sale")["name"]), (5, "The sale"))
        self.api.issue("sale", "a")
        self.campaign("set", "sale", "--limit", "7")
        self.campaign("set", "sale", "--state", "paused")
        self.assertEqual((self.shown("sale")["limit"], self.shown("sale")["state"]), (7, "paused"))
        self.assertEqual(json.loads(self.campaign("show", "sale", "--json")), self.shown("sale"))
        text = self.campaign("show", "sale")
        for part in ("sale", "7", "paused"):
            self.assertIn(part, text)
        self.campaign("close", "sale")
        self.assertEqual(self.shown("sale")["state"], "ended")

    def test_strategy_and_durability_are_given_at_creation(self):
        self.campaign("create", "sale", "--limit", "5", "--strategy", "atomic", "--durability", "log")
        self.assertEqual((self.shown("sale")["strategy"], self.shown("sale")["durability"]), ("atomic", "log"))
        header, row = (line.split() for line in self.campaign("show", "sale").splitlines())
        self.assertEqual(row[header.index("strategy")], "atomic")
        self.assertEqual(row[header.index("durability")], "log")
        for flag, value in (("--strategy", "set-incr"), ("--strategy", "best"), ("--durability", "ledger"),
                            ("--durability", "none")):
            said = self.campaign("create", "other", "--limit", "5", flag, value, expect=1)
            self.assertIn("422", said)  # one process alone has neither; the server says which there are
            self.assertIn(value, said)

    def test_the_list_is_a_table_whose_columns_stand_in_line(self):
        for name, limit in (("a", 5), ("a-long-name", 1_000_000)):
            self.campaign("create", name, "--limit", str(limit))
        lines = self.campaign("list").splitlines()
        self.assertEqual(len(lines), 3)
        ends = [line.index(part) + len(part) for line, part in zip(lines[1:], (" 5 ", " 1000000 "))]
        self.assertEqual(ends[0], ends[1], "numbers are aligned to the right")
        listed = json.loads(self.campaign("list", "--json"))
        self.assertEqual(listed, self.api.request("GET", "/v1/campaigns").json())

    def test_what_the_server_refuses_is_said_in_its_words(self):
        self.campaign("create", "sale", "--limit", "5")
        self.assertIn("another campaign", self.campaign("create", "sale", "--limit", "6", expect=1))
        self.campaign("show", "none", expect=1)
        self.campaign("show", "Not/An-Id", expect=1)
        self.campaign("set", "sale", expect=1)
        self.campaign("set", "sale", "--state", "asleep", expect=1)

    def test_nobody_there(self):
        done = self.run_program("campaign", "list", "--url", f"http://127.0.0.1:{free_port()}")
        self.assertEqual(done.returncode, 1)
        self.assert_one_line(done.stderr, "127.0.0.1")


if __name__ == "__main__":
    main()
