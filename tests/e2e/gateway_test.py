#!/usr/bin/env python3
"""The gateway before three api instances that restart, die and come back, under load.

Each instance is embedded and has a campaign of its own, so what is checked here is that every request is answered,
and by whom; what the answers say is checked where instances share a ledger.
"""

import http.client
import os
import signal
import socket
import threading
import time

from harness import Server, SystemTest, main, raw_exchange, wait_until

CLIENTS = 16


class Load:
    """Clients that ask one after another until they are told to stop; every answer is kept."""

    def __init__(self, gateway, clients=CLIENTS, post=True):
        self.gateway, self.post = gateway, post
        self.stopping = threading.Event()
        self.answers = []  # (moment, status or the error's text)
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(clients)]

    def run(self, number):
        connection = self.gateway.connection()
        asked = 0
        while not self.stopping.is_set():
            asked += 1
            try:
                if self.post:
                    reply = connection.request("POST", "/v1/campaigns/default/coupons",
                                               {"user_id": f"user-{number}-{asked}"})
                else:
                    reply = connection.request("GET", "/v1/campaigns/default")
                answer = reply.status
            except (OSError, http.client.HTTPException) as error:
                answer = repr(error)
            self.answers.append((time.monotonic(), answer))
        connection.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def failures(self):
        return [answer for answer in self.answers if answer[1] not in (200, 201)]

    def wait_for_more(self, count=200):
        """Until so many further requests have been answered."""
        target = len(self.answers) + count
        wait_until(lambda: len(self.answers) >= target, 30, f"{count} further answers")


