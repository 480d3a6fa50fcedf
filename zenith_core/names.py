"""Names and constants that pipelines and serving share. No numpy here, because the client loads this module."""

import json
from collections.abc import Mapping
from pathlib import Path

PRODUCTION = "Production"
"""Registry alias of the served version."""

CANDIDATE = "Candidate"
"""Registry alias of the newest version, promoted or not."""


SCALE = "scale"
"""The name of the registered scale model, which belongs to no ticker."""


def model_name(kind: str, ticker: str) -> str:
    """Return the name of the registered model of a validated ticker."""
    return f"{kind}-{ticker}"


SKIPPED = "skipped"
"""The metadata of an observation by which an asset skips a ticker: the reason, in one line."""

REQUESTED_BY = "zenith/requested_by"
"""The tag of a run that names who requested it, for the record of its decisions."""

ROLLED_BACK_TO = "rolled_back_to"
"""The tag of a version that a rollback took out of Production."""


def last_decision(tags: Mapping[str, str]) -> str | None:
    """Return the last decision about a version, from its tags. 0.1.0 tagged a restored version `rolled back`."""
    decision = tags.get("decision")
    return "restored" if decision == "rolled back" and ROLLED_BACK_TO not in tags else decision


PROVENANCE = "provenance"
"""The tag of a version with what only programs read of it: a JSON object of texts."""


def unpacked(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a version with those of its provenance.

    0.1.0 had a tag for each; such tags stay as they are. So does a provenance that is no object of texts.
    """
    try:
        provenance = json.loads(tags.get(PROVENANCE, "{}"))
    except (ValueError, RecursionError):
        return dict(tags)
    if not isinstance(provenance, dict) or not all(isinstance(value, str) for value in provenance.values()):
        return dict(tags)
    return provenance | {key: value for key, value in tags.items() if key != PROVENANCE}


CACHE_GENERATION_KEY = "zenith:generation"
"""The Redis key of the cache generation, CACHE_GENERATION_FILE its file under ZENITH_HOME. A new generation
invalidates all cached answers."""

CACHE_GENERATION_FILE = "cache-generation"

DELISTED = "delisted"
"""A dataset without rows that marks a ticker which its source reports as no longer traded."""

RENAMED = "renamed"
"""A dataset without rows under the old name of a ticker: the new one, `to`, and the last day of both, `until`."""

UNIVERSE = "universe_forecasts"
"""The dataset of the forecast of all tickers, which is stored under ALL_TICKERS instead of a ticker."""

UNIVERSE_LEDGER = "universe_ledger"
"""The dataset of their past forecasts and outcomes, stored likewise."""

BOOK_BACKTEST = "book_backtest"
"""The dataset of the backtest of simple books, stored likewise."""

TRIALS = "backtest_trials"
"""The dataset without rows of all backtests of all tickers and kinds, stored likewise."""

ALERTS = "alerts"
"""The dataset without rows of the newest alerts: their moments by ticker and kind, stored likewise."""

ALERT_DAYS = 7
"""The days for which an alert stands beside its ticker."""

ALL_TICKERS = "ALL-TICKERS"
"""Stands for all tickers where a dataset belongs to them together. No exchange has a ticker of this form."""

EVIDENCE = "forecast_evidence"
"""A dataset without rows: the e-values of a ticker's ledger by task and horizon, small enough to read those of all."""

QUEUE = "dagster-celery/queue"
"""The tag of a run that names its queue, as Celery's run launcher reads it."""

QUEUES = ("ml_training", "maintenance")
"""The queues of runs."""

HORIZONS = 30
"""The longest forecast horizon, in sessions."""

PAGE_FILES = Path(__file__).parent / "page"
"""The folder of the page's scripts, styles and words, which the report's file embeds."""

SIGNALS = ("sell", "hold", "buy")
"""The classes of a signal, in the order of a model's probabilities."""

SIGNIFICANCE = 0.05
"""The p-value, one-sided, below which a result counts as better than chance."""

HEADLINE_HORIZON = 5
"""The horizon of a model whose configuration names no other, in sessions."""

EARLIER_HORIZON = 5
"""The horizon of models and ledgers of earlier releases, which name none. It stays if the default changes."""

DISCLAIMER = (
    "For information and research only. This is not investment advice, not an offer and not a recommendation to buy, "
    "sell or hold any security. Forecasts and signals are statistical estimates from past prices: they may be wrong, "
    "and often are. Past and simulated performance does not guarantee future results; simulated trading knows no "
    "illiquidity, market impact or taxes. You alone are responsible for your decisions; consult a licensed adviser."
)
"""The text that goes with every forecast."""

MAX_EPOCHS = 500
"""The most passes of a network over its data that a run may ask for."""

KEEP_LATEST = 5
"""The number of newest versions that clean-up keeps of each model."""
