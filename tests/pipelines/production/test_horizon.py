"""A model's horizon is in its configuration alone: training, promotion, evaluation, charts and backtests follow it."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tests.pipelines.synthetic_models import (
    current_data,
    market,
    price_evidence,
    price_onnx,
    register_version,
    signal_evidence,
)
from zenith_core.evaluation.champion_challenger import compare_signals
from zenith_core.model_kinds import options
from zenith_core.model_kinds.table import MODEL_KINDS
from zenith_core.names import HEADLINE_HORIZON
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.defs.assets import backtests
from zenith_pipelines.models.training import Lineage, TrainingData, price_candidate, signal_candidate
from zenith_pipelines.production import champion_challenger
from zenith_pipelines.production.live_evaluation import evaluate
from zenith_pipelines.production.promotion import promote, promote_if_better
from zenith_pipelines.registry import model_registry

pytestmark = pytest.mark.slow

FEATURES = market(sessions=250)
TRAINED = 150  # training sessions of the models
OTHER = 10  # sessions, not the default


def training_data():
    lineage = Lineage("HORIZON", "d1", "r1", str(FEATURES.index[-1].date()), "f1")
    return TrainingData(FEATURES, pd.Series(True, index=FEATURES.index), (), lineage)


def test_a_model_of_an_earlier_release_keeps_its_horizon_whatever_the_default(monkeypatch):
    for module in (options, model_registry):
        monkeypatch.setattr(module, "HEADLINE_HORIZON", OTHER, raising=False)

    assert options.horizon_of({"study": {"config": {"units": 32}}}) == 5
    assert model_registry.Version("lstm-OLD", 1, "run", "models:/lstm-OLD/1").horizon == 5


@pytest.mark.parametrize("horizon", [HEADLINE_HORIZON, OTHER])
def test_a_candidate_is_scored_at_the_horizon_of_its_configuration(horizon):
    study = {"config": {"horizon": horizon, "threshold": 0.5}}
    signals = signal_evidence(FEATURES, foresight=0.5).assign(signal="hold", reason="")

    price = price_candidate("lstm", training_data(), price_onnx(horizon=horizon), price_evidence(FEATURES, 0.3), study)
    signal = signal_candidate("ensemble", training_data(), price_onnx(horizon=horizon), signals, study)

    assert price.metrics["horizon"] == horizon
    assert price.metrics["mae"] == price.metrics["by_horizon"][str(horizon)]["mae"]
    assert (price.facts["task"], signal.facts["task"]) == ("price", "signal")
    assert signal.metrics["rows"] == 150 - 5  # as the evidence is labelled; the horizon decides what the baseline knows


@pytest.mark.parametrize("horizon", [HEADLINE_HORIZON, OTHER])
def test_the_evaluation_scores_the_horizon_of_the_model(registry, horizon):
    for kind in ("lstm", "ensemble"):
        ticker = f"LIVE{horizon}"
        register_version(registry, kind, ticker, FEATURES.iloc[:TRAINED], first=140, config={"horizon": horizon})
        promote(registry, kind, 1, current_data(ticker, FEATURES), force=True, reason="test")

        evaluation = evaluate(registry, kind, current_data(ticker, FEATURES), FEATURES["close"])

        assert evaluation["rows"] == 250 - TRAINED - horizon


def test_the_promotion_compares_signals_with_the_horizon_that_both_have(registry, monkeypatch):
    horizons = []

    def compare(pairs, horizon):
        horizons.append(horizon)
        return compare_signals(pairs, horizon)

    monkeypatch.setattr(champion_challenger, "compare_signals", compare)
    for version in (1, 2):
        features = FEATURES.iloc[: TRAINED + version]
        register_version(registry, "ensemble", "BOTH", features, first=40, config={"horizon": OTHER})
        promote_if_better(registry, "ensemble", version, current_data("BOTH", FEATURES))

    assert horizons == [OTHER]


def test_signals_of_another_horizon_are_not_compared_but_may_be_forced(registry):
    register_version(registry, "ensemble", "FAR", FEATURES.iloc[:200])
    promote_if_better(registry, "ensemble", 1, current_data("FAR", FEATURES))
    register_version(registry, "ensemble", "FAR", FEATURES, foresight=0.9, config={"horizon": OTHER})

    decision = promote_if_better(registry, "ensemble", 2, current_data("FAR", FEATURES))

    assert (decision["outcome"], decision["production"]) == ("refused", 1)
    assert decision["reason"].startswith("horizon: horizon of the signals 10, in Production 5: ")
    forced = promote(registry, "ensemble", 2, current_data("FAR", FEATURES), force=True, reason="ten sessions")
    assert forced["production"] == 2


@pytest.mark.parametrize("horizon", [HEADLINE_HORIZON, OTHER])
def test_the_backtest_trades_and_charts_the_horizon_of_the_model(monkeypatch, horizon):
    monkeypatch.setattr(backtests, "assess_backtest", lambda result, *_: (result, {}))
    evidence = price_evidence(FEATURES, foresight=0.5)
    dates = FEATURES.index.to_numpy()
    targets = np.minimum(FEATURES.index.get_indexer(evidence["origin"]) + evidence["horizon"], len(dates) - 1)
    facts = {"model": "lstm-TEST", "version": 1, "ticker": "TEST", "study": {"config": {"horizon": horizon}}}
    model = Dataset({"evidence": evidence.assign(target_date=dates[targets])}, facts)
    prices = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), FEATURES["close"])).assign(suspect=False)
    backtest = backtests.backtest_asset(MODEL_KINDS["lstm"])

    result = backtest(
        backtests.TradingConfig(), SimpleNamespace(registry=None, draws_plots=False), Dataset({"prices": prices}), model
    ).value

    chart = result.facts["forecasts"]
    assert len(chart["origin"]) == 150 - horizon
    sessions = [str(day.date()) for day in FEATURES.index]
    assert sessions.index(chart["target_date"][0]) - sessions.index(chart["origin"][0]) == horizon
