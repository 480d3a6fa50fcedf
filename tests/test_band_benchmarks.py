"""The benchmarks of the bands on simulated prices: one table of all methods, and no method knows the future."""

import leaderboard
import numpy as np
import pandas as pd
import pytest
import scale_network
from harness.band_methods import ETS, METHODS, TREES, Trees
from harness.figures import promises
from harness.pooled_tickers import CpuSeconds, clustered, forecast_tickers, moves_of

from tests.core.scale_pools import swinging_prices
from zenith_core.risk.price_moves import ANCHORS, price_moves
from zenith_pipelines.risk.scale_prior import prior_before

SESSIONS = 600


@pytest.mark.slow
def test_the_leaderboard_is_one_table_of_all_methods(capsys):
    prices = {f"T{seed}": swinging_prices(seed, SESSIONS) for seed in range(2)}
    moves = moves_of(prices)
    models = leaderboard.packaged_scales(range(2000, leaderboard.last_year(moves) + 1))
    tickers = list(forecast_tickers(prices, moves, list(prices), set(models)))
    years = sorted({int(year) for ticker in tickers for year in ticker.years[ticker.rows]})
    pools = leaderboard.pools(list(moves.values()), years)
    methods = {name: METHODS[name] for name in METHODS if name != ETS} | {TREES: Trees(pools)}
    cpu = CpuSeconds()

    scores = leaderboard.measure(tickers, models, methods, 20, cpu)
    leaderboard.show(scores, cpu, len(tickers))
    figures = leaderboard.figures(scores, cpu, len(tickers))

    output = capsys.readouterr().out
    assert all(name in output for name in methods)
    assert "lowest pinball loss: h=1 " in output
    assert {figure.name for figure in figures} < set(promises()["leaderboard"])
    for name, table in scores.items():
        assert len(table) == sum(len(ticker.rows) * 3 - 26 for ticker in tickers), name  # 1 + 5 + 20 have no outcome


def test_a_network_learns_no_target_that_was_not_known_on_the_last_day():
    moves, model = price_moves(swinging_prices(1, 500)), prior_before("2015-01-01")

    windows, rows = scale_network.cut(moves, model, np.zeros(10), np.ones(10), until=420)

    assert rows[-1, -1] == 420
    known = np.isfinite(windows.size)
    assert known.any()
    for at, horizon in enumerate(ANCHORS):
        assert rows[known[..., at]].max() == 420 - horizon
    np.testing.assert_array_equal(windows.inputs[-1, -1], moves.inputs[420, 1:].astype(np.float32))


def test_with_one_row_a_date_and_no_overlap_the_clustered_error_is_that_of_the_mean():
    values, dates = pd.Series([0.0, 1.0, 1.0, 1.0, 0.0, 1.0]), pd.Series(pd.date_range("2024-01-01", periods=6))

    assert clustered(values, dates, 0) == pytest.approx(values.sem())
    twice = pd.concat([values, values], ignore_index=True), pd.concat([dates, dates], ignore_index=True)
    assert clustered(*twice, 0) == pytest.approx(values.sem())  # rows of the same day that say the same add nothing
    assert np.isnan(clustered(values, pd.Series([dates[0]] * 6), 0))
