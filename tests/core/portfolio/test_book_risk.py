import numpy as np
import pytest

from zenith_core.portfolio.book_risk import book_risk
from zenith_core.portfolio.joint_forecast import JointForecast

TAILS = (0.05, 0.01)


def draws(scale, matrix=None, count=20_000):
    scale = np.asarray(scale, dtype=float)
    return JointForecast(scale, np.zeros(len(scale)), np.eye(len(scale)) if matrix is None else matrix).draw(count, 1)


def test_parts_add_up():
    values = np.array([1e6, -4e5, 3e3, 0.0])
    risk = book_risk(values, draws([0.05, 0.1, 0.02, 0.03]), TAILS)

    assert risk.contributions.sum() == pytest.approx(risk.volatility, rel=1e-9)
    for tail in risk.tails:
        assert tail.contributions.sum() == pytest.approx(tail.shortfall, rel=1e-9)
        assert tail.contributions[3] == 0


def test_one_position_has_the_quantile_and_mean_of_its_draws():
    log_returns = draws([0.05])
    losses = np.sort(-100 * np.expm1(log_returns[:, 0]))[::-1]

    tail = book_risk(np.array([100.0]), log_returns, (0.05,)).tails[0]

    assert tail.value_at_risk == pytest.approx(losses[999], rel=1e-12)
    assert tail.shortfall == pytest.approx(losses[:1000].mean())
    assert (losses >= tail.value_at_risk).mean() == 0.05


def test_equal_uncorrelated_positions_diversify_by_the_root_of_their_number():
    risk = book_risk(np.full(16, 10.0), draws(np.full(16, 0.01)), TAILS)

    assert risk.diversification == pytest.approx(0.75, abs=0.01)


def test_two_share_classes_held_against_each_other_have_no_risk():
    same = np.repeat(draws([0.05]), 2, axis=1)
    risk = book_risk(np.array([1000.0, -1000.0]), same, TAILS)

    assert risk.volatility == 0
    assert risk.diversification == 1
    assert [(tail.value_at_risk, tail.shortfall) for tail in risk.tails] == [(0, 0), (0, 0)]
    assert book_risk(np.array([500.0, 500.0]), same, TAILS).diversification == pytest.approx(0)


def test_a_hedge_has_a_negative_part():
    risk = book_risk(np.array([1000.0, -500.0]), draws([0.05, 0.05], np.array([[1, 0.9], [0.9, 1]])), TAILS)

    assert risk.contributions[1] < 0
    assert risk.tails[0].contributions[1] < 0


def test_a_short_loses_without_limit_and_a_long_no_more_than_its_value():
    wild = np.full((100, 1), 2.0)
    wild[:50] = -30.0

    assert book_risk(np.array([10.0]), wild, (0.5,)).tails[0].value_at_risk == pytest.approx(10)
    assert book_risk(np.array([-10.0]), wild, (0.5,)).tails[0].value_at_risk == pytest.approx(10 * np.expm1(2.0))


def test_a_book_of_nothing_has_no_risk():
    risk = book_risk(np.zeros(2), draws([0.1, 0.1]), TAILS)

    assert risk.volatility == risk.tails[0].shortfall == 0
    assert risk.diversification is None
    assert risk.contributions.tolist() == [0, 0]


def test_a_ticker_that_stands_still_has_no_part():
    risk = book_risk(np.array([10.0, 10.0]), draws([0.1, 0.0]), TAILS)

    assert risk.contributions[1] == risk.alone[1] == risk.tails[0].contributions[1] == 0


@pytest.mark.slow
def test_ten_thousand_positions_add_up():
    log_returns = np.random.default_rng(2).normal(0, 0.02, (100, 10_000))
    risk = book_risk(np.linspace(-1, 2, 10_000), log_returns, (0.05,))

    assert risk.contributions.sum() == pytest.approx(risk.volatility, rel=1e-9)
    assert risk.tails[0].contributions.sum() == pytest.approx(risk.tails[0].shortfall, rel=1e-9)


@pytest.mark.parametrize("tail", [0.0, 0.001, 0.6, float("nan"), -0.05])
def test_a_tail_without_a_draw_is_refused(tail):
    with pytest.raises(ValueError, match=r"tail .* must be between 0\.01 and 0\.5"):
        book_risk(np.ones(1), np.zeros((100, 1)), (tail,))
