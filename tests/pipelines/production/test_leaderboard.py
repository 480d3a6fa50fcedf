"""The Production models of a ticker as contenders of its leaderboard."""

import pytest

from tests.pipelines.synthetic_models import market, register_version
from zenith_core.model_kinds.answers import ANSWERS
from zenith_pipelines.production import leaderboard as module
from zenith_pipelines.production.leaderboard import leaderboards
from zenith_pipelines.registry.registration import CPU_SECONDS

pytestmark = pytest.mark.slow

FEATURES = market(300)


def test_the_production_versions_are_compared_with_their_stored_forecasts(registry, monkeypatch):
    monkeypatch.setattr(module, "kinds_of", {"price": ("lstm", "gru"), "signal": ("ensemble",)}.get)
    monkeypatch.setitem(ANSWERS.by_ticker, "BOARD", {"price": "lstm", "signal": "ensemble"})
    for kind in ("lstm", "ensemble"):
        version = register_version(registry, kind, "BOARD", FEATURES, config={"threshold": 0.5}, foresight=0.1)
        registry.promote(version.name, version.version)
    register_version(registry, "lstm", "BOARD", FEATURES, foresight=0.9)  # a candidate that was not promoted
    registry.log_metrics("lstm-BOARD", 1, {CPU_SECONDS: 3.5}, {})

    boards = leaderboards(registry, "BOARD", FEATURES)

    lstm, gru = boards["price"]["models"]
    assert (lstm["version"], lstm["answers"], lstm["train_cpu_seconds"], lstm["own_rows"]) == (1, True, 3.5, 195)
    assert lstm["skill"] > 0
    assert (gru["model_type"], gru["version"], gru["note"]) == ("gru", None, "nothing in Production")
    assert boards["signal"]["rows"] == 195
    assert boards["signal"]["models"][0]["value"] < boards["signal"]["models"][0]["naive"]


def test_a_version_without_its_forecasts_is_listed_with_the_reason(registry, monkeypatch):
    for kind in ("lstm", "ensemble"):
        version = register_version(registry, kind, "GONE", FEATURES)
        registry.promote(version.name, version.version)
    monkeypatch.setattr(module, "evidence_of", lambda registry, version: None)

    board = leaderboards(registry, "GONE", FEATURES)["price"]

    assert (board["rows"], board["models"][0]["note"]) == (0, "its walk-forward forecasts are gone")
