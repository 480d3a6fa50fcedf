"""`zenith predict`: the answer of the REST endpoints, without a server."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

from zenith_core.errors import NotAvailable
from zenith_core.inference import HORIZONS
from zenith_core.market.listing import price_text
from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.registry.artifact_locations import make_relative_to_read
from zenith_serving.errors import UnknownTicker
from zenith_serving.prediction.predictor import Predictor, make_predictor
from zenith_serving.schemas.base import Answer
from zenith_serving.schemas.predictions import PriceAnswer, SignalAnswer
from zenith_serving.settings import Settings


def print_prediction(ticker: str, horizon: int, *, signal: bool, as_json: bool) -> None:
    """Print the forecast of a ticker. Raises NotAvailable if it has no model or no data."""
    with predictor_of(ticker) as (name, predictor):
        if as_json:
            answer = predictor.predict_signal(name) if signal else predictor.predict_price(name, horizon)
            print(answer.model_dump_json(indent=2))
        else:
            _show(predictor.predict_price(name, horizon), predictor.predict_signal(name))


@contextmanager
def predictor_of(ticker: str) -> Iterator[tuple[str, Predictor]]:
    """Yield the validated ticker and a predictor. Raises NotAvailable, with the ticker, if it has no data."""
    name = validate_ticker(ticker)
    settings = Settings()
    make_relative_to_read(settings.tracking_uri, settings.home / "mlflow" / "artifacts")
    try:
        yield name, make_predictor(settings)
    except UnknownTicker:  # its message has no name, because REST must not echo input
        raise NotAvailable(f"no predictions for {name} yet: `zenith run --tickers {name}` makes them") from None


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
    if price.scale_version:
        console.print(f"a band around the last close: scale {price.scale_version}, no model")
    else:
        verdict = "beats" if price.skill.beats_naive else "no better than"
        console.print(f"{price.model_type} v{price.model_version}: {verdict} assuming an unchanged price")
    if price.dates_estimated_after:
        console.print(f"dates after {price.dates_estimated_after} are estimated: the exchange's calendar ends there")
    show_end(console, price)


def show_end(console: Console, answer: Answer) -> None:
    """Print the lines below every answer: the age of stale data, and the disclaimer."""
    if answer.stale:
        age = f"{answer.age_sessions} sessions" + (" or more" if answer.age_sessions == HORIZONS else "")
        console.print(f"[bold]stale[/bold]: the data are {age} old")
    console.print(answer.disclaimer, style="dim")
