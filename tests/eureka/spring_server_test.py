#!/usr/bin/env python3
"""Our client and a real Spring Cloud Eureka server: our instances register there, and our gateway finds them, and a
service in Python, through it. (registry_clients_test.py has services in Java and Node.js behind the gateway.)"""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
import clients  # noqa: E402
from harness import SystemTest, main, wait_until  # noqa: E402

PATIENCE = 60
ROUTES = """gateway:
  routes:
    - {path: /shop, strip: /shop, to: "lb://shop"}
    - {path: /v1, to: "lb://coupon-api", idempotent: "/v1/campaigns/*/coupons"}
"""


class SpringServerTest(SystemTest):
    def api(self, number):
        api = self.started(os.path.join(self.folder, f"data-{number}"),
                           extra=("--registry", self.spring.url, "--renew-interval", "1s", "--lease", "6s"))
        api.name = f"127.0.0.1:coupon-api:{api.port}"
        return api

    def statuses(self):
        listed = json.loads(self.spring.get("/eureka/apps", {"Accept": "application/json"}))
        return {one["instanceId"]: one["status"] for app in listed["applications"]["application"]
                for one in app["instance"]}

    def expect(self, *apis):
        wanted = {api.name: "UP" for api in apis}
        wait_until(lambda: {name: status for name, status in self.statuses().items() if "coupon-api" in name} == wanted,
                   PATIENCE, f"{wanted} at Spring's server")

    def requests_of(self, api):
        return sum(value for name, value in api.metrics().items() if name.startswith("doorbuster_http_requests_total"))

    def reaches(self, api):
        """The gateway sends something to this one."""
        before = self.requests_of(api)

        def sent():
            for _ in range(10):
                self.assert_reply(self.gateway.request("GET", "/v1/campaigns"), 200)
            return self.requests_of(api) > before + 5

        wait_until(sent, PATIENCE, f"the gateway reaches {api.name}")

    def test_registers_renews_is_found_and_leaves(self):
        self.spring = clients.SpringServer()
        self.addCleanup(self.spring.clean_up)
        self.spring.start()
        first = self.api(1)
        self.expect(first)
        shop = clients.PythonClient(self.spring.url, "SHOP", lease=10)
        self.addCleanup(shop.clean_up)
        shop.start()

        config = os.path.join(self.folder, "gateway.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(ROUTES)
        self.gateway = self.server(role="gateway", extra=("--registry", self.spring.url, "--poll-interval", "500ms",
                                                          "--config", config)).launch()
        try:
            wait_until(self.gateway_is_ready, PATIENCE, "the gateway")
        except AssertionError as late:
            self.fail(f"{late}\n{self.gateway.output()}")
        self.reaches(first)
        self.assertEqual(self.gateway.request("GET", "/shop/").body.decode().strip(), shop.hello())

        # A delta brings the second; a clean stop takes the first away; a killed one is expired by Spring.
        second = self.api(2)
        self.expect(first, second)
        self.reaches(second)
        self.assertEqual(first.stop(), 0)
        self.expect(second)
        self.reaches(second)

        # A server that has lost its memory says 404 to heartbeats: all register again, and nobody noticed.
        port = self.spring.port
        self.spring.kill()
        self.assert_reply(self.gateway.request("GET", "/v1/campaigns"), 200)
        again = clients.SpringServer(port)
        self.addCleanup(again.clean_up)
        self.spring = again
        again.launch()

        def back():
            self.assert_reply(self.gateway.request("GET", "/v1/campaigns"), 200)
            return again.ready()

        wait_until(back, 90, "Spring's server")
        self.expect(second)
        self.reaches(second)
        second.kill()
        self.expect()

    def gateway_is_ready(self):
        try:
            return self.gateway.request("GET", "/readyz").status == 200
        except OSError:
            return False


if __name__ == "__main__":
    main()
