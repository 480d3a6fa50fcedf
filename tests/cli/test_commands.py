import subprocess
import sys

import pytest
from typer.testing import CliRunner

from zenith_cli.commands import app
from zenith_cli.main import main

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
def test_the_serving_process_carries_nothing_of_the_pipelines():
    code = "import sys, zenith_cli.main, zenith_serving.server, zenith_serving.app; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert HEAVY.isdisjoint(loaded)


def test_help_names_every_command():
    shown = CliRunner().invoke(app, ["--help"]).output

    for command in ("run", "predict", "export", "cleanup", "models", "promote", "rollback", "serve", "ui"):
        assert f" {command} " in shown


@pytest.mark.parametrize(
    ("words", "said"),
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
def test_wrong_words_are_answered_with_one_line_and_status_2(monkeypatch, capsys, words, said):
    monkeypatch.setattr(sys, "argv", ["zenith", *words.split()])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.startswith("zenith: ")
    assert err.count("\n") == 1
    assert "--help`" in err


def test_no_words_at_all_are_answered_with_the_help(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["zenith"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 2
    assert "Commands" in "".join(capsys.readouterr())
