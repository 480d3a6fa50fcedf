"""`zenith book`: the risk of a book of positions."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from zenith_cli.options import current_names
from zenith_core.portfolio.book_forecast import BookForecast
from zenith_core.words import counted
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.portfolio.book import forecast_book
from zenith_pipelines.portfolio.book_file import read_book
from zenith_pipelines.settings import Settings

TAILS = (0.05, 0.025, 0.01)


def print_book(path: Path, horizon: int, currency: str | None, *, as_json: bool) -> None:
    """Print the risk of the book in the file. Raises UserError for a book that cannot be computed."""
    settings = Settings()  # registers the exchanges of ZENITH_EXCHANGES
    book = read_book(path, current_names)
    forecast = forecast_book(DatasetStore(settings.data_uri), book, horizon, TAILS, currency)
    if as_json:
        print(json.dumps(document(forecast), indent=2, allow_nan=False))
    else:
        _show(forecast, Console(highlight=False, markup=False))


def document(forecast: BookForecast) -> dict[str, Any]:
    """Return the risk as JSON-ready values. Amounts are in the book's currency, losses positive."""
    risk = forecast.risk
    columns = zip(
        forecast.tickers,
        forecast.values,
        risk.alone,
        risk.contributions,
        forecast.from_bands,
        *(tail.contributions for tail in risk.tails),
        strict=True,
    )
    return {
        "as_of": forecast.as_of,
        "horizon": forecast.horizon,
        "currency": forecast.currency,
        "value": float(forecast.values.sum() + forecast.cash),
        "gross": float(abs(forecast.values).sum()),
        "cash": forecast.cash,
        "volatility": risk.volatility,
        "diversification": risk.diversification,
        "independent_bets": forecast.independent_bets,
        "scenarios": [vars(scenario) for scenario in forecast.scenarios],
        "tails": [
            {"tail": tail.tail, "value_at_risk": tail.value_at_risk, "expected_shortfall": tail.shortfall}
            for tail in risk.tails
        ],
        "positions": [
            {
                "ticker": ticker,
                "value": float(value),
                "volatility": float(alone),
                "volatility_contribution": float(contribution),
                "scale": "bands" if from_bands else "closes",
                "shortfall_contributions": [float(each) for each in shortfalls],
            }
            for ticker, value, alone, contribution, from_bands, *shortfalls in columns
        ],
    }


def _show(forecast: BookForecast, console: Console) -> None:
    facts, risk = document(forecast), forecast.risk
    count = counted(len(forecast.tickers), "position")
    console.print(
        f"book of {count} on {forecast.as_of} · {facts['value']:,.2f} {forecast.currency}, "
        f"gross {facts['gross']:,.2f}, cash {forecast.cash:,.2f}",
        soft_wrap=True,
    )
    console.print(f"{counted(forecast.horizon, 'session')} ahead: volatility {_amount(risk.volatility, facts)}")
    tails = _table("tail", "value at risk", "expected shortfall")
    for tail in risk.tails:
        tails.add_row(f"{tail.tail:.1%}", _amount(tail.value_at_risk, facts), _amount(tail.shortfall, facts))
    console.print(tails)
    positions = _table("position", "value", "volatility", "its part", "part of ES 5 %", "scale")
    for row in facts["positions"]:
        amounts = (row["value"], row["volatility"], row["volatility_contribution"], row["shortfall_contributions"][0])
        positions.add_row(row["ticker"], *(f"{amount:,.2f}" for amount in amounts), row["scale"])
    console.print(positions)
    if forecast.scenarios:
        worst = _table("worst of the past", "until", "loss at today's volatility", "without prices")
        for scenario in forecast.scenarios:
            worst.add_row(scenario.since, scenario.until, _amount(scenario.loss, facts), str(scenario.missing))
        console.print(worst)
    if risk.diversification is not None:
        console.print(
            f"diversification takes {risk.diversification:.0%} off the positions' own volatilities; "
            f"as many independent bets as {forecast.independent_bets:.1f} tickers",
            soft_wrap=True,
        )
    console.print(
        "Losses are positive, shares are of the gross value. Parts add up to the book's volatility and expected "
        "shortfall (ES). Scale: bands are the served distribution, closes an estimate from closes alone.",
        style="dim",
        soft_wrap=True,
    )


def _amount(amount: float, facts: dict[str, Any]) -> str:
    share = f" ({amount / facts['gross']:.2%})" if facts["gross"] else ""
    return f"{amount:,.2f}{share}"


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if not number else "right", no_wrap=True)
    return table
