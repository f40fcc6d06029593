"""MariaDB, run from its own data folder by whoever starts it; every commit is on disk before it is answered."""

import os
import shutil
import subprocess

from .process import HOST, Server, ServerError, exchange, needed_program, new_password, write_private
from .cache import cache_folder, cache_lock

SMALL = ["--innodb-log-file-size=16M", "--innodb-buffer-pool-size=64M"]
LARGE = ["--innodb-log-file-size=96M", "--innodb-buffer-pool-size=256M"]


def as_root():
    return ["--user=root"] if os.geteuid() == 0 else []


def version():
    program = needed_program("mariadbd", "mariadb-server")
    text = subprocess.run([program, "--no-defaults", "--version"], capture_output=True, text=True, check=True).stdout
    return "".join(char if char.isalnum() or char in ".-" else "_" for char in text.split("Ver", 1)[-1].split()[0])


def template():
    """A new data folder, made once and copied for every server: making one takes seconds."""
    folder = os.path.join(cache_folder(), f"mariadb-{version()}")
    with cache_lock("mariadb"):
        if os.path.isdir(folder):
            return folder
        unfinished = folder + ".unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        done = subprocess.run(
            [needed_program("mariadb-install-db", "mariadb-server"), "--no-defaults", f"--datadir={unfinished}",
             "--auth-root-authentication-method=socket", "--skip-test-db", "--skip-name-resolve",
             "--innodb-flush-log-at-trx-commit=0", *SMALL, *as_root()],
            capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ServerError(f"mariadb-install-db has failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        os.rename(unfinished, folder)
    return folder


class MariaDbServer(Server):
    name = "mariadb"

    def __init__(self, folder, port=None, detached=False, password=None, options=None, large=False):
        """options: further flags of mariadbd"""
        super().__init__(folder, port, detached)
        self.user, self.database = "doorbuster", "doorbuster"
        self.password = password or new_password()
        self.options = (LARGE if large else SMALL) + list(options or [])

    @property
    def socket(self):
        return os.path.join(self.folder, "mariadb.sock")

    def prepare(self):
        if not os.path.isdir(self.data):
            shutil.copytree(template(), self.data + ".new")
            os.rename(self.data + ".new", self.data)
        # Run at every start, before anybody is let in. `doorbuster%`: tests make databases of their own.
        write_private(os.path.join(self.folder, "init.sql"), "\n".join([
            f"CREATE DATABASE IF NOT EXISTS {self.database} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;",
            f"CREATE USER IF NOT EXISTS {self.user}@'%';",
            f"ALTER USER {self.user}@'%' IDENTIFIED BY '{self.password}';",
            f"GRANT ALL ON `doorbuster%`.* TO {self.user}@'%';", ""]))

    def command(self):
        return [needed_program("mariadbd", "mariadb-server"), "--no-defaults", f"--datadir={self.data}",
                f"--socket={self.socket}", f"--port={self.port}", f"--bind-address={HOST}",
                f"--pid-file={os.path.join(self.folder, 'mariadbd.pid')}",
                f"--init-file={os.path.join(self.folder, 'init.sql')}",
                "--innodb-flush-log-at-trx-commit=1", "--skip-name-resolve", "--performance-schema=OFF",
                "--character-set-server=utf8mb4", "--max-connections=300", *self.options, *as_root()]

    def answers(self):
        # The greeting begins with a length of three bytes, a number, and the version of the protocol.
        greeting = exchange(self.port, b"", 5)
        return len(greeting) == 5 and greeting[4] == 10

    def settings(self):
        return {"database.host": HOST, "database.port": self.port, "database.user": self.user,
                "database.password": self.password, "database.name": self.database}
