#!/usr/bin/env python3
"""Real Eureka clients use our registry: Java (Spring's transports and Netflix's own), Python, Node.js.

One story, since a Java program takes seconds to start: they register, see each other, follow changes by deltas,
survive a restart of the registry, are expired when killed and gone at once when stopped. All the while our gateway
reaches each of them by its service's name, and nobody who is gone.
"""

import contextlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
import clients  # noqa: E402
from harness import SystemTest, main, wait_until  # noqa: E402

LEASE = 8  # seconds: generous beside a heartbeat a second, for machines with much else to do
PATIENCE = 60
SERVICES = ("spring", "netflix", "python", "node")
ROUTES = "gateway:\n  routes:\n" + "".join(
    f"    - {{path: /{service}, strip: /{service}, to: \"lb://{service}\"}}\n" for service in SERVICES)


class RegistryClientsTest(SystemTest):
    def setUp(self):
        super().setUp()
        clients.prepare()
        self.own_fetches = 0
        self.gateway = None

    def listed(self):
        self.own_fetches += 1
        reply = self.registry.request("GET", "/eureka/apps", headers={"Accept": "application/json"})
        return {(app["name"], one["instanceId"], one["status"], f"{one['hostName']}:{one['port']['$']}")
                for app in reply.json()["applications"]["application"] for one in app["instance"]}

    def expect_everywhere(self, wanted, what):
        """The registry's list and every client's copy become the same set."""
        wait_until(lambda: self.listed() == wanted, PATIENCE, f"{what}: the registry lists {wanted}")
        for client in self.alive:
            seen = set()

            def same(client=client, seen=seen):
                seen.clear()
                seen.update(client.view())
                return seen == wanted

            with self.subTest(client=type(client).__name__, what=what):
                try:
                    wait_until(same, PATIENCE, "a copy")
                except AssertionError:
                    self.fail(f"{what}: {client.instance_id} sees {sorted(seen)}, not {sorted(wanted)}\n"
                              f"{client.output()[-2000:]}")

    def entry(self, client, status="UP"):
        return (client.app, client.instance_id, status, f"127.0.0.1:{client.port}")

    def entries(self):
        port = self.gateway.port if self.gateway else 0
        itself = {("COUPON-GATEWAY", f"127.0.0.1:coupon-gateway:{port}", "UP", f"127.0.0.1:{port}")} if port else set()
        return itself | {self.entry(client) for client in self.alive}

    def full_fetches(self):
        """Those of the clients, without the test's own."""
        all_of_them = self.registry.metrics()['doorbuster_registry_requests_total{operation="full",status="2xx"}']
        return all_of_them - self.own_fetches

    def put(self, method, path, body=None, expect=200):
        self.assert_reply(self.registry.request(method, f"/eureka/apps/{path}", body), expect)

    def test_clients_of_three_languages(self):
        self.registry = self.started(role="registry")
        url = self.registry.url + "/eureka"
        common = {"renew": 1, "lease": LEASE}
        spring = clients.JavaClient(url, "SPRING", **common)
        rest = clients.JavaClient(url, "SPRING", transport="restclient", **common)
        netflix = clients.JavaClient(url, "NETFLIX", transport="jersey", **common)
        python = clients.PythonClient(url, "PYTHON", **common)
        node = clients.NodeClient(url, "NODE", **common)
        self.alive = [spring, rest, netflix, python, node]
        with contextlib.ExitStack() as programs:
            for client in self.alive:
                programs.enter_context(client).launch()
            for client in self.alive:
                client.wait_ready()
            self.follow_the_story(spring, rest, netflix, python, node)

    def follow_the_story(self, spring, rest, netflix, python, node):
        self.expect_everywhere(self.entries(), "all have registered")
        for java in (spring, rest, netflix):
            wait_until(lambda java=java: java.hash_code() == "UP_5_", PATIENCE, "the hash")
            # As a load balancer of Spring finds it: by its vip address.
            wait_until(lambda java=java: set(java.load_balancer_finds("python")) == {f"http://127.0.0.1:{python.port}"},
                       PATIENCE, "the service by its vip")
        self.start_gateway()
        self.expect_through_gateway("all have registered")
        self.follow_by_deltas()
        self.override(spring)
        self.restart()
        self.end(spring, rest, netflix, python, node)

    def start_gateway(self):
        config = os.path.join(self.folder, "gateway.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(ROUTES)
        self.gateway = self.started(role="gateway", extra=(
            "--config", config, "--registry", self.registry.url + "/eureka/", "--renew-interval", "1s",
            "--lease", f"{LEASE}s"))
        self.expect_everywhere(self.entries(), "the gateway has registered")

    def expect_through_gateway(self, what):
        """Every client that is alive answers there, and nobody else; a service without any is 503."""
        for service in SERVICES:
            hellos = {client.hello() for client in self.alive if client.app.lower() == service}
            known = f'doorbuster_gateway_instances{{shard="io-0",service="{service}",state="known"}}'
            wait_until(lambda: self.gateway.metrics()[known] == len(hellos), PATIENCE,
                       f"{what}: {len(hellos)} of {service} at the gateway")
            if not hellos:
                refused = self.assert_reply(self.gateway.request("GET", f"/{service}/"), 503)
                self.assertIn("retry-after", refused.headers)
                continue
            heard = set()

            def all_heard():
                reply = self.assert_reply(self.gateway.request("GET", f"/{service}/"), 200)
                heard.add(reply.body.decode().strip())
                return len(heard) >= len(hellos)

            wait_until(all_heard, PATIENCE, f"{what}: all of {service} through the gateway")
            self.assertEqual(heard, hellos, what)

    def follow_by_deltas(self):
        """Every change reaches everybody, and nobody has to fetch all again for it."""
        guest = {"instance": {"instanceId": "guest:1", "hostName": "127.0.0.1", "ipAddr": "127.0.0.1", "app": "GUEST",
                              "port": {"$": 9, "@enabled": "true"}, "status": "UP", "vipAddress": "guest",
                              "metadata": {"with_underscore": "<&>", "with space": "1"}}}
        self.put("POST", "GUEST", guest, 204)
        entry = ("GUEST", "guest:1", "UP", "127.0.0.1:9")
        self.expect_everywhere(self.entries() | {entry}, "a guest has registered")
        # py_eureka_client cannot add an app that is new to it, and has fetched all for that; nobody does from here on.
        fetched = self.full_fetches()
        self.put("PUT", "GUEST/guest:1/status?value=OUT_OF_SERVICE")
        self.expect_everywhere(self.entries() | {("GUEST", "guest:1", "OUT_OF_SERVICE", "127.0.0.1:9")}, "out of service")
        self.put("PUT", "GUEST/guest:1/metadata?zone=a")
        self.put("DELETE", "GUEST/guest:1/status?value=UP")
        self.expect_everywhere(self.entries() | {entry}, "back in service")
        self.put("DELETE", "GUEST/guest:1")
        self.put("POST", "GUEST", guest, 204)  # an app that was deleted as a whole and comes back
        self.expect_everywhere(self.entries() | {entry}, "back again")
        self.put("DELETE", "GUEST/guest:1")
        self.expect_everywhere(self.entries(), "the guest has left")
        self.assertEqual(self.full_fetches(), fetched)

    def override(self, spring):
        self.put("PUT", f"SPRING/{spring.instance_id}/status?value=OUT_OF_SERVICE")
        others = self.entries() - {self.entry(spring)}
        self.expect_everywhere(others | {self.entry(spring, "OUT_OF_SERVICE")}, "overridden")
        # Without a value the status is unknown; the next heartbeat fails and makes it say its true one.
        wait_until(lambda: self.of_spring() == {other.hello() for other in self.alive
                                                if other.app == "SPRING" and other is not spring},
                   PATIENCE, "the gateway leaves out who is overridden")
        self.put("DELETE", f"SPRING/{spring.instance_id}/status")
        self.expect_everywhere(self.entries(), "the override is dropped")

    def of_spring(self):
        return {self.assert_reply(self.gateway.request("GET", "/spring/"), 200).body.decode().strip()
                for _ in range(20)}

    def restart(self):
        """A registry that has lost everything: 404 to each heartbeat brings everybody back."""
        self.registry.kill()
        self.registry.start()
        self.expect_everywhere(self.entries(), "the registry has been started again")
        for client in self.alive:
            self.assertEqual(client.hello(), f"hello from {client.instance_id}")
        self.expect_through_gateway("the registry has been started again")

    def end(self, spring, rest, netflix, python, node):
        for client in (rest, python, node):
            client.kill()
            self.alive.remove(client)
        self.expect_everywhere(self.entries(), "those who were killed have expired")
        self.assertEqual(self.registry.metrics()["doorbuster_registry_evictions_total"], 3)
        self.expect_through_gateway("those who were killed have expired")
        for client in (netflix, spring):
            client.stop()
            self.alive.remove(client)
            wait_until(lambda: self.listed() == self.entries(), 2, f"{client.instance_id} has deregistered")
            self.expect_through_gateway(f"{client.instance_id} has deregistered")
        self.assertEqual(self.registry.metrics()["doorbuster_registry_evictions_total"], 3)

    def test_clean_stop_of_python_and_node(self):
        self.registry = self.started(role="registry")
        url = self.registry.url + "/eureka"
        with clients.PythonClient(url, "PYTHON") as python, clients.NodeClient(url, "NODE", delta=False) as node:
            self.alive = [python, node]
            for client in self.alive:
                client.launch()
            for client in self.alive:
                client.wait_ready()
            self.expect_everywhere(self.entries(), "both have registered")
            for client in (python, node):
                client.stop()
            wait_until(lambda: self.listed() == set(), 2, "both have deregistered")


if __name__ == "__main__":
    main()
