"""Checks the promises of the contract across Redis, Kafka and MariaDB, from outside: `checker.py --config FILE`.

Independent of `doorbuster audit` on purpose: rows by raw SQL through the `mariadb` client, the topic from the brokers'
own files by Kafka's DumpLogSegments, the ledger by raw RESP over a socket, and the clients' acknowledgements. Formats:
docs/data_format.md and docs/redis.md.
"""

import contextlib
import glob
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
from datetime import datetime, timezone

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from checker import NAMES, Checker, Unreadable, code_text, load_acks  # noqa: E402

FULL_NAMES = {**NAMES, 0: "the ledger holds what the log tells"}
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


# Reading ------------------------------------------------------------------------------------------------------------

def read_settings(path):
    """`section:` and `  key: "value"` lines, as `make stack` writes them. \\returns key -> value"""
    settings, section = {}, ""
    with open(path, encoding="utf-8") as file:
        for line in file:
            line = line.split("#")[0].rstrip()
            if not line:
                continue
            name, _, value = line.strip().partition(":")
            if not line.startswith(" "):
                section = name
            else:
                settings[f"{section}.{name}"] = value.strip().strip('"')
    return settings


class Database:
    def __init__(self, settings):
        self.settings = settings

    def rows(self, sql):
        """Each row as a list of texts; NULL is None."""
        done = subprocess.run(
            ["mariadb", "--no-defaults", "--protocol=tcp", "--batch", "--skip-column-names", "--quick",
             f"--host={self.settings['database.host']}", f"--port={self.settings['database.port']}",
             f"--user={self.settings['database.user']}", self.settings["database.name"], "-e", sql],
            env={**os.environ, "MYSQL_PWD": self.settings["database.password"]}, capture_output=True, text=True,
            check=False)
        if done.returncode != 0:
            raise Unreadable(f"mariadb: {done.stderr.strip()}")
        return [[None if field == "NULL" else field for field in line.split("\t")]
                for line in done.stdout.split("\n")[:-1]]


class Redis:
    """Enough of RESP2 to ask for a hash."""

    def __init__(self, settings):
        try:
            self.socket = socket.create_connection((settings["redis.host"], int(settings["redis.port"])), 20)
        except OSError as error:
            raise Unreadable(f"Redis: {error}") from error
        self.file = self.socket.makefile("rb")
        if settings.get("redis.password"):
            self.call("AUTH", settings["redis.password"])

    def call(self, *words):
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words))
        return self.answer()

    def answer(self):
        line = self.file.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise Unreadable(f"Redis: {rest.decode()}")
        if kind in (b"+", b":"):
            return rest.decode()
        if kind == b"$":
            if int(rest) < 0:
                return None
            return self.file.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self.answer() for _ in range(int(rest))]
        raise Unreadable(f"Redis: an answer that begins with {line[:20]!r}")

    def close(self):
        self.file.close()
        self.socket.close()

    def hash(self, key):
        flat = self.call("HGETALL", key)
        return dict(zip(flat[::2], flat[1::2]))


RECORD = re.compile(r"^\| offset: (\d+) .*? payload: (.*)$")


