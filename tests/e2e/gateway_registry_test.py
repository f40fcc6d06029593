#!/usr/bin/env python3
"""The gateway finds its instances through the registry: those that come, go, and die, and a registry that dies."""

import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]
from gateway_test import Load  # noqa: E402
from harness import Server, SystemTest, main, slowness, wait_until  # noqa: E402
from stack import TestStack  # noqa: E402


class GatewayRegistryTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.registry = self.role("registry")
        self.registry.start()

    def role(self, role, *extra):
        server = Server(None, role=role, extra=extra)
        self.addCleanup(server.clean_up)
        return server

    def registered(self, *extra):
        return ["--registry", f"{self.registry.url}/eureka/", *extra]

    def api(self, number):
        return self.server(data=os.path.join(self.folder, f"api-{number}"),
                           extra=self.registered("--default-campaign", "1000000")).start()

    def gateway(self, *extra):
        return self.role("gateway", *self.registered(*extra)).start()

    def instances(self, gateway, state="healthy"):
        return gateway.metrics()[f'doorbuster_gateway_instances{{shard="io-0",service="coupon-api",state="{state}"}}']

    def served(self, api):
        return sum(value for name, value in api.metrics().items()
                   if name.startswith("doorbuster_issue_requests_total"))

    def test_instances_are_found_when_they_come_and_left_when_they_go(self):
        first = self.api(1)
        gateway = self.gateway()
        self.assert_reply(gateway.issue("default", "alice"), 201)
        second = self.api(2)
        wait_until(lambda: self.instances(gateway) == 2, 10, "the second instance")
        with Load(gateway) as load:
            load.wait_for_more(300)
            self.assertGreater(self.served(second), 0)
            self.assertEqual(first.stop(), 0)
            wait_until(lambda: self.instances(gateway, "known") == 1, 10, "the first one's leave")
            load.wait_for_more(300)
        self.assertEqual(load.failures(), [])

    def test_a_rolling_restart_fails_no_request(self):
        apis = [self.api(number) for number in range(3)]
        gateway = self.gateway()
        wait_until(lambda: self.instances(gateway) == 3, 10, "three instances")
        with Load(gateway) as load:
            for api in apis:
                load.wait_for_more()
                self.assertEqual(api.stop(), 0, api.output())
                api.start()
                wait_until(lambda: self.instances(gateway) == 3, 10, "its return")
            load.wait_for_more()
        self.assertEqual(load.failures(), [])

    def test_a_dead_registry_fails_no_request(self):
        apis = [self.api(number) for number in range(2)]
        gateway = self.gateway()
        wait_until(lambda: self.instances(gateway) == 2, 10, "two instances")
        with Load(gateway) as load:
            self.registry.kill()
            began = time.monotonic()
            load.wait_for_more(500)
            wait_until(lambda: time.monotonic() - began > 2, 10, "two seconds without a registry")
            apis[0].kill()
            load.wait_for_more(500)
            self.registry.start()
            wait_until(lambda: self.instances(gateway, "known") >= 1, 20, "the registry's return")
            load.wait_for_more(300)
        self.assertEqual(load.failures(), [])

    def test_each_request_can_ask_the_registry_instead(self):
        self.api(1)
        gateway = self.gateway("--lookup", "registry")
        with Load(gateway, clients=4) as load:
            load.wait_for_more(100)
        self.assertEqual(load.failures(), [])
        self.registry.kill()
        reply = gateway.issue("default", "alice")
        self.assertEqual(reply.status, 503, reply)
        self.assertEqual(reply.headers["retry-after"], "1")

    def test_each_request_can_read_a_copy_in_redis_instead(self):
        with TestStack(redis=True) as stack:
            first = self.api(1)
            gateway = self.gateway("--lookup", "redis", "--config", stack.config)
            with Load(gateway, clients=4) as load:
                load.wait_for_more(100)
                second = self.api(2)  # the registry tells the gateway, which writes it for all gateways
                wait_until(lambda: self.served(second) > 10, 10, "the second instance")
                self.assertEqual(first.stop(), 0)
                load.wait_for_more(100)
                self.registry.kill()
                load.wait_for_more(300)
            self.assertEqual(load.failures(), [])
            stack.redis.pause()
            began = time.monotonic()
            reply = gateway.issue("default", "alice")
            self.assertEqual((reply.status, reply.headers["retry-after"]), (503, "1"), reply)
            self.assertLess(time.monotonic() - began, 4 * slowness())  # it waits two seconds for Redis
            stack.redis.resume()
            wait_until(lambda: gateway.issue("default", "alice").status == 201, 10, "Redis' return")
            stack.redis.kill9()
            wait_until(lambda: gateway.issue("default", "bob").status == 503, 10, "its death")

    def test_a_gateway_without_its_registry_or_redis_is_not_ready_and_says_why(self):
        with TestStack(redis=True) as stack:
            stack.redis.kill9()
            self.registry.kill()
            for lookup in ("registry", "redis"):
                gateway = self.role("gateway", *self.registered("--lookup", lookup, "--config", stack.config)).launch()
                wait_until(lambda gateway=gateway: self.listens(gateway), 20, "the port")
                self.assertEqual(gateway.request("GET", "/readyz").status, 503)
                began = time.monotonic()
                reply = gateway.issue("default", "alice")
                self.assert_reply(reply, 503)
                self.assertEqual(reply.headers["retry-after"], "1")
                self.assertIn("does not answer", reply.json()["detail"])
                self.assertLess(time.monotonic() - began, 2 * slowness())

    def listens(self, server):
        try:
            return server.request("GET", "/healthz").status == 200
        except OSError:
            return False


if __name__ == "__main__":
    main()
