"""wrk and our own bench as generators: what one run says."""

import json
import os
import re

from comparing.processes import Failure, run_measured


class Run:
    """One measured run: replies that came, how long it took, and what the generator cost."""

    def __init__(self, requests, refused, seconds, generator_cpu, wall, errors=0):
        self.requests = requests
        self.refused = refused  # replies other than 2xx and 3xx
        self.seconds = seconds
        self.generator_cpu = generator_cpu
        self.generator_share = generator_cpu / wall if wall > 0 else 0.0
        self.errors = errors  # requests without a reply

    @property
    def rate(self):
        return self.requests / self.seconds

    @property
    def generator_us(self):
        return 1e6 * self.generator_cpu / self.requests


UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


def parse_wrk(text):
    """(requests, refused, seconds, socket errors) of wrk's report."""
    total = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m)\b", text)
    if not total:
        raise Failure("wrk gave no report: " + text.strip()[-300:])
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    return (
        int(total[1]),
        int(refused[1]) if refused else 0,
        float(total[2]) * UNITS[total[3]],
        sum(int(count) for count in errors.groups()) if errors else 0,
    )


def wrk(port, path, connections, seconds, script=None, arguments=()):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    if script:
        command += ["-s", script]
    command += [f"http://127.0.0.1:{port}{path}"]
    if arguments:
        command += ["--", *map(str, arguments)]
    output, status, cpu, wall = run_measured(command, seconds)
    if status != 0:
        raise Failure(f"wrk ended with status {status}: {output.strip()[-300:]}")
    requests, refused, took, errors = parse_wrk(output)
    if requests == 0:
        raise Failure(f"wrk got no reply within {seconds} s from {connections} connections: give it more --seconds")
    return Run(requests, refused, took, cpu, wall, errors)


def bench(binary, port, connections, seconds, folder):
    """Our generator. It may well be the bottleneck: its cost a request is the figure."""
    report = os.path.join(folder, "bench.json")
    command = [binary, "bench", f"http://127.0.0.1:{port}", "--vusers", str(connections), "--duration",
               f"{seconds}s", "--json", report, "--allow-busy-generator"]
    output, status, cpu, wall = run_measured(command, seconds)
    if status != 0 or not os.path.exists(report):
        raise Failure(f"doorbuster bench ended with status {status}: {output.strip()[-300:]}")
    with open(report, encoding="utf-8") as file:
        figures = json.load(file)
    os.unlink(report)
    if figures["executed"] == 0:
        raise Failure("doorbuster bench sent nothing: " + output.strip()[-300:])
    return Run(figures["executed"], 0, figures["duration_s"], cpu, wall, figures["errors"])
