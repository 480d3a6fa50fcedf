import numpy as np
import pandas as pd
import pytest

from zenith_core.errors import UnknownTicker
from zenith_core.prices.cleaning import clean_prices
from zenith_pipelines.ingestion.sources.simulated import (
    FLAT,
    GAP,
    LONG_GAP,
    SOURCE_ERROR,
    UNRECORDED_SPLIT,
    SimulatedSource,
)


def test_a_ticker_is_the_same_market_in_every_fetch():
    first, second = (SimulatedSource().fetch("SIM-NOISE-1") for _ in range(2))
    pd.testing.assert_frame_equal(first.prices, second.prices)
    assert first.content_hash != SimulatedSource().fetch("SIM-NOISE-2").content_hash


@pytest.mark.parametrize("ticker", ["SIM-NOISE-1", "SIM-EDGE-1", "SIM-REGIME-9999"])
def test_cleaning_changes_nothing_in_clean_markets(ticker):
    raw = SimulatedSource().fetch(ticker).prices
    result = clean_prices(raw, ticker)
    assert len(result.prices) == 3000
    assert f"{result.prices.index[-1]:%Y-%m-%d}" == "2025-12-31"
    pd.testing.assert_series_equal(result.prices["close"], raw["close"])
    assert {name for name, count in result.counts.items() if count} == {"rows_in", "sessions"}


def test_an_oracle_earns_the_planted_sharpe_ratio():
    source = SimulatedSource(oracle_sharpe=2.0)
    pnl = []
    for number in range(1, 21):
        market = source.market(f"SIM-EDGE-{number}")
        pnl.append((market.state[:-1] > 0) * np.expm1(market.returns[1:]))
    sharpe = np.sqrt(252) * np.array([np.mean(p) / np.std(p) for p in pnl])
    assert np.mean(sharpe) == pytest.approx(2.0, abs=0.25)


def test_the_prices_of_a_ticker_follow_its_market():
    market = SimulatedSource().market("SIM-EDGE-3")
    close = SimulatedSource().fetch("SIM-EDGE-3").prices["close"].to_numpy()
    np.testing.assert_allclose(np.diff(np.log(close)), market.returns[1:], atol=1e-12)


def test_regimes_alternate():
    volatility = SimulatedSource().market("SIM-REGIME-1").volatility
    assert set(volatility) == {0.008, 0.03}
    assert 5 < np.count_nonzero(np.diff(volatility)) < 80


def test_cleaning_finds_each_planted_error():
    clean_market = SimulatedSource().fetch("SIM-NOISE-1").prices  # for its dates
    result = clean_prices(SimulatedSource().fetch("SIM-DIRTY-1").prices, "SIM-DIRTY-1")
    days = clean_market.index
    assert result.prices.index[result.prices["suspect"]].tolist() == [days[SOURCE_ERROR]]
    assert result.prices.index[result.prices["flat"] & ~result.prices["carried"]].tolist() == list(
        days[FLAT : FLAT + 5]
    )
    assert set(days[[GAP, *range(LONG_GAP, LONG_GAP + 30)]]) <= set(result.missing)
    assert f"unrecorded split repaired on {days[UNRECORDED_SPLIT]:%Y-%m-%d}: 2:1" in result.notes
    assert (result.counts["splits_applied"], result.counts["splits_repaired"]) == (1, 1)
    assert result.quarantine["reason"].value_counts().to_dict() == {
        "open is missing": 5,
        "low above high": 1,
        "duplicate date, the last usable row is kept": 1,
        "not a session of the exchange": 1,
        "no date": 1,
    }


@pytest.mark.parametrize("ticker", ["SIM", "SIM-NOISE", "SIM-NOISE-0", "SIM-OTHER-1", "AAPL"])
def test_other_tickers_are_refused(ticker):
    with pytest.raises(UnknownTicker, match="the simulator has no"):
        SimulatedSource().fetch(ticker)
