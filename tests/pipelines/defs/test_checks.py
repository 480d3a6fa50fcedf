"""Each check passes on good data and fails on bad data, called directly and by Dagster."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import cache
from inspect import signature

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from zenith_core.asset_selection import training_config
from zenith_core.errors import UserError
from zenith_core.features.model_features import WARM_UP, feature_spec_hash, features
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import last_closed_session, sessions_between
from zenith_core.prices.cleaning import clean_prices
from zenith_pipelines.dagster_runtime.failures import failure_of
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.defs import checks
from zenith_pipelines.defs.assets import features as feature_assets
from zenith_pipelines.defs.assets import prices, production
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.defs.resources import ZenithResource, resources
from zenith_pipelines.models.training import MIN_SESSIONS
from zenith_pipelines.settings import Settings

EXCHANGE = exchange_of("TEST")
ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


@cache
def bars(rows=MIN_SESSIONS, end=None):
    """A quiet market up to the newest closed session, as a source returns it."""
    last = end or last_closed_session(EXCHANGE, datetime.now(UTC))
    index = sessions_between(EXCHANGE, last - timedelta(days=rows * 7 // 4 + 30), last)[-rows:]
    random = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(0.01 * random.standard_normal(rows)))
    table = pd.DataFrame({"open": close, "high": close * 1.01, "low": close / 1.01, "close": close}, index=index)
    return table.assign(volume=1e6, dividends=0.0, splits=0.0)


def raw(change=lambda table: table, **facts):
    return Dataset({"prices": change(bars())}, {"content_hash": "abc", **facts})


def restated(*rows):
    """A snapshot in which the source has changed the values of `rows` and withdrawn one day."""
    dates = {"restated": [day(row) for row in rows], "vanished": ["2001-02-03"]}
    return raw(restatements={"counts": {"restated": len(rows), "vanished": 1, "new_sessions": 5}, "dates": dates})


def cleaned(change=lambda table: table, dirty=lambda table: table, **options):
    """The cleaned quiet market; `dirty` changes the input of cleaning, `change` its output."""
    result = clean_prices(dirty(bars(**options)), "TEST")
    table = change(result.prices)
    facts = {"counts": result.counts, "sessions": len(table), "last": f"{table.index[-1]:%Y-%m-%d}"}
    return Dataset({"prices": table, "quarantine": result.quarantine}, facts)


def quarantine(change):
    good = cleaned(dirty=put("open", -1.0, 7))
    return Dataset({**good.tables, "quarantine": change(good.tables["quarantine"])}, good.facts)


def feature_table(change=lambda table: table):
    return Dataset({"features": change(features(cleaned().tables["prices"]))})


@cache
def certified(make=features):
    """The feature dataset of the quiet market, with `make` as the feature function."""
    good = cleaned()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feature_assets, "features", make)
        context = dg.build_asset_context(partition_key="AAPL")
        facts = {**good.facts, "data_version": "v1"}
        (result,) = feature_assets.indicator_features(
            context, zenith=ZenithResource(), cleaned_prices=Dataset(good.tables, facts)
        )
    return result.value


def looking_ahead(prices):
    """Features with a leak: the oscillator of the next session."""
    table = features(prices)
    return table.assign(stoch_level=table["stoch_level"].shift(-1))


def put(column, value, *rows):
    """Return a function that sets some cells."""
    return lambda table: table.assign(**{column: table[column].where(~np.isin(np.arange(len(table)), rows), value)})


def day(row):
    return f"{bars().index[row]:%Y-%m-%d}"


def halted(*stretches):
    """Return a function that stops trading at the close before each (first, last) row."""

    def change(table):
        is_still = np.zeros(len(table), bool)
        for first, last in stretches:
            is_still[first:last] = True
        closes = table["close"].mask(is_still).ffill()
        prices = {name: table[name].where(~is_still, closes) for name in ("open", "high", "low", "close")}
        return table.assign(**prices, volume=table["volume"].where(~is_still, 0.0))

    return change


def tomorrow(table):
    return table.set_axis([*table.index[:-1], pd.Timestamp.now().normalize() + pd.Timedelta(days=9)])


def halved_for_good(table):
    return table.assign(close=table["close"].where(np.arange(len(table)) < 500, table["close"] / 2))


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ZENITH_PRICE_SOURCE", "csv")
    monkeypatch.setenv("ZENITH_CSV_DIR", str(tmp_path))
    return tmp_path


CASES = [
    # check, bad data, severity, blocking, offending rows
    (checks.enough_history, lambda: cleaned(rows=300), WARN, False, None),
    (checks.prices_move, lambda: cleaned(dirty=halted((-50, None))), WARN, False, list(range(-5, 0))),
    (checks.sessions_are_unique_and_sorted, lambda: cleaned(lambda t: t.iloc[[0, 1, 1, 2]]), ERROR, True, [1]),
    (checks.no_future_dates, lambda: cleaned(tomorrow), ERROR, True, None),
    (checks.ohlc_is_consistent, lambda: cleaned(put("low", 1e6, 4, 9)), ERROR, True, [4, 9]),
    (checks.few_rows_quarantined, lambda: cleaned(dirty=put("open", -1.0, *range(40))), WARN, False, list(range(20))),
    (checks.few_rows_quarantined, lambda: cleaned(dirty=put("open", -1.0, *range(90))), ERROR, True, list(range(20))),
    (checks.no_unexplained_jump, lambda: cleaned(halved_for_good), WARN, False, [500]),
    (checks.fresh, lambda: cleaned(end=date(2024, 1, 31)), WARN, False, None),
    (checks.few_restatements, lambda: restated(*range(MIN_SESSIONS // 50)), WARN, False, None),
    (checks.raw_schema_holds, lambda: raw(lambda t: t.drop(columns="open")), ERROR, True, None),
    (checks.cleaned_schema_holds, lambda: cleaned(lambda t: t.drop(columns="factor")), ERROR, True, None),
    (checks.quarantine_schema_holds, lambda: quarantine(lambda t: t.assign(reason="")), ERROR, True, None),
    (checks.no_leakage, lambda: certified(looking_ahead), ERROR, True, None),
    (checks.features_schema_holds, lambda: feature_table(put("rsi_level", np.nan, WARM_UP)), ERROR, True, None),
]
GOOD = {"raw_prices": raw, "cleaned_prices": cleaned, "indicator_features": certified}


def target(check):
    (key,) = check.check_keys
    return key.asset_key.to_user_string()


def call(check, dataset) -> dg.AssetCheckResult:
    function = check.op.compute_fn
    context = [dg.build_op_context(partition_key="TEST")] if function.has_context_arg() else []
    zenith = {"zenith": ZenithResource()} if "zenith" in signature(function.decorated_fn).parameters else {}
    (argument,) = signature(function.decorated_fn).parameters.keys() - {"context", "zenith"}
    return check(*context, **zenith, **{argument: dataset})


def marked(cases):
    """Mark as slow the cases for which the leakage certificate is computed."""
    return [
        pytest.param(*case, marks=[pytest.mark.slow] if target(case[0]) == "indicator_features" else [])
        for case in cases
    ]


@pytest.mark.slow
@pytest.mark.parametrize("check", marked({case[0].check_key: case[:1] for case in CASES}.values()))
def test_good_data_passes(check):
    result = call(check, GOOD[target(check)]())
    assert result.passed, result.description
    assert result.metadata


@pytest.mark.parametrize(("check", "bad", "severity", "blocks", "rows"), marked(CASES))
def test_bad_data_fails_with_figure_and_offending_days(check, bad, severity, blocks, rows):
    result = call(check, bad())
    assert not result.passed
    assert result.severity is severity
    assert result.description
    if rows is not None:
        assert result.metadata["offending"].value == [day(row) for row in rows]
    elif check is not checks.enough_history:
        assert result.metadata["offending"].value


@pytest.mark.slow
def test_the_metadata_has_the_figures():
    def figures(check, bad, *names):
        return [call(check, bad).metadata[name].value for name in names]

    assert figures(checks.few_rows_quarantined, cleaned(dirty=put("open", -1.0, *range(90))), "share", "reasons") == [
        f"{90 / MIN_SESSIONS:.4g}",
        {"open is not positive": {"rows": 90, "first": [day(0), day(1), day(2)]}},
    ]
    assert figures(checks.ohlc_is_consistent, cleaned(put("low", 1e6, 4, 9)), "count") == ["2"]
    assert figures(checks.enough_history, cleaned(rows=300), "sessions", "needed") == [
        "300",
        str(checks.LEAST_SESSIONS),
    ]
    assert figures(checks.few_restatements, restated(3, 4), "restated", "vanished", "offending") == [
        "2",
        "1",
        ["2001-02-03", day(3), day(4)],
    ]
    stale = sessions_between(EXCHANGE, date(2024, 2, 1), last_closed_session(EXCHANGE, datetime.now(UTC)))
    assert figures(checks.fresh, cleaned(end=date(2024, 1, 31)), "sessions", "last") == [str(len(stale)), "2024-01-31"]


@pytest.mark.slow
def test_a_stock_that_stands_still_is_refused_and_one_that_did_is_not():
    stopped, resumed = (
        call(checks.prices_move, cleaned(dirty=halted(stretch))) for stretch in ((-50, None), (300, 400))
    )
    assert stopped.description == (
        "the close moved in 10 of the last 60 sessions; below 15 the stock stands still, "
        "and nothing can be forecast until it trades again"
    )
    assert (stopped.passed, resumed.passed) == (False, True)


def test_a_new_ticker_is_too_short_to_train_and_long_enough_to_serve():
    assert call(checks.enough_history, cleaned(rows=checks.LEAST_SESSIONS)).passed
    new = checks.history_to_train(checks.LEAST_SESSIONS, fails=False)
    with_models = checks.history_to_train(checks.LEAST_SESSIONS, fails=True)
    assert (new.passed, new.severity, with_models.passed, with_models.severity) == (False, WARN, False, ERROR)
    assert checks.history_to_train(MIN_SESSIONS, fails=True).passed
    assert new.description == (
        f"the price moved in 310 sessions; at least {MIN_SESSIONS} are needed to train and test a model, "
        "and none to serve bands and risk"
    )


@pytest.mark.parametrize(
    ("check", "bad"),
    [
        (checks.enough_history, lambda: cleaned(rows=300)),
        (checks.prices_move, lambda: cleaned(dirty=halted((-50, None)))),
    ],
)
def test_a_ticker_that_was_served_is_not_skipped_but_fails(home, check, bad):
    store, data = DatasetStore(Settings().data_uri), bad()
    new = call(check, data)
    assert (new.severity, checks.reason_not_to_forecast(store, "TEST", data)) == (WARN, new.description)
    store.write("serving_snapshot", "TEST", Dataset(facts={"as_of": "2024-01-31"}))

    assert (call(check, data).severity, checks.reason_not_to_forecast(store, "TEST", data)) == (ERROR, None)


@pytest.mark.usefixtures("home")
def test_a_ticker_that_had_models_is_trained_or_fails():
    store = DatasetStore(Settings().data_uri)
    reason = checks.history_to_train(MIN_SESSIONS - 1, fails=True).description
    assert checks.reason_not_to_train(store, "TEST", MIN_SESSIONS - 1) == reason
    assert checks.reason_not_to_train(store, "TEST", MIN_SESSIONS) is None
    store.write("production_models", "TEST", Dataset())

    assert checks.reason_not_to_train(store, "TEST", MIN_SESSIONS - 1) is None


def test_the_line_of_the_quarantine_has_every_reason_with_its_first_days():
    bad = cleaned(dirty=lambda table: put("high", 0.0, 3, 5)(put("open", -1.0, *range(90, 180))(table)))
    line = call(checks.few_rows_quarantined, bad).description
    assert line.startswith(f"92 of {MIN_SESSIONS} rows quarantined ({92 / MIN_SESSIONS:.1%}): ")
    assert f": open is not positive (90, first {day(90)}, {day(91)}, {day(92)}); " in line
    assert f"; high is not positive (2, first {day(3)}, {day(5)}); 2% warns, above 5% stops" in line


@pytest.mark.slow
def test_the_leakage_check_names_the_leak_and_its_day():
    good, bad = (call(checks.no_leakage, certified(make)) for make in (features, looking_ahead))

    figures = {name: good.metadata[name].value for name in ("prefixes", "late_starts", "offending")}
    assert figures == {"prefixes": "23", "late_starts": "6", "offending": []}
    assert int(good.metadata["values_compared"].value) > 100_000
    assert good.description.startswith("passed: 23 histories cut short and 6 begun late, ")
    eve = day(-2)
    failure = "failed: stoch_level changed with 23 histories cut short and 6 begun late; stoch_level on "
    assert bad.description.startswith(failure)
    assert re.search(r"on ([\d-]+) appears or vanishes, history until \1$", bad.description)
    assert f"stoch_level on {eve}, history until {eve}" in bad.metadata["offending"].value
    certificate = bad.metadata["certificate"].value
    assert (certificate["data_version"], certificate["offending_columns"]) == ("v1", ["stoch_level"])


@pytest.mark.slow
def test_the_certificate_is_stored_with_its_features(tmp_path):
    store = DatasetStore(str(tmp_path))
    store.write("indicator_features", "TEST", certified())
    facts = store.facts("indicator_features", "TEST")
    assert facts["leakage"]["passed"]
    assert facts["leakage"]["feature_spec"] == facts["feature_spec"] == feature_spec_hash()


def test_a_few_restatements_and_a_first_snapshot_pass():
    assert call(checks.few_restatements, restated(3)).passed
    assert call(checks.few_restatements, raw()).passed


@pytest.mark.slow
@pytest.mark.parametrize(("check", "bad", "severity", "blocks", "rows"), CASES)
def test_only_a_blocking_check_stops_downstream_assets(check, bad, severity, blocks, rows):
    asset, evaluation = materialized(check, bad())
    assert not evaluation.passed
    assert evaluation.severity is severity
    assert evaluation.partition == "TEST"
    assert ("below" in asset) is not blocks


@pytest.mark.slow
@pytest.mark.parametrize("check", [checks.enough_history, checks.features_schema_holds, checks.no_leakage])
def test_a_check_that_passes_stops_nothing(check):
    assets, evaluation = materialized(check, GOOD[target(check)]())
    assert evaluation.passed
    assert "below" in assets


def materialized(check, dataset):
    """Run a source of `dataset`, the check and one downstream asset; return the new assets and the check's result."""
    upstream = target(check)

    @dg.asset(name=upstream, partitions_def=ticker_partitions)
    def source():
        return dataset

    @dg.asset(partitions_def=ticker_partitions, deps=[upstream])
    def below():
        return dataset

    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("tickers", ["TEST"])
        result = dg.materialize(
            [source, check, below],
            instance=instance,
            partition_key="TEST",
            raise_on_error=False,
            resources={"io_manager": dg.mem_io_manager, "zenith": ZenithResource()},
        )
    (evaluation,) = result.get_asset_check_evaluations()
    return [event.asset_key.to_user_string() for event in result.get_asset_materialization_events()], evaluation


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")  # raised inside Dagster
def test_after_bad_prices_the_last_good_data_is_served(home):
    assets = [prices.raw_prices, prices.cleaned_prices, feature_assets.indicator_features, production.serving_snapshot]
    all_checks = dg.load_asset_checks_from_modules([checks])
    store = DatasetStore(Settings().data_uri)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("tickers", ["TEST"])

        def run(table, ops=None) -> dg.ExecuteInProcessResult:
            table.to_csv(home / "TEST.csv")
            return dg.materialize(
                [*assets, *all_checks],
                instance=instance,
                partition_key="TEST",
                raise_on_error=False,
                resources=resources(Progress()),
                run_config={"ops": ops or {}},
            )

        def failures_of(result):
            checks_that_failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
            return {check.check_name: check.severity for check in checks_that_failed}

        assert run(bars(MIN_SESSIONS + 200)).success
        before = {name: store.facts(name, "TEST") for name in ("serving_snapshot", "indicator_features")}
        bad = run(put("open", -1.0, *range(100, 200))(bars(MIN_SESSIONS + 200)))

        assert not bad.success
        assert failures_of(bad) == {"few_restatements": WARN, "few_rows_quarantined": ERROR}
        assert {name: store.facts(name, "TEST") for name in before} == before
        facts = store.facts("cleaned_prices", "TEST")
        assert (facts["counts"]["quarantined"], facts["quarantine"]["open is not positive"]["rows"]) == (100, 100)
        reason, exit_code = failure_of(bad)
        assert "open is not positive (100, first " in reason
        assert exit_code == UserError.exit_code  # the file is at fault

        shortened = bars(MIN_SESSIONS + 200).iloc[:-4]
        short = run(shortened)

        assert failures_of(short)["end_not_before_served"] is ERROR
        reason, _ = failure_of(short)
        ends = [f"{table.index[-1]:%Y-%m-%d}" for table in (shortened, bars(MIN_SESSIONS + 200))]
        assert f"the data end on {ends[0]}, those that are served on {ends[1]} and stay" in reason
        assert "zenith job retrain_model --tickers TEST --config allow_earlier_end=true" in reason
        assert {name: store.facts(name, "TEST") for name in before} == before

        allowed = run(shortened, training_config(None, allow_earlier_end=True))

        assert allowed.success
        assert failures_of(allowed)["end_not_before_served"] is WARN
        assert store.facts("serving_snapshot", "TEST")["as_of"] == ends[0]

        assert run(bars(MIN_SESSIONS + 200)).success
