"""The backtest assets: their trades, their records in MLflow, and the Sharpe ratio deflated by the trials."""

import json
from itertools import count
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from zenith_core.errors import UserError
from zenith_core.model_kinds.table import MODEL_KINDS
from zenith_core.names import ALL_TICKERS, TRIALS
from zenith_core.statistics.sharpe import deflated_sharpe, return_moments
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.definitions import defs
from zenith_pipelines.defs.assets.backtests import TradingConfig, backtest_asset
from zenith_pipelines.registry.trials import publish_trials, sharpes_tried

ensemble_backtest, lstm_backtest = (backtest_asset(MODEL_KINDS[kind]) for kind in ("ensemble", "lstm"))

pytestmark = pytest.mark.slow  # backtests through Dagster and MLflow


class Runs:
    """The runs of a `ModelRegistry` (tests/pipelines/registry/test_model_registry.py), without MLflow."""

    def __init__(self):
        self.runs = {}
        self.tags = {}
        self.numbers = count(1)

    def register(self, name):
        version = SimpleNamespace(name=name, version=next(self.numbers))
        self.runs[name, version.version] = ({}, {})
        return version

    def tag(self, name, version, tags):
        self.tags |= {(name, version): tags}

    def log_metrics(self, name, version, metrics, tags):
        run_metrics, run_tags = self.runs[name, version]
        run_metrics.update(metrics)
        run_tags.update(tags)

    def metrics_of_runs(self, tag, value):
        return [metrics for metrics, tags in self.runs.values() if tags.get(tag) == value]


@pytest.fixture
def registry():
    return Runs()


def market(seed=0, sessions=400):
    close = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0003, 0.01, sessions)))
    index = pd.bdate_range("2020-01-01", periods=sessions, name="date")
    return Dataset(
        {
            "prices": pd.DataFrame(
                {**dict.fromkeys(("open", "high", "low", "close"), close), "suspect": False}, index=index
            )
        }
    )


def facts_of(version, ticker="TEST"):
    return {"model": version.name, "version": version.version, "ticker": ticker}


def signals(version, seed=1, names=("buy", "hold", "sell")):
    """An ensemble's dataset, as far as its backtest reads it."""
    days = market().tables["prices"].index[100:]
    rows = {"date": days, "signal": np.random.default_rng(seed).choice(names, len(days))}
    return Dataset({"evidence": pd.DataFrame(rows)}, facts_of(version))


def run_backtest(registry, model, **config):
    zenith = SimpleNamespace(registry=registry, draws_plots=True)
    return ensemble_backtest(TradingConfig(**config), zenith, market(), model)


def strategy_stats(result):
    return result.value.facts["stats"]["strategy"]


def test_a_backtest_logs_the_figures_that_compare_runs_to_the_run_of_its_version(registry):
    version = registry.register("ensemble-RUN")

    stats = strategy_stats(run_backtest(registry, signals(version)))

    metrics, _ = registry.runs["ensemble-RUN", version.version]
    names = ("sharpe", "deflated_sharpe", "annual_return", "max_drawdown", "trades", "turnover")
    assert metrics == {f"backtest/long-cost-0.001-0.0005-holding-5/{name}": stats[name] for name in names}
    assert None not in metrics.values()


def test_the_first_trial_is_compared_with_no_skill(registry):
    stats = strategy_stats(run_backtest(registry, signals(registry.register("ensemble-FIRST"))))

    assert (stats["trials"], stats["deflated_sharpe"]) == (1, stats["psr"])


def test_a_repeated_backtest_is_no_new_trial(registry):
    model = signals(registry.register("ensemble-AGAIN"))

    first, again = run_backtest(registry, model), run_backtest(registry, model)

    assert strategy_stats(again) == strategy_stats(first)
    assert sharpes_tried(registry, "ensemble-AGAIN") == [strategy_stats(first)["sharpe"]]


