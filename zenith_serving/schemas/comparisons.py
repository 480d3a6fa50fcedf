"""Two model versions side by side."""

from typing import Literal

from pydantic import Field

from zenith_serving.schemas.base import Finite, Response
from zenith_serving.schemas.charts import Backtest
from zenith_serving.schemas.registry import ModelVersion

Value = bool | int | Finite | str | None
Group = Literal["data", "parameters", "metrics", "calibration", "gates", "backtest"]


class ComparedFigure(Response):
    """A figure of both versions."""

    group: Group
    name: str
    values: tuple[Value, Value] = Field(description="Of the first and of the second version; null where it has none.")
    differs: bool


class ModelComparison(Response):
    """Two versions or kinds of model of a ticker side by side."""

    ticker: str
    versions: tuple[ModelVersion, ModelVersion]
    figures: list[ComparedFigure]
    backtests: tuple[Backtest | None, Backtest | None] = Field(
        description="The kept backtest of each version; null if that of its kind is of another version."
    )
