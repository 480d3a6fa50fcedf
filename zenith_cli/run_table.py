"""The table at the end of `zenith run`, and the line that says what to do next."""

from typing import Any

from rich.console import Console
from rich.table import Table


def show(document: dict[str, Any]) -> None:
    """Print the outcome of a batch for people."""
    table = Table(title=f"zenith run · {document['source']} · {document['seconds']:.0f} s")
    for heading in (
        "ticker",
        "last close",
        "in 5 sessions (90 %)",
        "signal",
        "skill vs naive",
        "Sharpe (b&h)",
        "Production",
    ):
        table.add_column(heading)
    for ticker, outcome in document["tickers"].items():
        table.add_row(ticker, *_cells(outcome))
    console = Console()
    console.print(table)
    _show_reports(console, document["tickers"])
    console.print(_next_step(document["tickers"]))


def _cells(outcome: dict[str, Any]) -> list[str]:
    if outcome["status"] != "ok":
        return [outcome["status"], outcome["reason"] or "", "", "", "", ""]
    close = f"{outcome['last_close']:.2f}\n{outcome['last']}" if outcome["last_close"] else "–"
    answer = outcome["forecast"]
    if not answer:
        return [close, f"{outcome['sessions']} sessions", "", "", "", ""]
    forecast = f"{answer['forecast']:.2f}\n{answer['lower']:.2f} to {answer['upper']:.2f}"
    signal = f"{answer['signal']}\n{answer['probability']:.0%}"
    versions = "\n".join(f"{kind} v{model['production']}" for kind, model in outcome["models"].items())
    return [
        close,
        forecast,
        signal,
        _skill(outcome["models"]["lstm"]["metrics"]),
        _sharpe(outcome["backtest"]),
        versions,
    ]


def _skill(metrics: dict[str, Any]) -> str:
    verdict = "beats naive" if metrics["beats_naive"] else "no better than naive"
    return f"{metrics['skill']:+.1%}\n{verdict}"


def _sharpe(backtests: dict[str, Any]) -> str:
    lines = []
    for kind, stats in backtests.items():
        own, held = stats["strategy"]["sharpe"], stats["buy_and_hold"]["sharpe"]
        lines.append(f"{kind} {_number(own)} ({_number(held)})")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _show_reports(console: Console, outcomes: dict[str, dict[str, Any]]) -> None:
    for ticker, outcome in outcomes.items():
        if outcome.get("report"):
            console.print(f"report {ticker}: {outcome['report']}", soft_wrap=True, highlight=False)


def _next_step(outcomes: dict[str, dict[str, Any]]) -> str:
    served = [ticker for ticker, outcome in outcomes.items() if outcome.get("forecast")]
    if served:
        return f"Next: `zenith predict {served[0]}`, `zenith serve` for the API, `zenith ui` for the Dagster UI."
    return "Next: `zenith export TICKER prices` shows what was made."
