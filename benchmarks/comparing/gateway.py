"""What a hop costs: our gateway against nginx and HAProxy, each in front of the same api, adding the same headers."""

import os
import shutil

from comparing import generators, hop_latency, servers
from comparing.figures import Budget, Derived, Line
from comparing.processes import Failure, Group, free_port, http, port_answers

ONE_POST = os.path.join(servers.PEERS, "wrk_one_post.lua")
# Sold out: the cheapest answer of the api that is one of its service, so that the hop is most of the whole.
CAMPAIGN = "sold"


def start_gateway(group, binary, folder, upstream):
    os.makedirs(folder, exist_ok=True)
    port = free_port()
    command = [binary, "gateway", "--port", str(port), "--upstream", f"http://127.0.0.1:{upstream}"]
    process = group.start("doorbuster gateway", command, os.path.join(folder, "gateway.out"))
    process.port = port
    process.wait_for(lambda: http("GET", port, "/readyz")[0] == 200)
    return process


def start_haproxy(group, folder, upstream, files):
    os.makedirs(folder, exist_ok=True)
    port = free_port()
    # It wants a descriptor for each side of a connection, and refuses to start without.
    connections = min(servers.MOST_CONNECTIONS, files // 2 - 64)
    conf = servers.fill("haproxy.cfg", folder, {"PORT": port, "UPSTREAM_PORT": upstream,
                                                "CONNECTIONS": connections})
    process = group.start("haproxy", ["haproxy", "-db", "-f", conf], os.path.join(folder, "haproxy.out"))
    process.port = port
    process.wait_for(lambda: port_answers(port))
    return process


def missing():
    return None if shutil.which("haproxy") else "no haproxy: Debian package haproxy"


def start_sold_out_api(group, settings, folder):
    api = servers.start_api(group, settings.binary, folder)
    servers.create_campaign(api.port, CAMPAIGN, 1)
    status, body = http("POST", api.port, servers.issue_path(CAMPAIGN), '{"user_id":"first"}')
    if status != 201:
        raise Failure(f"the only coupon was not issued: {status} {body[:300]}")
    return api


def run(settings):
    from comparing.scenarios import expect_refused, in_turn, measured

    lines, derived = [], []
    with Group() as group:
        folder = settings.subfolder("gateway")
        api = start_sold_out_api(group, settings, folder)
        ours = start_gateway(group, settings.binary, os.path.join(folder, "gateway"), api.port)
        nginx = servers.start_nginx(group, os.path.join(folder, "nginx"), "nginx_proxy.conf", "/healthz",
                                    settings.files, UPSTREAM_PORT=api.port)
        haproxy = start_haproxy(group, os.path.join(folder, "haproxy"), api.port, settings.files)
        path = servers.issue_path(CAMPAIGN)
        for name, peer, connections, most in (("nginx", nginx, 100, 0.6), ("nginx", nginx, 1000, 0.45),
                                              ("HAProxy", haproxy, 100, None), ("HAProxy", haproxy, 1000, None)):
            def hop(proxy, connections=connections):
                # The api is a part of its own: only the proxy's time is the hop's.
                side = measured([proxy, api], lambda: generators.wrk(proxy.port, path, connections, settings.seconds,
                                                                     ONE_POST))
                side.cpu_us -= side.parts_us[api.what]
                expect_refused("gateway", side, 1.0)
                return side

            pairs = in_turn(settings, f"gateway and {name} at {connections}", lambda hop=hop: hop(ours),
                            lambda hop=hop, peer=peer: hop(peer))
            line = Line("gateway, one hop", connections, f"{name} as proxy", pairs,
                        Budget("ratio", most) if most else None, "the proxy's process alone; the same headers added")
            lines.append(line)
            if name == "nginx":
                behind = sorted(ours_side.parts_us[api.what] for ours_side, _ in pairs)
                derived.append(Derived(f"api behind the gateway, us per refusal (at {connections})",
                                       behind[len(behind) // 2], Budget("us", 3), "its decision included"))
                derived += hop_latency.added(settings, api, ours, CAMPAIGN, connections, line.rate, folder)
    return lines, derived
