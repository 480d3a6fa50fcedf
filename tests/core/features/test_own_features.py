"""Features of users: declared, bounded, hashed, and judged by the same certificate."""

import numpy as np
import pandas as pd
import pytest

from tests.core.markets import random_prices
from zenith_core.errors import NotAvailable, UserError
from zenith_core.features import model_features
from zenith_core.features.declaration import WARM_UP, OwnFeature
from zenith_core.features.leakage import leakage_certificate, leakage_summary
from zenith_core.features.model_features import (
    BUILT_IN,
    feature_spec,
    feature_spec_hash,
    features,
    inputs_of,
    select_inputs,
)
from zenith_core.features.other_prices import OtherPrices, known_at_close
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import closing_times
from zenith_pipelines.settings import Settings

PRICES = random_prices(420)
FILE = """
import numpy as np
from zenith_core.features.declaration import OwnFeature

def gap(prices):
    return np.log(prices["open"] / prices["close"].shift(1)).rolling(5).mean()

FEATURES = [OwnFeature("gap", "5-session mean of log(open / close before)", -0.1, 0.1, warm_up=6, compute=gap)]
"""


def gap(prices):
    return np.log(prices["open"] / prices["close"].shift(1)).rolling(5).mean()


def own(compute=gap, name="gap", **changes):
    return OwnFeature(name, "a test", **{"low": -0.1, "high": 0.1, "warm_up": 6, "compute": compute, **changes})


def certify(feature):
    """Return the certificate of the own feature alone, over the same histories as all others."""

    def make(prices):
        return model_features._bounded(pd.DataFrame({feature.name: feature.values(prices)}), [feature])

    facts = {"inputs": [feature.name], "warm_up": WARM_UP, "feature_spec": "s", "data_version": "d"}
    return leakage_certificate(make, PRICES, make(PRICES), **facts)


@pytest.mark.slow
def test_an_own_feature_is_a_column_like_the_others():
    table = features(PRICES, (*BUILT_IN, own()))

    assert table["gap"].iloc[:WARM_UP].isna().all()
    pd.testing.assert_series_equal(table["gap"].iloc[WARM_UP:], gap(PRICES).iloc[WARM_UP:], check_names=False)
    pd.testing.assert_frame_equal(table.drop(columns="gap"), features(PRICES, BUILT_IN))


def test_its_values_are_clipped_and_neutral_where_undefined():
    values = np.resize([5.0, np.nan, -np.inf], len(PRICES))
    table = features(PRICES, [own(lambda prices: values, neutral=0.05)])

    assert table["gap"].iloc[-3:].tolist() == [0.1, 0.05, -0.1]


@pytest.mark.slow
def test_a_causal_feature_passes_the_certificate():
    assert certify(own())["passed"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "peek",
    [
        lambda prices: prices["close"].pct_change().shift(-1),
        lambda prices: prices["close"].pct_change() - prices["close"].pct_change().mean(),
        lambda prices: prices["close"] / prices["close"].iloc[0] / 1e3,
    ],
    ids=["the next session", "the mean of all sessions", "the first session"],
)
def test_a_feature_that_peeks_is_refused_with_column_session_and_size(peek):
    certificate = certify(own(peek, "peek"))

    leak = certificate["offending"][0]
    assert not certificate["passed"]
    assert certificate["offending_columns"] == ["peek"]
    assert leakage_summary(certificate).partition("; ")[2] == (
        f"peek on {leak['worst']} differs by {leak['difference']:.2g} of its largest value, history {leak['history']}"
    )


@pytest.mark.parametrize(
    ("compute", "problem"),
    [
        (lambda prices: prices["vwap"], "cannot be computed: KeyError: 'vwap'"),
        (lambda prices: prices["close"].iloc[1:], "returned other rows: it needs a number for each session"),
        (lambda prices: prices["close"].iloc[::-1], "returned other rows: it needs a number for each session"),
        (lambda prices: prices[["close", "open"]], "returned other rows: it needs a number for each session"),
        (lambda prices: ["x"] * len(prices), "cannot be computed: ValueError: could not convert string to float: 'x'"),
    ],
)
def test_a_function_that_fails_or_returns_other_rows_is_one_line(compute, problem):
    with pytest.raises(UserError) as refusal:
        own(compute).values(PRICES)
    assert str(refusal.value) == f"the feature gap {problem}"


def test_a_function_cannot_change_the_prices():
    before = PRICES.copy()

    own(lambda prices: prices.assign(close=0.0)["close"] + prices.pop("open") * 0).values(PRICES)

    pd.testing.assert_frame_equal(PRICES, before)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": "Gap"}, "'Gap' cannot name a feature: use lower-case letters, digits and _"),
        ({"low": 1.0, "high": -1.0}, "gap needs finite numbers with low <= neutral <= high and low < high"),
        ({"neutral": 3.0}, "gap needs finite numbers with low <= neutral <= high and low < high"),
        ({"high": float("nan")}, "gap needs finite numbers with low <= neutral <= high and low < high"),
        ({"warm_up": 251}, "gap has a warm-up of 251 sessions: it must be 1 to 250"),
        ({"compute": "gap"}, "gap has no function as compute"),
    ],
)
def test_a_declaration_that_cannot_be_used_is_refused(changes, problem):
    with pytest.raises(ValueError, match="^.") as refusal:
        own(**changes)
    assert str(refusal.value) == problem


