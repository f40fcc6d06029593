"""The full stack of real parts for fault tests: Redis, Kafka, MariaDB, some api processes, some workers."""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("../../e2e", "../../support"):
    sys.path.insert(0, os.path.join(HERE, folder))

from harness import (  # noqa: E402,F401
    CHECKER, Acks, Connection, Server, SystemTest, binary, main, now_us, wait_until)
from stack import TestStack  # noqa: E402

DRAIN_SECONDS = 60


class Member(Server):
    """One process of the full stack. Its port stays the same over restarts."""

    def __init__(self, role, config, extra=()):
        super().__init__(None, role, extra)
        self.config = config

    def arguments(self):
        stack = ["--stack", "full"] if self.role == "api" else []
        return [self.role, "--config", self.config, "--port", str(self.port), "--bind", "127.0.0.1", *stack]

    def launch(self):
        def prepare():
            import ctypes
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # ends with the test

        self.process = subprocess.Popen([binary(), *self.arguments(), *self.extra], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, preexec_fn=prepare)
        return self

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)


class FullSystem:
    """`with FullSystem(folder) as system`: started and ready; everything ends with it."""

    def __init__(self, folder, apis=3, workers=1, brokers=1, api_extra=(), kafka_options=None, redis_options=None,
                 settings=None):
        self.stack = TestStack(redis=True, kafka=brokers, mariadb=True, folder=os.path.join(folder, "stack"),
                               kafka_options=kafka_options, redis_options=redis_options)
        self.folder = folder
        self.more_settings = settings or {}
        self.config = os.path.join(folder, "full.yaml")
        self.apis = [Member("api", self.config, api_extra) for _ in range(apis)]
        self.workers = [Member("worker", self.config) for _ in range(workers)]
        self.rng = random.Random()

    def __enter__(self):
        try:
            self.stack.start()
            self.write_config()
            for member in self.members:
                member.launch()
            for member in self.members:
                member.wait_ready()
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        for member in self.members:
            member.clean_up()
        self.stack.stop()

    def write_config(self):
        from servers.process import configuration, write_private
        write_private(self.config, configuration({**self.stack.settings(), **self.more_settings}))

    @property
    def members(self):
        return self.apis + self.workers

    def living_api(self):
        return next(api for api in self.apis if api.running)

    def sql(self, statement):
        """\\returns rows as lists of texts"""
        database = self.stack.mariadb
        done = subprocess.run(
            ["mariadb", "--batch", "--skip-column-names", "-h", "127.0.0.1", "-P", str(database.port),
             "-u", database.user, database.database, "-e", statement],
            env={**os.environ, "MYSQL_PWD": database.password}, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{statement}: {done.stderr}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def create(self, campaign, limit, **more):
        return self.living_api().create(campaign, limit, **more)

    def wait_all_ready(self, seconds=60):
        """After a restart of a part: every member says that it is ready again."""
        for member in self.members:
            if member.running:
                member.wait_ready(seconds)

    def restart_dead(self):
        for server in self.stack.servers:
            if not server.running():
                server.start()
        for member in self.members:
            if not member.running:
                member.launch()
        self.wait_all_ready()

    def wait_open(self, campaign, seconds=60):
        """Until every api decides for the campaign again: nothing is held, closed or pending."""
        def answers(api):
            try:
                return api.issue(campaign, f"probe-{api.port}").status in (200, 201, 410)
            except (OSError, http.client.HTTPException):
                return False

        for api in self.apis:
            if api.running:
                wait_until(lambda api=api: answers(api), seconds, f"{campaign} open again on port {api.port}")

    def wait_drained(self, campaign, seconds=DRAIN_SECONDS):
        """Until ledger and table count the same."""
        def same():
            try:
                shown = self.living_api().request("GET", f"/v1/campaigns/{campaign}").json()
            except (OSError, ValueError, http.client.HTTPException):
                return False
            rows = int(self.sql(f"SELECT count(*) FROM coupon_issued_user WHERE campaign_id = '{campaign}'")[0][0])
            return rows == shown.get("issued")

        wait_until(same, seconds, f"the worker to store everything of {campaign}")

    def outcome(self, api, accepted, seconds=30):
        """What became of a request that was answered 202, once it is known."""
        def known():
            try:
                reply = api.request("GET", accepted.headers["location"])
            except (OSError, http.client.HTTPException):
                return None
            return reply.json() if reply.status == 200 and reply.json()["state"] != "pending" else None

        return wait_until(known, seconds, f"the outcome at {accepted.headers['location']}")

    def issued(self, campaign):
        return self.living_api().request("GET", f"/v1/campaigns/{campaign}").json()["issued"]

    def audit(self, campaign, acks=(), expect=0):
        done = subprocess.run([binary(), "audit", "--campaign", campaign, "--stack", "full", "--config", self.config,
                               "--url", self.living_api().url, "--wait", "60s",
                               *(["--acks", *acks] if acks else [])],
                              capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != expect:
            raise AssertionError(f"audit ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def check(self, campaign, acks=(), expect=0):
        done = subprocess.run([sys.executable, CHECKER, "--campaign", campaign, "--config", self.config,
                               "--acks", *acks], capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != expect:
            raise AssertionError(f"the checker ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def recover(self, campaign, expect=0, timeout=120):
        done = subprocess.run([binary(), "recover", "--campaign", campaign, "--config", self.config],
                              capture_output=True, text=True, timeout=timeout, check=False,
                              stdin=subprocess.DEVNULL)
        if expect is not None and done.returncode != expect:
            raise AssertionError(f"recover ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def judge(self, campaign, acks, limit):
        """Everything that was acknowledged is in the database, once; audit and checker agree."""
        self.wait_open(campaign)
        self.wait_drained(campaign)
        path = acks.write(os.path.join(self.folder, f"acks-{campaign}.jsonl"))
        rows = self.sql(f"SELECT user_id, HEX(code), sequence FROM coupon_issued_user WHERE campaign_id = '{campaign}'")
        stored = {user: (code, int(sequence)) for user, code, sequence in rows}
        if len(rows) > limit:
            raise AssertionError(f"{len(rows)} coupons of a limit of {limit}")
        if len(stored) != len(rows):
            raise AssertionError("a user has two rows")
        for user, (code, sequence) in acks.coupons().items():
            if user not in stored or stored[user][1] != sequence:
                raise AssertionError(f"{user} was told code {code}, number {sequence}; the row: {stored.get(user)}")
        print(self.audit(campaign, [path]).splitlines()[0], file=sys.stderr)
        self.check(campaign, [path])


class Crowd:
    """Threads that ask all api processes for coupons until they are told to stop; see harness.Load. A request that
    failed is asked again at another process, as a client behind a balancer would."""

    def __init__(self, system, campaign, acks, threads=6, prefix="u", seed=1, repeat_share=0.1,
                 timeout=10):
        self.timeout = timeout
        self.system, self.campaign, self.acks, self.prefix = system, campaign, acks, prefix
        self.repeat_share = repeat_share
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(number, random.Random(seed * 1000 + number)))
                        for number in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def run(self, number, rng):
        connections = {}
        asked, again = 0, None
        while not self.stopping.is_set():
            api = rng.choice(self.system.apis)
            if again is not None:
                user, again = again, None
            elif asked and rng.random() < self.repeat_share:
                user = f"{self.prefix}-{number}-{rng.randrange(asked)}"
            else:
                user = f"{self.prefix}-{number}-{asked}"
                asked += 1
            connection = connections.setdefault(api.port, Connection(api.port, timeout=self.timeout))
            sent = now_us()
            try:
                reply = connection.request("POST", f"/v1/campaigns/{self.campaign}/coupons", {"user_id": user})
            except (OSError, http.client.HTTPException):
                self.acks.add(user, sent, None)
                again = user
                self.stopping.wait(0.02)
                continue
            self.acks.add(user, sent, reply)
            if reply.status == 503:
                again = user
                self.stopping.wait(0.02)
        for connection in connections.values():
            connection.close()


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)


def pause(seconds):
    time.sleep(seconds)
