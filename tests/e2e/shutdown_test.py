#!/usr/bin/env python3
"""SIGTERM under load: the program finishes what is in the air and exits with 0."""

import os
import signal
import time

from harness import Acks, Load, SystemTest, main, wait_until


class ShutdownTest(SystemTest):
    def stop_under_load(self, number):
        api = self.started()
        api.create("sale", 1_000_000)
        acks = Acks()
        with Load(api, "sale", acks, repeat_share=0) as load:
            wait_until(lambda: acks.count(201) > 500, 30, "500 coupons")
            api.process.send_signal(number)
            began = time.monotonic()
            self.assertEqual(api.wait(15), 0, api.output())
            self.assertLess(time.monotonic() - began, 11)
            load.stopping.set()
        path = acks.write(os.path.join(self.folder, "acks.jsonl"))
        self.assertEqual({ack["status"] for ack in acks.all} - {201, 503, None}, set())

        api = self.started()
        for user, (code, sequence) in list(acks.coupons().items())[-50:]:
            coupon = self.assert_reply(api.issue("sale", user), 200).json()
            self.assertEqual((coupon["code"], coupon["sequence"]), (code, sequence))
        self.audit("sale", [path], api.url)
        self.check("sale", [path])

    def test_sigterm(self):
        self.stop_under_load(signal.SIGTERM)

    def test_sigint(self):
        self.stop_under_load(signal.SIGINT)

    def test_an_idle_connection_does_not_hold_the_program(self):
        api = self.started()
        idle = api.connection()
        idle.request("GET", "/healthz")
        began = time.monotonic()
        self.assertEqual(api.stop(), 0)
        self.assertLess(time.monotonic() - began, 5)
        idle.close()


if __name__ == "__main__":
    main()
