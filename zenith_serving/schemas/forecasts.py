"""The table of all tickers' forecasts: one row for each ticker, at one horizon."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from zenith_core.names import ALERT_DAYS, HORIZONS
from zenith_serving.schemas.base import Finite, Response
from zenith_serving.schemas.predictions import AnswerEvidence, Reason, Signal

MAX_ROWS = 500


class TickerAlert(Response):
    """An alert about a ticker."""

    kind: Literal["run_failed", "refused", "rolled_back", "retraining"] = Field(
        description="A failed run, a refused promotion, a rollback, or a model that is trained again early."
    )
    at: AwareDatetime


class ForecastRow(Response):
    """The forecast of one ticker. A part that has no answer is null; `problem` says why there is no forecast."""

    ticker: str
    as_of: date | None = Field(default=None, description="The last closed session in the data: the forecast origin.")
    close: Finite | None = Field(default=None, description="Adjusted close at `as_of`.")
    previous_close: Finite | None = Field(default=None, description="Adjusted close one session before `as_of`.")
    recent: list[Finite] = Field(default=[], description="The last closes, up to `as_of`: 30 at most.")
    currency: str | None = None
    horizon: int = Field(ge=1, le=HORIZONS, description="Sessions ahead.")
    target_date: date | None = Field(default=None, description="The session that is forecast.")
    price: Finite | None = None
    change_pct: Finite | None = Field(default=None, description="Change from `close`, in per cent.")
    lower: Finite | None = Field(default=None, description="Lower end of the 90 % interval.")
    upper: Finite | None = None
    quantiles: dict[str, Finite] = Field(default={}, description="Price by level, for the levels of the request.")
    volatility: Finite | None = Field(default=None, description="Standard deviation of the log return.")
    value_at_risk: Finite | None = Field(
        default=None,
        description="Loss, as a share of `close`, that is exceeded with probability 0.05.",
    )
    signal: Signal | None = None
    reason_code: Reason | None = Field(default=None, description="`model`, or the reason why the signal is hold.")
    beats_naive: bool | None = Field(default=None, description="Whether the price model beats an unchanged price.")
    evidence: AnswerEvidence | None = Field(default=None, description="For the price forecasts, null without a model.")
    model_version: str | None = Field(default=None, description="Of the price model; `none` for a band without one.")
    model_data_end: date | None = Field(default=None, description="The last session in that model's training data.")
    stale: bool | None = Field(default=None, description="More than 5 sessions have begun since `as_of`.")
    alerts: list[TickerAlert] = Field(default=[], description=f"Of the last {ALERT_DAYS} days, the newest first.")
    problem: str | None = None
    problem_type: str | None = Field(default=None, description="Identifies its kind, as `type` of an error does.")

    def cells(self, levels: Sequence[float] = ()) -> dict[str, Any]:
        """Return the row by the names of `columns`."""
        fields = self.model_dump()
        prices = {_column(level): self.quantiles.get(str(level)) for level in levels}
        cells = (fields["evidence"] or {}) | fields | {"alerts": " ".join(alert.kind for alert in self.alerts)}
        return {name: cells.get(name) for name in columns()} | prices


def columns(levels: Sequence[float] = ()) -> list[str]:
    """Return the columns of a flat table: the single values of ForecastRow, and one for each level, such as q0.05."""
    groups = ("recent", "quantiles", "evidence")
    single = [name for name in ForecastRow.model_fields if name not in groups]
    return [*single, "e_value", "required", "discovered", *map(_column, levels)]


def _column(level: float) -> str:
    return f"q{level}"


class ForecastTable(Response):
    """Rows in the order of the tickers."""

    horizon: int
    forecasts: list[ForecastRow]
    next: str | None = Field(
        default=None, description="Where more tickers follow: the parameter `after` of the next page."
    )
    disclaimer: str
