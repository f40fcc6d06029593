#!/usr/bin/env python3
"""What no well-behaved client sends. The server answers or closes, and goes on serving everybody else."""

import random
import socket

from harness import SystemTest, issue_bytes, main, raw_exchange, read_replies

SEED = 20_261_125


class BadInputTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.api = self.started()
        self.api.create("sale", 100)

    def tearDown(self):
        # Whatever was sent: the program lives, and nothing was given out but what a test asked for.
        self.assert_reply(self.api.request("GET", "/healthz"), 200)
        self.assertIsNone(self.api.process.poll(), self.api.output())

    def status_of(self, data, **more):
        received = raw_exchange(self.api.port, data, **more)
        if not received:
            return None
        self.assertTrue(received.startswith(b"HTTP/1."), received[:100])
        return int(received.split(b" ", 2)[1])

    def test_what_is_no_http(self):
        for data in (b"hello\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nbroken header\r\n\r\n", b"\x16\x03\x01\x02\x00\x01",
                     b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n"):
            with self.subTest(data=data):
                self.assertIn(self.status_of(data, half_close=True), (None, 400))

    def test_another_version(self):
        self.assertIn(self.status_of(b"GET /healthz HTTP/3.0\r\nHost: a\r\n\r\n", half_close=True), (400, 505))

    def test_headers_without_end(self):
        data = b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X-Pad: " + b"a" * 20_000 + b"\r\n\r\n"
        self.assertEqual(self.status_of(data), 431)

    def test_a_body_over_the_limit_is_refused_before_it_is_read(self):
        head = b"POST /v1/campaigns/sale/coupons HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n"
        self.assertEqual(self.status_of(head + b"x" * 10_000), 413)

    def test_two_lengths_or_two_framings_are_not_guessed_at(self):
        for extra in (b"Content-Length: 5\r\nContent-Length: 6\r\n",
                      b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"):
            with self.subTest(extra=extra):
                data = b"POST /v1/campaigns/sale/coupons HTTP/1.1\r\nHost: a\r\n" + extra + b"\r\n0\r\n\r\n"
                self.assertIn(self.status_of(data, half_close=True), (400, 501))

    def test_a_request_that_is_cut_off_gives_nothing_out(self):
        whole = issue_bytes("sale", "cut")
        for length in range(0, len(whole), 7):
            with socket.create_connection(("127.0.0.1", self.api.port)) as raw:
                raw.sendall(whole[:length])
        self.assertEqual(self.api.request("GET", "/v1/campaigns/sale").json()["issued"], 0)

    def test_a_request_in_single_bytes_is_a_request(self):
        with socket.create_connection(("127.0.0.1", self.api.port), timeout=20) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in issue_bytes("sale", "slow"):
                raw.sendall(bytes([byte]))
            self.assertEqual(read_replies(raw, 1)[0][0], 201)

    def test_a_client_that_goes_before_its_answer_keeps_its_coupon(self):
        with socket.create_connection(("127.0.0.1", self.api.port)) as raw:
            raw.sendall(issue_bytes("sale", "gone"))
        reply = self.api.issue("sale", "gone")
        self.assertIn(reply.status, (200, 201))
        self.assertEqual(self.api.request("GET", "/v1/campaigns/sale").json()["issued"], 1)

    def test_json_that_is_odd(self):
        path = "/v1/campaigns/sale/coupons"
        deep = "[" * 2000 + "]" * 2000
        for body in ("", "null", "0", '"a"', "{", "{}", '{"user_id"}', '{"user_id":"a"} extra', '{"user_id":"\\ud800"}',
                     '{"user_id":1e400}', '{"user_id":99999999999999999999999}', '{"user_id":"a","user_id":"b"}',
                     '{"user_id":"a","userId":"b"}', "\x00", deep, b"\xff\xfe", b'{"user_id":"\xff"}'):
            with self.subTest(body=body[:40]):
                self.assertIn(self.api.request("POST", path, body).status, (400, 422))
        self.assertEqual(self.api.request("GET", "/v1/campaigns/sale").json()["issued"], 0)

    def test_paths_that_are_odd(self):
        for path in ("/v1/campaigns/%", "/v1/campaigns/%zz", "/v1/campaigns/..%2f..%2fetc", "/v1/coupons/%00", "//", "/%2e%2e/",
                     "/v1/campaigns/" + "a" * 3000):
            with self.subTest(path=path):
                self.assertIn(self.api.request("GET", path).status, (400, 404, 422))

    def test_noise(self):
        rng = random.Random(SEED)
        whole = issue_bytes("sale", "noise")
        for turn in range(200):
            data = bytearray(whole)
            for _ in range(rng.randrange(1, 6)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            received = raw_exchange(self.api.port, bytes(data), half_close=True)
            self.assertTrue(not received or received.startswith(b"HTTP/1."), f"seed {SEED}, turn {turn}: {data!r}")


if __name__ == "__main__":
    main()
