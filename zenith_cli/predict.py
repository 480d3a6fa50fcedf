"""`zenith predict`: the answer of the REST endpoints, without a server."""

from rich.console import Console
from rich.table import Table

from zenith_core.errors import NotAvailable
from zenith_core.inference import HORIZONS
from zenith_core.market.listing import price_text
from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.registry.artifact_locations import make_relative_to_read
from zenith_serving.errors import UnknownTicker
from zenith_serving.prediction.predictor import make_predictor
from zenith_serving.schemas.predictions import PriceAnswer, SignalAnswer
from zenith_serving.settings import Settings


def print_prediction(ticker: str, horizon: int, *, signal: bool, as_json: bool) -> None:
    """Print the forecast of a ticker. Raises NotAvailable if it has no model or no data."""
    name = validate_ticker(ticker)
    settings = Settings()
    make_relative_to_read(settings.tracking_uri, settings.home / "mlflow" / "artifacts")
    predictor = make_predictor(settings)
    try:
        if as_json:
            answer = predictor.predict_signal(name) if signal else predictor.predict_price(name, horizon)
            print(answer.model_dump_json(indent=2))
        else:
            _show(predictor.predict_price(name, horizon), predictor.predict_signal(name))
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
    console.print(f"signal {signal.signal} ({signal.confidence:.0%}): {signal.reason}")
    verdict = "beats" if price.skill.beats_naive else "no better than"
    console.print(f"{price.model_type} v{price.model_version}: {verdict} assuming an unchanged price")
    if price.dates_estimated_after:
        console.print(f"dates after {price.dates_estimated_after} are estimated: the exchange's calendar ends there")
    if price.stale:
        age = f"{price.age_sessions} sessions" + (" or more" if price.age_sessions == HORIZONS else "")
        console.print(f"[bold]stale[/bold]: the data are {age} old")
    console.print(price.disclaimer, style="dim")
