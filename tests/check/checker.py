#!/usr/bin/env python3
"""Checks the promises of the contract by plain SQL over log.db, repo.db and the clients' acknowledgements; those of the
full stack with what full_checker.py reads.

Independent of `doorbuster audit` on purpose: other language, other method, no shared code. The tables are described
in docs/data_format.md. Exit status: 0 good, 3 a promise is broken, 1 something could not be read, 2 wrong usage.
"""

import argparse
import json
import os
import sqlite3
import struct
import sys
import zlib

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MOST_EXAMPLES = 5
NAMES = {
    0: "the log's chain of checksums is whole",
    1: "never more than the limit",
    2: "one coupon a user, the same code for ever",
    3: "every acknowledged coupon is stored",
    4: "rows come from requests, numbers are unique and without gaps",
    5: "sold out is said only when it is",
    6: "log and repository agree",
    7: "numbers follow the order of decision",
}


class Unreadable(Exception):
    """Something is not there, or is not what it should be: no verdict is possible."""


def code_text(code):
    """Ten bytes as 16 characters of Crockford's base32."""
    if code is None or len(code) != 10:
        return None
    number = int.from_bytes(code, "big")
    return "".join(ALPHABET[(number >> shift) & 31] for shift in range(75, -1, -5))


# The bytes of a row of the log --------------------------------------------------------------------------------------

class Bytes:
    """Reads from the front; integers are little-endian."""

    def __init__(self, data):
        self.data = bytes(data)
        self.at = 0

    def take(self, size):
        if size > len(self.data) - self.at:
            raise Unreadable("the row is cut off")
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]

    def text(self):
        return self.take(self.number("H")).decode()

    def optional_time(self):
        present, time = self.number("B"), self.number("q")
        return time if present else None


def read_row(data):
    """(kind, campaign, epoch, revision, what): of kind 1 the coupons as (refilled, instance, [(sequence, decided_at,
    code, user)]), of kind 2 the definition as (name, limit, starts_at, ends_at, status, strategy, durability,
    created_at)."""
    read = Bytes(data)
    kind, version = read.number("B"), read.number("B")
    if kind not in (1, 2) or version != 1:
        raise Unreadable(f"kind {kind} and version {version} are not known")
    count = read.number("I") if kind == 1 else 1
    campaign, epoch, revision = read.text(), read.number("I"), read.number("I")
    if kind == 1:
        refilled, instance = read.number("B"), read.text()
        coupons = [(read.number("Q"), read.number("q"), read.take(10), read.take(read.number("B")).decode())
                   for _ in range(count)]
        what = (refilled, instance, coupons)
    else:
        what = (read.text(), read.number("Q"), read.optional_time(), read.optional_time(), read.text(), read.text(),
                read.text(), read.number("q"))
    if read.at != len(read.data):
        raise Unreadable("something follows the last event of the row")
    return kind, campaign, epoch, revision, what


# Reading ------------------------------------------------------------------------------------------------------------

def open_files(data):
    for name in ("log.db", "repo.db"):
        if not os.path.exists(os.path.join(data, name)):
            raise Unreadable(f"{data}/{name} is not there")
    db = sqlite3.connect(":memory:", uri=True)
    db.create_function("code_text", 1, code_text, deterministic=True)
    for alias, name in (("log", "log.db"), ("repo", "repo.db")):
        db.execute(f"ATTACH ? AS {alias}", (f"file:{os.path.join(data, name)}?mode=ro",))
    return db


EVENT_COLUMNS = ("position INTEGER PRIMARY KEY, kind, campaign, epoch, revision, sequence, user_id, code, decided_at,"
                 " refilled, instance")
CHANGE_COLUMNS = ("position INTEGER PRIMARY KEY, campaign, name, coupon_limit, starts_at, ends_at, status, strategy,"
                  " durability, created_at")


