#!/usr/bin/env python3
"""kill -9 of each part of the full stack at random moments under load; then all of them in one run.

  DOORBUSTER_BINARY=build/release/doorbuster python3 full_kill_test.py [--victims api,worker,...] [--kills N] [--seed S]

Afterwards: restart, drain; audit and checker are clean, every acknowledged coupon is in the database once.
"""

import argparse
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass

from full_system import Acks, Crowd, FullSystem, SystemTest, main, wait_until

VICTIMS = ["api", "worker", "redis", "kafka", "mariadb", "all"]
CHOSEN, KILLS, SEED = VICTIMS, 1, 0
ROOM = 5000  # more than the crowd gets between two kills



@dataclass
class Place:
    """Where the worker's transaction is made to wait, so that it is killed just there."""
    holder: str      # statements of a client that holds what the worker needs there
    state: str       # what the server says of the worker's connection when it stands there
    statement: str   # the beginning of what that connection has asked for, as a pattern of LIKE
    inserted: bool   # the coupons are in the table, not committed
    moved: bool      # the position is in its table, not committed
    trigger: str = ""


PLACES = {
    "before the insert": Place("LOCK TABLES coupon_issued_user WRITE", "Waiting for table metadata lock",
                               "INSERT INTO coupon_issued_user%", inserted=False, moved=False),
    # The worker locks the row of its position before the insert and changes it afterwards: only the change meets this.
    "after the insert": Place("SELECT GET_LOCK('after the insert', 0)", "User lock", "SET @held = GET_LOCK%",
                              inserted=True, moved=False,
                              trigger="BEFORE UPDATE ON worker_offset FOR EACH ROW"
                                      " SET @held = GET_LOCK('after the insert', 600)"),
    "before the commit": Place("BACKUP STAGE START; BACKUP STAGE FLUSH; BACKUP STAGE BLOCK_DDL;"
                               " BACKUP STAGE BLOCK_COMMIT", "Waiting for backup lock", "COMMIT%",
                               inserted=True, moved=True),
}


class Victim:
    """Kills a part and brings it back."""

    def __init__(self, system, rng):
        self.system, self.rng = system, rng

    def kill(self, name):
        system = self.system
        if name == "api":
            api = self.rng.choice(system.apis)
            api.kill()
            return lambda: api.launch().wait_ready(60)
        if name == "worker":
            worker = self.rng.choice(system.workers)
            worker.kill()
            return lambda: worker.launch().wait_ready(60)
        server = {"redis": system.stack.redis, "kafka": system.stack.kafka, "mariadb": system.stack.mariadb}[name]
        server.kill9()
        return server.start


