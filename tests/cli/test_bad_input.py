"""A user's mistake: one line with the error and its fix, exit status 2, nothing written."""

import sys

import pytest


@pytest.fixture
def error_line(zenith, monkeypatch, tmp_path):
    """Run the command; return its error line. Fail unless it exits with 2, prints one line and writes nothing."""
    home = tmp_path / "home"
    monkeypatch.setenv("ZENITH_HOME", str(home))

    def run(*arguments):
        status, out, err = zenith(*arguments)
        assert (status, out) == (2, "")
        assert "Traceback" not in err
        assert not any(path.is_file() for path in home.rglob("*"))
        return err.strip()

    return run


def test_unknown_source_error_lists_the_sources(error_line):
    line = error_line("run", "--source", "bloomberg")

    assert line.startswith("zenith: ")
    assert all(name in line for name in ("sample", "csv", "yahoo", "simulated"))


def test_unknown_ticker_error_lists_the_source_s_tickers(error_line):
    line = error_line("run", "--source", "sample", "--tickers", "AAPL,NOPE")

    assert line.startswith("zenith: NOPE")
    assert "AAPL, " in line


@pytest.mark.parametrize("text", ["../../etc", "", "AAPL;DROP", "ＡＡＰＬ", "A" * 40, "AAPL MSFT", "-rf"])
def test_invalid_ticker_is_not_echoed(error_line, text):
    line = error_line("run", "--tickers=" + text)

    assert line.startswith("zenith: not a ticker")
    assert len(line) < 300


def test_missing_folder_is_named(error_line, tmp_path):
    assert "nowhere" in error_line("run", "--csv-dir", str(tmp_path / "nowhere"))


def test_empty_folder_is_named(error_line, tmp_path):
    (tmp_path / "empty").mkdir()

    assert "empty" in error_line("run", "--csv-dir", str(tmp_path / "empty"))


def test_unknown_asset_error_lists_the_assets(error_line):
    assert "cleaned_prices" in error_line("run", "--until", "prices")


def test_export_of_a_missing_table_suggests_the_run(error_line):
    assert error_line("export", "AAPL", "prices") == (
        "zenith: no cleaned_prices for AAPL yet: `zenith run --tickers AAPL` makes it"
    )


def test_home_that_is_a_file_is_named(error_line, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "file"))

    assert "ZENITH_HOME" in error_line("run")


@pytest.mark.skipif(sys.platform != "linux", reason="not even root can write to /proc")
def test_read_only_home_is_named(error_line, monkeypatch):
    monkeypatch.setenv("ZENITH_HOME", "/proc")

    assert error_line("run").startswith("zenith: ZENITH_HOME /proc cannot be written (")


@pytest.mark.parametrize("command", ["serve", "ui"])
def test_busy_port_is_named(error_line, command, busy_port):
    line = error_line(command, "--port", str(busy_port))

    assert str(busy_port) in line
    assert "--port" in line


@pytest.fixture
def busy_port():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
