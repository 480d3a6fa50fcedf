"""Risk requests and responses. A loss is a positive share of the last close: 0.05 for a fall of 5 %."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from zenith_core.names import HORIZONS
from zenith_serving.schemas.base import Answer, Finite, Request, Response, Ticker

TAILS = (0.01, 0.025, 0.05)
_MAX_TAILS = 10
MAX_TOUCH = 10


class PercentTouch(Request):
    """A level to touch, relative to the last close."""

    pct: float = Field(
        gt=-100,
        le=10_000,
        allow_inf_nan=False,
        description="Change from the last close in per cent: 3 is 3 % above it, -3 is 3 % below. Not 0.",
        json_schema_extra={"not": {"const": 0}},
    )

    def price_from(self, close: float) -> float:
        """Return the level as a price."""
        return close * (1 + self.pct / 100)


class PriceTouch(Request):
    """A price to touch."""

    price: float = Field(gt=0, le=1e12, allow_inf_nan=False, description="A price in the currency of the ticker.")

    def price_from(self, close: float) -> float:  # as of PercentTouch
        """Return the price."""
        return self.price


def _kind_of_touch(level: Any) -> str | None:
    if isinstance(level, PercentTouch | PriceTouch):
        return "pct" if isinstance(level, PercentTouch) else "price"
    return next(iter(level)) if isinstance(level, dict) and len(level) == 1 else None


Touch = Annotated[
    Annotated[PercentTouch, Tag("pct")] | Annotated[PriceTouch, Tag("price")],
    Discriminator(
        _kind_of_touch,
        custom_error_type="touch",
        custom_error_message='one of {"pct": 3} and {"price": 190} is expected',
    ),
]


class RiskRequest(Request):
    """Request value at risk, expected shortfall, volatility and touch probabilities."""

    ticker: Ticker
    horizon: int = Field(default=5, ge=1, le=HORIZONS, description="Sessions ahead.")
    tails: list[Annotated[float, Field(gt=0, le=0.5)]] = Field(
        default=list(TAILS),
        min_length=1,
        max_length=_MAX_TAILS,
        description="Probabilities of a loss above the value at risk. The finest one is that of the data, 0.001.",
    )
    touch: list[Touch] = Field(
        default=[], max_length=MAX_TOUCH, description='Levels such as {"pct": 3}, {"pct": -5} or {"price": 190}.'
    )
    use_cache: bool = Field(default=True, description="False computes the answer again.")


class TailRisk(Response):
    """The risk of one tail. A loss is a positive share of `current_price`."""

    tail: Finite = Field(description="Probability of a loss above `value_at_risk`.")
    value_at_risk: Finite = Field(description="Loss over the horizon that is exceeded with probability `tail`.")
    expected_shortfall: Finite = Field(description="Mean loss in these cases.")
    price: Finite = Field(description="The price at the value at risk.")


class TouchRisk(Response):
    """The probability that a price is touched within the horizon."""

    price: Finite
    pct: Finite = Field(description="Its distance from `current_price`, in per cent.")
    probability: Finite = Field(
        description="That the high of a session reaches it, or the low if it is below `current_price`."
    )
    limit: Literal["at_most", "at_least"] | None = Field(
        description="Set where the data do not reach so far: `probability` is then its upper or lower bound."
    )


class TailRecord(Response):
    """The out-of-sample record of one tail, beside EWMA volatility with normal tails."""

    tail: Finite
    rows: int = Field(description="Forecasts whose horizon has passed.")
    hits: int = Field(description="Losses above the value at risk.")
    hit_rate: Finite | None = Field(description="Their share, `tail` if it is right.")
    kupiec_p: Finite | None = Field(description="Kupiec's test that the share is right; null below 50 separate rows.")
    independence_p: Finite | None = Field(
        description="Christoffersen's test that a hit is as likely after a hit as after none; null where undefined."
    )
    fz0: Finite | None = Field(description="Mean FZ0 loss of value at risk and expected shortfall; smaller is better.")
    fz0_ewma: Finite | None
    fz0_gain: Finite | None = Field(description="`fz0_ewma` - `fz0`: above 0 is better than EWMA.")


class VolatilityRecord(Response):
    """The out-of-sample record of the volatility, beside EWMA."""

    rows: int
    qlike: Finite | None = Field(description="Mean QLIKE loss against the realized variance; smaller is better.")
    qlike_ewma: Finite | None
    qlike_skill: Finite | None = Field(description="1 - `qlike` / `qlike_ewma`: above 0 is better than EWMA.")


class BandRecord(Response):
    """The out-of-sample record of the 90 % band, beside that of EWMA volatility times the ticker's own quantiles."""

    rows: int = Field(description="Forecasts whose horizon has passed.")
    coverage: Finite | None = Field(description="Share of the actual prices within the band, 0.9 if it is right.")
    pinball: Finite | None = Field(description="Mean pinball loss of the quantiles 5 to 95 %; smaller is better.")
    pinball_ewma: Finite | None
    skill: Finite | None = Field(description="1 - `pinball` / `pinball_ewma`: above 0 is better than EWMA.")
    p_value: Finite | None = Field(
        description="One-sided Diebold-Mariano test of the two; null below 50 separate rows, where it is unreliable."
    )


class PeerRecord(Response):
    """Mean pinball losses of the band and of its peers, on every fifth forecast; smaller is better."""

    rows: int
    pinball: Finite | None
    pinball_garch: Finite | None = Field(description="Of GARCH(1,1) with Student's t.")
    pinball_gjr: Finite | None = Field(description="Of GJR-GARCH with filtered historical simulation.")


class TouchRecord(Response):
    """The out-of-sample record of the probability to touch a level, beside how often it was touched before."""

    pct: Finite = Field(description="The level, in per cent from the last close.")
    rows: int
    rate: Finite | None = Field(description="Share of the forecasts after which it was touched.")
    brier: Finite | None = Field(description="Mean squared error of the probability; smaller is better.")
    brier_frequency: Finite | None = Field(description="The same of the frequency until each forecast.")
    skill: Finite | None = Field(description="1 - `brier` / `brier_frequency`: above 0 is better.")


class RiskRecord(Response):
    """The ticker's walk-forward record: each origin by a scale that was learned before it."""

    horizon: int = Field(description="The scored horizon nearest to the requested one, in sessions.")
    since: date = Field(description="The first forecast origin.")
    until: date = Field(description="The last forecast origin.")
    tails: list[TailRecord] = Field(description="Of 1, 2.5 and 5 %.")
    volatility: VolatilityRecord
    band: BandRecord | None = Field(default=None, description="Null in data of an earlier release.")
    peers: PeerRecord | None = Field(default=None, description="Null in data of an earlier release.")
    touch: list[TouchRecord] = Field(default=[], description="Empty in data of an earlier release.")


class RiskAnswer(Answer):
    """The risk over the next sessions, from the scale of all tickers and past errors. No model is needed for it."""

    horizon: int
    date: date
    scale_version: str = Field(description="Version of the scale model, or `prior-YEAR` for the one in the package.")
    data_version: str = Field(description="Of the cleaned prices behind the answer.")
    volatility: Finite = Field(description="Standard deviation of the log return over the horizon.")
    annual_volatility: Finite = Field(description="The same for a year of the ticker's market.")
    tails: list[TailRisk] = Field(description="In the order of the request.")
    touch: list[TouchRisk] = Field(description="In the order of the request.")
    record: RiskRecord | None = Field(default=None, description="Null if there is none yet.")
