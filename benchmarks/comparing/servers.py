"""The servers that are compared: ours, and the peers made from the templates in benchmarks/peers."""

import os
import pwd
import socket

from comparing.processes import Failure, free_port, http, port_answers

PEERS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peers")
MODULES = "/usr/lib/nginx/modules"
LUA_MODULE = os.path.join(MODULES, "ngx_http_lua_module.so")
FILES = 65536
MOST_CONNECTIONS = 16384
# As long as a coupon's reply (campaign id and user id of the comparison), but no coupon: the same one for
# everybody would rightly look like a broken promise to our generator.
COUPON_SIZED = (
    '{"null":"0123456789ABCDEF","campaign_id":"compare-0001","user_id":"100000000000001","sequence":123456,'
    '"issued_at":"2026-01-01T00:00:00.000000Z","durable":"log"}'
)


def fill(template, folder, values):
    """Writes the template with its @NAME@ filled in; one that stays is a mistake of ours."""
    with open(os.path.join(PEERS, template), encoding="utf-8") as file:
        text = file.read()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    path = os.path.join(folder, template)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def start_nginx(group, folder, template, ready_path, files, **values):
    os.makedirs(folder, exist_ok=True)
    port = free_port()
    # Started by root, its worker would become another user, who may not enter our folder.
    user_line = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
    connections = min(MOST_CONNECTIONS, files - 64)
    conf = fill(template, folder, {"PORT": port, "DIR": folder, "USER_LINE": user_line, "FILES": files,
                                   "CONNECTIONS": connections, **values})
    process = group.start("nginx", ["nginx", "-p", folder, "-c", conf, "-e", os.path.join(folder, "error.log")],
                          os.path.join(folder, "nginx.out"))
    process.port = port
    if ready_path:
        process.wait_for(lambda: http("GET", port, ready_path)[0] == 200)
    else:
        process.wait_for(lambda: port_answers(port))
    return process


def start_null(group, folder, files):
    return start_nginx(group, folder, "nginx_return_200.conf", "/healthz", files, BODY=COUPON_SIZED)


class Redis:
    """Just enough of the protocol to load a script and set a key."""

    def __init__(self, process, port):
        self.process = process
        self.port = port

    def call(self, *words):
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
            connection.sendall(f"*{len(words)}\r\n{''.join(parts)}".encode())
            file = connection.makefile("rb")
            line = file.readline().decode().rstrip()
            if line.startswith("-"):
                raise Failure(f"Redis refused {words[0]}: {line[1:]}")
            if line.startswith("$") and line != "$-1":
                return file.read(int(line[1:])).decode()
            return line[1:]


def start_redis(group, folder):
    os.makedirs(folder, exist_ok=True)
    port = free_port()
    conf = fill("redis.conf", folder, {"PORT": port, "DIR": folder})
    process = group.start("redis-server", ["redis-server", conf], os.path.join(folder, "redis.out"))
    process.wait_for(lambda: port_answers(port))
    return Redis(process, port)


def start_lua_redis(group, folder, files):
    """nginx with Lua before Redis. \\returns (nginx, redis)"""
    redis = start_redis(group, os.path.join(folder, "redis"))
    with open(os.path.join(PEERS, "issue.redis.lua"), encoding="utf-8") as file:
        sha = redis.call("SCRIPT", "LOAD", file.read())
    nginx = start_nginx(group, os.path.join(folder, "nginx"), "nginx_lua_redis.conf", None, files, MODULES=MODULES,
                        PEERS=PEERS, REDIS_PORT=redis.port, SHA=sha)
    return nginx, redis


def start_api(group, binary, folder):
    """Ours, embedded, one thread of HTTP."""
    os.makedirs(folder, exist_ok=True)
    port = free_port()
    command = [binary, "api", "--port", str(port), "--data", os.path.join(folder, "data"), "--io-threads", "1"]
    process = group.start("doorbuster api", command, os.path.join(folder, "api.out"))
    process.port = port
    process.wait_for(lambda: http("GET", port, "/readyz")[0] == 200)
    return process


def create_campaign(port, campaign, limit):
    body = f'{{"id":"{campaign}","name":"{campaign}","limit":{limit}}}'
    status, answer = http("POST", port, "/v1/campaigns", body)
    if status != 201:
        raise Failure(f"the campaign {campaign} was not created: {status} {answer[:300]}")


def issue_path(campaign):
    return f"/v1/campaigns/{campaign}/coupons"
