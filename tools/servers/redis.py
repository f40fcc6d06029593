"""Redis as the ledger wants it: every write in the append-only file, nothing evicted."""

import os

from .process import HOST, Server, exchange, needed_program, new_password, write_private


class RedisServer(Server):
    name = "redis"

    def __init__(self, folder, port=None, detached=False, password=None, options=None):
        """options: lines of redis.conf that differ, such as {"appendonly": "no"}"""
        super().__init__(folder, port, detached)
        self.password = password or new_password()
        self.options = {
            "bind": HOST,
            "port": self.port,
            "dir": self.data,
            "requirepass": self.password,
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "save": '""',
            "daemonize": "no",
            **(options or {}),
        }

    def prepare(self):
        super().prepare()
        # It writes its own configuration nowhere, but its data folder holds what users are called.
        os.chmod(self.data, 0o700)
        write_private(os.path.join(self.folder, "redis.conf"),
                      "".join(f"{key} {value}\n" for key, value in self.options.items()))

    def command(self):
        return [needed_program("redis-server", "redis-server"), os.path.join(self.folder, "redis.conf")]

    def exchanged(self, words, size=4096):
        """The lines that come back to one command."""
        def encoded(command):
            parts = [str(word).encode() for word in command]
            return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)

        answer = exchange(self.port, encoded(["AUTH", self.password]) + encoded(words) + encoded(["QUIT"]), size)
        return answer.decode(errors="replace").split("\r\n")[1:]

    def call(self, *words):
        """One command. \\returns the first line of the answer, such as `+PONG`"""
        lines = self.exchanged(words)
        return lines[0] if lines else ""

    def info(self, *sections):
        """Of INFO: name -> text."""
        lines = self.exchanged(["INFO", *sections], 65536)
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def answers(self):
        # While it reads its append-only file it answers -LOADING.
        return self.call("PING") == "+PONG"

    def settings(self):
        return {"redis.host": HOST, "redis.port": self.port, "redis.password": self.password}
