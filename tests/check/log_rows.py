"""Writes rows of log.db, for tests that need a log which says what no program would write (docs/data_format.md)."""

import os
import sqlite3
import struct
import zlib

import checker


def _text(value):
    data = str(value).encode()
    return struct.pack("<H", len(data)) + data


def _optional_time(value):
    return struct.pack("<Bq", 0 if value is None else 1, value or 0)


def coupon_row(campaign, epoch, revision, refilled, instance, *coupons):
    """Coupons are (sequence, decided_at, code, user)."""
    entries = b"".join(struct.pack("<Qq", sequence, decided) + code + struct.pack("<B", len(str(user))) + str(user).encode()
                       for sequence, decided, code, user in coupons)
    return (b"\x01\x01" + struct.pack("<I", len(coupons)) + _text(campaign)
            + struct.pack("<IIB", epoch, revision, refilled) + _text(instance) + entries)


def definition_row(campaign, epoch, revision, name, limit, starts_at, ends_at, status, strategy, durability, created_at):
    return (b"\x02\x01" + _text(campaign) + struct.pack("<II", epoch, revision) + _text(name)
            + struct.pack("<Q", limit) + _optional_time(starts_at) + _optional_time(ends_at) + _text(status)
            + _text(strategy) + _text(durability) + struct.pack("<q", created_at))


class Chain:
    """Puts rows into the table `batch`, each continuing the chain."""

    def __init__(self, log):
        self.log = log
        self.position = 0
        self.crc = 0

    def put(self, row, events=1):
        self.position += events
        self.crc = zlib.crc32(row, self.crc)
        self.log.execute("INSERT INTO batch VALUES(?,?,?)", (self.position, row, self.crc))


def alter(path, *statements):
    """Runs SQL on the tables `event` and `campaign_change` of checker.load_log, and writes a log that says the same, in
    a chain that is whole. Positions are given anew."""
    tables = sqlite3.connect(":memory:", uri=True)
    log = sqlite3.connect(path)
    try:
        tables.execute("ATTACH ? AS log", (f"file:{os.path.abspath(path)}?mode=ro",))
        assert checker.load_log(tables) is None
        tables.commit()  # which ends the reading of the log
        for statement in statements:
            tables.execute(statement)
        log.execute("DELETE FROM batch")
        chain = Chain(log)
        for (position, kind, campaign, epoch, revision, sequence, user, code, decided, refilled,
             instance) in tables.execute("SELECT * FROM event ORDER BY position"):
            if kind == 1:
                chain.put(coupon_row(campaign, epoch, revision, refilled, instance, (sequence, decided, code, user)))
            else:
                change = tables.execute("SELECT name, coupon_limit, starts_at, ends_at, status, strategy, durability,"
                                        " created_at FROM campaign_change WHERE position = ?", (position,)).fetchone()
                chain.put(definition_row(campaign, epoch, revision, *change))
        log.commit()
    finally:
        log.close()
        tables.close()
