"""What a page is told of tickers: the list of them, and for one the columns that its charts draw."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from zenith_core.names import Kind

Number = Annotated[float, Field(allow_inf_nan=False)]


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class TickerSummary(_Shown):
    """A ticker that can be asked about. All but the name is null if its data cannot be read."""

    ticker: str
    close: Number | None = Field(default=None, description="Adjusted close at `as_of`.")
    as_of: date | None = Field(default=None, description="The last closed session in the data.")
    currency: str | None = None
    stale: bool | None = Field(default=None, description="More than 5 sessions have begun since `as_of`.")
    age_sessions: int | None = Field(default=None, description="Sessions begun since `as_of`, counted up to 30.")


class Links(_Shown):
    """Where else to look; null if no address is known."""

    dagster: str | None = Field(description="`DAGSTER_URL`")
    mlflow: str | None = Field(description="`MLFLOW_TRACKING_URI`, if that is a server")


class TickerList(_Shown):
    """Every ticker that can be asked about."""

    tickers: list[TickerSummary]
    links: Links


class Candles(_Shown):
    """Adjusted prices by session, oldest first; columns of one length."""

    date: list[date]
    open: list[Number]
    high: list[Number]
    low: list[Number]
    close: list[Number]


class PastForecasts(_Shown):
    """What walk-forward models said of sessions that they had not seen, five sessions ahead, beside what came."""

    origin: list[date]
    target_date: list[date]
    close: list[Number] = Field(description="At the origin.")
    forecast: list[Number]
    lower: list[Number]
    upper: list[Number]
    actual: list[Number]


class Equity(_Shown):
    """Account values as multiples of the first one."""

    date: list[date]
    strategy: list[Number]
    buy_and_hold: list[Number]


class Performance(_Shown):
    """A few figures of an equity curve."""

    total_return: Number | None = None
    annual_return: Number | None = None
    volatility: Number | None = None
    max_drawdown: Number | None = None
    sharpe: Number | None = None
    trades: int | None = None


class Figures(_Shown):
    """The same figures of the strategy and of buying once and holding."""

    strategy: Performance
    buy_and_hold: Performance


class Costs(_Shown):
    """What each fill costs, as fractions of the value, per side."""

    commission: Number
    slippage: Number


class Backtest(_Shown):
    """What trading on walk-forward signals would have earned, after costs."""

    model_version: int
    equity: Equity
    stats: Figures
    config: Costs


class Chart(_Shown):
    """What there is to draw of a ticker; a part is null until `zenith run --tickers TICKER` has made it."""

    ticker: str
    candles: Candles | None
    forecasts: PastForecasts | None
    backtests: dict[Kind, Backtest | None]
