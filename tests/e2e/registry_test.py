#!/usr/bin/env python3
"""`doorbuster registry` from outside, without a Eureka client: what a socket sees. Those are in tests/eureka."""

import gzip
import json
import os
import socket
import statistics
import time
import xml.etree.ElementTree as ElementTree

from harness import SystemTest, main, raw_exchange, wait_until

JSON = {"Accept": "application/json"}


def instance(app, name, **more):
    return {"instance": {"instanceId": name, "hostName": "127.0.0.1", "ipAddr": "127.0.0.1", "app": app,
                         "port": {"$": 80, "@enabled": "true"}, "status": "UP", "vipAddress": app.lower(), **more}}


class Events:
    """A stream of server-sent events."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.sendall(b"GET /v1/registry/events HTTP/1.1\r\nHost: test\r\nAccept: text/event-stream\r\n\r\n")
        self.buffer = b""
        self.next()

    def next(self):
        """\\returns (name, data) of the next event; None at the end"""
        while True:
            while b"\n\n" in self.buffer:
                block, _, self.buffer = self.buffer.partition(b"\n\n")
                lines = block.decode().split("\n")
                name = next((line[7:] for line in lines if line.startswith("event: ")), None)
                data = next((line[6:] for line in lines if line.startswith("data: ")), None)
                if name:
                    return name, json.loads(data)
            part = self.socket.recv(65536)
            if not part:
                return None
            self.buffer += part

    def close(self):
        self.socket.close()


class RegistryTest(SystemTest):
    def registry(self, *extra):
        return self.started(role="registry", extra=extra)

    def enroll(self, registry, app, name, **more):
        self.assert_reply(registry.request("POST", f"/eureka/apps/{app}", instance(app, name, **more)), 204)

    def names(self, registry, path="/eureka/apps"):
        found = registry.request("GET", path, headers=JSON).json()["applications"]["application"]
        return {(app["name"], item["instanceId"], item["status"]) for app in found for item in app["instance"]}

    def test_registers_renews_and_lists(self):
        registry = self.registry()
        self.enroll(registry, "SHOP", "h:shop:1")
        for path in ("h:shop:1", "h%3Ashop%3A1"):
            reply = registry.request("PUT", f"/eureka/v2/apps/SHOP/{path}?status=UP&lastDirtyTimestamp=1")
            self.assertEqual((reply.status, reply.body), (200, b""))
        self.assertEqual(self.names(registry), {("SHOP", "h:shop:1", "UP")})
        xml = ElementTree.fromstring(registry.request("GET", "/eureka/apps/").body)
        self.assertEqual(xml.find("application/instance/instanceId").text, "h:shop:1")
        self.assertEqual(xml.find("apps__hashcode").text, "UP_1_")
        packed = registry.request("GET", "/eureka/apps", headers={**JSON, "Accept-Encoding": "gzip"})
        self.assertEqual(gzip.decompress(packed.body), registry.request("GET", "/eureka/apps", headers=JSON).body)
        self.assert_reply(registry.request("DELETE", "/eureka/apps/SHOP/h:shop:1"), 200)
        self.assert_reply(registry.request("PUT", "/eureka/apps/SHOP/h:shop:1"), 404)

    def test_takes_what_clients_send_in_chunks_and_packed(self):
        registry = self.registry()
        body = json.dumps(instance("SHOP", "chunked")).encode()
        request = (b"POST /eureka/apps/SHOP HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
                   b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                   + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n")
        self.assertTrue(raw_exchange(registry.port, request).startswith(b"HTTP/1.1 204 "))
        packed = registry.request("POST", "/eureka/apps/SHOP", gzip.compress(json.dumps(instance("SHOP", "gz")).encode()),
                                  {"Content-Type": "application/json", "Content-Encoding": "gzip"})
        self.assert_reply(packed, 204)
        large = instance("SHOP", "large", metadata={"m": "x" * 60_000})
        self.assert_reply(registry.request("POST", "/eureka/apps/SHOP", large), 204)
        too_large = instance("SHOP", "larger", metadata={"m": "x" * 70_000})
        self.assert_reply(registry.request("POST", "/eureka/apps/SHOP", too_large), 413)
        self.assertEqual({name for _, name, _ in self.names(registry)}, {"chunked", "gz", "large"})

    def test_a_long_list_arrives_whole(self):
        registry = self.registry()
        connection = registry.connection()
        for number in range(3000):
            reply = connection.request("POST", "/eureka/apps/SHOP", instance("SHOP", f"i{number}"))
            self.assertEqual(reply.status, 204)
        plain = connection.request("GET", "/eureka/apps", headers=JSON)
        self.assertEqual(len(plain.json()["applications"]["application"][0]["instance"]), 3000)
        packed = connection.request("GET", "/eureka/apps", headers={**JSON, "Accept-Encoding": "gzip"})
        self.assertEqual(gzip.decompress(packed.body), plain.body)
        self.assertLess(len(packed.body), len(plain.body) / 5)
        connection.close()

    def test_tells_of_a_change_at_once(self):
        registry = self.registry()
        events = Events(registry.port)
        connection = registry.connection()
        delays = []
        for number in range(20):
            began = time.monotonic()
            connection.request("POST", "/eureka/apps/SHOP", instance("SHOP", f"i{number}"))
            name, data = events.next()
            delays.append(time.monotonic() - began)
            self.assertEqual((name, data["instance"]["instanceId"]), ("added", f"i{number}"))
            self.assertEqual(data["hash"], f"UP_{number + 1}_")
        connection.request("DELETE", "/eureka/apps/SHOP/i0")
        connection.close()
        self.assertEqual(events.next()[0], "deleted")
        self.assertLess(statistics.median(delays), 0.05)
        events.close()

    def test_evicts_who_falls_silent_and_tells(self):
        registry = self.registry("--eviction-interval", "100ms")
        events = Events(registry.port)
        self.enroll(registry, "SHOP", "silent", leaseInfo={"renewalIntervalInSecs": 1, "durationInSecs": 1})
        self.assertEqual(events.next()[0], "added")
        began = time.monotonic()
        name, data = events.next()
        self.assertEqual((name, data["hash"]), ("deleted", ""))
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(registry.metrics()["doorbuster_registry_evictions_total"], 1)
        events.close()

    def test_answers_forbidden_while_instances_may_still_come_back(self):
        registry = self.registry("--wait-time-when-empty", "2s")
        self.enroll(registry, "SHOP", "x")
        self.assert_reply(registry.request("GET", "/eureka/apps"), 403)
        wait_until(lambda: registry.request("GET", "/eureka/apps").status == 200, 10, "the lists")

    def test_stops_cleanly_with_listeners_and_idle_connections(self):
        registry = self.registry()
        events = Events(registry.port)
        idle = registry.connection()
        idle.request("GET", "/healthz")
        began = time.monotonic()
        self.assertEqual(registry.stop(), 0, registry.output())
        self.assertLess(time.monotonic() - began, 5)
        self.assertIsNone(events.next())
        idle.close()
        events.close()

    def test_says_in_one_line_that_the_port_is_taken(self):
        registry = self.registry()
        done = self.run_program("registry", "--port", str(registry.port))
        self.assertEqual(done.returncode, 1)
        self.assert_one_line(done.stderr, "doorbuster registry: ", f"127.0.0.1:{registry.port}", "in use")
        done = self.run_program("registry", "--eviction-interval", "soon")
        self.assertEqual(done.returncode, 1)
        self.assert_one_line(done.stderr, "--eviction-interval", "soon")

    def test_reads_its_settings_from_the_file(self):
        path = os.path.join(self.folder, "settings.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("registry:\n  most_instances: 1\n")
        registry = self.registry("--config", path)
        self.enroll(registry, "SHOP", "1")
        self.assert_reply(registry.request("POST", "/eureka/apps/SHOP", instance("SHOP", "2")), 503)

    def test_shows_people_a_page(self):
        registry = self.registry()
        self.enroll(registry, "SHOP", "h:shop:1")
        for path in ("/", "/eureka/"):
            reply = registry.request("GET", path, headers={"Accept": "text/html"})
            self.assertIn("text/html", reply.headers["content-type"])
            self.assertIn("h:shop:1", reply.body.decode())


if __name__ == "__main__":
    main()
