"""What is compared. Each scenario starts its servers, runs ours and the peer in turn, and gives lines."""

import json
import os
import shutil

from comparing import full, full_refusal, gateway, generators, servers
from comparing.figures import Budget, Derived, Line, Side
from comparing.processes import Failure, Group, http

UNIQUE_USERS = os.path.join(servers.PEERS, "wrk_unique_users.lua")
ONE_POST = os.path.join(servers.PEERS, "wrk_one_post.lua")
PLENTY = 1_000_000_000
FIRST_USER = 100_000_000_000_000
USERS_A_RUN = 1_000_000_000


class Settings:
    def __init__(self, binary, folder, seconds, pairs, files, say):
        self.binary = binary
        self.folder = folder
        self.seconds = seconds
        self.pairs = pairs
        self.files = files
        self.say = say
        self.runs = 0

    def subfolder(self, name):
        path = os.path.join(self.folder, name)
        os.makedirs(path, exist_ok=True)
        return path

    def next_run(self):
        """A number no run before had: campaigns and users of a run are its own."""
        self.runs += 1
        return self.runs


def measured(processes, run, background_rows=None):
    """Calls `run` and charges what `processes` spent meanwhile. The first is the one in question.
    A background thread goes on after the run; its rows are all written when it has settled."""
    before = [process.cpu() for process in processes]
    result = run()
    for process in processes:
        process.check_alive()
    spent = [process.cpu().since(earlier) for process, earlier in zip(processes, before)]
    if result.errors > result.requests / 1000:
        raise Failure(f"{result.errors} of {result.requests} requests got no reply: not a run to quote")
    side = Side(cpu_us=1e6 * sum(part.serving for part in spent) / result.requests, rate=result.rate,
                generator_share=result.generator_share, refused_share=result.refused / result.requests)
    for process, part in list(zip(processes, spent))[1:]:
        side.parts_us[process.what] = 1e6 * part.serving / result.requests
    if background_rows is not None:
        drained = processes[0].settle()
        background = processes[0].cpu().since(before[0]).background
        if drained and "worker" in background:
            side.parts_us["worker"] = 1e6 * background["worker"] / max(1, background_rows())
    if side.cpu_us <= 0:
        raise Failure("the run was too short to show any CPU time")
    return side


def in_turn(settings, name, ours, peer):
    """A B A B ...: the pairs, so that what else the machine does meets both sides."""
    pairs = []
    for number in range(settings.pairs):
        settings.say(f"{name}: pair {number + 1} of {settings.pairs}")
        pairs.append((ours(), peer()))
    return pairs


def floor(settings):
    """GET /healthz against nginx `return 200`."""
    with Group() as group:
        folder = settings.subfolder("floor")
        api = servers.start_api(group, settings.binary, folder)
        null = servers.start_null(group, os.path.join(folder, "nginx"), settings.files)

        def run(process):
            return measured([process], lambda: generators.wrk(process.port, "/healthz", 100, settings.seconds))

        pairs = in_turn(settings, "floor", lambda: run(api), lambda: run(null))
        for ours, peer in pairs:
            expect_refused("floor", ours, 0.0)
            expect_refused("floor (nginx)", peer, 0.0)
    return [Line("floor GET /healthz", 100, "nginx return 200", pairs, Budget("us", 8))], []


def expect_refused(what, side, share):
    """A run whose replies were not those that it is about is not quoted."""
    if abs(side.refused_share - share) > 0.001:
        raise Failure(f"{what}: {100 * side.refused_share:.1f} % of the replies were refusals, "
                      f"{100 * share:.0f} % were expected")


def post_unique(settings, port, campaign, connections, number):
    path = servers.issue_path(campaign)
    first = FIRST_USER + number * USERS_A_RUN
    return generators.wrk(port, path, connections, settings.seconds, UNIQUE_USERS, (path, first))


def issued_count(port, campaign):
    status, body = http("GET", port, f"/v1/campaigns/{campaign}")
    if status != 200:
        raise Failure(f"GET /v1/campaigns/{campaign} was answered {status}")
    return json.loads(body)["issued"]


def issue_run(settings, api, connections):
    """Fresh coupons: every reply is 201, and the campaign says as many were issued."""
    number = settings.next_run()
    campaign = f"compare-{number:04d}"
    servers.create_campaign(api.port, campaign, PLENTY)
    replies = {}

    def run():
        replies["run"] = post_unique(settings, api.port, campaign, connections, number)
        return replies["run"]

    side = measured([api], run, background_rows=lambda: issued_count(api.port, campaign))
    expect_refused("coupon", side, 0.0)
    coupon_count_fits("coupon", api.port, campaign, replies["run"].requests, connections)
    return side


def coupon_count_fits(what, port, campaign, answered, connections):
    issued = issued_count(port, campaign)
    # At its end wrk leaves one request a connection in the air.
    if not answered <= issued <= answered + connections:
        raise Failure(f"{what}: {answered} replies, but the campaign says {issued} issued")


