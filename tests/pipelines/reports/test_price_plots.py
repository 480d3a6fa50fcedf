"""Content and look of the plots of prices and indicators."""

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from tests.core.markets import random_prices
from zenith_core.features.model_features import features
from zenith_pipelines.reports.plotting import SESSIONS_SHOWN, date_axis, to_png, to_small_png
from zenith_pipelines.reports.price_plots import (
    bands_and_rsi,
    close_and_volume,
    price_with_signals,
)

SESSIONS = 400


@pytest.fixture(scope="module")
def prices():
    return random_prices(SESSIONS).assign(flat=False, carried=False, suspect=False)


def labels(axes):
    return axes.get_legend_handles_labels()[1]


def dots(axes):
    """Count the points by label."""
    return {group.get_label(): len(group.get_offsets()) for group in axes.collections if hasattr(group, "get_offsets")}


def test_all_closes_are_plotted_and_flagged_sessions_are_marked_and_counted(prices):
    suspect = pd.Series(False, index=prices.index)
    suspect.iloc[[5, 100]] = True

    top, bottom = close_and_volume(prices.assign(suspect=suspect)).axes

    np.testing.assert_array_equal(top.lines[0].get_ydata(), prices["close"])
    assert labels(top) == ["adjusted close", "suspect: 2"]
    assert dots(top) == {"suspect: 2": 2}
    assert bottom.get_ylabel() == "volume"


def test_prices_have_a_log_scale_with_plain_numbers(prices):
    top, _ = close_and_volume(prices.assign(close=np.geomspace(0.5, 2_000, SESSIONS))).axes

    top.figure.canvas.draw()

    assert {"1", "10", "1,000"} <= {tick.get_text() for tick in top.get_yticklabels()}


@pytest.mark.slow
def test_the_plotted_indicators_are_the_last_year_of_the_table(prices):
    table = features(prices)

    top, bottom = bands_and_rsi(table).axes

    lines = {line.get_label(): line.get_ydata() for line in top.lines}
    for label, column in (("SMA 50", "sma_50"), ("SMA 200", "sma_200"), ("close", "close")):
        np.testing.assert_array_equal(lines[label], table[column].iloc[-SESSIONS_SHOWN:])
    np.testing.assert_array_equal(bottom.lines[0].get_ydata(), table["rsi_14"].iloc[-SESSIONS_SHOWN:])


def test_signals_are_marked_at_their_closes_and_hold_is_not(prices):
    names = pd.Series("hold", index=prices.index[-40:])
    names.iloc[[0, 7, 39]] = ["buy", "sell", "buy"]

    (axes,) = price_with_signals(prices, names).axes

    assert dots(axes) == {"buy: 2 of 40 sessions": 2, "sell: 1 of 40 sessions": 1}
    np.testing.assert_allclose(axes.collections[1].get_offsets()[0, 1], prices["close"].iloc[-33])


@pytest.mark.slow
def test_a_small_png_is_the_same_picture_in_far_fewer_bytes(prices):
    figure = close_and_volume(prices)

    small, large = to_small_png(figure), to_png(figure, dpi=80)

    pictures = [np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=float) for png in (small, large)]
    assert pictures[0].shape == pictures[1].shape
    assert np.abs(pictures[0] - pictures[1]).mean() < 1
    assert len(small) < 0.6 * len(large)


@pytest.mark.slow
def test_an_axis_of_any_length_has_few_dates_and_no_warning():
    axes = Figure().subplots()
    date_axis(axes)
    first = pd.Timestamp("2021-01-04")
    for days in range(20, 30 * 366, 20):
        axes.set_xlim(first, first + pd.Timedelta(days=days))  # a warning of matplotlib is an error here
        assert 2 <= len(axes.get_xticks()) <= 12
