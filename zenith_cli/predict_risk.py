"""`zenith predict TICKER --risk`: the answer of /predict/risk, without a server."""

from collections.abc import Sequence

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from zenith_cli.predict import predictor_of, show_end
from zenith_core.errors import UserError
from zenith_core.market.listing import price_text
from zenith_serving.schemas.risk import PercentTouch, PriceTouch, RiskAnswer, RiskRequest

LEVELS = ("-10%", "-5%", "-3%", "3%", "5%", "10%")
"""The levels to touch, if none is named."""

_BOUND = {None: "", "at_most": "≤ ", "at_least": "≥ "}


def print_risk(ticker: str, horizon: int, touch: Sequence[str], *, as_json: bool) -> None:
    """Print the risk of a ticker over `horizon` sessions.

    Raises UserError for an invalid level, and NotAvailable if the ticker has no data or these no distribution.
    """
    levels = [parse_level(text) for text in touch or LEVELS]
    with predictor_of(ticker) as (name, predictor):
        try:
            request = RiskRequest(ticker=name, horizon=horizon, touch=levels)
        except ValidationError:  # ticker, horizon and each level are valid by themselves
            raise UserError(f"--touch: at most 10 levels, not {len(levels)}") from None
        answer = predictor.predict_risk(request)
    if as_json:
        print(answer.model_dump_json(indent=2))
    else:
        _show(answer)


def parse_level(text: str) -> PercentTouch | PriceTouch:
    """Parse `3%`, `-5%` or the price `190`. Raises UserError."""
    number, percent, rest = text.strip().partition("%")
    try:
        if rest:
            raise ValueError
        return PercentTouch(pct=float(number)) if percent else PriceTouch(price=float(number))
    except ValueError:  # a ValidationError is one
        raise UserError(
            f"--touch {text[:20]!r}: expected a change above -100 % such as 3% or -5%, or a price such as 190"
        ) from None


def _show(answer: RiskAnswer) -> None:
    console = Console()
    console.print(f"{answer.ticker} · {price_text(answer.current_price)} {answer.currency} on {answer.as_of}")
    console.print(f"{answer.horizon} sessions, until {answer.date}")
    console.print(f"volatility {answer.volatility:.2%}, {answer.annual_volatility:.1%} a year")
    tails = Table("tail", "value at risk", "price", "expected shortfall")
    for row in answer.tails:
        loss, mean = f"{row.value_at_risk:.2%}", f"{row.expected_shortfall:.2%}"
        tails.add_row(f"{row.tail:.1%}", loss, price_text(row.price), mean)
    console.print(tails)
    levels = Table("level", "change", "probability to touch it")
    for level in answer.touch:
        levels.add_row(price_text(level.price), f"{level.pct:+.2f} %", f"{_BOUND[level.limit]}{level.probability:.1%}")
    console.print(levels)
    console.print(f"losses are shares of the last close; scale {answer.scale_version}, data {answer.data_version}")
    show_end(console, answer)
