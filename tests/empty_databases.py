"""Empty databases of MLflow and Dagster: to make their tables takes seconds, to copy them nothing."""

import shutil
import warnings
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

CACHE = Path(__file__).parents[1] / ".pytest_cache" / "databases"


def put_mlflow_database(folder):
    """Copy an empty database to `folder`/mlflow.db unless it exists."""
    if not (folder / "mlflow.db").exists():
        shutil.copytree(_template("mlflow", _make_mlflow), folder, dirs_exist_ok=True)


def put_dagster_databases(home):
    """Copy the empty SQLite databases of a Dagster instance into the state folder `home`."""
    shutil.copytree(_template("dagster", _make_dagster), home / "dagster", dirs_exist_ok=True)


def _template(package, make):
    """The folder of a package's databases, made once for all test processes and later runs."""
    folder = CACHE / f"{package}-{version(package)}-{version('sqlalchemy')}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            with TemporaryDirectory(dir=CACHE) as new:
                make(Path(new)).rename(folder)
    return folder


def _make_mlflow(new):
    from mlflow import MlflowClient

    folder = new / "mlflow"
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # MLflow 3.17 uses deprecated parts of SQLAlchemy 2.1
        MlflowClient(f"sqlite:///{folder}/mlflow.db").search_registered_models()
    return folder


def _make_dagster(new):
    from dagster import DagsterInstance

    folder = new / "dagster"
    folder.mkdir()
    with DagsterInstance.local_temp(str(folder)) as instance:
        instance.get_runs()
        instance.all_instigator_state()
        instance.event_log_storage.get_pool_limits()
    return folder
