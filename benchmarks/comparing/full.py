"""A coupon on the full stack: our api over Redis and Kafka, against nginx + Lua + Redis, which has no log at all."""

import statistics

from comparing import servers
from comparing.figures import Budget, Derived, Line
from comparing.full_stack import FullStack, metrics, thread_seconds
from comparing.processes import Group

PARTS = (("io", "its loop"), ("kafka", "acknowledgements"), ("rdk:", "librdkafka"))
BUDGETS = {100: 12, 1000: 13}
REDIS_BUDGET = 3.5


def threads_us(before, after, requests):
    us = dict.fromkeys([part for _, part in PARTS] + ["all other threads"], 0.0)
    for name, seconds in after.items():
        part = next((part for prefix, part in PARTS if name.startswith(prefix)), "all other threads")
        us[part] += 1e6 * (seconds - before.get(name, 0)) / requests
    return us


def run(settings):
    from comparing.scenarios import (PLENTY, coupon_count_fits, expect_refused, in_turn, lua_run, measured,
                                     post_unique)

    lines, derived = [], []
    with Group() as group, FullStack(settings.subfolder("full"), settings.binary) as stack:
        api = stack.start_api()
        nginx, redis = servers.start_lua_redis(group, settings.subfolder("full/peer"), settings.files)
        for connections, most in BUDGETS.items():
            batches, threads = [], []

            def ours(connections=connections, batches=batches, threads=threads):
                number = settings.next_run()
                campaign = f"compare-{number:04d}"
                servers.create_campaign(api.port, campaign, PLENTY)
                names = ("doorbuster_issue_batches_total", "doorbuster_issue_batched_requests_total")
                before, threads_before = metrics(api.port, *names), thread_seconds(api.pid)
                replies = {}

                def post():
                    replies["run"] = post_unique(settings, api.port, campaign, connections, number)
                    return replies["run"]

                side = measured([api, stack.redis, stack.kafka], post)
                after = metrics(api.port, *names)
                expect_refused("full", side, 0.0)
                coupon_count_fits("full", api.port, campaign, replies["run"].requests, connections)
                batches.append((after[1] - before[1]) / max(1, after[0] - before[0]))
                threads.append(threads_us(threads_before, thread_seconds(api.pid), replies["run"].requests))
                stack.stack.redis.call("UNLINK", f"doorbuster:{{c:{campaign}}}:holders")
                return side

            pairs = in_turn(settings, f"full at {connections}", ours,
                            lambda connections=connections: lua_run(settings, nginx, redis, connections))
            size = statistics.median(batches)
            line = Line("coupon, full stack", connections, "nginx + Lua + Redis (everysec, no log)", pairs,
                        Budget("us", most), "ours is the api's process alone, librdkafka in it; the peer's figure is "
                        "nginx and Redis together")
            lines.append(line)
            derived.append(Derived(f"Redis, us per coupon (full at {connections})", line.part_us("redis-server"),
                                   Budget("us", REDIS_BUDGET), f"in batches of {size:.1f}, outbox and AOF included"))
            for part in threads[0]:
                derived.append(Derived(f"of the api: {part} (full at {connections})",
                                       statistics.median(each[part] for each in threads), None))
            derived.append(Derived(f"Kafka's broker, us per coupon (full at {connections})", line.part_us("kafka"),
                                   None, "a JVM that has just been started"))
    return lines, derived
