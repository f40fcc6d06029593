#!/usr/bin/env python3
"""Backup and restore of the full stack, by the commands of docs/operations.md: the database is lost and Kafka is not;
then everything is lost but the backup.

  DOORBUSTER_BINARY=build/release/doorbuster python3 backup_restore_test.py
"""

import os
import subprocess

from full_system import Acks, FullSystem, SystemTest, main, now_us

LIMIT, BEFORE, AFTER = 2000, 300, 100


class BackupRestoreTest(SystemTest):
    def setUp(self):
        super().setUp()
        self.acks = Acks()

    def issue(self, system, numbers):
        connection = system.living_api().connection()
        for number in numbers:
            reply = None
            while reply is None or reply.status == 503:
                sent = now_us()
                reply = connection.request("POST", "/v1/campaigns/sale/coupons", {"user_id": f"u{number}"})
            self.assertIn(reply.status, (200, 201))
            self.acks.add(f"u{number}", sent, reply)
        connection.close()

    def shell(self, system, command):
        database = system.stack.mariadb
        done = subprocess.run(command.format(
            reach=f"-h 127.0.0.1 -P {database.port} -u {database.user}", name=database.database,
            file=os.path.join(self.folder, "backup.sql")), shell=True, capture_output=True, text=True, check=False,
            env={**os.environ, "MYSQL_PWD": database.password})
        self.assertEqual(done.returncode, 0, done.stderr)

    def redeem(self, system, code):
        return system.living_api().request("POST", f"/v1/coupons/{code}/redemption", {},
                                           {"Idempotency-Key": "till-1"}).status

    def restore(self, system):
        """The database is made anew from the backup, and Redis emptied."""
        system.stack.mariadb.kill9()
        system.stack.mariadb.wipe()
        system.stack.mariadb.start()
        self.shell(system, "mariadb --no-defaults {reach} {name} < {file}")
        self.assertEqual(system.stack.redis.call("FLUSHALL"), "+OK")

    def test_the_database_is_lost_and_then_everything_but_the_backup(self):
        with FullSystem(self.folder, apis=2) as system:
            system.create("sale", LIMIT)
            self.issue(system, range(BEFORE))
            system.wait_drained("sale")
            code = self.acks.coupons()["u0"][0]
            self.assertEqual(self.redeem(system, code), 201)
            self.shell(system, "mariadb-dump --no-defaults --single-transaction --quick --no-tablespaces {reach} {name}"
                               " > {file}")
            kept = dict(self.acks.coupons())
            self.issue(system, range(BEFORE, BEFORE + AFTER))

            for member in system.members:
                member.stop()
            self.restore(system)
            system.restart_dead()
            system.judge("sale", self.acks, LIMIT)
            self.assertEqual(self.redeem(system, code), 200, "the redemption is in the backup")

            for member in system.members:
                member.stop()
            self.restore(system)
            system.stack.kafka.kill9()
            system.stack.kafka.wipe()
            system.stack.kafka.start()
            system.apis[0].launch()
            system.apis[0].wait_ready()
            system.restart_dead()
            # Coupons from after the backup are gone, as the documentation says; those before are as they were.
            self.acks = Acks()
            self.issue(system, range(BEFORE))
            self.assertEqual(self.acks.coupons(), kept)
            self.issue(system, range(5000, 5000 + AFTER))
            system.judge("sale", self.acks, LIMIT)


if __name__ == "__main__":
    main()