class FullKillTest(SystemTest):
    def run_kills(self, victims, kills):
        rng = random.Random(SEED)
        print(f"seed {SEED}: {kills} kills of {', '.join(victims)}", file=sys.stderr)
        limit = 900 * kills  # raised as long as kills shall meet issuing; the last quarter meets the end of it, too
        acks = Acks()
        with FullSystem(self.folder, workers=2 if "worker" in victims else 1) as system:
            system.create("sale", limit)
            victim = Victim(system, rng)
            with Crowd(system, "sale", acks, seed=SEED):
                wait_until(lambda: acks.count(200, 201) > 50, 60, "the first coupons")
                for number in range(kills):
                    if 0 < number < kills * 3 // 4:
                        limit = self.make_room(system, limit)
                    time.sleep(rng.uniform(0.1, 1.5))
                    revive = victim.kill(victims[number % len(victims)])
                    time.sleep(rng.uniform(0.0, 1.0))
                    revive()
                    told = acks.count(200, 201, 410)
                    wait_until(lambda told=told: acks.count(200, 201, 410) > told + 20, 60, "answers after the kill")
            system.restart_dead()
            system.judge("sale", acks, limit)

    def make_room(self, system, limit):
        if limit - system.issued("sale") > ROOM:
            return limit
        limit = system.issued("sale") + 2 * ROOM
        reply = system.living_api().settled("PATCH", "/v1/campaigns/sale", {"limit": limit}, seconds=60)
        self.assert_reply(reply, 200)
        return limit

    def test_worker_killed_at_known_places(self):
        if "worker" not in CHOSEN:
            return
        acks = Acks()
        with FullSystem(self.folder, apis=1) as system:
            system.create("sale", 3000)
            for name, place in PLACES.items():
                holder = self.hold(system, place)
                with Crowd(system, "sale", acks, threads=2, prefix=name.replace(" ", "-")):
                    before = acks.count(201)
                    wait_until(lambda before=before: acks.count(201) > before + 100, 60, "coupons")
                self.assert_worker_stands(system, name, place)
                system.workers[0].kill()
                holder.kill()
                holder.wait()
                if place.trigger:
                    self.root(system, "DROP TRIGGER place")
                system.workers[0].launch().wait_ready(60)
            system.judge("sale", acks, 3000)

    def root(self, system, statement):
        """\\returns what the server's own root is answered, as text"""
        return subprocess.run([*self.client(system), "-e", statement], capture_output=True, text=True, check=True,
                              timeout=60, stdin=subprocess.DEVNULL).stdout.strip()

    def client(self, system):
        database = system.stack.mariadb
        return ["mariadb", "--batch", "--skip-column-names", "-S", database.socket, "-u", "root", database.database]

    def hold(self, system, place):
        """A client that holds a lock until it is killed."""
        client = subprocess.Popen([*self.client(system), "-e", f"{place.holder}; SELECT SLEEP(600)"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(client.__exit__, None, None, None)  # waits for it and closes what it says
        self.addCleanup(client.kill)
        asked = "SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(600)%'"
        wait_until(lambda: client.poll() is not None or self.root(system, asked) == "1", 20, place.holder)
        self.assertIsNone(client.poll(), client.stderr.read() if client.poll() is not None else "")
        if place.trigger:
            self.root(system, f"CREATE TRIGGER place {place.trigger}")
        return client

    def assert_worker_stands(self, system, name, place):
        """At the place that the name says: by the server's list of connections, and by what is written so far. The
        worker gives up after a while and comes again, so this is asked until it is so, and the kill follows at once."""
        def stands():
            # The user is not asked for: within a trigger it is the one who made it.
            there = (f"SELECT count(*) FROM information_schema.processlist WHERE state = '{place.state}'"
                     f" AND info LIKE '{place.statement}' AND id <> connection_id()")
            return ((not place.inserted or self.written(system) == (place.inserted, place.moved))
                    and self.root(system, there) != "0")

        try:
            wait_until(stands, 30, f"the worker to stand {name}")
        except AssertionError as late:
            written = self.written(system) if place.inserted else ""
            self.fail(f"{late}\n{written}\n{self.root(system, 'SHOW FULL PROCESSLIST')}")

    def written(self, system):
        """\\returns whether there are coupons, and positions, that are written and not committed"""
        sums = ("SELECT (SELECT count(*) FROM coupon_issued_user),"
                " (SELECT coalesce(sum(position), 0) FROM worker_offset)")  # a new partition begins with a row of 0
        now, committed = (self.root(system, f"SET TRANSACTION ISOLATION LEVEL {level}; {sums}").split("\t")
                          for level in ("READ UNCOMMITTED", "READ COMMITTED"))
        return now[0] != committed[0], now[1] != committed[1]


def add_tests():
    for name in VICTIMS:
        def test(self, name=name):
            victims = [one for one in VICTIMS if one != "all"] if name == "all" else [name]
            self.run_kills(victims, max(KILLS, len(victims)))

        if name in CHOSEN:
            setattr(FullKillTest, f"test_{name}", test)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--victims", default=",".join(VICTIMS))
    parser.add_argument("--kills", type=int, default=KILLS, help="in each run")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    options, rest = parser.parse_known_args()
    CHOSEN, KILLS, SEED = options.victims.split(","), options.kills, options.seed
    unknown = set(CHOSEN) - set(VICTIMS)
    if unknown:
        parser.error(f"there is no victim '{unknown.pop()}'; there are {', '.join(VICTIMS)}")
    add_tests()
    main(argv=[sys.argv[0], *rest])
