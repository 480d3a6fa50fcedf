from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenith_core.prices.restatements import append_later_rows, closed_sessions, find_restatements, last_sessions

DAYS = pd.bdate_range("2024-01-02", periods=8, name="date", unit="ns")


def raw(days=DAYS, **columns):
    close = np.linspace(10.0, 11.0, len(days))
    table = {
        "open": close,
        "high": close + 1,
        "low": close - 1,
        "close": close,
        "volume": np.full(len(days), 1000.0),
        "dividends": np.zeros(len(days)),
        "splits": np.zeros(len(days)),
        "adj_close": close,
    }
    return pd.DataFrame(table | columns, index=days)


def changed(table, day, **values):
    table = table.copy()
    for name, value in values.items():
        table.loc[day, name] = value
    return table


def kinds(previous, current):
    return find_restatements(previous, current).dates()


def test_a_table_and_itself_differ_in_nothing():
    assert not find_restatements(raw(), raw()).any


def test_floating_point_noise_is_no_difference():
    shaken = raw() * (1 + 4e-7)
    shaken["adj_close"] *= 1 + 5e-6

    assert not find_restatements(raw(), shaken).any


def test_a_cent_is_a_restatement():
    assert kinds(raw() * 1000, changed(raw() * 1000, DAYS[2], close=(raw() * 1000).loc[DAYS[2], "close"] + 0.02)) == {
        "restated": ["2024-01-04"]
    }


def test_later_sessions_are_new():
    assert kinds(raw()[:6], raw()) == {"new_sessions": ["2024-01-10", "2024-01-11"]}


def test_a_session_that_is_there_no_more_has_vanished():
    assert kinds(raw(), raw().drop(DAYS[3])) == {"vanished": ["2024-01-05"]}


@pytest.mark.parametrize(
    ("column", "value", "kind"),
    [("dividends", 0.5, "new_dividends"), ("splits", 2.0, "new_splits")],
)
def test_an_action_where_there_was_none_is_news_and_no_restatement(column, value, kind):
    assert kinds(raw(), changed(raw(), DAYS[4], **{column: value})) == {kind: ["2024-01-08"]}


@pytest.mark.parametrize(("was", "says"), [(0.5, 0.6), (0.5, 0.0)])
def test_an_action_changed_or_taken_back_is_a_restatement(was, says):
    before, after = (changed(raw(), DAYS[4], dividends=amount) for amount in (was, says))

    assert kinds(before, after) == {"restated": ["2024-01-08"]}


def test_a_split_of_one_is_none():
    assert not find_restatements(raw(), changed(raw(), DAYS[4], splits=1.0)).any


def test_the_actions_of_new_sessions_count_too():
    current = changed(changed(raw(), DAYS[7], splits=2.0), DAYS[6], dividends=0.1)

    assert find_restatements(raw()[:6], current).counts == {
        "new_sessions": 2,
        "restated": 0,
        "vanished": 0,
        "new_splits": 1,
        "new_dividends": 1,
        "readjusted": 0,
    }


def test_a_dividend_moves_the_adjusted_close_and_restates_nothing():
    current = changed(raw(), DAYS[7], dividends=0.5)
    current["adj_close"] = current["close"].where(current.index >= DAYS[7], current["close"] * 0.95)

    counts = find_restatements(raw()[:7], current).counts

    assert (counts["new_sessions"], counts["new_dividends"], counts["readjusted"]) == (1, 1, 7)
    assert counts["restated"] == 0


def test_a_split_that_the_source_works_into_its_history_restates_all_of_it():
    current = changed(raw() / 2, DAYS[7], splits=2.0)

    counts = find_restatements(raw()[:7], current).counts

    assert (counts["new_sessions"], counts["new_splits"], counts["restated"]) == (1, 1, 7)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_a_value_may_become_possible_or_impossible(value):
    dirty = changed(raw(), DAYS[1], close=value)

    assert kinds(raw(), dirty) == kinds(dirty, raw()) == {"restated": ["2024-01-03"]}
    assert not find_restatements(dirty, dirty).any


def test_another_row_of_a_date_that_is_known_is_a_restatement():
    twice = pd.concat([raw(), changed(raw(), DAYS[2], close=5.0).loc[[DAYS[2]]]])

    assert kinds(raw(), twice) == kinds(twice, raw()) == {"restated": ["2024-01-04"]}


def test_rows_without_a_date_are_compared_as_well():
    without_date = pd.concat([raw(), raw()[:1].set_axis(pd.DatetimeIndex([pd.NaT], name="date"))])

    assert kinds(raw(), without_date) == {"new_sessions": ["no date"]}
    assert not find_restatements(without_date, without_date).any


def test_an_adjusted_close_that_was_not_there_before_restates_nothing():
    assert find_restatements(raw().drop(columns="adj_close"), raw()).counts["readjusted"] == len(DAYS)


def test_against_nothing_every_session_is_new():
    assert find_restatements(raw()[:0], raw()).counts["new_sessions"] == len(DAYS)


def test_only_the_newest_dates_are_listed():
    assert find_restatements(raw()[:0], raw()).dates(most=2) == {"new_sessions": ["2024-01-10", "2024-01-11"]}


def test_a_bar_that_still_moved_cannot_be_restated():
    closed_rows = closed_sessions(raw(), DAYS[6].date())

    assert kinds(closed_rows, changed(raw(), DAYS[7], close=12.0, high=13.0)) == {"new_sessions": ["2024-01-11"]}


def test_an_increment_is_appended():
    previous, increment = raw()[:6], raw()[4:] * (1 + 1e-8)

    whole = append_later_rows(previous, increment)

    pd.testing.assert_frame_equal(whole[:6], previous)
    pd.testing.assert_frame_equal(whole[6:], increment[2:])
    assert find_restatements(last_sessions(previous, 2), increment).appends_after(DAYS[5].date())


@pytest.mark.parametrize(
    "increment",
    [
        changed(raw(), DAYS[4], close=10.1)[4:],
        changed(raw(), DAYS[5], dividends=0.1)[4:],
        changed(raw(), DAYS[5], adj_close=9.0)[4:],
        raw()[5:],
    ],
    ids=["restated", "dividend", "readjusted", "vanished"],
)
def test_an_overlap_that_disagrees_cannot_be_appended_to(increment):
    assert not find_restatements(last_sessions(raw()[:6], 2), increment).appends_after(DAYS[5].date())


def test_the_overlap_is_of_sessions_not_of_rows():
    twice = pd.concat([raw(), raw()[-1:]])

    assert last_sessions(twice, 2).index.tolist() == [DAYS[6], DAYS[7], DAYS[7]]
    assert last_sessions(raw()[:0], 2).empty


@pytest.mark.slow
@given(st.lists(st.sampled_from([*range(8), None]), max_size=12), st.lists(st.sampled_from([*range(8), None])))
def test_each_date_of_two_tables_is_new_gone_or_in_both(before, after):
    def table(rows):
        return raw(pd.DatetimeIndex([pd.NaT if row is None else DAYS[row] for row in rows], name="date")) * 0 + 1

    restatements = find_restatements(table(before), table(after))

    assert len(restatements.new_sessions) == len(set(after) - set(before))
    assert len(restatements.vanished) == len(set(before) - set(after))
    both = {day for day in set(before) & set(after) if before.count(day) != after.count(day)}
    assert len(restatements.restated) == len(both)
    assert date(2024, 1, 1) not in restatements.restated
