from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import sessions_between
from zenith_core.prices import quality_checks
from zenith_core.prices.quality_checks import Finding

NEW_YORK, SAO_PAULO = exchange_of("AAPL"), exchange_of("PETR4.SA")


def prices(days=10):
    """Quiet sessions of January 2024, from Tuesday the second on."""
    index = sessions_between(NEW_YORK, date(2024, 1, 2), date(2024, 3, 1))[:days]
    bars = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.0, "volume": 1e6, "factor": 1.0}
    return pd.DataFrame({**bars, "flat": False, "carried": False, "suspect": False}, index=index)


def at(hour, day=3):
    return datetime(2024, 1, day, hour, tzinfo=UTC)


def test_a_session_is_in_the_future_until_it_has_closed():
    table = prices(2)
    assert quality_checks.future_dates(table, NEW_YORK, at(22)) == Finding(0)
    assert quality_checks.future_dates(table, NEW_YORK, at(20)) == Finding(1, ("2024-01-03",))


def test_repeated_and_unsorted_rows_are_found():
    table = prices(4)
    assert quality_checks.repeated_or_unsorted(table) == Finding(0)
    assert quality_checks.repeated_or_unsorted(table.iloc[[0, 1, 1, 2]]) == Finding(1, ("2024-01-03",))
    assert quality_checks.repeated_or_unsorted(table.iloc[[2, 0, 1, 3]]) == Finding(2, ("2024-01-02", "2024-01-03"))


@pytest.mark.parametrize(
    ("column", "value"),
    [("open", 11.1), ("close", 8.9), ("low", 12.0), ("low", 0.0), ("high", np.inf), ("close", np.nan), ("open", -1.0)],
)
def test_impossible_bars_are_found(column, value):
    table = prices(3)
    assert quality_checks.inconsistent_bars(table) == Finding(0)
    table.iloc[1, table.columns.get_loc(column)] = value
    assert quality_checks.inconsistent_bars(table) == Finding(1, ("2024-01-03",))


def test_the_share_of_quarantined_rows_counts_those_without_a_date():
    quarantine = prices(3).set_axis(pd.DatetimeIndex(["2024-01-03", None, "2024-01-02"], name="date"))
    assert quality_checks.quarantined_share(quarantine, 100) == Finding(0.03, ("2024-01-02", "2024-01-03"))
    assert quality_checks.quarantined_share(quarantine.iloc[:0], 0) == Finding(0.0)


@pytest.mark.parametrize(
    ("rows", "rows_in", "too_many"), [(2, 3, False), (3, 59, True), (3, 60, False), (6, 119, True)]
)
def test_more_than_one_row_in_twenty_is_too_many_but_never_two(rows, rows_in, too_many):
    assert quality_checks.too_many_quarantined(rows, rows_in) is too_many


def test_unexplained_jumps_are_found():
    table = prices()
    assert quality_checks.jumps_without_action(table) == Finding(0)
    table.iloc[5:, table.columns.get_loc("close")] = 4.0
    assert quality_checks.jumps_without_action(table) == Finding(1, (f"{table.index[5]:%Y-%m-%d}",))


def test_a_jump_that_is_flagged_as_an_error_is_explained():
    table = prices()
    table.iloc[5, table.columns.get_loc("close")] = 30.0
    table.iloc[5, table.columns.get_loc("suspect")] = True
    assert quality_checks.jumps_without_action(table) == Finding(0)


def test_age_is_in_sessions_of_the_exchange_not_in_days():
    friday = prices(4)  # 2024-01-05
    assert quality_checks.sessions_behind(friday, NEW_YORK, at(12, day=8)) == Finding(0)  # Monday, not closed yet
    assert quality_checks.sessions_behind(friday, NEW_YORK, at(22, day=8)) == Finding(1, ("2024-01-08",))
    martin_luther_king_day = at(22, day=15)
    assert quality_checks.sessions_behind(friday, NEW_YORK, martin_luther_king_day).figure == 5
    assert quality_checks.sessions_behind(friday, SAO_PAULO, martin_luther_king_day).figure == 6
