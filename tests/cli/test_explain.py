"""`zenith explain` on a ledger and a feature table."""

import json

import pandas as pd
import pytest

from tests.core.evaluation.test_track_record import DAYS, ledger
from zenith_pipelines.datasets.store import Dataset, DatasetStore

SIGNALS = [
    {"origin": "2026-01-01", "signal": "hold", "probability": 0.4, "reason": "low_confidence", "versions": {"lstm": 1}},
    {"origin": "2026-01-02", "signal": "buy", "probability": 0.5, "reason": "model", "versions": {"lstm": 1}},
]


@pytest.fixture
def explain(zenith, monkeypatch, tmp_path):
    """Run `zenith explain AAPL` on three forecasts of daily closes 100, 101 and 102."""
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    store = DatasetStore(str(tmp_path / "data"))

    def run(*arguments, origins=3):
        closes = [100.0, 101.0, 102.0][:origins]
        rows = ledger(origins, horizon=5).assign(close=closes, forecast=[one + 1 for one in closes])
        store.write("forecast_ledger", "AAPL", Dataset({"forecasts": rows}, {"horizon": 5, "signals": SIGNALS}))
        table = pd.DataFrame({"close": [100.0, 101.0, 102.0], "volatility": [0.01, 0.01, None]}, index=DAYS[:3])
        store.write("indicator_features", "AAPL", Dataset({"features": table}))
        return zenith("explain", "AAPL", *arguments)

    return run


def test_the_newest_forecast_is_compared_with_the_one_before(explain):
    status, text, _ = explain()
    assert status == 0
    assert text.splitlines()[:2] == [
        "AAPL in 5 sessions: 103.00 (98.00–106.00), made on 2026-01-05 from 2026-01-05. "
        "Before: 102.00 (98.00–106.00), made on 2026-01-02 from 2026-01-02.",
        "1 new session: the close went from 101.00 to 102.00 (+1.0%).",
    ]


def test_since_a_day_it_is_compared_with_the_last_one_of_that_day(explain):
    explanation = json.loads(explain("--since", "2026-01-01", "--json")[1])
    assert (explanation["before"]["origin"], explanation["before"]["signal"]) == ("2026-01-01", "hold")
    assert explanation["now"]["volatility"] is None
    first = explanation["changes"][0]
    assert (first["topic"], first["code"], first["figures"]["sessions"]) == ("prices", "sessions", 2)
    assert first["says"] == "2 new sessions: the close went from 100.00 to 102.00 (+2.0%)."


@pytest.mark.slow
def test_a_single_forecast_is_shown_with_the_reason_why_nothing_changed(explain):
    status, lines, _ = explain(origins=1)
    assert status == 0
    assert lines.splitlines()[0].startswith("AAPL in 5 sessions: ")
    assert "Before" not in lines
    assert lines.splitlines()[1:] == [
        "This is the first forecast, made on 2026-01-01: there is none before to compare it with."
    ]
    assert json.loads(explain("--json", origins=1)[1])["before"] is None


@pytest.mark.parametrize(
    ("arguments", "origins", "problem"),
    [
        ((), 0, "AAPL has no forecast yet: `zenith run --tickers AAPL` makes one"),
        (
            ("--since", "2025-12-31"),
            3,
            "no earlier forecast of AAPL was made by 2025-12-31: the first is of 2026-01-01",
        ),
        (("--since", "yesterday"), 3, "--since: 'yesterday' is not a date; expected a day such as 2026-11-20"),
        (("--since", "2999-01-01"), 3, "--since: 2999-01-01 is in the future; expected today or an earlier day"),
    ],
)
def test_without_an_earlier_forecast_or_a_day_it_is_one_line(explain, arguments, origins, problem):
    assert explain(*arguments, origins=origins)[::2] == (2, f"zenith: {problem}\n")
