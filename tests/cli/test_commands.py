import subprocess
import sys

import pytest
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


@pytest.mark.slow
def test_serving_does_not_load_the_pipelines():
    code = "import sys, zenith_cli.main, zenith_serving.server, zenith_serving.app; print(*sys.modules)"

    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert HEAVY.isdisjoint(modules)


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["-v", "-d"])
@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are not the same elsewhere")
def test_a_limit_of_memory_in_which_native_libraries_crash_is_one_line(limit):
    command = f'ulimit {limit} 400000; "{sys.executable}" -m zenith_cli.main tickers list'

    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("zenith: out of memory: 390 MiB are allowed, at least 512 are needed: ")


def test_help_names_every_command():
    output = CliRunner().invoke(app, ["--help"]).output

    for command in ("run", "predict", "export", "cleanup", "models", "promote", "rollback", "serve", "ui"):
        assert f" {command} " in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("export AAPL nothing", "'nothing' is not one of"),
        ("predict AAPL --horizon 31", "less than or equal to 30"),
        ("predict AAPL --horizon x", "valid integer"),
        ("promote AAPL lstm", "Missing argument"),
        ("rollback AAPL gru", "'gru' is not one of"),
        ("predikt AAPL", "No such command 'predikt'"),
        ("run --sauce yahoo", "No such option: --sauce"),
    ],
)
def test_usage_error_is_one_line_with_status_2(zenith, arguments, message):
    status, out, err = zenith(*arguments.split())

    assert (status, out) == (2, "")
    assert message in err
    assert err.startswith("zenith: ")
    assert err.count("\n") == 1
    assert "--help`" in err


@pytest.mark.parametrize("arguments", [(), ("alerts",)])
def test_without_arguments_the_help_is_printed_and_nothing_else(zenith, arguments):
    status, out, err = zenith(*arguments)

    assert status == 2
    assert "Commands" in out + err
    assert "zenith: ;" not in err
