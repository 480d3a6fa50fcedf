"""The pinball loss worked by hand, and the static baseline, which has the same information as the forecaster."""

from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from zenith_core.evaluation.probability_scores import (
    QUANTILE_COLUMNS,
    STATIC_ORIGINS,
    pinball_loss,
    pinball_metrics,
    static_quantiles,
)
from zenith_core.inference import QUANTILES


def make_history(sessions=700, seed=0, volatility=0.01):
    random = np.random.default_rng(seed)
    index = pd.bdate_range("2015-01-01", periods=sessions, name="date")
    return pd.Series(50 * np.exp(np.cumsum(volatility * random.standard_normal(sessions))), index=index)


def make_rows(history, horizon, first, spread=0.01):
    """Normal quantiles around the last close, from each matured session from `first` on."""
    at = np.arange(first, len(history) - horizon)
    close = history.to_numpy()[at]
    growth = np.exp(spread * np.sqrt(horizon) * np.array([NormalDist().inv_cdf(level) for level in QUANTILES]))
    return pd.DataFrame(
        {
            "origin": history.index[at],
            "close": close,
            **dict(zip(QUANTILE_COLUMNS, close * growth[:, np.newaxis], strict=True)),
            "actual": history.to_numpy()[at + horizon],
        }
    )


def test_the_columns_are_named_after_their_levels():
    assert QUANTILE_COLUMNS == ("q05", "q10", "q25", "q50", "q75", "q90", "q95")


def test_the_loss_worked_by_hand():
    quantiles = np.array([[1.0, 2, 3, 4, 5, 6, 7]])
    # 4.5 is above the first four by 3.5, 2.5, 1.5, 0.5 and below the others by 0.5, 1.5, 2.5.
    expected = (0.05 * 3.5 + 0.1 * 2.5 + 0.25 * 1.5 + 0.5 * 0.5 + 0.25 * 0.5 + 0.1 * 1.5 + 0.05 * 2.5) / 7

    assert pinball_loss(quantiles, np.array([4.5]))[0] == pytest.approx(expected)


def test_the_loss_is_that_of_scikit_learn():
    from sklearn.metrics import mean_pinball_loss

    random = np.random.default_rng(1)
    quantiles, actual = np.sort(random.normal(size=(50, 7))), random.normal(size=50)

    expected = np.mean([mean_pinball_loss(actual, q, alpha=p) for p, q in zip(QUANTILES, quantiles.T, strict=True)])
    assert pinball_loss(quantiles, actual).mean() == pytest.approx(expected)


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_static_quantiles_are_of_the_newest_origins_known_by_then(horizon):
    close = make_history().to_numpy()
    row = 400
    origins = np.arange(row - horizon - STATIC_ORIGINS + 1, row - horizon + 1)

    static = static_quantiles(close, np.array([row]), horizon)

    np.testing.assert_allclose(static[0], np.quantile(close[origins + horizon] / close[origins], QUANTILES))
    other_history = close.copy()
    other_history[row + 1 :] *= 2
    np.testing.assert_array_equal(static_quantiles(other_history, np.array([row]), horizon), static)


def test_static_quantiles_are_unknown_where_history_is_too_short():
    close, first = make_history().to_numpy(), STATIC_ORIGINS + 4

    is_defined = np.isfinite(static_quantiles(close, np.array([-1, first - 1, first]), 5)).all(axis=1)

    assert is_defined.tolist() == [False, False, True]
    assert np.isnan(static_quantiles(close[:3], np.array([2]), 5)).all()


def test_the_truth_beats_static_quantiles_and_a_wrong_spread_loses():
    history = make_history(3000)

    right = pinball_metrics(make_rows(history, 1, 300), 1, history)
    wrong = pinball_metrics(make_rows(history, 1, 300, spread=0.03), 1, history)

    assert 0 < right["pinball_skill"] < 0.02
    assert wrong["pinball_skill"] < -0.2
    assert right["pinball_static"] == wrong["pinball_static"]
    assert right["pinball"] == pytest.approx((1 - right["pinball_skill"]) * right["pinball_static"])


def test_figures_are_fractions_of_the_close():
    history = make_history()
    rows, multiple = make_rows(history, 5, 300), make_rows(8 * history, 5, 300)

    assert pinball_metrics(multiple, 5, 8 * history) == pytest.approx(pinball_metrics(rows, 5, history))


def test_undefined_figures_are_none():
    history = make_history()
    rows = make_rows(history, 5, 300)
    nothing = {"pinball": None, "pinball_static": None, "pinball_skill": None}

    assert pinball_metrics(rows.iloc[:0], 5, history) == nothing
    assert pinball_metrics(rows.drop(columns="q10"), 5, history) == nothing
    alone = pinball_metrics(rows, 5, history.iloc[300:])
    assert alone["pinball"] > 0
    constant = pd.Series(10.0, index=history.index)
    assert pinball_metrics(make_rows(constant, 5, 300), 5, constant)["pinball_skill"] is None


def test_skill_is_of_the_origins_that_have_a_baseline():
    history = make_history()
    rows = make_rows(history, 5, 300)
    early = make_rows(history, 5, STATIC_ORIGINS - 100).iloc[:100]  # too early for a baseline
    early["actual"] *= 3  # and badly forecast

    both, late = (pinball_metrics(table, 5, history) for table in (pd.concat([early, rows]), rows))

    assert both["pinball"] > 2 * late["pinball"]
    assert both["pinball_skill"] == pytest.approx(late["pinball_skill"])
