#!/usr/bin/env python3
"""What can be wrong with the data folder: one clear line and exit status 1, or 503 while it lasts. Nothing that was
acknowledged is lost."""

import os
import shutil
import sqlite3
import subprocess
import sys

from harness import Acks, Load, SystemTest, fill, limit_file_size, main, mounted_tmpfs, wait_until


class StartErrors(SystemTest):
    def assert_refuses(self, *parts, data=None):
        server = self.server(data).launch()
        self.assertEqual(server.wait(), 1, server.output())
        errors = [line for line in server.output().splitlines() if line.strip()]
        self.assertEqual(len(errors), 1, server.output())
        for part in parts:
            self.assertIn(part, errors[0])

    def filled(self, count=2000, at_once=64):
        """With one request at once, each coupon has a row of its own in the log."""
        api = self.started()
        api.create("sale", count)
        acks = fill(api, "sale", count, at_once=at_once)
        self.assertEqual(acks.count(201), count)
        self.audit("sale", url=api.url)
        self.assertEqual(api.stop(), 0)
        return acks

    def test_a_second_process_on_the_same_folder(self):
        first = self.started()
        self.assert_refuses(str(first.pid))
        self.assert_reply(first.request("GET", "/healthz"), 200)

    def test_a_folder_that_cannot_be_written(self):
        os.makedirs(self.data)
        if os.geteuid() == 0:  # root may write everywhere but on a read-only file system
            mounted_tmpfs(self, self.data, "ro")
        else:
            os.chmod(self.data, 0o500)
        self.assert_refuses(self.data)

    def test_a_folder_that_is_a_file(self):
        with open(self.data, "w", encoding="utf-8") as file:
            file.write("not a folder")
        self.assert_refuses(self.data)

    def test_a_log_that_is_no_database(self):
        os.makedirs(self.data)
        with open(os.path.join(self.data, "log.db"), "w", encoding="utf-8") as file:
            file.write("not a database" * 1000)
        self.assert_refuses("log.db")

    def test_a_log_of_a_later_format(self):
        self.filled(5)
        with sqlite3.connect(os.path.join(self.data, "log.db")) as log:
            log.execute("PRAGMA user_version = 99")
        log.close()
        self.assert_refuses("log.db", "99")

    def test_a_repository_of_a_later_format(self):
        self.filled(5)
        with sqlite3.connect(os.path.join(self.data, "repo.db")) as repo:
            repo.execute("PRAGMA user_version = 99")
        repo.close()
        self.assert_refuses("repo.db", "99")

    def test_a_row_that_was_changed(self):
        self.filled(50, at_once=1)
        with sqlite3.connect(os.path.join(self.data, "log.db")) as log:
            row, = log.execute("SELECT events FROM batch WHERE last = 21").fetchone()
            log.execute("UPDATE batch SET events = ? WHERE last = 21", (row[:-1] + b"x",))
        log.close()
        self.assert_refuses("log.db", "21")  # position 21: the definition stands first

    def test_a_row_that_was_taken_out(self):
        self.filled(50, at_once=1)
        with sqlite3.connect(os.path.join(self.data, "log.db")) as log:
            log.execute("DELETE FROM batch WHERE last = 21")
        log.close()
        self.assert_refuses("log.db", "21")

    def test_a_log_that_was_cut_off(self):
        self.filled(2000)
        path = os.path.join(self.data, "log.db")
        os.truncate(path, os.path.getsize(path) // 2)
        self.assert_refuses("log.db")

    def test_a_page_that_was_overwritten(self):
        self.filled(2000)
        path = os.path.join(self.data, "log.db")
        with open(path, "r+b") as file:
            file.seek(os.path.getsize(path) // 2 // 4096 * 4096)
            file.write(b"\xa5" * 4096)
        self.assert_refuses("log.db")

    def test_a_log_older_than_the_repository(self):
        self.filled(20, at_once=1)
        with sqlite3.connect(os.path.join(self.data, "log.db")) as log:
            log.execute("DELETE FROM batch WHERE last > 11")
        log.close()
        self.assert_refuses("repo")

    def test_a_lost_repository_is_filled_again_from_the_log(self):
        acks = self.filled(50)
        for name in os.listdir(self.data):
            if name.startswith("repo.db"):
                os.unlink(os.path.join(self.data, name))
        api = self.started()
        path = acks.write(os.path.join(self.folder, "acks.jsonl"))
        self.audit("sale", [path], api.url)
        self.check("sale", [path])

    def test_a_port_in_use(self):
        first = self.started()
        second = self.server(os.path.join(self.folder, "other"))
        second.port = first.port
        second.launch()
        self.assertEqual(second.wait(), 1, second.output())
        self.assertIn(str(first.port), second.output())


class FullDisk(SystemTest):
    """The disk is full while coupons are given out: 503, nothing acknowledged is lost, and it goes on with room."""

    def run_until_full(self, api, acks):
        with Load(api, "sale", acks, threads=4, repeat_share=0):
            wait_until(lambda: acks.count(503) > 20, 60, "answers 503")
        self.assertGreater(acks.count(201), 0)
        self.assertEqual({ack["status"] for ack in acks.all} - {201, 503}, set())
        self.assertIsNone(api.process.poll(), api.output())
        self.assert_reply(api.request("GET", "/healthz"), 200)

    def judge(self, api, acks):
        for user, (code, sequence) in list(acks.coupons().items())[-50:]:
            coupon = self.assert_reply(api.settled("POST", "/v1/campaigns/sale/coupons", {"user_id": user}), 200).json()
            self.assertEqual((coupon["code"], coupon["sequence"]), (code, sequence))
        self.assert_reply(api.settled("POST", "/v1/campaigns/sale/coupons", {"user_id": "after"}), 201)
        path = acks.write(os.path.join(self.folder, "acks.jsonl"))
        self.audit("sale", [path], api.url)
        self.check("sale", [path])

    def test_a_file_that_may_not_grow(self):
        api = self.started(preexec=limit_file_size(600_000))
        api.create("sale", 1_000_000)
        acks = Acks()
        self.run_until_full(api, acks)
        api.kill()
        self.judge(self.started(), acks)

    def test_a_small_file_system(self):
        disk = os.path.join(self.folder, "disk")
        os.makedirs(disk)
        mounted_tmpfs(self, disk, "size=3m")
        filler = os.path.join(disk, "filler")
        with open(filler, "wb") as file:
            file.write(b"x" * 1_000_000)
        data = os.path.join(disk, "data")
        api = self.started(data)
        api.create("sale", 1_000_000)
        acks = Acks()
        self.run_until_full(api, acks)
        os.unlink(filler)  # room again: the log opens by itself
        self.assert_reply(api.settled("POST", "/v1/campaigns/sale/coupons", {"user_id": "room"}, seconds=30), 201)
        self.assertEqual(api.stop(), 0)
        shutil.copytree(data, self.data)
        self.judge(self.started(), acks)


def become_root():
    """Root of a name space of one's own may mount, too. Where even that is forbidden, the tests that mount fail."""
    own = ["unshare", "--map-root-user", "--mount"]
    if os.geteuid() != 0 and shutil.which("unshare") and subprocess.run([*own, "true"], check=False).returncode == 0:
        os.execvp(own[0], [*own, sys.executable, *sys.argv])


if __name__ == "__main__":
    become_root()
    main()