def test_each_version_and_each_set_of_options_is_a_trial_of_its_model_only(registry):
    first, second = registry.register("ensemble-PETR4.SA"), registry.register("ensemble-PETR4.SA")
    run_backtest(registry, signals(registry.register("ensemble-PETR4")))

    results = [
        strategy_stats(run_backtest(registry, signals(first, seed=1))),
        strategy_stats(run_backtest(registry, signals(second, seed=2))),
        strategy_stats(run_backtest(registry, signals(second, seed=2), allow_short=True)),
        strategy_stats(run_backtest(registry, signals(second, seed=2), target_volatility=0.05)),
        strategy_stats(run_backtest(registry, signals(second, seed=2), commission=0.0)),
    ]

    assert [stats["trials"] for stats in results] == [1, 2, 3, 4, 5]
    assert registry.tags["ensemble-PETR4.SA", second.version] == {"trials": "5"}
    sharpes = sharpes_tried(registry, "ensemble-PETR4.SA")
    assert sharpes == sorted(stats["sharpe"] for stats in results)
    assert len(set(sharpes)) == 5


def test_the_sharpe_ratio_is_deflated_by_all_recorded_trials(registry):
    versions = [registry.register("ensemble-DEFLATE") for _ in range(3)]
    for seed, version in enumerate(versions):
        result = run_backtest(registry, signals(version, seed))

    equity = result.value.tables["equity"]["strategy"].to_numpy()
    variance = np.var(sharpes_tried(registry, "ensemble-DEFLATE"), ddof=1) / 252
    assert strategy_stats(result)["deflated_sharpe"] == pytest.approx(
        deflated_sharpe(return_moments(equity[1:] / equity[:-1] - 1), 3, variance)
    )
    assert strategy_stats(result)["deflated_sharpe"] < strategy_stats(result)["psr"]


def test_the_newest_backtests_are_deflated_by_the_trials_of_all_tickers_and_kinds(registry, tmp_path):
    store = DatasetStore(str(tmp_path))
    for ticker, seeds in (("ONE", (0, 1)), ("TWO", (2, 3))):
        for seed in seeds:
            result = run_backtest(registry, signals(registry.register(f"ensemble-{ticker}"), seed))
            store.write("ensemble_backtest", ticker, result.value)
    store.write("lstm_backtest", "OLD", Dataset(facts={"model_version": 1, "stats": {}}))  # of an earlier release
    idle = run_backtest(registry, signals(registry.register("ensemble-IDLE2"), names=["hold"]))
    store.write("ensemble_backtest", "IDLE2", idle.value)

    facts = publish_trials(store)

    assert store.facts(TRIALS, ALL_TICKERS) == facts
    every = [*sharpes_tried(registry, "ensemble-ONE"), *sharpes_tried(registry, "ensemble-TWO")]
    assert (facts["trials"], facts["variance"]) == (4, pytest.approx(np.var(every, ddof=1)))
    assert facts["independent"] == pytest.approx(facts["correlation"] + (1 - facts["correlation"]) * 4)
    own = facts["tickers"]["TWO"]["ensemble"]
    assert set(facts["tickers"]) == {"ONE", "TWO"}
    assert own["version"] == result.value.facts["model_version"]
    assert own["sharpe"] == pytest.approx(strategy_stats(result)["sharpe"])
    equity = result.value.tables["equity"]["strategy"].to_numpy()
    moments = return_moments(equity[1:] / equity[:-1] - 1)
    expected = deflated_sharpe(moments, facts["independent"], facts["variance"] / 252)
    assert own["deflated_sharpe"] == pytest.approx(expected)
    trial = result.value.facts["trial"]
    assert np.prod(1 + np.array(trial["returns"])) == pytest.approx(equity[-1] / equity[0], rel=1e-4)


def test_signals_without_a_trade_have_a_defined_result_and_are_no_trial(registry):
    result = run_backtest(registry, signals(registry.register("ensemble-IDLE"), names=["hold"]))

    stats = strategy_stats(result)
    json.dumps(result.value.facts, allow_nan=False)
    assert (stats["trials"], stats["total_return"]) == (0, 0)
    assert [stats[key] for key in ("sharpe", "sharpe_low", "deflated_sharpe", "excess_sharpe_p_value")] == [None] * 4


def test_a_position_is_kept_through_holds_if_no_signal_expires(registry):
    model = signals(registry.register("ensemble-FOLD"))
    table = model.table.assign(signal=["buy", *["hold"] * (len(model.table) - 1)])
    result = run_backtest(registry, Dataset({"evidence": table}, model.facts), holding_period=None)

    assert strategy_stats(result)["open_trades"] == 1
    assert strategy_stats(result)["sharpe"] == result.value.facts["stats"]["buy_and_hold"]["sharpe"]
    assert strategy_stats(result)["excess_sharpe_p_value"] == 1


