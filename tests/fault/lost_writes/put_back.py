#!/usr/bin/env python3
"""Turns the files below a folder into what a power cut would have left; see README.md beside this file."""

import os
import sys


def put_back(folder: str) -> list[str]:
    """Returns one line for each file that changed or went, for the test's report."""
    report = []
    names = sorted(os.path.join(where, name) for where, _, files in os.walk(folder) for name in files)
    for name in names:
        if name.endswith(".durable"):
            file = name.removesuffix(".durable")
            had = os.path.getsize(file) if os.path.exists(file) else 0
            os.replace(name, file)
            report.append(f"{file}: {had} bytes written, {os.path.getsize(file)} left")
        elif name.endswith(".unsynced"):
            file = name.removesuffix(".unsynced")
            os.unlink(name)
            if os.path.exists(file) and file + ".durable" not in names:
                os.unlink(file)
                report.append(f"{file}: never synced, gone")
        elif name.endswith((".durable.half", "-shm")):
            # A half twin: the process ended before its first write to that file.
            os.unlink(name)
    return report


if __name__ == "__main__":
    if len(sys.argv) != 2 or not os.path.isdir(sys.argv[1]):
        sys.exit("usage: put_back.py FOLDER")
    print("\n".join(put_back(sys.argv[1])))