class GatewayTest(SystemTest):
    def api(self, number):
        server = self.server(data=os.path.join(self.folder, f"api-{number}"),
                             extra=["--default-campaign", "1000000"])
        return server.start()

    def gateway(self, apis, *extra):
        upstream = ",".join(api.url for api in apis)
        return self.server_without_data("gateway", ["--upstream", upstream, *extra]).start()

    def server_without_data(self, role, extra):
        server = Server(None, role=role, extra=extra)
        self.addCleanup(server.clean_up)
        return server

    def served(self, api):
        """How many requests an instance has answered, the gateway's checks and ours aside."""
        return sum(value for name, value in api.metrics().items()
                   if name.startswith("doorbuster_issue_requests_total"))

    def test_passes_requests_on_and_says_who_asked(self):
        api = self.api(1)
        gateway = self.gateway([api])
        first = gateway.issue("default", "alice")
        self.assert_reply(first, 201)
        self.assertRegex(first.headers["x-request-id"], "^[0-9a-f]{32}$")
        again = gateway.issue("default", "alice")
        self.assert_reply(again, 200)
        self.assertEqual(first.json(), again.json())
        self.assert_reply(gateway.request("POST", "/coupon/issue", {"userId": 123}), 201)
        self.assert_reply(gateway.request("GET", "/nowhere"), 404, "not-found")
        export = gateway.request("GET", "/v1/campaigns/default/coupons.csv")
        self.assertTrue(export.body.startswith(b"sequence,code,user_id"), export)
        self.assertEqual(gateway.stop(), 0)

    def test_many_clients_share_few_connections_to_an_instance(self):
        api = self.api(1)
        gateway = self.gateway([api])
        with Load(gateway) as load:
            load.wait_for_more(1000)
        self.assertEqual(load.failures(), [])
        values = gateway.metrics()
        self.assertLessEqual(values['doorbuster_gateway_upstream_connections{shard="io-0"}'], 6)
        events = 'doorbuster_gateway_upstream_connection_events_total{shard="io-0",kind="desynchronised"}'
        self.assertEqual(values[events], 0)

    def test_a_rolling_restart_fails_no_request(self):
        apis = [self.api(number) for number in range(3)]
        gateway = self.gateway(apis)
        with Load(gateway) as load:
            load.wait_for_more()
            for api in apis:
                self.assertEqual(api.stop(), 0, api.output())
                load.wait_for_more()
                api.start()
                before = self.served(api)
                wait_until(lambda: self.served(api) > before, 5, "requests at the restarted instance")
        self.assertEqual(load.failures(), [])

    def test_a_killed_instance_fails_no_request_and_gets_none_after_a_second(self):
        apis = [self.api(number) for number in range(3)]
        gateway = self.gateway(apis)
        with Load(gateway) as load:
            load.wait_for_more()
            apis[0].kill()
            killed = time.monotonic()
            # Whoever takes its port from now on sees what the gateway still sends there, its checks aside.
            load.wait_for_more(500)
            before = gateway.metrics()
            load.wait_for_more(500)
            after = gateway.metrics()
            self.assertGreater(time.monotonic(), killed)
        self.assertEqual(load.failures(), [])
        retried = 'doorbuster_gateway_retries_total{shard="io-0",kind="unsent"}'
        self.assertEqual(before[retried], after[retried], "after the first refusal nothing is sent there")

    def test_with_every_instance_killed_it_says_so_at_once_and_recovers_within_a_second(self):
        apis = [self.api(number) for number in range(3)]
        gateway = self.gateway(apis)
        self.assert_reply(gateway.issue("default", "alice"), 201)
        for api in apis:
            api.kill()
        for _ in range(10):
            began = time.monotonic()
            reply = gateway.issue("default", "bob")
            self.assertEqual(reply.status, 503, reply)
            self.assertEqual(reply.headers["retry-after"], "1")
            self.assertLess(time.monotonic() - began, 1)
        apis[1].start()
        back = time.monotonic()
        wait_until(lambda: gateway.issue("default", "carol").status in (200, 201), 10, "recovery")
        # A loaded machine is given three; the checks come every 250 ms.
        self.assertLess(time.monotonic() - back, 3)

    def test_an_instance_that_stands_still_is_found_out_and_left(self):
        apis = [self.api(number) for number in range(2)]
        gateway = self.gateway(apis, "--request-timeout", "2s", "--check-every", "200ms")
        os.kill(apis[0].pid, signal.SIGSTOP)
        try:
            name = 'doorbuster_gateway_instances{shard="io-0",service="fixed-0",state="healthy"}'
            wait_until(lambda: gateway.metrics()[name] == 1, 10, "the check's verdict")
            for number in range(20):
                self.assert_reply(gateway.issue("default", f"user-{number}"), 201)
        finally:
            os.kill(apis[0].pid, signal.SIGCONT)
        wait_until(lambda: gateway.metrics()[name] == 2, 10, "its return")

    def test_smuggled_requests_reach_no_instance(self):
        api = self.api(1)
        gateway = self.gateway([api])
        before = api.metrics()['doorbuster_http_bad_requests_total{shard="io-0"}']
        for head in (b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: \x0bchunked\r\n",
                     b"Content-Length: 4\r\nContent-Length: 5\r\n", b" Content-Length: 4\r\n"):
            reply = raw_exchange(gateway.port, b"POST /v1/campaigns/default/coupons HTTP/1.1\r\nHost: a\r\n" + head +
                                 b"\r\n0\r\n\r\nGET /v1/campaigns HTTP/1.1\r\nHost: a\r\n\r\n", half_close=True)
            self.assertRegex(reply, b"^HTTP/1.1 (400|501) ")
            self.assertEqual(reply.count(b"HTTP/1.1"), 1)
        self.assertEqual(api.metrics()['doorbuster_http_bad_requests_total{shard="io-0"}'], before)

    def test_sigterm_answers_what_is_in_the_air(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            gateway = self.server_without_data("gateway", [
                "--upstream", f"http://127.0.0.1:{port}", "--upstream-pipelining", "0", "--check-path", "/x",
                "--check-every", "1h"]).start()
            replies = []
            client = threading.Thread(target=lambda: replies.append(gateway.request("GET", "/v1/slow")))
            client.start()
            upstream, _ = listener.accept()
            with upstream:
                upstream.recv(65536)
                gateway.process.terminate()
                wait_until(lambda: "stopping" in gateway.output(), 10, "the drain")
                upstream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
                client.join()
            self.assertEqual(replies[0].body, b"late")
            self.assertEqual(gateway.wait(), 0)

    def test_wrong_settings_are_one_line(self):
        for arguments, parts in (
            ([], ["--registry", "--upstream"]),
            (["--upstream", "127.0.0.1:1"], ["gateway.upstream", "http://HOST:PORT"]),
            (["--upstream", "http://127.0.0.1:1", "--bind", "0.0.0.0"], ["--allow-public"]),
            (["--upstream", "http://127.0.0.1:1", "--balance", "luck"], ["gateway.balance", "luck"]),
            (["--upstream", "http://127.0.0.1:1", "--trusted-proxies", "10.0.0.0/99"], ["gateway.trusted_proxies"]),
        ):
            done = self.run_program("gateway", "--port", "0", *arguments)
            self.assertEqual(done.returncode, 1)
            self.assert_one_line(done.stderr, *parts)
        path = os.path.join(self.folder, "routes.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("gateway:\n  routes:\n    - {path: /a, to: 'lb://x'}\n    - {path: b, to: 'lb://x'}\n")
        done = self.run_program("gateway", "--port", "0", "--config", path)
        self.assert_one_line(done.stderr, "routes.yaml:4: 'b' does not begin with '/'")


if __name__ == "__main__":
    main()
