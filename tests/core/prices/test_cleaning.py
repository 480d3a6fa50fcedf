from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenith_core.errors import InvalidPrices, ZenithError
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import sessions_between
from zenith_core.prices.cleaning import CleaningResult, clean_prices, data_version
from zenith_pipelines.ingestion.sources.sample import SampleSource
from zenith_pipelines.ingestion.sources.simulated import SimulatedSource

SESSIONS = sessions_between(exchange_of("TEST"), date(2019, 1, 1), date(2021, 12, 31))
NOW = datetime(2022, 6, 1, tzinfo=UTC)
NOW_AND_LATER = datetime(2026, 6, 1, tzinfo=UTC)
OHLC = ["open", "high", "low", "close"]


def market(length=300, seed=0):
    """A clean random walk of about 1 % a day."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(0.01 * random.standard_normal(length)))
    open_ = np.append(100.0, close[:-1])
    return pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, close) * 1.002,
            "low": np.minimum(open_, close) / 1.002,
            "close": close,
            "volume": np.round(1e6 * np.exp(0.2 * random.standard_normal(length))),
        },
        index=SESSIONS[:length],
    )


def split_at(raw, position, ratio, factor_volume=True):
    """Return prices that are not adjusted for a split."""
    before = np.arange(len(raw)) < position
    raw.loc[before, OHLC] *= ratio
    if factor_volume:
        raw.loc[before, "volume"] /= ratio
    return raw


def reason_of(raw, position) -> str:
    """The reason why the row at `position` is quarantined, "" if it is not."""
    reasons = clean_prices(raw, "TEST", now=NOW).quarantine.set_index("row")["reason"]
    return reasons.get(position, "")


def cleaned(raw, **options) -> CleaningResult:
    return clean_prices(raw, "TEST", now=NOW, **options)


def test_a_clean_table_is_unchanged():
    raw = market()
    result = cleaned(raw)
    pd.testing.assert_frame_equal(result.prices[[*OHLC, "volume"]], raw)
    assert (result.prices["factor"] == 1).all()
    assert not result.prices[["flat", "carried", "suspect"]].any(axis=None)
    assert result.notes == []
    assert {name: count for name, count in result.counts.items() if count} == {"rows_in": 300, "sessions": 300}


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("low", np.nan, "low is missing"),
        ("close", np.inf, "close is infinite"),
        ("open", -1.0, "open is not positive"),
        ("high", 0.0, "high is not positive"),
        ("low", -1.0, "low is not positive"),
        ("high", 50.0, "low above high"),
        ("open", 150.0, "open outside low and high"),
        ("close", 90.0, "close outside low and high"),
        ("volume", np.nan, "volume is missing"),
        ("volume", -1.0, "volume is negative"),
        ("splits", -2.0, "impossible dividend or split"),
        ("dividends", np.inf, "impossible dividend or split"),
    ],
)
def test_an_impossible_row_goes_to_the_quarantine_with_its_reason(column, value, reason):
    raw = market().assign(dividends=0.0, splits=0.0)
    raw.iloc[7] = [100.0, 101.0, 99.0, 100.0, 1e6, 0.0, 0.0]
    raw.loc[raw.index[7], column] = value
    assert reason_of(raw, 7) == reason
    assert raw.index[7] in cleaned(raw).missing


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (pd.NaT, "no date"),
        ("2019-02-16", "not a session of the exchange"),  # a Saturday
        ("2019-12-25", "not a session of the exchange"),
        ("2030-01-02", "date in the future"),
    ],
)
def test_a_row_on_an_impossible_day_is_quarantined(day, reason):
    raw = market()
    raw.index = raw.index.where(np.arange(300) != 299, pd.Timestamp(day))
    assert reason_of(raw, 299) == reason


def test_a_session_that_has_not_closed_is_quarantined():
    raw = market()
    noon = raw.index[-1].to_pydatetime().replace(hour=17, tzinfo=UTC)  # New York closes at 20 or 21 h UTC
    result = clean_prices(raw, "TEST", now=noon)
    assert result.quarantine["reason"].tolist() == ["session not finished"]
    assert result.prices.index[-1] == raw.index[-2]


def test_the_last_usable_one_of_rows_with_one_date_is_kept():
    raw = market()
    later = raw.iloc[[10, 10]].copy()
    later["close"] = [raw["low"].iloc[10], np.nan]
    result = cleaned(pd.concat([raw, later]))
    assert result.prices["close"].iloc[10] == raw["low"].iloc[10]
    assert result.quarantine["row"].tolist() == [10, 301]
    assert result.counts["duplicates"] == 1


def test_the_quarantine_holds_rows_as_they_were():
    raw = market().assign(comment="as is")
    raw.iloc[3, 0] = -5.0
    quarantine = cleaned(raw).quarantine
    assert quarantine[["open", "comment", "row", "reason"]].values.tolist() == [
        [-5.0, "as is", 3, "open is not positive"]
    ]


def test_rows_in_any_order_are_sorted():
    raw = market()
    pd.testing.assert_frame_equal(cleaned(raw.iloc[::-1]).prices, cleaned(raw).prices)


def test_a_close_just_outside_its_range_widens_the_range():
    raw = market()
    raw.iloc[5, 3] = raw["high"].iloc[5] * 1.004
    result = cleaned(raw)
    assert result.prices["high"].iloc[5] == raw["close"].iloc[5]
    assert result.counts["ranges_widened"] == 1


def test_one_missing_session_is_carried_and_flagged():
    raw = market()
    result = cleaned(raw.drop(raw.index[50]))
    row = result.prices.loc[raw.index[50]]
    assert row[OHLC].tolist() == [raw["close"].iloc[49]] * 4
    assert (row["volume"], row["carried"], row["flat"]) == (0.0, True, True)
    assert result.missing.tolist() == [raw.index[50]]
    assert result.counts["flat"] == 0


def test_a_longer_gap_stays_open_and_is_listed():
    raw = market()
    result = cleaned(raw.drop(raw.index[50:53]))
    assert result.counts["carried"] == 0
    assert result.missing.tolist() == raw.index[50:53].tolist()
    assert len(result.prices) == 297
    assert cleaned(raw.drop(raw.index[50:53]), max_carry=3).counts["carried"] == 3


def test_nothing_is_carried_before_the_first_and_after_the_last_row():
    raw = market()
    raw.iloc[[0, -1], 3] = np.nan
    result = cleaned(raw)
    assert result.prices.index[[0, -1]].tolist() == raw.index[[1, -2]].tolist()
    assert len(result.missing) == 0


@pytest.mark.parametrize("blank", [0.0, np.nan])
def test_a_missing_open_is_filled_with_the_close_before_it_flagged_and_counted(blank):
    raw = market()
    truth = raw["open"].copy()  # this market opens at the close before
    raw.iloc[:200, 0] = blank
    result = cleaned(raw)
    pd.testing.assert_series_equal(result.prices["open"].iloc[1:], truth.iloc[1:])
    assert result.prices["open"].iloc[0] == raw["close"].iloc[0]
    assert result.prices["open_filled"].tolist() == [True] * 200 + [False] * 100
    assert (result.counts["opens_filled"], result.counts["quarantined"]) == (200, 0)
    assert result.notes == [
        "missing opens filled with the close before them: "
        "2019-01-02, 2019-01-03, 2019-01-04, 2019-01-07, 2019-01-08 and 195 more"
    ]


def test_a_filled_open_stays_within_its_row():
    raw = market().assign(open=0.0)
    raw.iloc[100] = [0.0, 300.0, 290.0, 295.0, 1e6]
    raw.iloc[150, 3] = np.nan  # a quarantined close fills nothing
    prices = cleaned(raw).prices
    assert prices["open"].iloc[100] == 290.0
    later = prices.loc[raw.index[151]]
    assert later["open"] == np.clip(raw["close"].iloc[149], later["low"], later["high"])


def test_a_halt_is_noted_with_its_length_and_last_day():
    raw = market()
    raw.iloc[100:200, :4] = raw["close"].iloc[99]
    raw.iloc[100:200, 4] = 0.0
    last = raw.index[200 + 15 - 2]  # fewer than 15 of 60 closes have moved
    assert f"the price stood still: 69 sessions, the last {last:%Y-%m-%d}" in cleaned(raw).notes


def test_a_table_with_all_opens_has_no_column_for_filled_ones():
    assert "open_filled" not in cleaned(market()).prices


def with_holidays(raw, price, volume):
    """Return `raw` with a row of one price on each Saturday."""
    days = pd.date_range(raw.index[0], raw.index[-1], freq="W-SAT")
    rows = pd.DataFrame(price, index=days, columns=OHLC).assign(volume=volume)
    return pd.concat([raw, rows]).sort_index()


@pytest.mark.parametrize(("price", "volume"), [(100.0, 0.0), (100.0, np.nan), (np.nan, np.nan), (0.0, 0.0)])
def test_placeholders_of_holidays_are_dropped_and_counted_apart(price, volume):
    raw = with_holidays(market(), price, volume)
    result = cleaned(raw)
    pd.testing.assert_frame_equal(result.prices, cleaned(market()).prices)
    assert len(result.quarantine) == 0
    assert result.counts["placeholders"] == len(raw) - 300
    assert result.notes[0].startswith("placeholders dropped on days without a session: 2019-01-05, 2019-01-12")


def test_trading_on_a_day_without_a_session_is_quarantined():
    result = cleaned(with_holidays(market(), 100.0, 500.0))
    assert set(result.quarantine["reason"]) == {"not a session of the exchange"}
    assert result.counts["placeholders"] == 0


def test_an_action_on_a_placeholder_counts_for_the_next_session():
    raw = split_at(market(), 100, 2.0).assign(dividends=0.0, splits=0.0)
    holiday = raw.iloc[[99]].set_axis([raw.index[100] - pd.Timedelta(days=1)])
    assert holiday.index[0] not in SESSIONS
    holiday = holiday.assign(open=holiday["close"], high=holiday["close"], low=holiday["close"], volume=0.0, splits=2.0)
    np.testing.assert_allclose(cleaned(pd.concat([raw, holiday])).prices["close"], market()["close"])


def test_a_cryptocurrency_has_a_row_every_day_and_a_stock_of_such_a_file_is_noticed():
    raw = market().set_axis(pd.date_range("2019-01-01", periods=300))
    coin = clean_prices(raw, "BTC-USD", now=NOW)
    assert (len(coin.prices), len(coin.quarantine), len(coin.missing)) == (300, 0, 0)
    assert len(cleaned(raw).quarantine) > 90


def test_a_currency_has_no_volume_and_trades_on_weekdays():
    raw = market().set_axis(pd.bdate_range("2019-01-01", periods=300)).assign(volume=0.0)
    pair = clean_prices(raw, "EURUSD=X", now=NOW)
    assert (len(pair.prices), len(pair.quarantine), len(pair.missing)) == (300, 0, 0)
    assert not pair.prices["flat"].any()


def test_one_price_a_day_without_volume_is_trading_as_long_as_it_moves():
    fund = market()
    fund = fund.assign(**{name: fund["close"] for name in OHLC}, volume=0.0)
    fund.iloc[50, :4] = fund.iloc[49, :4]
    assert np.flatnonzero(cleaned(fund).prices["flat"]).tolist() == [50]
    fund.iloc[0, 4] = 1.0  # a stock: it has volume on other days
    assert cleaned(fund).prices["flat"].sum() == 299


@pytest.mark.slow
def test_rows_before_the_start_of_a_calendar_are_sessions():
    raw = market().set_axis(pd.bdate_range("1996-10-01", periods=300)).drop(pd.Timestamp("1996-10-10"))
    tokyo = clean_prices(raw, "^N225", now=NOW)
    early = tokyo.prices.loc[:"1996-12-31"]
    assert len(early) == len(raw.loc[:"1996-12-31"]) and not early["carried"].any()
    assert set(tokyo.quarantine["reason"]) == {"not a session of the exchange"}  # holidays of 1997


def test_flat_sessions_without_volume_are_kept_and_flagged():
    raw = market()
    raw.iloc[20] = [*[raw["close"].iloc[19]] * 4, 0.0]
    result = cleaned(raw)
    assert result.prices.index[result.prices["flat"]].tolist() == [raw.index[20]]
    assert result.counts["flat"] == 1


def test_recorded_split_and_dividend_are_taken_out():
    raw = split_at(market(), 100, 2.0).assign(dividends=0.0, splits=0.0)
    raw.loc[raw.index[100], "splits"] = 2.0
    raw.loc[raw.index[200], "dividends"] = 1.0
    result = cleaned(raw)
    dividend = 1 - 1 / market()["close"].iloc[199]
    np.testing.assert_allclose(result.prices["close"].iloc[:200], market()["close"].iloc[:200] * dividend)
    np.testing.assert_allclose(result.prices["volume"], market()["volume"])
    np.testing.assert_allclose(result.prices["factor"].iloc[[0, 100, 200]], [dividend / 2, dividend, 1])
    assert (result.counts["splits_applied"], result.counts["dividends_applied"]) == (1, 1)


def test_a_split_that_is_in_the_prices_already_is_not_applied_again():
    raw = market().assign(dividends=0.0, splits=0.0)
    raw.loc[raw.index[100], "splits"] = 2.0
    result = cleaned(raw)
    assert (result.prices["factor"] == 1).all()
    assert (result.counts["splits_applied"], result.counts["splits_in_prices"]) == (0, 1)


def test_dividends_that_are_in_the_prices_already_are_not_applied_again():
    raw = market().assign(dividends=0.0, splits=0.0)
    raw.loc[raw.index[20::20], "dividends"] = 4.0
    result = cleaned(raw)
    assert (result.prices["factor"] == 1).all()
    assert result.notes == ["14 recorded dividends were in the prices already"]


def test_an_action_on_a_quarantined_row_counts_for_the_next_session():
    raw = split_at(market(), 100, 2.0).assign(dividends=0.0, splits=0.0)
    raw.loc[raw.index[100], ["close", "splits"]] = [np.nan, 2.0]
    result = cleaned(raw)
    np.testing.assert_allclose(result.prices["close"].drop(raw.index[100]), market()["close"].drop(raw.index[100]))


def test_a_dividend_after_a_day_without_a_valid_close_is_named():
    """The close that is divided by is the one before it: a close that may be wrong would be wrong in silence."""
    raw = market().assign(dividends=0.0)
    raw.loc[raw.index[[100, 200]], "dividends"] = 1.0
    raw.loc[raw.index[99], "close"] = 2 * raw["high"].iloc[99]

    result = clean_prices(raw, "AAPL")

    day = f"{raw.index[100]:%Y-%m-%d}"
    assert f"dividends taken off an earlier close, the day before has none: {day}" in result.notes
    closes = market()["close"]
    later = 1 - 1 / closes.iloc[199]
    assert result.prices["factor"].iloc[0] == pytest.approx((1 - 1 / closes.iloc[98]) * later)
    raw = market().assign(dividends=0.0)
    raw.loc[raw.index[0], "dividends"] = 1.0
    assert clean_prices(raw, "AAPL").notes == []


def test_a_dividend_is_divided_by_the_close_before_it_also_if_that_lies_a_little_outside_its_range():
    raw = split_at(market(), 100, 2.0).assign(dividends=0.0, splits=0.0)
    raw.loc[raw.index[[100, 200]], "dividends"] = 1.0
    raw.loc[raw.index[100], "splits"] = 2.0
    raw.loc[raw.index[[99, 199]], "low"] = 1.01 * raw["close"].iloc[[99, 199]]
    raw.loc[raw.index[[99, 199]], "high"] = 1.02 * raw["close"].iloc[[99, 199]]

    result = clean_prices(raw, "AAPL")

    closes = market()["close"]
    factor = (1 - 1 / closes.iloc[99]) * (1 - 1 / closes.iloc[199]) / 2
    assert result.prices["factor"].iloc[0] == pytest.approx(factor)
    assert result.counts["quarantined"] == 2
    assert not [note for note in result.notes if "dividend" in note]


def test_a_dividend_above_the_price_is_ignored_and_counted():
    raw = market().assign(dividends=0.0)
    raw.loc[raw.index[100], "dividends"] = 500.0
    result = cleaned(raw)
    assert (result.prices["factor"] == 1).all()
    assert result.counts["dividends_ignored"] == 1


def test_an_adjusted_close_is_used_where_no_dividends_are_known():
    raw = split_at(market(), 100, 2.0)
    raw["adj_close"] = 3 * market()["close"] * np.where(np.arange(300) < 200, 0.98, 1.0)
    result = cleaned(raw)
    np.testing.assert_allclose(result.prices["close"], raw["adj_close"] / 3)
    np.testing.assert_allclose(result.prices["volume"], market()["volume"])
    assert result.counts["splits_applied"] == 1


@pytest.mark.parametrize("ratio", [2.0, 3.0, 1.5, 10.0, 0.1])
def test_an_unrecorded_split_is_repaired_and_reported(ratio):
    result = cleaned(split_at(market(), 150, ratio))
    np.testing.assert_allclose(result.prices["close"], market()["close"])
    np.testing.assert_allclose(result.prices["volume"], market()["volume"])
    assert result.counts["splits_repaired"] == 1
    assert result.notes[0].startswith(f"unrecorded split repaired on {SESSIONS[150]:%Y-%m-%d}")


def test_a_crash_to_half_under_heavy_volume_stays():
    raw = split_at(market(), 150, 2.0, factor_volume=False)
    raw.loc[raw.index[150:155], "volume"] *= 8
    result = cleaned(raw)
    pd.testing.assert_series_equal(result.prices["close"], raw["close"])
    assert (result.counts["splits_repaired"], result.counts["unexplained_jumps"]) == (0, 1)


def test_a_jump_in_the_last_row_is_not_taken_for_a_split():
    raw = split_at(market(), 299, 2.0)
    assert cleaned(raw).counts["splits_repaired"] == 0


def test_a_jump_that_reverts_the_next_session_is_flagged_and_kept():
    raw = market()
    raw.iloc[80, :4] *= 1.8
    result = cleaned(raw)
    assert result.prices.index[result.prices["suspect"]].tolist() == [raw.index[80]]
    assert result.prices["close"].iloc[80] == raw["close"].iloc[80]
    assert result.counts["unexplained_jumps"] == 0


def test_without_a_usable_row_the_error_lists_the_reasons():
    raw = market(3)
    raw["open"] = -1.0
    raw.iloc[:2, :4] = np.nan
    with pytest.raises(
        InvalidPrices, match=r"none of 3 rows is usable: open is missing \(2\), open is not positive \(1\)"
    ):
        cleaned(raw)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda raw: raw.drop(columns=["low", "volume"]), "no column low, volume; there are open, high, close"),
        (lambda raw: raw.assign(close="1,234.5"), "text where numbers belong"),
        (lambda raw: raw.reset_index(drop=True), "expected dates"),
        (lambda raw: raw.iloc[:0], "none of 0 rows is usable"),
    ],
)
def test_an_invalid_table_is_refused(spoil, message):
    with pytest.raises(InvalidPrices, match=message):
        cleaned(spoil(market()))


def test_zone_aware_dates_are_the_exchanges_own():
    raw = market()
    raw.index = raw.index.tz_localize("America/New_York").tz_convert("UTC")
    assert cleaned(raw).prices.index.equals(market().index)


def test_the_input_is_left_alone():
    raw = split_at(market(), 150, 2.0)
    before = raw.copy()
    cleaned(raw)
    pd.testing.assert_frame_equal(raw, before)


@pytest.fixture(scope="module")
def apple():
    return clean_prices(SampleSource().fetch("AAPL").prices, "AAPL")


def test_the_splits_of_apple_vanish(apple):
    moves = apple.prices["close"].pct_change()
    assert abs(moves["2000-06-21"]) < 0.15
    assert abs(moves["2005-02-28"]) < 0.05
    volume = apple.prices["volume"]
    raw = SampleSource().fetch("AAPL").prices["volume"]
    assert (volume / raw).loc[["2000-03-01", "2004-01-02", "2013-03-01"]].tolist() == [4.0, 2.0, 1.0]


def test_the_split_of_microsoft_vanishes():
    prices = clean_prices(SampleSource().fetch("MSFT").prices, "MSFT").prices
    assert abs(prices["close"].pct_change()["2003-02-18"]) < 0.05


def test_the_crash_days_of_apple_stay(apple):
    moves = apple.prices["close"].pct_change()
    assert moves["2000-09-29"] == pytest.approx(-0.519, abs=0.001)
    assert moves["2008-09-29"] == pytest.approx(-0.179, abs=0.001)
    assert moves["2008-10-13"] == pytest.approx(0.139, abs=0.001)
    assert len(apple.prices.loc["2008-10"]) == 23
    assert (apple.counts["suspect"], apple.counts["quarantined"], apple.counts["missing_sessions"]) == (0, 0, 0)


def test_the_last_close_is_the_last_traded_one(apple):
    assert apple.prices["close"].iloc[-1] == 430.47
    assert apple.prices["factor"].iloc[-1] == 1


def test_the_data_version_follows_the_content():
    prices = cleaned(market()).prices
    other_rows = prices.copy()
    other_rows.iloc[5, 0] += 1e-9
    assert data_version(prices) == data_version(prices.copy())
    assert len({data_version(prices), data_version(other_rows), data_version(prices.iloc[1:])}) == 3
    assert len(data_version(prices)) == 16


_DIRTY_NUMBER = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True, width=32),
    st.sampled_from([0.0, -1.0, 50.0, 100.0, 200.0, 1e300, 1e-300]),
)
_ACTION = st.sampled_from([0.0, 0.0, 2.0, 0.5, 1.1, -1.0, float("nan"), float("inf"), 1e9, 1e-9])
_DIRT = st.lists(
    st.tuples(st.integers(0, 59), st.sampled_from([*OHLC, "volume", "adj_close"]), _DIRTY_NUMBER), max_size=20
)
_ACTIONS = st.lists(st.tuples(st.integers(0, 59), st.sampled_from(["dividends", "splits"]), _ACTION), max_size=6)
_SCALES = st.lists(st.tuples(st.integers(0, 59), st.sampled_from([0.1, 0.5, 1.5, 2.0, 10.0])), max_size=6)
_DATES = st.lists(
    st.tuples(
        st.integers(0, 59), st.one_of(st.just(pd.NaT), st.integers(-30, 90).map(lambda n: SESSIONS[30 + n % 60]))
    ),
    max_size=8,
)


@st.composite
def dirty_tables(draw):
    raw = market(60, seed=draw(st.integers(0, 5))).assign(dividends=0.0, splits=0.0)
    raw["adj_close"] = raw["close"] * draw(st.sampled_from([1.0, 0.5, np.nan]))
    for row, scale in draw(_SCALES):
        raw.iloc[:row, :4] *= scale
    for row, column, value in [*draw(_DIRT), *draw(_ACTIONS)]:
        raw.loc[raw.index[row], column] = value
    index = raw.index.to_list()
    for row, day in draw(_DATES):
        index[row] = day
    return raw.set_axis(pd.DatetimeIndex(index)).drop(columns=draw(st.sampled_from([[], ["adj_close"]])))


@pytest.mark.slow
@settings(max_examples=30)
@given(raw=dirty_tables(), max_carry=st.integers(0, 3))
def test_any_dirt_is_cleaned_or_refused_and_every_row_is_accounted_for(raw, max_carry):
    try:
        result = cleaned(raw, max_carry=max_carry)
    except ZenithError:
        return
    own = result.prices[~result.prices["carried"]]
    rows_kept = raw.reset_index().drop(index=result.quarantine["row"]).iloc[:, 0]
    assert sorted(rows_kept[rows_kept.isin(SESSIONS)]) == own.index.to_list()
    assert len(own) + len(result.quarantine) + result.counts["placeholders"] == len(raw)
    assert (result.quarantine["reason"] != "").all()
    _assert_contract(result.prices)
    again = cleaned(result.prices, max_carry=max_carry)
    same = [*OHLC, "volume", "flat", "suspect"]
    pd.testing.assert_frame_equal(again.prices[same], result.prices[same], check_exact=True)
    assert len(again.quarantine) == 0


def _assert_contract(prices):
    assert prices.index.is_monotonic_increasing and prices.index.is_unique
    assert prices.index.isin(SESSIONS).all()
    assert np.isfinite(prices[[*OHLC, "volume", "factor"]]).all(axis=None)
    assert (prices[OHLC] > 0).all(axis=None)
    assert (prices["low"] <= prices[OHLC].min(axis=1)).all()
    assert (prices["high"] >= prices[OHLC].max(axis=1)).all()
    assert prices["factor"].iloc[-1] == 1


@pytest.mark.slow
@pytest.mark.parametrize("cut", [395, 401, 650, 1250, 1650, 2010, 2403, 2900])
def test_later_rows_change_earlier_ones_by_their_factor_only(cut):
    """In a market with every kind of dirt, rows are carried and flagged with data of at most the next day."""
    raw = SimulatedSource().fetch("SIM-DIRTY-3").prices
    early, whole = (clean_prices(rows, "SIM-DIRTY-3", now=NOW_AND_LATER).prices for rows in (raw.iloc[:cut], raw))
    past = early.iloc[:-2]  # a jump is tested with the session after it
    later = whole.loc[past.index]
    pd.testing.assert_frame_equal(past[["flat", "carried", "suspect"]], later[["flat", "carried", "suspect"]])
    raw_close = (past[OHLC].div(past["factor"], axis=0), later[OHLC].div(later["factor"], axis=0))
    pd.testing.assert_frame_equal(*raw_close, rtol=1e-9)