def test_the_feature_spec_knows_the_feature_and_its_code(monkeypatch, tmp_path):
    built_in = feature_spec_hash()
    hashes = []
    for number, text in enumerate([FILE, FILE + "# a comment\n", FILE.replace("rolling(5)", "rolling(4)")]):
        path = tmp_path / f"own_{number}.py"
        path.write_text(text)
        monkeypatch.setattr(model_features, "INPUTS", select_inputs(str(path)))
        hashes.append(feature_spec_hash())

    assert built_in == "f8b68b1f92dacfc0"  # as models of earlier releases have it
    assert hashes[0] == hashes[1]
    assert len({built_in, *hashes}) == 3


def test_an_earlier_spec_is_computed_only_with_the_same_code(monkeypatch):
    monkeypatch.setattr(model_features, "INPUTS", (*BUILT_IN, own()))
    spec = feature_spec()
    *others, declaration = spec["inputs"]

    assert inputs_of({**spec, "inputs": [{**declaration, "high": 0.05}]}) == (own(high=0.05),)
    assert inputs_of({**spec, "inputs": others}) == BUILT_IN
    assert inputs_of({**spec, "inputs": [{**declaration, "code": "0" * 16}]}) is None
    monkeypatch.setattr(model_features, "INPUTS", BUILT_IN)
    assert inputs_of(spec) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "there is no file {path}"),
        ("FEATURES = []", "{path} holds no OwnFeature: a file needs FEATURES = [OwnFeature(...), ...]"),
        ("def x(:", "{path} cannot be loaded: SyntaxError: invalid syntax ({name}, line 1)"),
        ("1 / 0", "{path} cannot be loaded: ZeroDivisionError: division by zero"),
        (FILE.replace('"gap",', '"rsi_14",'), "the name rsi_14 is in use: give the feature another one"),
        (FILE.replace("warm_up=6", "warm_up=600"), "{path} cannot be loaded: ValueError: gap has a warm-up of 600"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_that_names_it(text, problem, tmp_path, monkeypatch):
    path = tmp_path / "own.py"
    if text is not None:
        path.write_text(text)
    monkeypatch.setenv("ZENITH_FEATURES", str(path))

    with pytest.raises(UserError) as refusal:
        Settings()

    assert str(refusal.value).startswith("ZENITH_FEATURES: " + problem.format(path=path, name=path.name))
    assert "\n" not in str(refusal.value)


def test_a_name_that_is_neither_file_nor_entry_point_is_refused():
    with pytest.raises(UserError, match="calendar is no file that ends with .py and no entry point: no installed pack"):
        select_inputs("calendar")


EXCHANGES = ("7203.T", "SPY")


def tokyo_and_new_york():
    """Return prices of Tokyo, and those of New York as its features may see them."""
    own = random_prices(420)
    exchanges = {ticker: exchange_of(ticker) for ticker in EXCHANGES}
    closes = {ticker: closing_times(exchange, pd.DatetimeIndex(own.index)) for ticker, exchange in exchanges.items()}
    spy = random_prices(420, 8).assign(closed_at=closes["SPY"])
    return own, OtherPrices(pd.Series(closes["7203.T"], index=own.index), {"SPY": spy})


def new_york(align):
    """Return a feature of Tokyo: the last return of New York, as `align` puts it beside Tokyo's sessions."""

    def compute(prices, others):
        spy = others["SPY"]
        return align(prices, spy.assign(move=spy["close"].pct_change()))["move"]

    return own(compute, "new_york", tickers=("spy",), low=-1, high=1)


def certify_across(feature):
    prices, others = tokyo_and_new_york()

    def make(table):
        return model_features._bounded(pd.DataFrame({feature.name: feature.values(table, others)}), [feature])

    facts = {"inputs": [feature.name], "warm_up": WARM_UP, "feature_spec": "s", "data_version": "d"}
    return leakage_certificate(make, prices, make(prices), **facts)


@pytest.mark.slow
def test_a_feature_may_use_the_session_of_another_exchange_that_closed_before():
    feature = new_york(known_at_close)
    prices, others = tokyo_and_new_york()
    spy = others.tables["SPY"]

    values = feature.values(prices, others)

    assert certify_across(feature)["passed"]
    assert values.iloc[-1] == pytest.approx(spy["close"].iloc[-2] / spy["close"].iloc[-3] - 1)  # the day before
    assert feature.declaration["tickers"] == ["SPY"]


@pytest.mark.slow
def test_a_feature_of_tokyo_that_uses_the_same_date_of_new_york_fails():
    certificate = certify_across(new_york(lambda prices, spy: spy.reindex(prices.index)))

    assert certificate["offending_columns"] == ["new_york"]
    assert all(leak["history"].startswith("until ") for leak in certificate["offending"])


def test_new_york_may_use_the_same_date_of_tokyo():
    own_prices = random_prices(420)
    closes = {name: closing_times(exchange_of(name), pd.DatetimeIndex(own_prices.index)) for name in EXCHANGES}
    prices = own_prices.assign(closed_at=closes["SPY"])
    tokyo = random_prices(420, 8).assign(closed_at=closes["7203.T"])

    pd.testing.assert_series_equal(known_at_close(prices, tokyo)["close"], tokyo["close"])
    assert known_at_close(tokyo, prices)["close"].isna().tolist() == [True] + [False] * 419


def test_without_the_prices_of_the_other_ticker_there_is_no_feature():
    with pytest.raises(NotAvailable, match="no prices of SPY"):
        new_york(known_at_close).values(PRICES)
