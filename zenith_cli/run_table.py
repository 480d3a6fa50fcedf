"""The result table of `zenith run`, and the next step."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from zenith_core.market.listing import price_text
from zenith_core.model_kinds.table import kinds_of
from zenith_core.names import HEADLINE_HORIZON

_MAX_NAME = 5  # characters of a model's name: the table is 80 columns wide


def show(document: dict[str, Any]) -> None:
    """Print the outcome of a batch as a table, at most 80 columns wide."""
    title = f"zenith run · {document['source']} prices · {document['seconds']:.0f} s"
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    has_forecasts = any(outcome.get("forecast") for outcome in document["tickers"].values())
    headings = _headings(_horizon(document["tickers"]))
    for heading in headings if has_forecasts else headings[:2]:
        table.add_column(heading, no_wrap=True)
    for ticker, outcome in document["tickers"].items():
        if outcome["status"] == "ok":
            table.add_row(ticker, *_cells(outcome))
    console = Console(highlight=False, markup=False)
    if table.row_count:
        console.print(title, style="italic")
        console.print(table)
    if has_forecasts:
        console.print(_legend(_horizon(document["tickers"])), style="dim")
    _show_reports(console, document["tickers"])
    if table.row_count and not document.get("as_of"):
        console.print(_next_step(document["tickers"]), soft_wrap=True)


def _horizon(outcomes: Mapping[str, dict[str, Any]]) -> int:
    """Return the horizon of the forecasts."""
    horizons = [
        outcome["forecast"].get("horizon", HEADLINE_HORIZON) for outcome in outcomes.values() if outcome.get("forecast")
    ]
    return int(horizons[0]) if horizons else HEADLINE_HORIZON


def _headings(horizon: int) -> tuple[str, ...]:
    return ("ticker", "last close", f"in {horizon} sessions", "signal", "vs naive", "model", "Sharpe (b&h)")


def _legend(horizon: int) -> str:
    price, signal = (", ".join(map(_named, kinds_of(task))) for task in ("price", "signal"))
    return f"""in {horizon} sessions: forecast, 90 % interval. vs naive: skill out of sample, against
the random walk ({price}) and past frequencies ({signal}); * if discovered:
evidence enough for a claim. Sharpe: walk-forward, after costs (buy-and-hold)."""


def _named(kind: str) -> str:
    """Return the name of a kind, after its short form in the table if that is another."""
    return kind if _short(kind) == kind else f"{_short(kind)}, {kind}"


def _short(kind: str) -> str:
    """Return the name, or its beginning and its number if it is too long for the table."""
    if len(kind) <= _MAX_NAME:
        return kind
    number = kind.rpartition("_")[2] if kind[-1].isdigit() else ""
    return f"{kind[: _MAX_NAME - 2 - len(number)]}.{number}"


def _cells(outcome: dict[str, Any]) -> list[str]:
    last, close = outcome["last"], outcome["last_close"]
    close = f"{price_text(close)}\n{last}" if close else f"{last or '–'}"
    prediction = outcome["forecast"]
    if not prediction:
        return [close]
    price, lower, upper = (price_text(prediction[name]) for name in ("forecast", "lower", "upper"))
    forecast = f"{price}\n{lower}–{upper}"
    probability = prediction["probability"]
    signal = f"{prediction['signal']}\n{'–' if probability is None else f'{probability:.0%}'}"
    versions = "\n".join(f"{_short(kind)} v{model['production']}" for kind, model in outcome["models"].items())
    return [
        close,
        forecast,
        signal,
        "\n".join(_skill(kind, model["metrics"], outcome) for kind, model in outcome["models"].items()),
        versions,
        _sharpe(outcome["backtest"]),
    ]


def _skill(kind: str, metrics: dict[str, Any], outcome: dict[str, Any]) -> str:
    skill = "–" if metrics["skill"] is None else f"{metrics['skill']:+.1%}"
    evidence = outcome.get("evidence", {}).get(kind)
    return f"{skill} *" if evidence and evidence["discovered"] else skill


def _sharpe(backtests: dict[str, Any]) -> str:
    lines = []
    for stats in backtests.values():
        strategy, benchmark = stats["strategy"]["sharpe"], stats["buy_and_hold"]["sharpe"]
        lines.append(f"{_number(strategy)} ({_number(benchmark)})")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _show_reports(console: Console, outcomes: dict[str, dict[str, Any]]) -> None:
    for ticker, outcome in outcomes.items():
        if outcome.get("report"):
            console.print(f"report {ticker}: {outcome['report']}", soft_wrap=True, highlight=False)


def _next_step(outcomes: dict[str, dict[str, Any]]) -> str:
    forecast_tickers = [ticker for ticker, outcome in outcomes.items() if outcome.get("forecast")]
    if forecast_tickers:
        return (
            f"Next: `zenith predict {forecast_tickers[0]}`, `zenith serve` for the API, `zenith ui` for the Dagster UI."
        )
    ticker = next(ticker for ticker, outcome in outcomes.items() if outcome["status"] == "ok")
    return f"Next: `zenith export {ticker} prices` prints the cleaned prices."
