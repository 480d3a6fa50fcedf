"""All tickers together: assets without partitions, made after the refreshes of a day."""

import time

import dagster as dg

from zenith_core.errors import NotAvailable
from zenith_core.names import ALL_TICKERS, UNIVERSE
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.defs.code_versions import code_version
from zenith_pipelines.defs.metadata import OWNERS
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.portfolio.universe import readable, universe_of
from zenith_pipelines.portfolio.universe_facts import universe_facts
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
    """How all tickers move together: their scales and correlation for books, and the probabilities of their ranks.

    One dataset for all tickers, which serving reads. It needs no training.
    """
    start = time.process_time()
    tickers = readable(zenith.store, known_tickers(context.instance))
    if not tickers:
        raise NotAvailable("no ticker has prices yet: `zenith run --tickers AAPL`")
    universe = universe_of(zenith.store, tickers)
    facts = universe_facts(zenith.store, universe)
    zenith.store.write(UNIVERSE, ALL_TICKERS, Dataset(facts=facts), fence=zenith.fence)
    return dg.MaterializeResult(
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
