#!/usr/bin/env python3
"""The gateway finds its instances through the registry: those that come, go, and die, and a registry that dies."""

import os
import time

from gateway_test import Load
from harness import Server, SystemTest, main, wait_until


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


if __name__ == "__main__":
    main()
