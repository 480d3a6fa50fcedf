import sys

import pytest

from zenith_core.errors import InvalidTicker, UserError
from zenith_core.market.exchanges import EXCHANGES, exchange_of
from zenith_pipelines.settings import Settings, prepare_home


def test_the_environment_is_read_when_the_settings_are_made(monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "one"))
    first = Settings()
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "two"))

    assert first.home == tmp_path / "one"
    assert Settings().home == tmp_path / "two"


def test_mlflow_is_a_database_in_home_unless_a_server_is_set(monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert Settings().tracking_uri == f"sqlite:///{tmp_path}/mlflow/mlflow.db"

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert Settings().tracking_uri == "http://127.0.0.1:5000"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is a folder in which not even root can write")
def test_a_home_that_cannot_be_written_is_a_user_error():
    with pytest.raises(UserError, match=r"ZENITH_HOME /proc cannot be written \(.+\): name a folder"):
        prepare_home(Settings(zenith_home="/proc"))


def test_preparing_a_home_leaves_no_files_in_it(tmp_path):
    assert prepare_home(Settings(zenith_home=tmp_path / "a" / "home")) == tmp_path / "a" / "home"
    assert list((tmp_path / "a" / "home").iterdir()) == []


def test_a_home_that_cannot_be_created_is_a_user_error(tmp_path):
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(UserError, match="ZENITH_HOME .*file/home cannot be created"):
        prepare_home(Settings(zenith_home=tmp_path / "file" / "home"))


def test_a_setting_adds_exchanges(monkeypatch):
    monkeypatch.setattr("zenith_core.market.exchanges.EXCHANGES", dict(EXCHANGES))
    monkeypatch.setenv("ZENITH_EXCHANGES", ".VX=XWBO:EUR:Europe/Vienna")
    with pytest.raises(InvalidTicker):
        exchange_of("OMV.VX")

    Settings()

    assert exchange_of("OMV.VX").calendar == "XWBO"


def test_tickers_of_the_setting_are_validated(monkeypatch):
    monkeypatch.setenv("ZENITH_TICKERS", "petr4.sa, AAPL")
    assert Settings().tickers == ["PETR4.SA", "AAPL"]
    monkeypatch.setenv("ZENITH_TICKERS", "AAPL,../etc")
    with pytest.raises(UserError, match="^ZENITH_TICKERS: not a ticker"):
        Settings()
    monkeypatch.setenv("ZENITH_TICKERS", "")
    assert Settings().tickers == []
