"""What the gateway adds to a request's time: an open load of half the gateway's rate, straight to the api and through
the gateway in turn."""

import json
import os
import statistics

from comparing.figures import Budget, Derived
from comparing.processes import Failure, run_measured

BUDGET_MS = 1


INVALID = 4  # exit status of `doorbuster bench` when the rate was not kept, as when the machine had a hiccup
TRIES = 3


def latencies(settings, port, campaign, connections, rate, folder):
    """\\returns (p50, p99) in milliseconds, from the moment at which a request was due"""
    report = os.path.join(folder, "latency.json")
    for _ in range(TRIES):
        output, status, _, _ = run_measured(
            [settings.binary, "bench", f"http://127.0.0.1:{port}", "--campaign", campaign, "--vusers",
             str(connections), "--rate", str(int(rate)), "--warm-up", "1s", "--duration", f"{settings.seconds}s",
             "--json", report], settings.seconds + 1)
        if status != INVALID:
            break
        settings.say("    the rate was not kept: once more")
    if status != 0:
        raise Failure(f"doorbuster bench ended with status {status}: {output.strip()[-300:]}")
    with open(report, encoding="utf-8") as file:
        figures = json.load(file)
    os.unlink(report)
    return figures["p50_ms"], figures["p99_ms"]


def added(settings, api, gateway, campaign, connections, full_rate, folder):
    rate = full_rate / 2
    pairs = []
    for number in range(settings.pairs):
        settings.say(f"  latency of the hop at {connections}: pair {number + 1} of {settings.pairs}")
        straight = latencies(settings, api.port, campaign, connections, rate, folder)
        through = latencies(settings, gateway.port, campaign, connections, rate, folder)
        pairs.append((straight, through))
    middle, tail = (statistics.median(through[at] - straight[at] for straight, through in pairs) for at in (0, 1))
    straight, through = (statistics.median(side[1] for side in sides) for sides in zip(*pairs))
    return [
        Derived(f"p99 added by the gateway, ms (at {connections})", tail, Budget("ms", BUDGET_MS),
                f"at half load, {rate:,.0f}/s: {straight:.2f} straight, {through:.2f} through"),
        Derived(f"p50 added by the gateway, ms (at {connections})", middle, None, ""),
    ]
