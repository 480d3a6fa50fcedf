"""The report of a ticker: its evidence as the pipelines keep it."""

from datetime import date
from typing import Any

from pydantic import Field

from zenith_core.model_kinds.table import Kind
from zenith_serving.schemas.base import Finite, Response
from zenith_serving.schemas.predictions import AnswerEvidence


class Verdict(Response):
    """A verdict on one subject, as a code."""

    subject: str = Field(description="`price`, `band`, `signal`, `backtest` or `leakage`.")
    model_type: Kind | None = Field(default=None, description="The kind of model, of a backtest.")
    code: str = Field(description="`better`, `no_better`, `kept`, `never_traded`, …")
    good: bool = Field(description="The verdict favours the model; of prices and signals, the evidence makes a claim.")
    evidence: AnswerEvidence | None = Field(default=None, description="As it is now; of prices and signals.")


class ModelEvidence(Response):
    """A model with its walk-forward evidence."""

    model_type: Kind
    task: str
    version: int
    answers: bool = Field(description="It answers its task.")
    horizon: int = Field(description="Sessions ahead of its headline figures.")
    metrics: dict[str, Any] = Field(description="Out of sample, beside the naive forecast's.")
    config: dict[str, Any] = Field(description="The options of its training.")
    folds: list[dict[str, Any]] = Field(description="The walk-forward folds; the last one trained the model itself.")
    importances: dict[str, Finite] = Field(description="Of the inputs of a signal model.")
    lineage: dict[str, str | None] = Field(description="The origins of the version.")


class TradingEvidence(Response):
    """A backtest on walk-forward signals, after costs."""

    model_version: int
    stats: dict[str, dict[str, Any]] = Field(description="Of `strategy` and of `buy_and_hold`.")
    config: dict[str, Any] = Field(description="The rules of trading.")


class Report(Response):
    """The evidence for and against the models of a ticker."""

    ticker: str
    as_of: date
    close: Finite
    currency: str
    listing: dict[str, str]
    data_version: str
    verdicts: list[Verdict]
    band: dict[str, Any] = Field(description="The figures of the bands that are served, by horizon too.")
    scale_version: str | None = Field(description="Of the scale behind the bands; null if they are the price model's.")
    models: list[ModelEvidence] = Field(description="Those that answer first.")
    backtests: dict[Kind, TradingEvidence]
    risk_record: dict[str, Any] = Field(description="The record of value at risk and volatility; empty without one.")
    leakage: dict[str, Any] = Field(description="The leakage certificate of the features; empty without one.")
    disclaimer: str
