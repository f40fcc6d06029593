"""A refusal on the full stack: our api says "sold out" by its latch and its filter of holders, and Redis hears
nothing of it; nginx + Lua + Redis asks each time."""

import statistics
import time

from comparing import servers
from comparing.figures import Budget, Derived, Line
from comparing.full_stack import FullStack, metrics
from comparing.processes import Failure, Group, http

BUDGET = 8
# Enough for the filter to be a real one: with 16 bits a holder one stranger in about 1,000 is taken for a holder,
# and the ledger is asked about them.
HOLDERS = 100_000
# Below this share the run is about something else than the latch.
LEAST_BY_LATCH = 0.99
# Gives out what the peer has in one command; how is not what is measured.
SELL_PEER = ("for n = 1, ARGV[1] do redis.call('HSET', KEYS[1], 'holder-' .. n, 'CODE ' .. n) end "
             "redis.call('SET', KEYS[2], ARGV[1]) return 'OK'")
REFUSALS = "doorbuster_latch_refusals_total"


def wait_for(condition, seconds, what):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(0.05)


def sell_out(settings, api, campaign):
    from comparing.scenarios import issued_count, post_unique

    servers.create_campaign(api.port, campaign, HOLDERS)
    until = time.monotonic() + 120
    while issued_count(api.port, campaign) < HOLDERS:
        if time.monotonic() > until:
            raise Failure(f"{HOLDERS} coupons were not given out within 120 s")
        post_unique(settings, api.port, campaign, 100, settings.next_run())

    def refused_by_latch():
        before = metrics(api.port, REFUSALS)[0]
        status = http("POST", api.port, servers.issue_path(campaign), '{"user_id":"stranger"}')[0]
        return status == 410 and metrics(api.port, REFUSALS)[0] > before

    wait_for(refused_by_latch, 30, "a refusal by the latch")


def sell_out_peer(redis, campaign):
    from comparing.scenarios import set_peer_campaign

    set_peer_campaign(redis, campaign, HOLDERS)
    redis.call("EVAL", SELL_PEER, "2", f"{{{campaign}}}:users", f"{{{campaign}}}:issued", str(HOLDERS))


def read_redis(server):
    """(commands so far, CPU seconds so far, now); a reading is two or three commands itself."""
    info = server.info("stats", "cpu")
    return (int(info["total_commands_processed"]), float(info["used_cpu_user"]) + float(info["used_cpu_sys"]),
            time.monotonic())


def since(before, after):
    return [now - then for now, then in zip(after, before)]


def our_run(settings, stack, api, connections, seen):
    """One run against the latch; what Redis did meanwhile goes to `seen`."""
    from comparing.scenarios import expect_refused, measured, post_unique

    replies = {}

    def post():
        replies["run"] = post_unique(settings, api.port, "sold", connections, settings.next_run())
        return replies["run"]

    before, latched = read_redis(stack.stack.redis), metrics(api.port, REFUSALS)[0]
    side = measured([api, stack.redis, stack.kafka], post)
    after = read_redis(stack.stack.redis)
    latched = metrics(api.port, REFUSALS)[0] - latched
    expect_refused("full-refusal", side, 1.0)
    refused = replies["run"].requests
    if latched < LEAST_BY_LATCH * refused:
        raise Failure(f"full-refusal: only {latched:.0f} of {refused} refusals came from the latch")
    commands, cpu, seconds = since(before, after)
    seen.append((1e3 * commands / refused, commands / seconds, 1e6 * cpu / refused,
                 f"in its INFO {before[0]:,} -> {after[0]:,} commands, {before[1]:.2f} -> {after[1]:.2f} s of CPU, "
                 f"for {refused:,} refusals (the last run)"))
    return side


def run(settings):
    from comparing.scenarios import expect_refused, in_turn, measured, post_unique

    lines, derived = [], []
    with Group() as group, FullStack(settings.subfolder("full-refusal"), settings.binary) as stack:
        api = stack.start_api()
        nginx, redis = servers.start_lua_redis(group, settings.subfolder("full-refusal/peer"), settings.files)
        sell_out(settings, api, "sold")
        sell_out_peer(redis, "sold")
        idle = read_redis(stack.stack.redis)
        time.sleep(settings.seconds)
        commands, cpu, seconds = since(idle, read_redis(stack.stack.redis))
        derived.append(Derived("Redis' commands a second, nobody asks", commands / seconds, None,
                               f"what keeps the api and Redis acquainted; {1e3 * cpu / seconds:.1f} ms of CPU a second"))
        for connections in (100, 1000, 5000):
            seen = []

            def peer(connections=connections):
                side = measured([nginx, redis.process],
                                lambda: post_unique(settings, nginx.port, "sold", connections, settings.next_run()))
                expect_refused("full-refusal (nginx + Lua + Redis)", side, 1.0)
                return side

            pairs = in_turn(settings, f"full-refusal at {connections}",
                            lambda connections=connections, seen=seen: our_run(settings, stack, api, connections, seen),
                            peer)
            lines.append(Line("refusal, full stack", connections, "nginx + Lua + Redis", pairs, Budget("us", BUDGET),
                              "ours is the api's process alone; the peer's figure is nginx and Redis together"))
            per_thousand, a_second, cpu_us = (statistics.median(run[part] for run in seen) for part in range(3))
            at = f"(full-refusal at {connections})"
            derived.append(Derived(f"Redis' commands per 1,000 refusals {at}", per_thousand, None,
                                   f"those taken for holders; {a_second:.0f} a second"))
            derived.append(Derived(f"Redis, us per refusal {at}", cpu_us, None, seen[-1][3]))
    derived.append(Derived("refusal, full stack: cost at 5000 over at 100", lines[2].cpu_us / lines[0].cpu_us,
                           Budget("ratio", 1.3)))
    return lines, derived