def load_log(db):
    """Tables `event` and `campaign_change` from the rows of log.db. Gives the first thing that is wrong with the chain,
    None if nothing is; rows behind it are taken for what they say, as far as they can be read."""
    db.execute(f"CREATE TABLE event({EVENT_COLUMNS})")
    db.execute(f"CREATE TABLE campaign_change({CHANGE_COLUMNS})")
    wrong = []
    end = crc = 0
    for last, data, stored in db.execute("SELECT last, events, crc FROM log.batch ORDER BY last"):
        if not isinstance(data, bytes) or not isinstance(stored, int):
            wrong.append(f"position {end + 1}: the row has no bytes, or no checksum")
            break
        crc = zlib.crc32(data, crc)
        if crc != stored:
            wrong.append(f"position {end + 1}: the row has the checksum {stored}, by its content it is {crc}")
        try:
            kind, campaign, epoch, revision, what = read_row(data)
        except (Unreadable, UnicodeDecodeError) as problem:
            wrong.append(f"position {end + 1}: {problem}")
            break
        before = last - (len(what[2]) if kind == 1 else 1)
        if before < end:
            wrong.append(f"position {end + 1}: the next row begins at {before + 1}")
            break
        if before != end:
            wrong.append(f"position {end + 1}: is missing, the next one is {before + 1}")
        if kind == 1:
            refilled, instance, coupons = what
            db.executemany("INSERT INTO event VALUES(?,1,?,?,?,?,?,?,?,?,?)",
                           [(before + n, campaign, epoch, revision, sequence, user, code, decided, refilled, instance)
                            for n, (sequence, decided, code, user) in enumerate(coupons, 1)])
        else:
            db.execute("INSERT INTO event(position, kind, campaign, epoch, revision) VALUES(?,2,?,?,?)",
                       (last, campaign, epoch, revision))
            db.execute("INSERT INTO campaign_change VALUES(?,?,?,?,?,?,?,?,?,?)", (last, campaign, *what))
        end, crc = last, stored
    return wrong[0] if wrong else None


def load_acks(db, paths):
    db.execute("CREATE TABLE ack(source, user, status, problem, code, sequence, sent_us, received_us)")
    for path in paths:
        with open(path, encoding="utf-8") as file:
            lines = file.read().split("\n")
        lines.pop()  # what follows the last line feed: nothing, or a line that was cut off
        for number, line in enumerate(lines, 1):
            if not line:
                continue
            try:
                ack = json.loads(line)
                db.execute("INSERT INTO ack VALUES(?,?,?,?,?,?,?,?)",
                           (f"{path}:{number}", str(ack["user"]), ack.get("status"), ack.get("problem"),
                            ack.get("code"), ack.get("sequence"), ack.get("sent_us"),
                            ack.get("received_us")))
            except (ValueError, KeyError) as wrong:
                raise Unreadable(f"{path} line {number}: {wrong!r}") from wrong


# Checking -----------------------------------------------------------------------------------------------------------

