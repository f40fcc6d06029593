#!/usr/bin/env python3
"""Turns the files below a folder into what a power cut would have left; see README.md beside this file."""

import os
import sys

SUFFIX = ".durable"


def put_back(folder: str) -> list[str]:
    """Returns one line for each file that changed or went, for the test's report."""
    report = []
    names = sorted(os.path.join(where, name) for where, _, files in os.walk(folder) for name in files)
    twins = {name[: -len(SUFFIX)] for name in names if name.endswith(SUFFIX)}
    for name in names:
        if name.endswith(SUFFIX) or name in twins:
            continue
        os.unlink(name)
        report.append(f"{name}: never synced, gone")
    for name in sorted(twins):
        had = os.path.getsize(name) if os.path.exists(name) else 0
        os.replace(name + SUFFIX, name)
        report.append(f"{name}: {had} bytes written, {os.path.getsize(name)} left")
    return report


if __name__ == "__main__":
    if len(sys.argv) != 2 or not os.path.isdir(sys.argv[1]):
        sys.exit("usage: put_back.py FOLDER")
    print("\n".join(put_back(sys.argv[1])))
