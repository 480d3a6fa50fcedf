"""A user's mistake is one line that says what is wrong and what would be right, exit status 2, and nothing written."""

import sys

import pytest

from zenith_cli.main import main


@pytest.fixture
def refused(monkeypatch, capsys, tmp_path):
    """Run the command; return its error line. Fails unless it exits with 2, prints one line and writes nothing."""
    home = tmp_path / "home"
    monkeypatch.setenv("ZENITH_HOME", str(home))

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["zenith", *arguments])
        with pytest.raises(SystemExit) as exit:
            main()
        output = capsys.readouterr()
        assert exit.value.code == 2
        assert output.out == ""
        assert "Traceback" not in output.err
        assert not any(path.is_file() for path in home.rglob("*"))
        return output.err.strip()

    return run


def test_an_unknown_source_is_answered_with_the_known_ones(refused):
    line = refused("run", "--source", "bloomberg")

    assert line.startswith("zenith: ")
    assert all(name in line for name in ("sample", "csv", "yahoo", "simulated"))


def test_an_unknown_ticker_is_answered_with_those_the_source_has(refused):
    line = refused("run", "--source", "sample", "--tickers", "AAPL,NOPE")

    assert line.startswith("zenith: NOPE")
    assert "AAPL, " in line


@pytest.mark.parametrize("text", ["../../etc", "", "AAPL;DROP", "ＡＡＰＬ", "A" * 40, "AAPL MSFT", "-rf"])
def test_what_is_not_a_ticker_is_refused_without_echo(refused, text):
    line = refused("run", "--tickers=" + text)

    assert line.startswith("zenith: not a ticker")
    assert len(line) < 300


def test_a_folder_that_is_not_there_is_named(refused, tmp_path):
    assert "nowhere" in refused("run", "--csv-dir", str(tmp_path / "nowhere"))


def test_an_empty_folder_is_named(refused, tmp_path):
    (tmp_path / "empty").mkdir()

    assert "empty" in refused("run", "--csv-dir", str(tmp_path / "empty"))


def test_an_unknown_asset_is_answered_with_the_assets(refused):
    assert "cleaned_prices" in refused("run", "--until", "prices")


def test_an_export_of_what_was_never_made_says_how_to_make_it(refused):
    assert refused("export", "AAPL", "prices") == (
        "zenith: no cleaned_prices for AAPL yet: `zenith run --tickers AAPL` makes it"
    )


def test_a_home_that_is_a_file_is_named(refused, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "file"))

    assert "ZENITH_HOME" in refused("run")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is a folder in which not even root can write")
def test_a_home_that_cannot_be_written_is_named(refused, monkeypatch):
    monkeypatch.setenv("ZENITH_HOME", "/proc")

    assert refused("run").startswith("zenith: ZENITH_HOME /proc cannot be written (")


@pytest.mark.parametrize("command", ["serve", "ui"])
def test_a_busy_port_is_named(refused, command, busy_port):
    line = refused(command, "--port", str(busy_port))

    assert str(busy_port) in line
    assert "--port" in line


@pytest.fixture
def busy_port():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
