import numpy as np
import pytest

from tests.core.portfolio.universe import drawn_returns
from zenith_core.portfolio.close_scale import CAP, close_scale

HORIZON = 20


@pytest.mark.parametrize(("rows", "tolerance"), [(60, 0.4), (900, 0.25)])
def test_the_scale_of_steady_tickers_is_their_own(rows, tolerance):
    deviations = np.linspace(0.005, 0.03, 8) * np.sqrt(HORIZON)

    np.testing.assert_allclose(close_scale(drawn_returns(rows), HORIZON), deviations, rtol=tolerance)


def test_a_price_that_stands_still_has_no_scale():
    returns = drawn_returns()
    returns[-HORIZON:, 2] = 0.0

    scale = close_scale(returns, HORIZON)

    assert scale[2] == 0
    assert (np.delete(scale, 2) > 0.01).all()


def test_a_ticker_without_returns_has_none_and_changes_no_other():
    returns = drawn_returns()
    wider = np.column_stack([returns, np.full(len(returns), np.nan)])

    scale = close_scale(wider, HORIZON)

    assert np.isnan(scale[-1])
    np.testing.assert_allclose(scale[:-1], close_scale(returns, HORIZON))


def test_a_young_listing_is_drawn_to_the_average():
    returns = drawn_returns()
    full = close_scale(returns, HORIZON)
    returns[:-25, -1] = np.nan

    young = close_scale(returns, HORIZON)[-1]

    assert np.median(full) < young < 0.9 * full[-1]


def test_one_wild_day_counts_as_three_standard_deviations():
    calm, wild, wilder = drawn_returns(), drawn_returns(), drawn_returns()
    wild[-5, 3], wilder[-5, 3] = 0.2, 0.4
    each = [close_scale(returns[-240:], HORIZON)[3] for returns in (calm, wild, wilder)]
    plain = np.sqrt(1 + 0.2**2 / (calm[-10:, 3] ** 2).sum())

    assert each[0] < each[1] < each[2] < each[0] * plain / 2
    assert CAP == 9


def test_a_quarterly_report_is_expected_again():
    returns = drawn_returns(1400, common=0.0)
    days = np.arange(1400 + HORIZON)
    reports = (days % 63 == 10) & (days < 1400)
    returns[reports[:1400], :4] = 6 * returns.std(axis=0)[:4]  # half of the tickers report
    before, after = np.flatnonzero(reports)[-1] - 5, np.flatnonzero(reports)[-1] + 15

    coming, past = (close_scale(returns[:row], HORIZON) for row in (before, after))

    assert (coming / past)[:4].min() > 1.1 * (coming / past)[4:].max()


def test_a_stronger_ticker_keeps_its_place_without_any_history_to_learn_from():
    scale = close_scale(drawn_returns(30, tickers=3), HORIZON)

    assert (np.diff(scale) > 0).all()


def test_tickers_that_all_stand_still_are_no_error():
    assert close_scale(np.zeros((400, 3)), HORIZON).tolist() == [0, 0, 0]


def test_no_ticker_at_all_is_no_error():
    assert np.isnan(close_scale(np.full((400, 2), np.nan), HORIZON)).all()
