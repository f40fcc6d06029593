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

from full_system import Acks, Crowd, FullSystem, SystemTest, main, wait_until

VICTIMS = ["api", "worker", "redis", "kafka", "mariadb", "all"]
CHOSEN, KILLS, SEED = VICTIMS, 1, 0
ROOM = 5000  # more than the crowd gets between two kills

# Statements that make the worker wait at a known place of its transaction, so that it is killed just there.
WORKER_WAITS = {
    "before the insert": "LOCK TABLES coupon_issued_user WRITE; SELECT SLEEP(600)",
    "after the insert": "BEGIN; SELECT * FROM worker_offset FOR UPDATE; SELECT SLEEP(600)",
    "before the commit": "BACKUP STAGE START; BACKUP STAGE FLUSH; BACKUP STAGE BLOCK_DDL; BACKUP STAGE BLOCK_COMMIT;"
                         " SELECT SLEEP(600)",
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
            for place, statement in WORKER_WAITS.items():
                holder = self.hold(system, statement)
                with Crowd(system, "sale", acks, threads=2, prefix=place.replace(" ", "-")):
                    before = acks.count(201)
                    wait_until(lambda before=before: acks.count(201) > before + 100, 60, "coupons")
                time.sleep(0.5)  # the worker has met the lock
                system.workers[0].kill()
                holder.kill()
                holder.wait()
                system.workers[0].launch().wait_ready(60)
            system.judge("sale", acks, 3000)

    def hold(self, system, statement):
        """A client that holds a lock until it is killed."""
        database = system.stack.mariadb
        as_root = ["mariadb", "--batch", "--skip-column-names", "-S", database.socket, "-u", "root", database.database]
        client = subprocess.Popen([*as_root, "-e", statement], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE)
        self.addCleanup(client.kill)
        asked = "SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(600)%'"
        wait_until(lambda: client.poll() is not None or
                   subprocess.run([*as_root, "-e", asked], capture_output=True, text=True, check=True).stdout != "0\n",
                   20, f"{statement}")
        self.assertIsNone(client.poll(), client.stderr.read() if client.poll() is not None else "")
        return client


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