class Checker:
    def __init__(self, db, campaign):
        self.db = db
        self.broken = {number: [] for number in NAMES}
        self.remarks = {}
        self.campaign = campaign
        self.chain = self.load()
        if db.execute("SELECT 1 FROM campaign_change WHERE campaign = ?", (campaign,)).fetchone() is None:
            raise Unreadable(f"the log has no campaign '{campaign}'" + (f"; {self.chain}" if self.chain else ""))
        here = db.execute("SELECT number FROM repo.campaign WHERE id = ?", (campaign,)).fetchone()
        self.repo_number = here[0] if here else -1
        self.prepare()

    def load(self):
        return load_log(self.db)

    def prepare(self):
        """`coupon`: one row for each different coupon of the log, `n`: how many there were with it."""
        self.db.execute(
            "CREATE TABLE coupon AS SELECT *, row_number() OVER (ORDER BY position) AS n FROM ("
            " SELECT min(position) AS position, sequence, CAST(user_id AS TEXT) AS user, code_text(code) AS code,"
            " decided_at, max(refilled) AS refilled, min(epoch) AS epoch FROM event"
            " WHERE kind = 1 AND campaign = ? GROUP BY sequence, CAST(user_id AS TEXT), code, decided_at)",
            (self.campaign,))
        self.db.execute(
            "CREATE TABLE stored AS SELECT sequence, CAST(user_id AS TEXT) AS user, code_text(code) AS code, decided_at,"
            " refilled FROM repo.coupon WHERE campaign = ?", (self.repo_number,))
        self.db.execute(
            "CREATE TABLE in_force AS SELECT position, coupon_limit AS most,"
            " lead(position, 1, 1 << 62) OVER (ORDER BY position) AS until FROM campaign_change WHERE campaign = ?",
            (self.campaign,))
        for table, column in (("coupon", "user"), ("coupon", "code"), ("coupon", "sequence"), ("coupon", "position"),
                              ("stored", "sequence"), ("ack", "user"), ("ack", "code")):
            self.db.execute(f"CREATE INDEX {table}_{column} ON {table}({column})")

    def rule(self, promise, sql, text, *values):
        for row in self.db.execute(sql, values):
            self.broken[promise].append(text.format(*row))

    def check(self):
        self.first()
        self.limit()
        self.users()
        self.acknowledged()
        self.numbers()
        self.sold_out()
        self.agreement()
        self.order()
        return self.broken

    def first(self):
        if self.chain:
            self.broken[0].append(self.chain)

    def limit(self):
        self.rule(1, "SELECT c.position, c.n, i.most FROM coupon c LEFT JOIN in_force i"
                     " ON c.position > i.position AND c.position < i.until"
                     " WHERE i.most IS NULL OR c.n > i.most ORDER BY c.position",
                  "position {}: coupon {} of a limit of {}")
        self.rule(1, "SELECT i.position, i.most, count(*) FROM in_force i JOIN coupon c ON c.position < i.position"
                     " GROUP BY i.position HAVING count(*) > i.most",
                  "position {}: the limit becomes {} when {} coupons are out")

    def users(self):
        self.rule(2, "SELECT user, count(*), group_concat(code, ' ') FROM coupon GROUP BY user"
                     " HAVING count(DISTINCT code) > 1 OR count(DISTINCT sequence) > 1",
                  "user {} has {} coupons: {}")
        self.rule(2, "SELECT a.source, a.user, a.code, a.sequence FROM ack a WHERE a.status IN (200, 201)"
                     " AND EXISTS (SELECT 1 FROM coupon c WHERE c.user = a.user)"
                     " AND NOT EXISTS (SELECT 1 FROM coupon c WHERE c.user = a.user AND c.code = a.code"
                     "                 AND c.sequence = ifnull(a.sequence, c.sequence))",
                  "{}: user {} was told code {}, number {}, and holds another")

    def acknowledged(self):
        self.rule(3, "SELECT a.source, a.user, a.code FROM ack a WHERE a.status IN (200, 201)"
                     " AND NOT EXISTS (SELECT 1 FROM coupon c WHERE c.user = a.user)",
                  "{}: user {} was told code {}, which is nowhere")
        self.rule(3, "SELECT a.source, a.user, a.code FROM ack a JOIN coupon c ON c.user = a.user AND c.code = a.code"
                     " LEFT JOIN stored s ON s.sequence = c.sequence AND s.user = c.user AND s.code = c.code"
                     " WHERE a.status IN (200, 201) AND s.sequence IS NULL",
                  "{}: user {} was told code {}, which has no row")

    def numbers(self):
        self.rule(4, "SELECT s.sequence, s.user, s.code FROM stored s LEFT JOIN coupon c"
                     " ON c.sequence = s.sequence AND c.user = s.user AND c.code = s.code WHERE c.sequence IS NULL",
                  "row {} (user {}, code {}) has no event")
        self.rule(4, "SELECT sequence, count(DISTINCT user) FROM coupon GROUP BY sequence"
                     " HAVING count(DISTINCT user) > 1", "number {} was given to {} users")
        self.rule(4, "SELECT code, count(DISTINCT user) FROM coupon GROUP BY code HAVING count(DISTINCT user) > 1",
                  "code {} was given to {} users")
        # A decision may be lost that nobody was told of; a ledger rebuilt from the log sees the gap and gives the
        # number out before any new one. So a gap is a fault when an acknowledgement contradicts it. (A row in it has
        # no event, and is a fault above.)
        gaps = ("SELECT before + 1 AS first, sequence - 1 AS last FROM (SELECT sequence,"
                " lag(sequence, 1, 0) OVER (ORDER BY sequence) AS before FROM coupon) WHERE sequence > before + 1")
        self.rule(4, f"SELECT g.first, g.last, min(a.source), a.sequence FROM ({gaps}) g JOIN ack a"
                     " ON a.sequence BETWEEN g.first AND g.last WHERE a.status IN (200, 201) GROUP BY g.first",
                  "numbers {} to {} are missing, and {}: somebody was told of number {}")
        pending = self.db.execute(f"SELECT g.first, g.last FROM ({gaps}) g WHERE NOT EXISTS (SELECT 1 FROM ack a"
                                  " WHERE a.sequence BETWEEN g.first AND g.last AND a.status IN (200, 201))").fetchall()
        if pending:
            self.remarks[4] = "refill pending: " + ", ".join(f"{first} to {last}" for first, last in pending[:5])

    def sold_out(self):
        """Simpler than the audit: no refusal may come before the campaign was full for the first time."""
        full = self.db.execute("SELECT min(c.decided_at) FROM coupon c JOIN in_force i"
                               " ON c.position > i.position AND c.position < i.until WHERE c.n >= i.most").fetchone()[0]
        lowered = self.db.execute("SELECT max(c.decided_at) FROM in_force i JOIN coupon c ON c.position < i.position"
                                  " GROUP BY i.position HAVING count(*) >= i.most ORDER BY i.position").fetchone()
        moments = [moment for moment in (full, lowered[0] if lowered else None) if moment is not None]
        first = min(moments, default=1 << 62)
        # 410 is the end of a campaign, too: without the problem it tells nothing of one that may have ended.
        ended = self.db.execute("SELECT count(*) FROM campaign_change WHERE campaign = ?"
                                " AND (ends_at IS NOT NULL OR status = 'ended')", (self.campaign,)).fetchone()[0]
        self.rule(5, "SELECT source, user FROM ack WHERE status = 410 AND ifnull(problem, ?) = 'sold-out'"
                     " AND received_us < ?", "{}: user {} was told that it is sold out",
                  "ended" if ended else "sold-out", first)

    def agreement(self):
        self.rule(6, "SELECT c.sequence, c.code FROM coupon c LEFT JOIN stored s"
                     " ON s.sequence = c.sequence AND s.user = c.user AND s.code = c.code"
                     " WHERE s.sequence IS NULL AND NOT EXISTS (SELECT 1 FROM ack a WHERE a.user = c.user"
                     " AND a.code = c.code AND a.status IN (200, 201))",
                  "number {} (code {}) is in the log, not in the repository")
        self.rule(6, "SELECT c.sequence FROM coupon c JOIN stored s ON s.sequence = c.sequence AND s.user = c.user"
                     " AND s.code = c.code WHERE s.decided_at <> c.decided_at OR s.refilled <> c.refilled",
                  "number {} has another time or mark in the repository than in the log")
        self.rule(6, "SELECT position, reason FROM repo.dead_letter", "position {} was put aside: {}")

    def order(self):
        self.rule(7, "SELECT before, sequence FROM (SELECT sequence, epoch, decided_at,"
                     " lag(sequence) OVER w AS before, lag(decided_at) OVER w AS decided_before,"
                     " lag(epoch) OVER w AS epoch_before FROM coupon WHERE refilled = 0"
                     " WINDOW w AS (ORDER BY sequence))"
                     " WHERE epoch = epoch_before AND decided_at < decided_before",
                  "number {} was decided later than number {}")

    def drained(self):
        stored = self.db.execute("SELECT position FROM repo.progress").fetchone()[0]
        end = self.db.execute("SELECT ifnull(max(position), 0) FROM event").fetchone()[0]
        if stored < end:
            raise Unreadable(f"the worker has stored position {stored} of {end}: wait for it")
        if stored > end:
            self.broken[6].append(f"the repository has stored position {stored}, the log ends at {end}")


