"""`zenith universe`: rank probabilities of all tickers, or of a group, from the stored forecast of all tickers."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from zenith_core.errors import NotAvailable, UserError
from zenith_core.market.tickers import parse_tickers
from zenith_core.names import ALL_TICKERS, UNIVERSE, UNIVERSE_LEDGER
from zenith_core.portfolio.correlation import independent_bets
from zenith_core.portfolio.ranks import beat_probabilities, rank_probabilities
from zenith_core.portfolio.universe import Universe
from zenith_core.words import counted
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.portfolio.universe import served_distributions
from zenith_pipelines.settings import Settings

MAX_GROUP = 100
DRAWS = 20_000
_MOST_PAIRS = 10  # tickers whose pairs fit on a screen; --json has those of any group
_PAIRS = (("beats", "beats", ".1%"), ("correlations", "correlation", ".2f"))
_FIFTHS = ("lowest fifth", "2nd", "3rd", "4th", "highest fifth")


def print_ranks(tickers: str | None, horizon: int, *, as_json: bool) -> None:
    """Print the table. Raises UserError, or NotAvailable if there is no forecast of all tickers yet."""
    store = DatasetStore(Settings().data_uri)
    if not store.exists(UNIVERSE, ALL_TICKERS):
        raise NotAvailable("there is no forecast of all tickers yet: `zenith job forecast_universe` makes it")
    facts = store.facts(UNIVERSE, ALL_TICKERS)
    document = _group(store, facts, parse_tickers(tickers), horizon) if tickers else _all(store, facts, horizon)
    if as_json:
        print(json.dumps(document, indent=2, allow_nan=False))
    else:
        _show(document, Console(highlight=False, markup=False))


def _all(store: DatasetStore, facts: dict[str, Any], horizon: int) -> dict[str, Any]:
    if str(horizon) not in facts["ranks"]:
        raise UserError(f"--horizon: all tickers are ranked for {' and '.join(facts['ranks'])} sessions ahead")
    ranks = facts["ranks"][str(horizon)]
    ledger = store.facts(UNIVERSE_LEDGER, ALL_TICKERS) if store.exists(UNIVERSE_LEDGER, ALL_TICKERS) else {}
    return {
        "as_of": facts["as_of"],
        "horizon": horizon,
        "independent_bets": ranks["independent_bets"],
        "ranks": ranks["tickers"],
        "left_out": facts["left_out"],
        "record": ledger.get("record", {}).get(str(horizon)),
    }


def _group(store: DatasetStore, facts: dict[str, Any], tickers: list[str], horizon: int) -> dict[str, Any]:
    if not 2 <= len(tickers) <= MAX_GROUP:
        raise UserError(f"--tickers: a group has 2 to {MAX_GROUP} tickers, not {len(tickers)}")
    universe = Universe.from_json(facts)
    columns = [universe.column(ticker) for ticker in tickers]
    distributions = served_distributions(store, universe, tickers)
    moves = universe.in_marginals(universe.standard_draws(columns, DRAWS), columns, distributions, horizon)
    ranks, beats, correlations = rank_probabilities(moves), beat_probabilities(moves), universe.correlation(columns)
    return {
        "as_of": universe.as_of,
        "horizon": horizon,
        "independent_bets": independent_bets(correlations),
        "ranks": [
            {
                "ticker": ticker,
                "fifths": ranks.fifths[number].tolist(),
                "first": float(ranks.first[number]),
                "last": float(ranks.last[number]),
                "beats": dict(zip(tickers, beats[number].tolist(), strict=True)),
                "correlations": dict(zip(tickers, correlations[number].tolist(), strict=True)),
            }
            for number, ticker in enumerate(tickers)
        ],
        "left_out": {},
        "record": None,
    }


def _show(document: dict[str, Any], console: Console) -> None:
    count = len(document["ranks"])
    sessions = counted(document["horizon"], "session")
    console.print(
        f"{counted(count, 'ticker')} on {document['as_of']}, {sessions} ahead; they vary together like "
        f"{document['independent_bets']:.1f} independent ones",
        soft_wrap=True,
    )
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for number, heading in enumerate(("ticker", *_FIFTHS, "first", "last")):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for row in document["ranks"]:
        table.add_row(row["ticker"], *(f"{each:.1%}" for each in (*row["fifths"], row["first"], row["last"])))
    console.print(table)
    for name, title, form in _PAIRS:
        if name in document["ranks"][0] and count <= _MOST_PAIRS:
            console.print(_pairs(document["ranks"], name, title, form))
    for reason in document["left_out"].values():
        console.print(f"left out: {reason}", style="dim", soft_wrap=True)
    if record := document["record"]:
        console.print(
            f"record of {counted(record['outcomes'], 'past forecast')}: score {record['rps']:.4f}, equal probabilities "
            f"{record['rps_equal']:.4f}; losses above the {record['tail']:.0%} value at risk of the "
            f"equal-weight book: {record['hits']}, {record['expected_hits']:.1f} expected",
            soft_wrap=True,
        )
    console.print(
        "Probabilities of the return's place among these tickers; 20 % in each fifth say nothing. They tell how far "
        "prices will move, hardly in which direction.",
        style="dim",
        soft_wrap=True,
    )


def _pairs(rows: list[dict[str, Any]], name: str, title: str, form: str) -> Table:
    """Return a table of each ticker with each."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(title, no_wrap=True)
    for row in rows:
        table.add_column(row["ticker"], justify="right", no_wrap=True)
    for row in rows:
        others = (each["ticker"] for each in rows)
        cells = ("–" if other == row["ticker"] else format(row[name][other], form) for other in others)
        table.add_row(row["ticker"], *cells)
    return table
