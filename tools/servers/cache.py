"""What is made once and used by every server: build/servers, or the folder that DOORBUSTER_SERVERS names."""

import contextlib
import fcntl
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def cache_folder():
    folder = os.environ.get("DOORBUSTER_SERVERS") or os.path.join(ROOT, "build", "servers")
    os.makedirs(folder, exist_ok=True)
    return folder


@contextlib.contextmanager
def cache_lock(name):
    """Tests that run at the same time make a thing once."""
    with open(os.path.join(cache_folder(), f"{name}.lock"), "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
