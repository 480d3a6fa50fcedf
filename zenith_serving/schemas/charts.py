"""The list of tickers, and the columns that a ticker's charts draw."""

from datetime import date
from typing import Literal

from pydantic import Field

from zenith_core.model_kinds.table import Kind
from zenith_serving.schemas.base import Finite, Response


class TickerSummary(Response):
    """A ticker with data. If its data cannot be read, only `ticker` is set."""

    ticker: str
    close: Finite | None = Field(default=None, description="Adjusted close at `as_of`.")
    as_of: date | None = Field(default=None, description="The last closed session in the data.")
    currency: str | None = Field(default=None, description="Of the prices; `GBp` are pence.")
    unit: str | None = Field(default=None, description="For prices in hundredths or thousandths: `100 GBp = 1 GBP`.")
    exchange: str | None = Field(default=None, description="As the source names it, else the code of the exchange.")
    instrument: str | None = Field(default=None, description="`equity`, `index`, `currency`, …, if it is known.")
    name: str | None = Field(default=None, description="The name of the instrument, if the source has it.")
    stale: bool | None = Field(default=None, description="More than 5 sessions have begun since `as_of`.")
    age_sessions: int | None = Field(default=None, description="Sessions begun since `as_of`, counted up to 30.")


class Links(Response):
    """Addresses of the Dagster and MLflow pages; null if not set."""

    dagster: str | None = Field(description="`DAGSTER_URL`")
    mlflow: str | None = Field(description="`MLFLOW_TRACKING_URI`, if that is a server")


class KindOfModel(Response):
    """A kind of model in use."""

    name: str = Field(description="As in `model_type`.")
    task: str = Field(description="`price` or `signal`.")
    title: str
    options: list[str] = Field(description="The options of its configuration.")


class TickerList(Response):
    """Every ticker with data."""

    tickers: list[TickerSummary]
    links: Links
    kinds: list[KindOfModel] = Field(default=[], description="The kinds of model that a training may name.")
    needs_key: bool = Field(default=True, description="True if a training needs a key: `ZENITH_API_KEYS` is set.")
    next: str | None = Field(default=None, description="`after` of the next page; null on the last one.")


class Candles(Response):
    """Adjusted prices by session, oldest first; columns of one length."""

    date: list[date]
    open: list[Finite]
    high: list[Finite]
    low: list[Finite]
    close: list[Finite]
    volume: list[Finite] | None = Field(default=None, description="Null in data of an earlier release.")


class Indicators(Response):
    """Indicators of the feature table by session, oldest first; null in their warm-up."""

    date: list[date]
    sma_50: list[Finite | None]
    sma_200: list[Finite | None]
    bb_lower: list[Finite | None] = Field(description="Two deviations below the mean of 20 closes.")
    bb_upper: list[Finite | None]
    rsi_14: list[Finite | None]


class PastSignals(Response):
    """The sessions with a walk-forward signal to buy or sell, oldest first."""

    date: list[date]
    signal: list[Literal["buy", "sell"]]


class PastForecasts(Response):
    """Out-of-sample forecasts of walk-forward models, five sessions ahead, beside the actual closes."""

    origin: list[date]
    target_date: list[date]
    close: list[Finite] = Field(description="At the origin.")
    forecast: list[Finite]
    lower: list[Finite]
    upper: list[Finite]
    actual: list[Finite]


class Equity(Response):
    """Account values as multiples of the first one."""

    date: list[date]
    strategy: list[Finite]
    buy_and_hold: list[Finite]


class Performance(Response):
    """Performance of an equity curve."""

    total_return: Finite | None = None
    annual_return: Finite | None = None
    volatility: Finite | None = None
    max_drawdown: Finite | None = None
    sharpe: Finite | None = None
    trades: int | None = Field(default=None, description="Closed trades.")
    open_trades: int | None = None


class Figures(Response):
    """Performance of the strategy and of buy-and-hold."""

    strategy: Performance
    buy_and_hold: Performance


class Costs(Response):
    """Costs per side, as fractions of the traded value."""

    commission: Finite
    slippage: Finite


class Backtest(Response):
    """A backtest of trading on walk-forward signals, after costs."""

    model_version: int
    equity: Equity
    stats: Figures
    config: Costs


class Chart(Response):
    """The charts of a ticker; a part is null until `zenith run --tickers TICKER` has made it."""

    ticker: str
    candles: Candles | None
    forecasts: PastForecasts | None
    indicators: Indicators | None = None
    signals: PastSignals | None = Field(default=None, description="Of the model that answers.")
    backtests: dict[Kind, Backtest | None]
