"""`zenith predict`: the answer of the REST endpoints, without a server."""

import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from zenith_core.errors import CorruptData, NotAvailable, ZenithError
from zenith_core.inference import HORIZONS
from zenith_core.market.listing import price_text
from zenith_core.market.tickers import parse_tickers
from zenith_core.words import counted
from zenith_pipelines.patience import waiting_for
from zenith_pipelines.registry.artifact_locations import make_relative_to_read
from zenith_serving.errors import UnknownTicker
from zenith_serving.prediction.predictor import Predictor, make_predictor
from zenith_serving.schemas.base import Answer
from zenith_serving.schemas.predictions import PriceAnswer, SignalAnswer
from zenith_serving.settings import Settings

Result = TypeVar("Result")


def print_predictions(
    tickers: Sequence[str], horizon: int, signal_horizon: int | None = None, *, signal: bool, as_json: bool
) -> None:
    """Print the forecast of each ticker. Raises as `ask_each`."""
    if not as_json:
        ask_each(tickers, partial(_price_and_signal, horizon=horizon, signal_horizon=signal_horizon), _show_each)
    elif signal:
        ask_each(tickers, partial(_signal, horizon=signal_horizon), print_json)
    else:
        ask_each(tickers, partial(_price, horizon=horizon), print_json)


def ask_each(
    tickers: Sequence[str], ask: Callable[[Predictor, str], Result], show: Callable[[Sequence[Result]], None]
) -> None:
    """Show the answers about tickers. One without an answer does not keep the others from being shown.

    Raises InvalidTicker before anything is asked, and after the others are shown the first error of a ticker.
    """
    names = parse_tickers(",".join(tickers))
    answers: list[Result] = []
    errors: list[ZenithError] = []
    with warnings_held() as warnings:
        predictor = open_predictor()
        for name in names:
            try:
                with waiting_for("MLFLOW_TRACKING_URI"):
                    answers.append(ask(predictor, name))
            except UnknownTicker:  # its message has no name, because REST must not echo input
                errors.append(NotAvailable(f"no predictions for {name} yet: `zenith run --tickers {name}` makes them"))
            except (NotAvailable, CorruptData) as error:
                errors.append(error)
    if answers:
        print_warnings(warnings)
        show(answers)
    if errors:
        raise errors[0]


@contextmanager
def warnings_held() -> Iterator[dict[str, None]]:
    """Collect what serving warns of. Beside an answer it matters; an error says it itself."""
    warnings: dict[str, None] = {}
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: warnings.setdefault(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("zenith_serving")
    logger.addHandler(handler)
    try:
        yield warnings
    finally:
        logger.removeHandler(handler)


def print_warnings(warnings: Iterable[str]) -> None:
    """Print a line for each warning."""
    for warning in warnings:
        print(f"zenith: {warning}", file=sys.stderr)


def print_json(answers: Sequence[Answer]) -> None:
    """Print an object, or a list of several."""
    documents = [answer.model_dump(mode="json") for answer in answers]
    print(json.dumps(documents if len(documents) > 1 else documents[0], indent=2, ensure_ascii=False))


def _price(predictor: Predictor, ticker: str, *, horizon: int) -> PriceAnswer:
    return predictor.predict_price(ticker, horizon)


def _signal(predictor: Predictor, ticker: str, *, horizon: int | None) -> SignalAnswer:
    return predictor.predict_signal(ticker, horizon)


def _price_and_signal(
    predictor: Predictor, ticker: str, *, horizon: int, signal_horizon: int | None
) -> tuple[PriceAnswer, SignalAnswer]:
    return predictor.predict_price(ticker, horizon), predictor.predict_signal(ticker, signal_horizon)


def _show_each(answers: Sequence[tuple[PriceAnswer, SignalAnswer]]) -> None:
    for price, signal in answers:
        _show(price, signal)


def open_predictor() -> Predictor:
    """Return a predictor over the home and its registry."""
    settings = Settings()
    make_relative_to_read(settings.tracking_uri, settings.home / "mlflow" / "artifacts")
    return make_predictor(settings)


def _show(price: PriceAnswer, signal: SignalAnswer) -> None:
    console = Console()
    title = f"{price.ticker} · {price_text(price.current_price)} {price.currency} on {price.as_of}"
    table = Table("session", "date", "price", "change", "90 % interval", title=title)
    for row in price.predictions:
        interval = f"{price_text(row.lower)} to {price_text(row.upper)}"
        table.add_row(str(row.day), str(row.date), price_text(row.price), f"{row.change_pct:+.2f} %", interval)
    console.print(table)
    probability = "" if signal.confidence is None else f" ({signal.confidence:.0%})"
    console.print(f"signal {signal.signal}{probability}: {signal.reason}")
    if price.model_version == "none":
        console.print("no model: the price is the last close")
    else:
        verdict = "beats" if price.skill.beats_naive else "no better than"
        console.print(
            f"{price.model_type} v{price.model_version}: {verdict} assuming an unchanged price, looked at once"
        )
    if price.evidence:
        console.print(
            f"evidence, {counted(price.evidence.horizon, 'session')} ahead: {price.evidence.says}", soft_wrap=True
        )
    if price.scale_version:
        coverage = "unknown" if price.coverage is None else f"{price.coverage:.1%}"
        console.print(f"intervals by scale {price.scale_version} around the last close; past coverage {coverage}")
    if price.dates_estimated_after:
        console.print(f"dates after {price.dates_estimated_after} are estimated: the exchange's calendar ends there")
    show_end(console, price)


def show_end(console: Console, answer: Answer) -> None:
    """Print the lines below every answer: the age of stale data, and the disclaimer."""
    if answer.stale:
        age = counted(answer.age_sessions, "session") + (" or more" if answer.age_sessions == HORIZONS else "")
        console.print(f"[bold]stale[/bold]: the data are {age} old")
    console.print(answer.disclaimer, style="dim")
