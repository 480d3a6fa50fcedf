"""What the registry, the ledger and training answer over REST, and what is asked of them."""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from zenith_serving.schemas import Finite


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Forecast(_Answer):
    """A forecast as it was made, beside what came."""

    origin: date = Field(description="The last session that was known.")
    horizon: int = Field(description="Sessions after `origin`.")
    target_date: date
    made_at: datetime
    close: Finite = Field(description="Adjusted close at `origin`, as it was then.")
    forecast: Finite
    lower: Finite = Field(description="Lower end of the 90 % interval.")
    upper: Finite
    actual: Finite | None = Field(description="The close at `target_date`, in the units of `close`; null until then.")
    model_version: str
    in_the_open: bool = Field(description="Made before the day it is for. Only such ones are summed up.")


class HorizonRecord(_Answer):
    """How the matured forecasts of one horizon did. Figures of nothing are null."""

    matured: int = Field(description="Forecasts made in the open whose day has come.")
    coverage: Finite | None = Field(description="Share of them within their 90 % interval.")
    mae: Finite | None = Field(description="Mean absolute error, a fraction of the close at the origin.")
    mae_naive: Finite | None = Field(description="The same of forecasting that the price stays.")


class TrackRecord(_Answer):
    """Served forecasts against what came."""

    ticker: str
    forecasts: list[Forecast] = Field(description="Of the last 250 origins, oldest first, 1, 5 and 20 sessions ahead.")
    summary: dict[str, HorizonRecord] = Field(description="By horizon in sessions, over all origins.")
