#!/usr/bin/env python3
"""What a registry of 10,000 instances costs its server: registry.py [--build FOLDER] [--instances N]

CPU of the process (user and kernel, by the scheduler's own nanoseconds) for a full fetch, a delta and 10,000
heartbeats a second, beside the limits of the issue. Exit status 1 when one is missed.
"""
import argparse
import glob
import http.client
import json
import os
import socket
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
APPS = 100


def cpu_seconds(pid):
    """Of all threads."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path, encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def instance(app, name):
    return json.dumps({"instance": {
        "instanceId": name, "hostName": "10.0.0.1", "app": app, "ipAddr": "10.0.0.1", "status": "UP",
        "port": {"$": 8080, "@enabled": "true"}, "securePort": {"$": 443, "@enabled": "false"},
        "dataCenterInfo": {"@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", "name": "MyOwn"},
        "leaseInfo": {"renewalIntervalInSecs": 30, "durationInSecs": 3600}, "metadata": {"management.port": "8080"},
        "homePageUrl": "http://10.0.0.1:8080/", "statusPageUrl": "http://10.0.0.1:8080/actuator/info",
        "healthCheckUrl": "http://10.0.0.1:8080/actuator/health", "vipAddress": app.lower(),
        "secureVipAddress": app.lower(), "lastDirtyTimestamp": "1"}}).encode()


def fill(port, instances):
    """Half of them in one app, the others in a hundred."""
    with socket.create_connection(("127.0.0.1", port)) as raw:
        reader = raw.makefile("rb")
        for first in range(0, instances, 100):
            requests = []
            for number in range(first, min(first + 100, instances)):
                app = "LOAD" if number < instances // 2 else f"APP{number % APPS}"
                body = instance(app, f"i{number}")
                requests.append(f"POST /eureka/apps/{app} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
                                f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            raw.sendall(b"".join(requests))
            for _ in requests:
                assert reader.readline().startswith(b"HTTP/1.1 204"), "a registration failed"
                while reader.readline() != b"\r\n":
                    pass


class Fetcher:
    def __init__(self, port, pid):
        self.connection, self.pid = http.client.HTTPConnection("127.0.0.1", port), pid

    def request(self, method, path, headers=None, body=None):
        self.connection.request(method, path, body, headers or {})
        reply = self.connection.getresponse()
        data = reply.read()
        assert reply.status in (200, 204), f"{method} {path}: {reply.status}"
        return len(data)

    def cost(self, path, headers, rounds, change=False):
        """Milliseconds of CPU for one fetch, and its size. With `change`, an instance has changed before each; what
        the change itself costs is taken off."""
        def alter(number):
            self.request("PUT", f"/eureka/apps/LOAD/i7/status?value={'DOWN' if number % 2 else 'UP'}")

        changes = 0.0
        if change:
            before = cpu_seconds(self.pid)
            for number in range(rounds):
                alter(number)
            changes = cpu_seconds(self.pid) - before
        self.request("GET", path, headers)
        before = cpu_seconds(self.pid)
        for number in range(rounds):
            if change:
                alter(number)
            size = self.request("GET", path, headers)
        return 1000 * (cpu_seconds(self.pid) - before - changes) / rounds, size


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--instances", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    port = free_port()
    # Changes leave the delta soon, so that its measurement finds a few of them and not all registrations.
    server = subprocess.Popen([os.path.join(options.build, "doorbuster"), "registry", "--port", str(port),
                               "--delta-retention", "3s", "--log-level", "warn"])
    missed = []
    try:
        fetcher = None
        for _ in range(200):
            try:
                fetcher = Fetcher(port, server.pid)
                fetcher.request("GET", "/readyz")
                break
            except OSError:
                time.sleep(0.05)
        before = cpu_seconds(server.pid)
        fill(port, options.instances)
        spent = 1e6 * (cpu_seconds(server.pid) - before) / options.instances
        print(f"{options.instances} instances; {spent:.1f} us of CPU a registration")
        json_ = {"Accept": "application/json"}
        packed = {**json_, "Accept-Encoding": "gzip"}
        def show(what, cost, limit=None):
            kept = limit is None or cost[0] < limit
            if not kept:
                missed.append(what)
            print(f"{what:44} {cost[0]:8.3f} ms CPU  {cost[1] / 1024:9.1f} KiB"
                  f"{'' if limit is None else f'   limit {limit} ms'}{'' if kept else '   MISSED'}")

        # All of them are news now: that delta is as large as the full list, and is made once and then kept.
        began = cpu_seconds(server.pid)
        size = fetcher.request("GET", "/eureka/apps/delta", json_)
        show("delta while all are fresh, JSON, first", (1000 * (cpu_seconds(server.pid) - began), size))
        show("delta while all are fresh, JSON, then", fetcher.cost("/eureka/apps/delta", json_, 20))
        fetcher.cost("/eureka/apps", json_, 1)
        time.sleep(5)

        for name, headers in (("JSON", json_), ("JSON, gzip", packed), ("XML", {})):
            show(f"full fetch, {name}", fetcher.cost("/eureka/apps", headers, 20), 20)
            show(f"full fetch after a change, {name}", fetcher.cost("/eureka/apps", headers, 20, True), 20)
        for name, headers in (("JSON", json_), ("JSON, gzip", packed), ("XML", {})):
            show(f"delta, {name}", fetcher.cost("/eureka/apps/delta", headers, 200), 1)
            show(f"delta after a change, {name}", fetcher.cost("/eureka/apps/delta", headers, 200, True), 1)

        # The CPU while nothing happens (timers, the look for expired leases) counts, too.
        began, before = time.monotonic(), cpu_seconds(server.pid)
        load = subprocess.run([os.path.join(options.build, "benchmarks", "registry_load"), str(port),
                               str(options.instances // 2), "1000", "10000", str(options.seconds)],
                              capture_output=True, text=True, check=False)
        took, spent = time.monotonic() - began, cpu_seconds(server.pid) - before
        if load.returncode != 0:
            missed.append("heartbeats")
            print(load.stdout + load.stderr, file=sys.stderr)
            return 1
        told = json.loads(load.stdout)
        share = 100 * spent / options.seconds
        if share >= 20:
            missed.append("heartbeats")
        print(f"10,000 heartbeats a second, 1,000 connections: {share:.1f} % of a core"
              f" ({1e6 * spent / told['ok']:.1f} us each), p50 {told['p50_ms']} ms, p99 {told['p99_ms']} ms,"
              f" {took:.1f} s   limit 20 %{'' if share < 20 else '   MISSED'}")
    finally:
        server.terminate()
        server.wait()
    if missed:
        print(f"registry: missed: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
