"""Gather the models of a ticker for its leaderboard: the Production version of each kind, with its stored evidence."""

import json
from typing import Any

import pandas as pd

from zenith_core.evaluation.leaderboard import Contender, leaderboard
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.model_kinds.table import kinds_of
from zenith_core.names import model_name
from zenith_pipelines.production.champion_challenger import evidence_of
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.registration import CPU_SECONDS

LEADERBOARD = "leaderboard"


def leaderboards(registry: ModelRegistry, ticker: str, features: pd.DataFrame) -> dict[str, Any]:
    """Return the leaderboard of each task, JSON-ready.

    features:  with close and volatility by session
    """
    return {
        task: leaderboard(task, [_contender(registry, kind, ticker) for kind in kinds_of(task)], answering, features)
        for task, answering in ANSWERS.of(ticker).items()
    }


def _contender(registry: ModelRegistry, kind: str, ticker: str) -> Contender:
    version = registry.production(model_name(kind, ticker))
    if version is None:
        return Contender(kind, note="nothing in Production")
    name, number = version.name, version.version
    evidence = evidence_of(registry, version)
    if evidence is None:
        return Contender(kind, number, version.data_end, note="its walk-forward forecasts are gone")
    config = json.loads(registry.file(name, number, "facts.json"))["study"].get("config", {})
    seconds = registry.metrics(name, number).get(CPU_SECONDS)
    return Contender(kind, number, version.data_end, evidence, version.horizon, config.get("threshold"), seconds)
