import json

import pytest

from tests.core.portfolio.universe import drawn_universe
from zenith_core.names import ALL_TICKERS, UNIVERSE, UNIVERSE_LEDGER
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.portfolio.universe_facts import universe_facts

RECORD = {"outcomes": 12, "rps": 0.1561, "rps_equal": 0.16, "tail": 0.05, "hits": 1, "expected_hits": 0.6}


@pytest.fixture
def universe(zenith, monkeypatch, tmp_path):
    """Run `zenith universe` in a home with a forecast of five tickers, and a record at 20 sessions."""
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    store = DatasetStore(str(tmp_path / "data"))
    forecast = drawn_universe(rows=300, tickers=6, young="T5")
    store.write(UNIVERSE, ALL_TICKERS, Dataset(facts=universe_facts(store, forecast)))
    store.write(UNIVERSE_LEDGER, ALL_TICKERS, Dataset(facts={"record": {"20": RECORD}}))
    return lambda *arguments: zenith("universe", *arguments)


def test_all_tickers_are_ranked_with_their_record(universe):
    status, text, _ = universe()

    assert status == 0
    assert "5 tickers on 2024-06-28, 20 sessions ahead; they vary together like" in text
    assert [line.split()[0] for line in text.splitlines() if line.startswith("T")] == ["T0", "T1", "T2", "T3", "T4"]
    assert "left out: T5 has 5 returns" in text
    assert "record of 12 past forecasts: score 0.1561, equal probabilities 0.1600" in text


@pytest.mark.slow
def test_a_group_says_who_beats_whom(universe):
    document = json.loads(universe("--tickers", "T0,t3", "--horizon", "7", "--json")[1])

    first, second = document["ranks"]
    assert (document["horizon"], first["ticker"], second["ticker"]) == (7, "T0", "T3")
    assert first["beats"]["T3"] + second["beats"]["T0"] == pytest.approx(1)
    assert first["first"] + second["first"] == pytest.approx(1)
    assert (first["correlations"]["T0"], 0.3 < first["correlations"]["T3"] < 0.9) == (1, True)

    _, text, _ = universe("--tickers", "T0,t3", "--horizon", "7")
    beats, correlations = (
        next(i for i, line in enumerate(text.splitlines()) if line.startswith(head)) for head in ("beats", "corr")
    )
    assert text.splitlines()[beats + 1].split() == ["T0", "–", f"{first['beats']['T3']:.1%}"]
    assert text.splitlines()[correlations + 1].split() == ["T0", "–", f"{first['correlations']['T3']:.2f}"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--horizon", "7"), "--horizon: all tickers are ranked for 5 and 20 sessions ahead"),
        (("--tickers", "T0"), "--tickers: a group has 2 to 100 tickers, not 1"),
        (("--tickers", "T0,T5"), "T5 has 5 returns, and a scale needs 20"),
        (("--tickers", "T0,NVDA"), "NVDA is not in the forecast of all tickers yet"),
    ],
)
def test_what_cannot_be_ranked_is_one_line(universe, arguments, message):
    status, text, errors = universe(*arguments)

    assert (status, text) == (2, "")
    assert message in errors
    assert errors.count("\n") == 1


def test_without_a_forecast_the_command_is_named(zenith, monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))

    status, _, errors = zenith("universe")

    assert status != 0
    assert "`zenith job forecast_universe` makes it" in errors