def test_by_default_a_signal_expires_after_its_horizon(registry):
    model = signals(registry.register("ensemble-SILENT"))
    table = model.table.assign(signal=["buy", *["hold"] * (len(model.table) - 1)])
    trades = run_backtest(registry, Dataset({"evidence": table}, model.facts)).value.tables["trades"]

    ((entry, exit_),) = trades[["entry_date", "exit_date"]].to_numpy()
    assert len(market().tables["prices"].loc[entry:exit_]) == 5 + 1


def test_figures_and_options_are_facts_and_the_figures_are_metadata(registry):
    result = run_backtest(registry, signals(registry.register("ensemble-SHOWN")), commission=0.002, allow_short=True)

    config = result.value.facts["config"]
    assert (config["commission"], config["slippage"], config["allow_short"]) == (0.002, 0.0005, True)
    metadata = {key: result.metadata[f"strategy/{key}"] for key in ("trials", "deflated_sharpe", "sharpe_low")}
    assert metadata == pytest.approx({key: strategy_stats(result)[key] for key in metadata}, abs=1e-3)  # as rounded


def test_a_forecast_is_traded_only_beyond_the_cost_of_a_round_trip(registry):
    version = registry.register("lstm-COST")
    days = market().tables["prices"].index
    rows = {"origin": days[100:], "horizon": 5, "target_date": days[100:], "close": 100.0, "forecast": 100.4}
    rows |= {"lower": 95.0, "upper": 105.0, "actual": float("nan")}
    model = Dataset({"evidence": pd.DataFrame(rows)}, facts_of(version))
    zenith = SimpleNamespace(registry=registry, draws_plots=True)

    cheap = lstm_backtest(TradingConfig(), zenith, market(), model)
    dear = lstm_backtest(TradingConfig(commission=0.002), zenith, market(), model)

    assert (strategy_stats(cheap)["open_trades"], strategy_stats(dear)["open_trades"]) == (1, 0)


def test_the_year_and_the_costs_are_those_of_the_market(registry):
    def figures(ticker, **options):
        model = signals(registry.register(f"ensemble-{ticker}"))
        result = run_backtest(registry, Dataset(model.tables, {**model.facts, "ticker": ticker}), **options)
        return result.value.facts["config"], result.value.facts["stats"]["buy_and_hold"]["volatility"]

    stock, coin, pair = (figures(ticker) for ticker in ("AAPL", "BTC-USD", "EURUSD=X"))
    assert [config["sessions_per_year"] for config, _ in (stock, coin, pair)] == [252, 365, 260]
    assert coin[1] / stock[1] == pytest.approx((365 / 252) ** 0.5)
    assert [(config["commission"], config["slippage"]) for config, _ in (stock, pair)] == [
        (0.001, 0.0005),
        (0.0, 0.0001),
    ]
    assert figures("EURUSD=X", commission=0.002)[0]["commission"] == 0.002


def test_the_facts_have_the_chart_data_of_the_page(registry):
    version = registry.register("ensemble-DRAWN")

    facts = run_backtest(registry, signals(version)).value.facts

    assert facts["equity"]["date"][0] == market().tables["prices"].index[100].date().isoformat()
    assert facts["equity"]["strategy"][-1] == pytest.approx(1 + facts["stats"]["strategy"]["total_return"], rel=1e-5)
    assert facts["model_version"] == version.version
    assert set(facts["signals"]["signal"]) <= {"buy", "sell"}
    assert len(facts["signals"]["date"]) == len(facts["signals"]["signal"]) > 0


def test_invalid_options_are_refused_and_are_no_trial(registry):
    model = signals(registry.register("ensemble-REFUSED"))

    with pytest.raises(UserError, match=r"^commission 1.5 must be a fraction"):
        run_backtest(registry, model, commission=1.5)
    assert sharpes_tried(registry, "ensemble-REFUSED") == []


@pytest.mark.parametrize("asset", ["lstm_backtest", "ensemble_backtest"])
def test_the_ui_offers_the_options_with_their_defaults(asset):
    schema = defs.resolve_job_def("retrain_model").run_config_schema.config_type
    for name in ("ops", asset, "config"):
        schema = schema.fields[name].config_type

    defaults = {name: field.default_value for name, field in schema.fields.items()}
    assert defaults == {
        "commission": None,  # that of the market
        "slippage": None,
        "allow_short": False,
        "target_volatility": None,
        "holding_period": 5,
    }
    assert all(field.description for field in schema.fields.values())
