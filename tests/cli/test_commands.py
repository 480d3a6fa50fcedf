import subprocess
import sys

from typer.testing import CliRunner

from zenith_cli.commands import app

HEAVY = {
    "tensorflow",
    "jax",
    "keras",
    "dagster",
    "sklearn",
    "xgboost",
    "pandas",
    "pyarrow",
    "mlflow",
    "zenith_pipelines",
}


def test_the_serving_process_carries_nothing_of_the_pipelines():
    code = "import sys, zenith_cli.main, zenith_serving.serve, zenith_serving.app; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert HEAVY.isdisjoint(loaded)


def test_help_names_every_command():
    shown = CliRunner().invoke(app, ["--help"]).output

    for command in ("run", "predict", "export", "cleanup", "models", "promote", "rollback", "serve", "ui"):
        assert f" {command} " in shown