def coupon(settings):
    """POST of a new user each, embedded, in the fsynced log before the reply; nginx does nothing at all."""
    lines, derived = [], []
    with Group() as group:
        folder = settings.subfolder("coupon")
        api = servers.start_api(group, settings.binary, folder)
        null = servers.start_null(group, os.path.join(folder, "nginx"), settings.files)
        for connections, most in ((100, 1.7), (1000, 1.4)):
            def peer(connections=connections):
                number = settings.next_run()
                return measured([null], lambda: post_unique(settings, null.port, f"compare-{number:04d}", connections,
                                                            number))

            pairs = in_turn(settings, f"coupon at {connections}",
                            lambda connections=connections: issue_run(settings, api, connections), peer)
            line = Line("coupon, fsynced", connections, "nginx return 200", pairs, Budget("ratio", most),
                        "all threads but worker, db-*, checkpoint")
            lines.append(line)
            worker = line.part_us("worker")
            if worker is not None:
                derived.append(Derived(f"worker, us per row (coupon at {connections})", worker, Budget("us", 20),
                                       "its own thread, after it has drained"))
    return lines, derived


def lua_redis_missing():
    for path in (servers.LUA_MODULE, "/usr/share/lua/5.1/nginx/redis.lua"):
        if not os.path.exists(path):
            return f"no {os.path.basename(path)}: Debian packages nginx-extras, lua-nginx-redis"
    return None if shutil.which("redis-server") else "no redis-server: Debian package redis-server"


def set_peer_campaign(redis, campaign, limit):
    redis.call("SET", f"{{{campaign}}}:limit", str(limit))


def lua_run(settings, nginx, redis, connections):
    number = settings.next_run()
    campaign = f"compare-{number:04d}"
    set_peer_campaign(redis, campaign, PLENTY)
    side = measured([nginx, redis.process], lambda: post_unique(settings, nginx.port, campaign, connections, number))
    expect_refused("nginx + Lua + Redis", side, 0.0)
    redis.call("DEL", f"{{{campaign}}}:users", f"{{{campaign}}}:issued")
    return side


def coupon_redis(settings):
    """The same coupons by nginx + Lua + Redis: both of its processes are charged. No log, fsync each second."""
    lines = []
    with Group() as group:
        folder = settings.subfolder("coupon-redis")
        api = servers.start_api(group, settings.binary, folder)
        nginx, redis = servers.start_lua_redis(group, folder, settings.files)
        for connections in (100, 1000):
            pairs = in_turn(settings, f"coupon-redis at {connections}",
                            lambda connections=connections: issue_run(settings, api, connections),
                            lambda connections=connections: lua_run(settings, nginx, redis, connections))
            lines.append(Line("coupon, fsynced", connections, "nginx + Lua + Redis (everysec, no log)", pairs,
                              remark="the peer's figure is nginx and Redis together"))
    return lines, []


def full_missing():
    for program, package in (("java", "openjdk-17-jre-headless"), ("mariadbd", "mariadb-server")):
        if not shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            return f"no {program}: Debian package {package}"
    return lua_redis_missing()


def refusal(settings):
    """A sold-out campaign of one coupon; every request is a user without one."""
    lines = []
    with Group() as group:
        folder = settings.subfolder("refusal")
        api = servers.start_api(group, settings.binary, folder)
        nginx, redis = servers.start_lua_redis(group, folder, settings.files)
        servers.create_campaign(api.port, "sold", 1)
        set_peer_campaign(redis, "sold", 1)
        for port in (api.port, nginx.port):
            status, body = http("POST", port, servers.issue_path("sold"), '{"user_id":"first"}')
            if status != 201:
                raise Failure(f"the only coupon was not issued: {status} {body[:300]}")
        for connections in (100, 1000, 5000):
            def run(processes, connections=connections):
                number = settings.next_run()
                side = measured(processes,
                                lambda: post_unique(settings, processes[0].port, "sold", connections, number))
                expect_refused("refusal", side, 1.0)
                return side

            pairs = in_turn(settings, f"refusal at {connections}", lambda run=run: run([api]),
                            lambda run=run: run([nginx, redis.process]))
            lines.append(Line("refusal, sold out", connections, "nginx + Lua + Redis", pairs, Budget("us", 8),
                              "the peer's figure is nginx and Redis together"))
    growth = Derived("refusal: cost at 5000 over cost at 100", lines[2].cpu_us / lines[0].cpu_us,
                     Budget("ratio", 1.3))
    return lines, [growth]


def generator(settings):
    """What a request costs the generator: ours against wrk without Lua in its loop, both against nginx."""
    with Group() as group:
        folder = settings.subfolder("generator")
        null = servers.start_null(group, os.path.join(folder, "nginx"), settings.files)

        def as_side(run):
            return Side(cpu_us=run.generator_us, rate=run.rate, generator_share=run.generator_share)

        pairs = in_turn(
            settings, "generator",
            lambda: as_side(generators.bench(settings.binary, null.port, 100, settings.seconds, folder)),
            lambda: as_side(generators.wrk(null.port, servers.issue_path("default"), 100, settings.seconds, ONE_POST)))
    return [Line("bench, per request sent", 100, "wrk without Lua in its loop", pairs, Budget("us", 8),
                 "the generator's own CPU; the target is nginx return 200")], []


# name -> (function, why it cannot run here or None)
SCENARIOS = {
    "floor": (floor, lambda: None),
    "coupon": (coupon, lambda: None),
    "coupon-redis": (coupon_redis, lua_redis_missing),
    "full": (full.run, full_missing),
    "refusal": (refusal, lua_redis_missing),
    "full-refusal": (full_refusal.run, full_missing),
    "gateway": (gateway.run, gateway.missing),
    "generator": (generator, lambda: None),
}
