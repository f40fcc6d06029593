#!/usr/bin/env python3
"""Strategy async-queue: what was accepted is decided, whichever process dies; what is not accepted is told so.

  DOORBUSTER_BINARY=build/release/doorbuster python3 async_queue_test.py
"""

import threading

from full_system import FullSystem, SystemTest, main, wait_until

ACCEPTED = 300


class AsyncQueueTest(SystemTest):
    def system(self, **more):
        system = FullSystem(self.folder, **more)
        system.__enter__()
        self.addCleanup(system.__exit__)
        return system

    def accept(self, api, users):
        accepted = {}
        for user in users:
            accepted[user] = self.assert_reply(api.issue("sale", user), 202)
        return accepted

    def test_what_a_killed_process_had_accepted_is_decided_by_others(self):
        system = self.system()
        dying, living, other = system.apis
        system.create("sale", 200, strategy="async-queue")
        system.outcome(living, self.assert_reply(dying.issue("sale", "warm"), 202))
        # Nothing can be made safe, so all that is accepted stays in the queue.
        system.stack.kafka.pause()
        accepted = self.accept(dying, [f"d{n}" for n in range(ACCEPTED)])
        dying.kill()
        system.stack.kafka.resume()
        states = {}
        for number, (user, reply) in enumerate(accepted.items()):
            outcome = system.outcome((living, other)[number % 2], reply, seconds=90)
            states.setdefault(outcome["state"], []).append(user)
        won = states.get("issued", []) + states.get("already_issued", [])
        self.assertEqual(len(won), 199, {state: len(users) for state, users in states.items()})
        self.assertEqual(len(states["sold_out"]), ACCEPTED - 199)
        taken = sum(taken_over(api) for api in (living, other))
        self.assertGreater(taken, 0)
        system.restart_dead()
        system.wait_drained("sale")
        self.assertEqual(system.sql("SELECT count(*), count(DISTINCT user_id) FROM coupon_issued_user"
                                    " WHERE campaign_id = 'sale'")[0], ["200", "200"])
        print(system.audit("sale").splitlines()[0])
        system.check("sale")

    def test_a_full_queue_pushes_back(self):
        system = self.system(apis=1, settings={"api.most_in_flight": "20"})
        api = system.apis[0]
        system.create("sale", 1000, strategy="async-queue")
        system.stack.kafka.pause()
        replies = []

        def ask(number):
            replies.append((number, api.issue("sale", f"u{number}")))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(60)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        accepted = [reply for _, reply in replies if reply.status == 202]
        refused = [reply for _, reply in replies if reply.status == 503]
        self.assertEqual(len(accepted), 20)
        self.assertEqual(len(refused), 40)
        self.assertTrue(all("retry-after" in reply.headers for reply in refused))
        system.stack.kafka.resume()
        for number, reply in replies:
            if reply.status != 202:
                reply = wait_until(lambda number=number: self.accepted(api, number), 60, "room in the queue")
            outcome = system.outcome(api, reply, seconds=60)
            self.assertIn(outcome["state"], ("issued", "already_issued"), outcome)
        system.wait_drained("sale")
        system.audit("sale")

    @staticmethod
    def accepted(api, number):
        reply = api.issue("sale", f"u{number}")
        return reply if reply.status == 202 else None


def taken_over(api):
    return sum(float(value) for name, value in api.metrics().items() if name.startswith("doorbuster_queued_taken_over"))


if __name__ == "__main__":
    main()
