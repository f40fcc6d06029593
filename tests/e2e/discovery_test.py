#!/usr/bin/env python3
"""Instances make themselves known to our registry, and the gateway finds them through it, whatever dies."""

import os
import signal
import threading
import time

from harness import SystemTest, main, wait_until

FAST = ("--renew-interval", "500ms", "--lease", "2s")


class Crowd:
    """Asks the gateway for the list of campaigns, on several connections, until stop()."""

    def __init__(self, gateway, connections=8):
        self.gateway, self.stopping = gateway, threading.Event()
        self.lock, self.good, self.bad = threading.Lock(), 0, []
        self.threads = [threading.Thread(target=self.run) for _ in range(connections)]
        for thread in self.threads:
            thread.start()

    def run(self):
        connection = self.gateway.connection()
        while not self.stopping.is_set():
            try:
                reply = connection.request("GET", "/v1/campaigns")
                failed = None if reply.status == 200 else repr(reply)
            except OSError as error:
                failed = repr(error)
            with self.lock:
                if failed:
                    self.bad.append(failed)
                else:
                    self.good += 1
        connection.close()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        return self.good, self.bad

    def wait_for_more(self, count=200):
        until = self.good + count
        wait_until(lambda: self.good >= until or self.bad, 30, "requests")


class DiscoveryTest(SystemTest):
    def registry(self, port=None):
        registry = self.server(role="registry")
        registry.port = port or registry.port
        return registry.start()

    def urls(self, *registries):
        return ",".join(f"http://127.0.0.1:{registry.port}/eureka/" for registry in registries)

    def api(self, urls, number=1, *extra):
        return self.started(os.path.join(self.folder, f"data-{number}"),
                            extra=("--registry", urls, *FAST, *extra))

    def gateway(self, urls, *extra):
        return self.started(role="gateway", extra=("--registry", urls, *extra))

    def registered(self, registry):
        reply = registry.request("GET", "/eureka/apps", headers={"Accept": "application/json"})
        return {one["instanceId"]: one for app in reply.json()["applications"]["application"]
                for one in app["instance"]}

    def name_of(self, api):
        return f"127.0.0.1:coupon-api:{api.port}"

    def wait_registered(self, registry, *apis, seconds=20):
        wanted = {self.name_of(api) for api in apis}
        wait_until(lambda: {name for name, one in self.registered(registry).items()
                            if one["status"] == "UP" and one["app"] == "COUPON-API"} == wanted,
                   seconds, f"{wanted} at the registry")

    def test_an_instance_tells_where_and_what_it_is_and_leaves_before_it_stops(self):
        registry = self.registry()
        api = self.api(self.urls(registry), 1, "--zone", "east")
        self.wait_registered(registry, api)
        one = self.registered(registry)[self.name_of(api)]
        self.assertEqual((one["app"], one["vipAddress"]), ("COUPON-API", "coupon-api"))
        self.assertEqual(one["port"], {"$": api.port, "@enabled": "true"})
        self.assertEqual((one["metadata"]["zone"], one["metadata"]["doorbuster.pipelining"]), ("east", "64"))
        self.assertEqual(one["healthCheckUrl"], f"{api.url}/healthz")
        api.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not self.registered(registry), 10, "its leave")
        self.assertEqual(api.wait(), 0)

    def test_a_killed_instance_is_dropped_when_its_lease_ends(self):
        registry = self.registry()
        api = self.api(self.urls(registry))
        self.wait_registered(registry, api)
        api.kill()
        wait_until(lambda: not self.registered(registry), 10, "the end of its lease")

    def test_a_wrong_address_is_one_line(self):
        for url, part in (("localhost:8761", "http://"), ("https://x/", "https")):
            done = self.run_program("api", "--port", "0", "--data", self.data, "--registry", url)
            self.assertEqual(done.returncode, 1)
            self.assert_one_line(done.stderr, "doorbuster api", "registry.urls", part)

    def test_the_gateway_learns_of_a_registration_and_of_a_leave_at_once(self):
        registry = self.registry()
        first = self.api(self.urls(registry), 1)
        gateway = self.gateway(self.urls(registry))  # it polls every 30 s: what comes sooner was pushed
        crowd = Crowd(gateway)
        second = self.api(self.urls(registry), 2)
        wait_until(lambda: self.requests_of(second) > 50, 10, "a share of the crowd")
        self.assertEqual(first.stop(), 0)
        crowd.wait_for_more()
        self.assertEqual(second.request("GET", "/healthz").status, 200)
        good, bad = crowd.stop()
        self.assertEqual(bad, [], f"beside {good} good ones")

    def requests_of(self, api):
        try:
            return sum(value for name, value in api.metrics().items()
                       if name.startswith("doorbuster_http_requests_total"))
        except OSError:
            return 0

    def test_a_registry_that_dies_and_comes_back_empty_is_noticed_by_nobody(self):
        registry = self.registry()
        apis = [self.api(self.urls(registry), number) for number in (1, 2)]
        self.wait_registered(registry, *apis)
        gateway = self.gateway(self.urls(registry))
        crowd = Crowd(gateway)
        crowd.wait_for_more()
        registry.kill()
        gone = time.monotonic()
        while time.monotonic() < gone + 6:  # three leases long
            crowd.wait_for_more()
        registry = self.registry(registry.port)
        self.wait_registered(registry, *apis)
        crowd.wait_for_more()
        self.assertEqual(apis[0].stop(), 0)  # and it follows changes again
        crowd.wait_for_more()
        good, bad = crowd.stop()
        self.assertEqual(bad, [], f"beside {good} good ones")

    def test_another_registry_takes_over(self):
        registries = [self.registry(), self.registry()]
        api = self.api(self.urls(*registries), 1)
        gateway = self.gateway(self.urls(*registries))
        self.wait_registered(registries[0], api)
        self.assertNotIn(self.name_of(api), self.registered(registries[1]))
        registries[0].kill()
        self.wait_registered(registries[1], api)
        second = self.api(self.urls(*registries), 2)
        wait_until(lambda: gateway.request("GET", "/v1/campaigns") and self.requests_of(second) > 5, 20,
                   "requests to an instance that only the second registry knows")


if __name__ == "__main__":
    main()