def dump_topic(jars, topic, folders):
    """{partition: {offset: payload}} from the files of the brokers; `folders`: their data folders."""
    files = sorted(path for folder in folders for path in glob.glob(f"{glob.escape(folder)}/{topic}-[0-9]*/*.log"))
    if not files:
        raise Unreadable(f"no files of topic {topic} in {', '.join(folders)}")
    paths = ":".join(sorted(glob.glob(f"{glob.escape(jars)}/*.jar")))
    done = subprocess.run(["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", paths,
                           "kafka.tools.DumpLogSegments", "--print-data-log", "--files", ",".join(files)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unreadable(f"DumpLogSegments: {done.stderr[-500:]}")
    partitions, current = {}, None
    for line in done.stdout.split("\n"):
        if line.startswith("Dumping "):
            number = int(os.path.basename(os.path.dirname(line[len("Dumping "):].strip())).rpartition("-")[2])
            current = partitions.setdefault(number, {})
            continue
        record = RECORD.match(line)
        if record and current is not None:
            current[int(record[1])] = record[2]
    return partitions


def micros(text):
    """RFC 3339 in UTC, as events have it."""
    delta = datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH
    return (delta.days * 86400 + delta.seconds) * 1_000_000 + delta.microseconds


class Facts:
    """What the four sources say about one campaign, as plain values."""

    def __init__(self):
        self.ends = {}      # partition -> position behind which nothing stands
        self.stored = {}    # partition -> position up to which the worker has stored
        self.events = []    # (partition, position, event as a dict)
        self.changes = {}   # revision -> definition as a dict
        self.fences = []    # (epoch, partition, end)
        self.rows = []      # (sequence, user, code, decided_at, refilled)
        self.letters = []   # (position, reason)
        self.stored_alone = []  # events that the rows alone tell: the log has lost its data since
        self.holders = None  # user -> (sequence, code, decided_at, pending); None: not asked
        self.counted = None  # what the ledger has counted
        self.missing = []    # (first, last): numbers that the ledger gives out before any new one

    def add_record(self, campaign, partition, position, payload):
        try:
            event = json.loads(payload)
        except ValueError:
            return  # poison: the worker has put it aside, and its letter is counted
        if not isinstance(event, dict) or event.get("campaign_id") != campaign:
            return
        if event.get("type") == "campaign":
            self.changes[event["revision"]] = event
        elif event.get("type") == "issued":
            self.events.append((partition, position, event))


def gather(settings, campaign, log_folders, jars, ledger=True):
    facts = Facts()
    database = Database(settings)
    topic = settings.get("kafka.topic", "coupon-issued")
    # The worker's position before the log: what is appended meanwhile counts as not stored yet.
    for partition, position in database.rows(
            f"SELECT partition_no, position FROM worker_offset WHERE topic = '{topic}'"):
        facts.stored[int(partition)] = int(position)
    for partition, records in dump_topic(jars, topic, log_folders).items():
        facts.ends[partition] = max(records, default=-1) + 1
        for offset, payload in sorted(records.items()):
            facts.add_record(campaign, partition, offset + 1, payload)
    facts.fences = [tuple(int(field) for field in row) for row in database.rows(
        f"SELECT epoch, partition_no, end_position FROM epoch_fence WHERE campaign_id = '{campaign}' "
        f"AND topic = '{topic}'")]
    # Strategy db-lock has one epoch for ever, and its times are the database's.
    lost = database.rows(f"SELECT MAX(epoch), MAX(noted_at) FROM log_loss WHERE campaign_id = '{campaign}' "
                         f"AND topic = '{topic}'")[0]
    if lost[0] is not None:
        for revision, limit, ends_at, status in database.rows(
                "SELECT revision, coupon_limit, ends_at, status FROM campaign_revision "
                f"WHERE campaign_id = '{campaign}'"):
            facts.changes.setdefault(int(revision), {"limit": int(limit), "ends_at": ends_at, "status": status})
        facts.stored_alone = [
            {"sequence": int(sequence), "user_id": user, "code": code_of(code), "decided_at": int(decided),
             "refilled": refilled == "1", "epoch": int(epoch), "revision": int(revision)}
            for sequence, user, code, decided, refilled, epoch, revision in database.rows(
                "SELECT sequence, user_id, HEX(code), decided_at, refilled, epoch, revision FROM coupon_issued_user c "
                f"WHERE campaign_id = '{campaign}' AND (epoch < {lost[0]} OR (decided_at < {lost[1]} AND EXISTS "
                f"(SELECT 1 FROM stock s WHERE s.campaign_id = c.campaign_id)))")]
    facts.rows = [(int(sequence), user, code_of(code), int(decided), int(refilled))
                  for sequence, user, code, decided, refilled in database.rows(
                      "SELECT sequence, user_id, HEX(code), decided_at, refilled FROM coupon_issued_user "
                      f"WHERE campaign_id = '{campaign}'")]
    facts.letters = [(f"{partition}/{position}", reason) for partition, position, reason in database.rows(
        f"SELECT partition_no, position, reason FROM dead_letter WHERE topic = '{topic}' "
        f"AND (campaign_id IS NULL OR campaign_id = '{campaign}')")]
    if ledger:
        strategy = database.rows(f"SELECT strategy FROM campaign WHERE id = '{campaign}'")
        if strategy == [["db-lock"]]:
            read_stock(database, campaign, facts)
        else:
            with contextlib.closing(Redis(settings)) as redis:
                read_redis(redis, campaign, facts)
    return facts


def code_of(text):
    return code_text(bytes.fromhex(text))


def read_redis(redis, campaign, facts):
    prefix = f"doorbuster:{{c:{campaign}}}:"
    definition = redis.hash(prefix + "definition")
    if not definition:
        raise Unreadable(f"Redis has no campaign '{campaign}'")
    waiting = {entry[0] for entry in redis.call("XRANGE", prefix + "outbox", "-", "+")}
    facts.holders = {}
    for user, text in redis.hash(prefix + "holders").items():
        offset, code, base, decided, _epoch, _revision, _refilled, entry = text.split(" ")
        facts.holders[user] = (int(offset) + int(base), code, int(decided), entry in waiting)
    facts.counted = int(definition["issued"])
    facts.missing = [tuple(int(number) for number in text.split("-"))
                     for text in redis.call("LRANGE", prefix + "missing", "0", "-1")]


def read_stock(database, campaign, facts):
    facts.holders = {user: (int(sequence), code_of(code), int(decided), since is not None)
                     for user, sequence, code, decided, since in database.rows(
                         "SELECT user_id, sequence, HEX(code), decided_at, since FROM coupon_issued_user "
                         f"LEFT JOIN stock_pending USING (campaign_id, sequence) WHERE campaign_id = '{campaign}'")}
    facts.counted = int(database.rows(f"SELECT issued FROM stock WHERE campaign_id = '{campaign}'")[0][0])


# Checking -----------------------------------------------------------------------------------------------------------

class FullChecker(Checker):
    """The rules of Checker over the partitions as one log: coupons by the ledger's clock, a definition before the first
    coupon of its revision."""

    def __init__(self, db, campaign, facts):
        self.facts = facts
        if not facts.changes:
            raise Unreadable(f"the log has no campaign '{campaign}'")
        db.execute("ATTACH ':memory:' AS repo")
        db.execute("CREATE TABLE repo.campaign(number, id)")
        db.execute("INSERT INTO repo.campaign VALUES (1, ?)", (campaign,))
        db.execute("CREATE TABLE event(position, kind, campaign, sequence, user_id, code, decided_at, refilled, epoch)")
        db.execute("CREATE TABLE campaign_change(position, campaign, coupon_limit, ends_at, status)")
        db.execute("CREATE TABLE repo.coupon(campaign, sequence, user_id, code, decided_at, refilled)")
        db.execute("CREATE TABLE repo.dead_letter(position, reason)")
        db.create_function("code_text", 1, lambda code: code, deterministic=True)  # these are texts already
        self.fill(db, campaign)
        super().__init__(db, campaign)
        self.broken = {number: [] for number in FULL_NAMES}

    def is_void(self, epoch, partition, position):
        ends = {}
        for fence, of, end in self.facts.fences:
            ends.setdefault(fence, {})[of] = end
        return any(epoch < fence and position > by_partition.get(partition, 0)
                   for fence, by_partition in ends.items())

    def load(self):
        return None  # fill() has done it

    def fill(self, db, campaign):
        events = [(micros(event["decided_at"]), event["sequence"], event)
                  for partition, position, event in self.facts.events
                  if not self.is_void(event["epoch"], partition, position)]
        events += [(event["decided_at"], event["sequence"], event) for event in self.facts.stored_alone]
        events.sort(key=lambda entry: entry[:2])
        changes = sorted(self.facts.changes.items())
        position = 0

        def change(definition):
            db.execute("INSERT INTO campaign_change VALUES (?, ?, ?, ?, ?)",
                       (position, campaign, definition["limit"], definition.get("ends_at"), definition["status"]))

        for decided, sequence, event in events:
            while changes and changes[0][0] <= event["revision"]:
                position += 1
                change(changes.pop(0)[1])
            position += 1
            db.execute("INSERT INTO event VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?)",
                       (position, campaign, sequence, str(event["user_id"]), event["code"], decided,
                        int(event.get("refilled", False)), event["epoch"]))
        for _, definition in changes:
            position += 1
            change(definition)
        db.executemany("INSERT INTO repo.coupon VALUES (1, ?, ?, ?, ?, ?)", self.facts.rows)
        db.executemany("INSERT INTO repo.dead_letter VALUES (?, ?)", self.facts.letters)

    def first(self):
        """In its place: the ledger."""
        if self.facts.holders is None:
            self.remarks[0] = "not asked"
            return
        self.db.execute("CREATE TABLE holder(user, sequence, code, decided_at, pending)")
        self.db.executemany("INSERT INTO holder VALUES (?, ?, ?, ?, ?)",
                            [(user, *rest) for user, rest in self.facts.holders.items()])
        self.db.execute("CREATE INDEX holder_user ON holder(user)")
        self.rule(0, "SELECT h.user, h.sequence, h.code FROM holder h LEFT JOIN coupon c ON c.user = h.user"
                     " AND c.sequence = h.sequence AND c.code = h.code AND c.decided_at = h.decided_at"
                     " WHERE c.user IS NULL AND NOT h.pending",
                  "user {} holds number {}, code {}: the log has no such event")
        self.rule(0, "SELECT c.user, c.sequence FROM coupon c LEFT JOIN holder h ON h.user = c.user"
                     " AND h.sequence = c.sequence AND h.code = c.code WHERE h.user IS NULL",
                  "user {} has number {} in the log, and not in the ledger")
        if self.facts.counted != len(self.facts.holders):
            self.broken[0].append(f"it counts {self.facts.counted} coupons, and has {len(self.facts.holders)}")

    def numbers(self):
        super().numbers()
        if self.facts.holders is None:
            return
        # The ledger knows what is missing: it waits for the log, or will be given out again.
        known = {sequence for sequence, _code, _decided, _pending in self.facts.holders.values()}
        logged = {sequence for (sequence,) in self.db.execute("SELECT sequence FROM coupon")}
        for number in range(1, max(logged, default=0)):
            if number not in logged and number not in known and not any(
                    first <= number <= last for first, last in self.facts.missing):
                self.broken[4].append(f"number {number} is missing, and the ledger does not know it")

    def drained(self):
        for partition, end in sorted(self.facts.ends.items()):
            stored = self.facts.stored.get(partition, 0)
            if stored < end:
                raise Unreadable(f"the worker has stored partition {partition} up to {stored} of {end}: wait for it")
            if stored > end:
                self.broken[6].append(f"partition {partition} is stored up to {stored}, the log ends at {end}")


def check_facts(facts, campaign, acks=()):
    """The broken promises: a dict from number (0: the ledger) to examples; and remarks that are no faults."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    try:
        load_acks(db, acks)
        checker = FullChecker(db, campaign, facts)
        checker.drained()
        return checker.check(), checker.remarks
    finally:
        db.close()


def inspect_full(options):
    """By the command line of checker.py."""
    if not re.fullmatch(r"[a-z0-9-]{1,64}", options.campaign):
        raise Unreadable(f"'{options.campaign}' is no id of a campaign")
    folder = os.path.dirname(os.path.abspath(options.config))
    log = options.log or [path for place in ("kafka", "stack/kafka")
                          for path in sorted(glob.glob(f"{glob.escape(folder)}/{place}/broker-*/data"))]
    if not log:
        raise Unreadable(f"no brokers beside {options.config}: say where their data is (--log)")
    facts = gather(read_settings(options.config), options.campaign, log, options.jars or fetched_jars(),
                   not options.no_ledger)
    return check_facts(facts, options.campaign, options.acks)


def fetched_jars():
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
    from servers.kafka import jars
    return jars()
