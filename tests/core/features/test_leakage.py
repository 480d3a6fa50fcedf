"""The certificate passes our features, and fails each of the classic leaks planted in them."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from tests.core.markets import random_prices
from zenith_core.features.leakage import (
    PREFIX_TOLERANCE,
    RENEWED_AFTER,
    START_TOLERANCE,
    holds_for,
    late_starts,
    leakage_certificate,
    leakage_summary,
    prefix_lengths,
)
from zenith_core.features.model_features import FEATURES, WARM_UP, features
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import sessions_between
from zenith_core.prices.cleaning import clean_prices, data_version

INPUTS = (*FEATURES, "volatility", "close")


def make_prices(sessions=700, seed=5, crash=None):
    return random_prices(sessions, seed, crash)


def certify(make, prices, inputs=INPUTS, table=None):
    table = make(prices) if table is None else table
    return leakage_certificate(
        make, prices, table, inputs=inputs, warm_up=WARM_UP, feature_spec="spec", data_version="data"
    )


def small(prices):
    """Features without leaks, and fast to compute."""
    returns = np.log(prices["close"]).diff()
    return pd.DataFrame({"return": returns, "month": returns.rolling(20).sum(), "close": prices["close"]})


SMALL_INPUTS = ("return", "month", "close")


def planted(leak):
    """`small` with one more input, made by `leak` from prices and returns."""

    def make(prices):
        table = small(prices)
        return table.assign(planted=leak(prices, table["return"]))

    return make


def knows_a_crash_the_day_before(prices, returns):
    """A leak at one session only: the return of tomorrow, where it is a crash."""
    return returns.shift(-1).where(returns.shift(-1) < -0.5, 0.0)


LOOK_AHEAD = {
    "centred mean": lambda prices, returns: returns.rolling(5, center=True).mean(),
    "negative shift": lambda prices, returns: returns.shift(-1),
    "full-sample z-score": lambda prices, returns: (returns - returns.mean()) / returns.std(),
    "filled backwards": lambda prices, returns: returns.rolling(20).mean().bfill(),
    "filled backwards over one session": lambda prices, returns: returns.bfill(),
    "minimum of the whole history": lambda prices, returns: prices["close"] / prices["close"].min(),
    "crash known the day before": knows_a_crash_the_day_before,
    "rank in the whole sample": lambda prices, returns: returns.rank(pct=True),
}
FROM_THE_START = {
    "cumulative OBV": lambda prices, returns: (np.sign(returns).fillna(0) * prices["volume"]).cumsum(),
    "expanding mean": lambda prices, returns: prices["close"].expanding().mean(),
    "rows since the start": lambda prices, returns: np.arange(len(prices)) / 250,
    "an average longer than the warm-up": lambda prices, returns: prices["close"].ewm(span=200, adjust=False).mean(),
}


@pytest.mark.slow
def test_our_features_pass_and_prefixes_agree_to_the_last_bit():
    prices = make_prices(crash=400)
    certificate = certify(features, prices)

    assert certificate["passed"]
    assert certificate["offending"] == certificate["offending_columns"] == []
    assert certificate["prefixes"]["largest_difference"] == 0.0
    assert certificate["late_starts"]["largest_difference"] < START_TOLERANCE / 10
    assert (certificate["feature_spec"], certificate["data_version"]) == ("spec", "data")
    assert (certificate["sessions"], certificate["warm_up"]) == (700, WARM_UP)


@pytest.mark.slow
@pytest.mark.parametrize("leak", LOOK_AHEAD)
def test_a_planted_look_ahead_fails_on_prefixes(leak):
    certificate = certify(planted(LOOK_AHEAD[leak]), make_prices(crash=411), (*SMALL_INPUTS, "planted"))

    assert not certificate["passed"]
    assert certificate["offending_columns"] == ["planted"]
    assert certificate["offending"][0]["history"].startswith("until ")
    assert certificate["prefixes"]["largest_difference"] is None or (
        certificate["prefixes"]["largest_difference"] > PREFIX_TOLERANCE
    )


@pytest.mark.parametrize("leak", FROM_THE_START)
def test_accumulation_from_the_first_row_fails_on_late_starts_only(leak):
    certificate = certify(planted(FROM_THE_START[leak]), make_prices(), (*SMALL_INPUTS, "planted"))

    assert not certificate["passed"]
    assert certificate["offending_columns"] == ["planted"]
    assert all(offence["history"].startswith("from ") for offence in certificate["offending"])
    assert certificate["prefixes"]["largest_difference"] == 0.0
    assert certificate["late_starts"]["largest_difference"] > 10 * START_TOLERANCE


@pytest.mark.slow
def test_an_indicator_that_no_model_sees_may_depend_on_the_start_but_not_on_the_future():
    from_the_start = planted(FROM_THE_START["cumulative OBV"])
    assert certify(from_the_start, make_prices(), SMALL_INPUTS)["passed"]
    assert not certify(planted(LOOK_AHEAD["negative shift"]), make_prices(), SMALL_INPUTS)["passed"]


@pytest.mark.slow
def test_one_input_of_ours_with_a_look_ahead_is_named_with_the_session():
    def leaky(prices):
        table = features(prices)
        return table.assign(rsi_level=table["rsi_level"].rolling(3, center=True).mean())

    prices = make_prices()
    certificate = certify(leaky, prices)

    assert certificate["offending_columns"] == ["rsi_level"]
    last = [
        offence for offence in certificate["offending"] if offence["history"] == f"until {prices.index[-2]:%Y-%m-%d}"
    ]
    assert [(offence["worst"], offence["values"], offence["difference"]) for offence in last] == [
        (f"{prices.index[-2]:%Y-%m-%d}", 1, None)  # without the session after it, it is not there
    ]


def test_a_stored_table_that_the_function_did_not_make_fails():
    prices = make_prices()
    table = small(prices)
    table.iloc[300, 0] *= 1 + 1e-6
    certificate = certify(small, prices, SMALL_INPUTS, table)
    assert certificate["offending_columns"] == ["return"]
    assert {offence["worst"] for offence in certificate["offending"]} == {f"{prices.index[300]:%Y-%m-%d}"}


def test_an_infinite_value_does_not_hide_the_differences_of_its_column():
    def make(prices):
        leak = prices["close"] / prices["close"].max()
        return small(prices).assign(planted=leak.where(np.arange(len(prices)) != 300, np.inf))

    assert certify(make, make_prices(), SMALL_INPUTS)["offending_columns"] == ["planted"]


@pytest.mark.slow
def test_a_column_or_rows_that_are_not_there_again_fail():
    def forgetful(prices):
        return small(prices).drop(columns="month") if len(prices) < 700 else small(prices)

    assert certify(forgetful, make_prices(), SMALL_INPUTS)["offending_columns"] == ["month"]
    assert not certify(lambda prices: small(prices).dropna(), make_prices(), SMALL_INPUTS, small(make_prices()))[
        "passed"
    ]


def test_a_history_too_short_to_begin_later_has_not_passed():
    certificate = certify(small, make_prices(WARM_UP), SMALL_INPUTS)
    assert not certificate["passed"]
    assert certificate["late_starts"]["tested"] == []
    assert leakage_summary(certificate) == "failed: 250 sessions are too few to begin the history later"


@pytest.mark.slow
def test_constant_prices_pass():
    prices = make_prices(600)
    prices[["open", "high", "low", "close"]] = 10.1
    prices["volume"] = 0.0
    assert certify(features, prices)["passed"]


def test_cuts_are_at_the_start_around_the_jumps_and_near_the_end():
    cuts = prefix_lengths(make_prices(crash=400)["close"], WARM_UP)
    assert cuts == sorted(set(cuts))
    assert {1, WARM_UP, WARM_UP + 1, 400, 401, 679, 695, 698, 699} <= set(cuts)
    assert len(cuts) >= 20
    assert prefix_lengths(make_prices(2)["close"], WARM_UP) == [1]


def test_late_starts_are_early_late_and_after_the_largest_jump():
    assert late_starts(make_prices(1000, crash=400)["close"], WARM_UP) == [1, 250, 401, 500, 729]
    assert late_starts(make_prices(WARM_UP + 2)["close"], WARM_UP) == [1]


@pytest.mark.slow
def test_the_certificate_is_json_and_its_summary_one_line():
    passed = certify(small, make_prices(), SMALL_INPUTS)
    failure = certify(planted(LOOK_AHEAD["negative shift"]), make_prices(), SMALL_INPUTS)

    for certificate in (passed, failure):
        assert json.loads(json.dumps(certificate, allow_nan=False)) == certificate
        assert "\n" not in leakage_summary(certificate)
    counts = (
        f"{len(passed['prefixes']['tested'])} histories cut short and {len(passed['late_starts']['tested'])} begun late"
    )
    assert leakage_summary(passed).startswith(f"passed: {counts}, ")
    first = failure["offending"][0]
    assert leakage_summary(failure) == (
        f"failed: planted changed with {counts}; "
        f"planted on {first['worst']} appears or vanishes, history {first['history']}"
    )


def test_the_figures_count_the_comparisons():
    prices = make_prices(400)
    certificate = certify(small, prices, SMALL_INPUTS)
    cuts, starts = prefix_lengths(prices["close"], WARM_UP), late_starts(prices["close"], WARM_UP)
    assert certificate["prefixes"]["rows"] == sum(cuts)
    # `return` lacks its first row, `month` its first 20.
    assert certificate["prefixes"]["values"] == sum(cut + max(cut - 1, 0) + max(cut - 20, 0) for cut in cuts)
    assert certificate["late_starts"]["values"] == sum(3 * (400 - start - WARM_UP) for start in starts)


MADE_AT = datetime(2024, 3, 1, 22, tzinfo=UTC)
LAST = -5  # the session at which the certified history ends


def raw_history(seed):
    """Draw raw prices as a source has them, with a split that their past is not adjusted for."""
    random = np.random.default_rng(seed)
    index = sessions_between(exchange_of("XYZ"), datetime(2022, 1, 3).date(), datetime(2024, 2, 1).date())
    table = random_prices(len(index), seed).set_axis(index)[["open", "high", "low", "close", "volume"]]
    at = int(random.integers(50, 300))
    table.iloc[:at, :4] *= 2
    return table.assign(dividends=0.0, splits=np.where(np.arange(len(table)) == at, 2.0, 0.0))


def certificate_of(raw, **facts):
    prices = clean_prices(raw.iloc[:LAST], "XYZ", now=MADE_AT).prices
    own = {"passed": True, "feature_spec": "spec", "code": "code", "checked_at": MADE_AT.isoformat()}
    return {**own, "sessions": len(prices), "data_version": data_version(prices), **facts}


def holds(certificate, raw, *, later=timedelta(days=1), feature_spec="spec", code="code"):
    prices = clean_prices(raw, "XYZ", now=MADE_AT).prices
    return holds_for(certificate, prices, feature_spec=feature_spec, code=code, now=MADE_AT + later)


def put(column, value):
    def change(raw, at):
        table = raw.copy()
        table.iloc[at, table.columns.get_loc(column)] = value(table.iloc[at])
        return table

    return change


def split_at_end(raw, at):
    table = raw.copy()
    table.iloc[-1, :4] /= 2
    table.iloc[-1, table.columns.get_loc("splits")] = 2.0
    return table


RESTATEMENTS = {
    "a close": put("close", lambda row: (row["low"] + row["close"]) / 2),
    "a volume": put("volume", lambda row: row["volume"] + 1),
    "an open that is repaired": put("open", lambda row: 0.0),
    "a dividend": put("dividends", lambda row: row["close"] / 50),
    "a session that vanished": lambda raw, at: raw.drop(raw.index[at]),
    "a split after the end": split_at_end,
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_a_certificate_holds_while_the_history_only_grows_and_ends_with_each_restatement(seed):
    raw = raw_history(seed)
    certificate = certificate_of(raw)
    assert holds(certificate, raw)
    assert holds(certificate, raw.iloc[:LAST])

    at = int(np.random.default_rng(seed).integers(len(raw) // 2, len(raw) + LAST - 1))
    for name, restate in RESTATEMENTS.items():
        assert not holds(certificate, restate(raw, at)), name
    assert not holds(certificate, raw.iloc[: LAST - 1]), "a history that has become shorter"


@pytest.mark.slow
def test_a_certificate_ends_with_the_week_the_features_the_code_and_a_failure():
    raw = raw_history(1)
    assert not holds(certificate_of(raw), raw, later=RENEWED_AFTER)
    assert not holds(certificate_of(raw), raw, later=-timedelta(days=1)), "a clock that went back"
    assert not holds(certificate_of(raw), raw, feature_spec="other")
    assert not holds(certificate_of(raw), raw, code="other")
    assert not holds(certificate_of(raw, passed=False), raw)
    earlier_release = certificate_of(raw)
    del earlier_release["code"], earlier_release["checked_at"]
    assert not holds(earlier_release, raw)
