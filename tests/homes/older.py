"""The archived home of an older version, put back as it was made, with absolute paths in MLflow's database."""

import hashlib
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

ARCHIVES = sorted(Path(__file__).parent.glob("*.tar.xz"))
MADE_IN = "/tmp/zenith-older-home"  # as make_home.py has it
PATH_COLUMNS = {
    "experiments": ["artifact_location"],
    "runs": ["artifact_uri"],
    "logged_models": ["artifact_location"],
    "model_versions": ["source", "storage_location"],
}


def unpack(archive, folder):
    """Put home, prices and answers into `folder`, with the paths that the older version would have written there."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    home = folder / "home"
    with closing(sqlite3.connect(home / "mlflow" / "mlflow.db")) as database:
        for table, columns in PATH_COLUMNS.items():
            for column in columns:
                database.execute(f'UPDATE {table} SET "{column}" = replace("{column}", ?, ?)', (MADE_IN, str(home)))
        database.commit()
    configuration = home / "dagster" / "dagster.yaml"
    configuration.write_text(configuration.read_text().replace(MADE_IN, str(home)))
    return folder


def contents(home):
    """The checksum of each file of a home."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in home.rglob("*")
        if path.is_file()
    }


def rows(database):
    """All rows of a database, as text."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return list(connection.iterdump())
