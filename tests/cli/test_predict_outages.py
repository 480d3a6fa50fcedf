"""`zenith predict` and `zenith forecast` while the registry is damaged: one line, beside an answer or as the error."""

import pytest

from tests.published import publish
from tests.serving.conftest import make_lstm, make_snapshot
from zenith_cli.forecast import forecast_tickers
from zenith_cli.predict import print_predictions
from zenith_serving.errors import RegistryUnavailable
from zenith_serving.prediction.last_known_good import LastKnownGood

OUTAGE = "the MLflow database cannot be read: the SQLite database is damaged: restore a backup"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    publish(tmp_path, "serving_snapshot", "AAPL", make_snapshot("AAPL").to_json())
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "mlflow.db").write_bytes(b"no database" * 99)
    return tmp_path


def test_without_a_copy_the_error_alone_says_it(capsys):
    with pytest.raises(RegistryUnavailable, match=f"^{OUTAGE}$"):
        print_predictions(["AAPL"], 5, signal=False, as_json=True)

    assert capsys.readouterr() == ("", "")


def test_the_answer_of_a_copy_comes_with_the_reason(home, capsys):
    LastKnownGood(home / "serving-models").save("lstm-AAPL", 1, make_lstm("AAPL"))

    print_predictions(["AAPL"], 5, signal=False, as_json=True)

    answer = capsys.readouterr()
    assert '"model_version": "1"' in answer.out
    assert answer.err == f"zenith: model registry: {OUTAGE}\n"


def test_the_table_of_all_tickers_comes_with_the_reason_once(home, capsys):
    for kind in ("lstm", "ensemble"):
        LastKnownGood(home / "serving-models").save(f"{kind}-AAPL", 1, make_lstm("AAPL"))

    assert forecast_tickers(["AAPL"], 1, None, None, as_json=True) == 0
    assert capsys.readouterr().err.count(OUTAGE) == 1
