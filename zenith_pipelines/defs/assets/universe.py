"""All tickers together: assets without partitions, made after the refreshes of a day."""

import time

import dagster as dg

from zenith_core.errors import NotAvailable
from zenith_core.model_kinds.table import KINDS
from zenith_core.names import ALL_TICKERS, BOOK_BACKTEST, TRIALS, UNIVERSE, UNIVERSE_LEDGER
from zenith_core.portfolio.joint_closes import joint_closes
from zenith_core.portfolio.universe import Universe
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.defs.code_versions import code_version
from zenith_pipelines.defs.metadata import OWNERS, materialized
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.portfolio.book_backtest import backtest_of
from zenith_pipelines.portfolio.universe import closes_of, readable, universe_of
from zenith_pipelines.portfolio.universe_facts import universe_facts
from zenith_pipelines.portfolio.universe_ledger import ENTRIES, next_universe_ledger
from zenith_pipelines.production.ledger import head_of
from zenith_pipelines.registry.trials import publish_trials
from zenith_pipelines.tickers import known_tickers


@dg.asset(
    name=UNIVERSE,
    group_name="production",
    owners=OWNERS,
    kinds={"json", "numpy"},
    deps=["serving_snapshot"],
    code_version=code_version("zenith_core/portfolio", "zenith_pipelines/portfolio"),
)
def universe_of_tickers(context: dg.AssetExecutionContext, zenith: ZenithResource) -> dg.MaterializeResult[None]:
    """Forecast of all tickers together: scales and correlations for books, and the probabilities of their ranks.

    One dataset for all tickers, which serving reads. It needs no training.
    """
    start = time.process_time()
    tickers = readable(zenith.store, known_tickers(context.instance))
    if not tickers:
        raise NotAvailable("no ticker has prices yet: `zenith run --tickers AAPL`")
    universe = universe_of(zenith.store, tickers)
    facts = universe_facts(zenith.store, universe)
    zenith.store.write(UNIVERSE, ALL_TICKERS, Dataset(facts=facts), fence=zenith.fence)
    return materialized(
        metadata={
            "as_of": universe.as_of,
            "dagster/row_count": len(universe.tickers),
            "tickers": len(universe.tickers),
            "with_bands": len(facts["scale_versions"]),
            "left_out": dict(universe.left_out),
            "independent_bets": round(next(iter(facts["ranks"].values()))["independent_bets"], 2),
            "shrinkage": round(universe.shrinkage, 4),
            "draws": facts["draws"],
            "cpu_seconds": round(time.process_time() - start, 2),
        },
        data_version=dg.DataVersion(universe.version),
    )


@dg.asset(
    name=UNIVERSE_LEDGER,
    group_name="production",
    owners=OWNERS,
    kinds={"parquet"},
    deps=[UNIVERSE],
    code_version=code_version("zenith_core/portfolio/universe_record.py", "zenith_pipelines/portfolio"),
)
def ledger_of_universe(zenith: ZenithResource) -> dg.MaterializeResult[None]:
    """The rank probabilities and the risk of an equal-weight book, kept unchanged and scored when they are due.

    An append-only chain of entries, each with the hash of the one before.
    """
    facts = zenith.store.facts(UNIVERSE, ALL_TICKERS)
    universe = Universe.from_json(facts)
    closes, _ = closes_of(zenith.store, readable(zenith.store, universe.tickers))
    ledger = next_universe_ledger(zenith.store, universe, facts, joint_closes(closes))
    zenith.store.write(UNIVERSE_LEDGER, ALL_TICKERS, ledger, fence=zenith.fence)
    figures = {
        f"{horizon}/{name}": value
        for horizon, row in ledger.facts["record"].items()
        for name, value in row.items()
        if value is not None
    }
    return materialized(metadata={**figures, **head_of(ledger.tables[ENTRIES])})


@dg.asset(
    name=BOOK_BACKTEST,
    group_name="backtests",
    owners=OWNERS,
    kinds={"parquet"},
    deps=["cleaned_prices"],
    code_version=code_version("zenith_core/backtesting", "zenith_core/portfolio", "zenith_core/statistics"),
)
def backtest_of_books(context: dg.AssetExecutionContext, zenith: ZenithResource) -> dg.MaterializeResult[None]:
    """Trades three simple books of all tickers: equal weight, inverse volatility and minimum variance, long only.

    Weekly, filled at the next open, after costs; each ticker in its own currency. Books to compare with, no advice.
    """
    result, trials = backtest_of(zenith.store, readable(zenith.store, known_tickers(context.instance)))
    equity = result.equity.rename_axis("date").reset_index()
    stats = {name: dict(row) for name, row in result.stats.items()}
    dataset = Dataset({"equity": equity}, {"stats": stats, "trials": trials})
    zenith.store.write(BOOK_BACKTEST, ALL_TICKERS, dataset, fence=zenith.fence)
    figures = {f"{name}/{key}": value for name, row in result.stats.items() for key, value in row.items()}
    return materialized(metadata={key: value for key, value in figures.items() if value is not None})


@dg.asset(
    name=TRIALS,
    group_name="backtests",
    owners=OWNERS,
    kinds={"json"},
    deps=[f"{kind}_backtest" for kind in KINDS],
    code_version=code_version("zenith_core/statistics", "zenith_pipelines/registry/trials.py"),
)
def trials_of_all_tickers(zenith: ZenithResource) -> dg.MaterializeResult[None]:
    """All backtests ever made of all tickers and kinds, and the newest of each deflated by all of them.

    The best of so many looks good by luck: `expected_best` is its Sharpe ratio without any skill.
    """
    facts = publish_trials(zenith.store, zenith.fence)
    names = ("trials", "correlation", "independent", "variance", "expected_best")
    return materialized(metadata={name: facts[name] for name in names})