def check(data, campaign, acks=()):
    """The broken promises: a dict from number (0: the chain) to examples."""
    return inspect(data, campaign, acks)[0]


def inspect(data, campaign, acks=()):
    """As check(), and remarks that are no faults: a dict from number to text."""
    db = open_files(data)
    try:
        load_acks(db, acks)
        checker = Checker(db, campaign)
        checker.drained()
        return checker.check(), checker.remarks
    finally:
        db.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--data", help="embedded: data folder with log.db and repo.db")
    where.add_argument("--config", help="full stack: settings that say where its parts are")
    parser.add_argument("--log", nargs="+", help="full stack: data folders of the brokers; those of `make stack` and of "
                                                 "tests are found beside the settings")
    parser.add_argument("--jars", help="full stack: folder of Kafka's jars; those of `make stack` are found")
    parser.add_argument("--no-ledger", action="store_true", help="full stack: do not ask the ledger")
    parser.add_argument("--campaign", required=True)
    parser.add_argument("--acks", nargs="*", default=[], help="files of `doorbuster bench --acks`")
    options = parser.parse_args()
    names = NAMES
    try:
        if options.data:
            broken, remarks = inspect(options.data, options.campaign, options.acks)
        else:
            import full_checker  # which builds on this file
            names = full_checker.FULL_NAMES
            broken, remarks = full_checker.inspect_full(options)
    except (Unreadable, OSError, sqlite3.Error) as wrong:
        print(f"checker: {wrong}", file=sys.stderr)
        return 1
    for number, examples in broken.items():
        remark = f"; {remarks[number]}" if number in remarks else ""
        print(f"{number} {'BROKEN' if examples else 'ok':<6} {names[number]}{remark}")
        for example in examples[:MOST_EXAMPLES]:
            print(f"    {example}")
        if len(examples) > MOST_EXAMPLES:
            print(f"    and {len(examples) - MOST_EXAMPLES} more")
    return 3 if any(broken.values()) else 0


if __name__ == "__main__":
    sys.modules["checker"] = sys.modules["__main__"]  # one module, under whichever name
    sys.exit(main())
