"""`zenith predict TICKER --risk`: the answer of /predict/risk, without a server."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from zenith_cli.predict import ask_each, print_json, show_end
from zenith_core.errors import UserError
from zenith_core.market.listing import price_text
from zenith_core.words import counted, p_clause
from zenith_serving.prediction.predictor import Predictor
from zenith_serving.schemas.risk import MAX_TOUCH, PercentTouch, PriceTouch, RiskAnswer, RiskRecord, RiskRequest

LEVELS = ("-10%", "-5%", "-3%", "3%", "5%", "10%")
"""The levels to touch, if none is named."""

_BOUND = {None: "", "at_most": "≤ ", "at_least": "≥ "}


def print_risks(tickers: Sequence[str], horizon: int, touch: Sequence[str], *, as_json: bool) -> None:
    """Print the risk of each ticker over `horizon` sessions.

    Raises UserError for an invalid level, and as `ask_each`.
    """
    levels = [parse_level(text) for text in touch or LEVELS]
    if len(levels) > MAX_TOUCH:
        raise UserError(f"--touch: at most {MAX_TOUCH} levels, not {len(levels)}")

    def ask(predictor: Predictor, ticker: str) -> RiskAnswer:
        return predictor.predict_risk(RiskRequest(ticker=ticker, horizon=horizon, touch=levels))

    ask_each(tickers, ask, print_json if as_json else _show_each)


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


def _show_each(answers: Sequence[RiskAnswer]) -> None:
    for answer in answers:
        _show(answer)


def _show_record(console: Console, record: RiskRecord) -> None:
    title = f"out of sample, {counted(record.horizon, 'session')} ahead, origins from {record.since} to {record.until}"
    table = Table("tail", "hits", "of", "Kupiec p", "independence p", "FZ0 gain on EWMA", title=title)
    for row in record.tails:
        figures = (_figure(value, ".3f") for value in (row.kupiec_p, row.independence_p, row.fz0_gain))
        table.add_row(f"{row.tail:.1%}", _figure(row.hit_rate, ".2%"), str(row.rows), *figures)
    console.print(table)
    skill = _figure(record.volatility.qlike_skill, ".1%")
    console.print(f"volatility: QLIKE {skill} better than EWMA")
    if band := record.band:
        coverage, gain = _figure(band.coverage, ".1%"), _figure(band.skill, ".1%")
        test = "" if band.p_value is None else f" ({p_clause('en', band.p_value)})"
        console.print(
            f"90 % band: held {coverage} of {counted(band.rows, 'price')}; pinball {gain} better than EWMA{test}"
        )
    if peers := record.peers:
        losses = [_gain(peers.pinball, other) for other in (peers.pinball_garch, peers.pinball_gjr)]
        console.print(f"its pinball beside GARCH {losses[0]}, beside GJR {losses[1]} (minus is better)")
    if record.touch:
        touches = Table("level", "touched", "Brier", "of the past frequency", "skill")
        for touch in record.touch:
            figures = (_figure(value, ".4f") for value in (touch.brier, touch.brier_frequency))
            touches.add_row(f"{touch.pct:+g} %", _figure(touch.rate, ".1%"), *figures, _figure(touch.skill, ".1%"))
        console.print(touches)


def _gain(own: float | None, other: float | None) -> str:
    return _figure(own / other - 1 if own is not None and other else None, "+.1%")


def _figure(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _show(answer: RiskAnswer) -> None:
    console = Console()
    console.print(f"{answer.ticker} · {price_text(answer.current_price)} {answer.currency} on {answer.as_of}")
    console.print(f"{counted(answer.horizon, 'session')}, until {answer.date}")
    console.print(f"volatility {answer.volatility:.2%}, {answer.annual_volatility:.1%} a year")
    tails = Table("tail", "value at risk", "price", "expected shortfall")
    for row in answer.tails:
        loss, mean = f"{row.value_at_risk:.2%}", f"{row.expected_shortfall:.2%}"
        tails.add_row(f"{row.tail:.1%}", loss, price_text(row.price), mean)
    console.print(tails)
    if answer.record:
        _show_record(console, answer.record)
    levels = Table("level", "change", "probability to touch it")
    for level in answer.touch:
        levels.add_row(price_text(level.price), f"{level.pct:+.2f} %", f"{_BOUND[level.limit]}{level.probability:.1%}")
    console.print(levels)
    console.print(f"losses are shares of the last close; scale {answer.scale_version}, data {answer.data_version}")
    show_end(console, answer)
