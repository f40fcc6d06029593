#!/usr/bin/env python3
"""CPU of the server for one empty request, beside nginx's `return 200`: floor.py FLOOR_SERVER [SECONDS]

Prints user and kernel microseconds a request, from /proc/PID/stat, at 100 and 5,000 connections (wrk).
"""
import os
import re
import subprocess
import sys
import tempfile
import time

HZ = os.sysconf("SC_CLK_TCK")
NGINX = """worker_processes 1; daemon off; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 20000; }}
http {{ access_log off; keepalive_requests 1000000000;
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200; }} }} }}
"""


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return int(fields[11]) / HZ, int(fields[12]) / HZ


def load(port, connections, seconds):
    """wrk's number of requests, and what it complains of."""
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}", f"http://127.0.0.1:{port}/"],
                         capture_output=True, text=True, check=True).stdout
    bad = re.search(r"(Socket errors|Non-2xx).*", out)
    return int(re.search(r"(\d+) requests in", out).group(1)), bad.group(0) if bad else ""


def measure(name, pid, port, seconds):
    for connections in (100, 5000):
        # A long run less a short one: what it costs to connect stands in both.
        runs = []
        for duration in (1, 1 + seconds):
            before = cpu(pid)
            requests, bad = load(port, connections, duration)
            after = cpu(pid)
            runs.append((requests, after[0] - before[0], after[1] - before[1]))
        requests, user, kernel = (long - short for short, long in zip(*runs))
        user, kernel = 1e6 * user / requests, 1e6 * kernel / requests
        print(f"{name:14} {connections:5} connections {requests:8} requests  user {user:5.2f}  "
              f"kernel {kernel:5.2f}  together {user + kernel:5.2f} us  {bad}", flush=True)


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    server = subprocess.Popen([sys.argv[1]], stdout=subprocess.PIPE, text=True)
    try:
        measure(os.path.basename(sys.argv[1]), server.pid, int(server.stdout.readline()), seconds)
    finally:
        server.kill()
        server.wait()
    if not any(os.access(os.path.join(d, "nginx"), os.X_OK) for d in ("/usr/sbin", "/usr/bin")):
        return
    with tempfile.TemporaryDirectory() as directory:
        port = free_port()
        with open(f"{directory}/nginx.conf", "w") as conf:
            conf.write(NGINX.format(dir=directory, port=port))
        master = subprocess.Popen(["/usr/sbin/nginx", "-c", f"{directory}/nginx.conf", "-p", directory])
        try:
            time.sleep(0.5)
            children = open(f"/proc/{master.pid}/task/{master.pid}/children").read().split()
            measure("nginx", int(children[0]), port, seconds)
        finally:
            master.terminate()
            master.wait()


main()
