"""Asset checks: one for each invariant, named after it, with its figure and the offending days.

Thresholds and logic live in zenith_core. A blocking check that fails with severity ERROR stops all downstream assets;
WARN is only shown. An asset is stored before its checks run, so `cleaned_prices` is the newest cleaning, passed or not,
and people can look at the offending rows. Features, models and the serving snapshot are made only from tables that
passed, and stay unchanged until tables pass again. Materializing a downstream asset by hand overrules the check.

A new ticker whose history is too short is no failure: its check warns, and the asset downstream skips it (`skips`).

Out of scope: repairs and rejections of rows, which cleaning makes and counts.
"""

import warnings
from datetime import UTC, datetime

import dagster as dg
import pandas as pd
from pydantic import Field

from zenith_core.asset_selection import REFRESH_JOBS
from zenith_core.features.declaration import WARM_UP
from zenith_core.features.leakage import leakage_summary
from zenith_core.market.exchanges import exchange_of
from zenith_core.model_kinds.options import DEFAULT_WINDOW
from zenith_core.prices import quality_checks
from zenith_core.prices.quality_checks import Finding
from zenith_core.prices.standstill import LEAST_MOVES, WINDOW, moves_at_end, standing_still
from zenith_core.snapshot import STALE_AFTER_SESSIONS
from zenith_core.table_schemas import violations
from zenith_core.words import counted
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.defs.metadata import check_result
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.models.training import MIN_SESSIONS
from zenith_pipelines.production.serving_snapshot import MOVING_SESSIONS, served_until

# Dagster calls partitioned checks a preview, and would warn at each start.
warnings.filterwarnings("ignore", "Specifying a partitions_def on an AssetCheckSpec", dg.PreviewWarning)

LEAST_SESSIONS = WARM_UP + DEFAULT_WINDOW  # of a ticker that is served without a model
_MAX_DAYS = 20  # offending days in the metadata; the figure has their number


@dg.asset_check(asset="cleaned_prices", blocking=True, partitions_def=ticker_partitions)
def enough_history(
    context: dg.AssetCheckExecutionContext, zenith: ZenithResource, cleaned_prices: Dataset
) -> dg.AssetCheckResult:
    """The history has enough sessions for the indicators' warm-up and a window: bands and risk need no more.

    A ticker that was never served is skipped below it; one that was fails.
    """
    return history_to_forecast(cleaned_prices, is_served=_is_served(context, zenith))


def history_to_forecast(cleaned: Dataset, *, is_served: bool) -> dg.AssetCheckResult:
    """Judge the number of sessions."""
    sessions = cleaned.facts["sessions"]
    return check_result(
        passed=sessions >= LEAST_SESSIONS,
        severity=_severity(fails=is_served),
        description=f"{sessions} sessions of history; at least {LEAST_SESSIONS} are needed to forecast anything",
        metadata={"sessions": sessions, "needed": LEAST_SESSIONS},
    )


@dg.asset_check(asset="serving_snapshot", blocking=True, partitions_def=ticker_partitions)
def enough_to_train(
    context: dg.AssetCheckExecutionContext, zenith: ZenithResource, serving_snapshot: Dataset
) -> dg.AssetCheckResult:
    """The price moved in enough sessions to train and test models; until then bands and risk are served without one.

    It fails a training of a ticker that has models. A ticker without one is skipped; a refresh trains nothing.
    """
    trains = context.run.job_name not in REFRESH_JOBS
    fails = trains and has_models(zenith.store, context.partition_key)
    return history_to_train(serving_snapshot.facts[MOVING_SESSIONS], fails=fails)


def history_to_train(moving: int, *, fails: bool) -> dg.AssetCheckResult:
    """Judge the number of sessions in which the price moved."""
    return check_result(
        passed=moving >= MIN_SESSIONS,
        severity=_severity(fails=fails),
        description=f"the price moved in {counted(moving, 'session')}; at least {MIN_SESSIONS} are needed to train and "
        "test a model, and none to serve bands and risk",
        metadata={"sessions": moving, "needed": MIN_SESSIONS},
    )


@dg.asset_check(asset="cleaned_prices", blocking=True, partitions_def=ticker_partitions)
def prices_move(
    context: dg.AssetCheckExecutionContext, zenith: ZenithResource, cleaned_prices: Dataset
) -> dg.AssetCheckResult:
    """The close moves in at least 15 of the last 60 sessions.

    A ticker that was never served is skipped below it; one that was fails.
    """
    return moves_to_forecast(cleaned_prices, is_served=_is_served(context, zenith))


def moves_to_forecast(cleaned: Dataset, *, is_served: bool) -> dg.AssetCheckResult:
    """Judge the moves at the end of the history."""
    close = _prices(cleaned)["close"]
    still, moves = standing_still(close), moves_at_end(close)
    days, stands_still = close.index[still], bool(still[-1:].any())
    description = f"the close moved in {moves} of the last {min(WINDOW, len(close))} sessions"
    if stands_still:
        description += (
            f"; below {LEAST_MOVES} the stock stands still, and nothing can be forecast until it trades again"
        )
    return check_result(
        passed=not stands_still,
        severity=_severity(fails=is_served),
        description=description,
        metadata={
            "moves": moves,
            "still": len(days),
            "offending": [f"{day:%Y-%m-%d}" for day in days[-_MAX_DAYS:]],
        },
    )


@dg.asset_check(asset="cleaned_prices", blocking=True, partitions_def=ticker_partitions)
def sessions_are_unique_and_sorted(cleaned_prices: Dataset) -> dg.AssetCheckResult:
    """One row per session, in order, as everything downstream requires."""
    return _none_of(quality_checks.repeated_or_unsorted(_prices(cleaned_prices)), "rows repeated or out of order")


@dg.asset_check(asset="cleaned_prices", blocking=True, partitions_def=ticker_partitions)
def no_future_dates(context: dg.AssetCheckExecutionContext, cleaned_prices: Dataset) -> dg.AssetCheckResult:
    """No row of a session that has not closed yet: a model must not see a bar that still changes."""
    exchange = exchange_of(context.partition_key)
    finding = quality_checks.future_dates(_prices(cleaned_prices), exchange, datetime.now(UTC))
    return _none_of(finding, "rows of sessions that have not closed")


@dg.asset_check(asset="cleaned_prices", blocking=True, partitions_def=ticker_partitions)
def ohlc_is_consistent(cleaned_prices: Dataset) -> dg.AssetCheckResult:
    """Prices are finite and positive, and open and close are between low and high."""
    return _none_of(quality_checks.inconsistent_bars(_prices(cleaned_prices)), "inconsistent bars")


@dg.asset_check(asset="cleaned_prices", blocking=True, partitions_def=ticker_partitions)
def few_rows_quarantined(cleaned_prices: Dataset) -> dg.AssetCheckResult:
    """At most 2 % of the source's rows are in quarantine; above 5 %, and 2 rows, nothing is trained on the rest."""
    quarantine, rows = cleaned_prices.tables["quarantine"], cleaned_prices.facts["counts"]["rows_in"]
    finding = quality_checks.quarantined_share(quarantine, rows)
    blocks = quality_checks.too_many_quarantined(len(quarantine), rows)
    reasons = quality_checks.quarantine_reasons(quarantine)
    listing = quality_checks.reasons_in_words(reasons)
    return check_result(
        passed=finding.figure <= quality_checks.WARN_QUARANTINED,
        severity=dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN,
        description=f"{len(quarantine)} of {rows} rows quarantined ({finding.figure:.1%})"
        + (f": {listing}; " if listing else "; ")
        + f"{quality_checks.WARN_QUARANTINED:.0%} warns, above {quality_checks.MAX_QUARANTINED:.0%} stops",
        metadata={
            "share": finding.figure,
            "offending": list(finding.days[:_MAX_DAYS]),
            "reasons": reasons,
        },
    )


class EndConfig(dg.Config):
    """The choice whether data may go backwards."""

    allow_earlier_end: bool = Field(
        default=False, description="Accept data that end before those that are served, and serve them."
    )


@dg.asset_check(asset="cleaned_prices", blocking=True, partitions_def=ticker_partitions)
def end_not_before_served(
    context: dg.AssetCheckExecutionContext, config: EndConfig, zenith: ZenithResource, cleaned_prices: Dataset
) -> dg.AssetCheckResult:
    """The data do not end before those that are served: a shortened file must not take a ticker out of service."""
    ticker, last = context.partition_key, str(cleaned_prices.facts["last"] or "")
    served = served_until(zenith.store, ticker)
    is_earlier = served is not None and last < served
    description = f"the data end on {last or 'no day'}"
    if is_earlier and config.allow_earlier_end:
        description += f", those that were served on {served}: allowed by allow_earlier_end"
    elif is_earlier:
        remedy = f"`zenith job retrain_model --tickers {ticker} --config allow_earlier_end=true`"
        description += f", those that are served on {served} and stay; {remedy} replaces them"
    return check_result(
        passed=not is_earlier,
        severity=dg.AssetCheckSeverity.WARN if config.allow_earlier_end else dg.AssetCheckSeverity.ERROR,
        description=description,
        metadata={"last": last, "served": served or "nothing"},
    )


@dg.asset_check(asset="cleaned_prices", partitions_def=ticker_partitions)
def no_unexplained_jump(cleaned_prices: Dataset) -> dg.AssetCheckResult:
    """No close 50 % above the one before, or the inverse, without an action. Real crashes fail it too."""
    return _none_of(
        quality_checks.jumps_without_action(_prices(cleaned_prices)), "unexplained jumps", dg.AssetCheckSeverity.WARN
    )


@dg.asset_check(asset="cleaned_prices", partitions_def=ticker_partitions)
def fresh(context: dg.AssetCheckExecutionContext, cleaned_prices: Dataset) -> dg.AssetCheckResult:
    """The last row is at most 5 sessions of the exchange old. Older data can still be trained and tested on."""
    exchange = exchange_of(context.partition_key)
    finding = quality_checks.sessions_behind(_prices(cleaned_prices), exchange, datetime.now(UTC))
    return check_result(
        passed=finding.figure <= STALE_AFTER_SESSIONS,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"sessions of {exchange.code} that closed since the last row: {finding.figure:.0f}",
        metadata={
            "sessions": int(finding.figure),
            "most": STALE_AFTER_SESSIONS,
            "last": cleaned_prices.facts["last"],
            "offending": list(finding.days[:_MAX_DAYS]),
        },
    )


@dg.asset_check(asset="raw_prices", partitions_def=ticker_partitions)
def few_restatements(raw_prices: Dataset) -> dg.AssetCheckResult:
    """The source restated or withdrew at most 1 % of the sessions since the last snapshot."""
    rows, changes = len(raw_prices.tables["prices"]), raw_prices.facts.get("restatements") or {}
    counts, days = changes.get("counts", {}), changes.get("dates", {})
    restated, vanished = (int(counts.get(kind, 0)) for kind in ("restated", "vanished"))
    share = (restated + vanished) / rows if rows else 0.0
    return check_result(
        passed=share <= quality_checks.MAX_RESTATED,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{counted(restated, 'session')} restated, {vanished} vanished since the last one ({share:.1%})",
        metadata={
            "share": share,
            "restated": restated,
            "vanished": vanished,
            "offending": sorted({*days.get("restated", ()), *days.get("vanished", ())})[:_MAX_DAYS],
        },
    )


@dg.asset_check(asset="indicator_features", blocking=True, partitions_def=ticker_partitions)
def no_leakage(indicator_features: Dataset) -> dg.AssetCheckResult:
    """No feature changes when the history ends earlier, and no model input when it begins later."""
    certificate = indicator_features.facts["leakage"]
    prefixes, late = certificate["prefixes"], certificate["late_starts"]
    return check_result(
        passed=certificate["passed"],
        description=leakage_summary(certificate),
        metadata={
            "prefixes": len(prefixes["tested"]),
            "late_starts": len(late["tested"]),
            "values_compared": prefixes["values"] + late["values"],
            "offending": [
                f"{leak['column']} on {leak['worst']}, history {leak['history']}" for leak in certificate["offending"]
            ],
            "certificate": dg.MetadataValue.json(certificate),
        },
    )


def _schema_check(asset: str, table: str, schema: str) -> dg.AssetChecksDefinition:
    """Make a blocking check of an asset's table against its schema."""

    @dg.asset_check(
        asset=asset,
        name=f"{schema}_schema_holds",
        description=f"The table `{table}` conforms to `zenith_core.table_schemas.{schema}_schema`.",
        blocking=True,
        partitions_def=ticker_partitions,
    )
    def schema_holds(dataset: Dataset) -> dg.AssetCheckResult:
        errors = violations(dataset.tables[table], schema)
        return check_result(
            passed=not errors,
            description="; ".join(errors[:3]) or "conforms to the schema",
            metadata={"broken": len(errors), "offending": errors[:_MAX_DAYS], "rows": len(dataset.tables[table])},
        )

    return schema_holds


raw_schema_holds = _schema_check("raw_prices", "prices", "raw")
cleaned_schema_holds = _schema_check("cleaned_prices", "prices", "cleaned")
quarantine_schema_holds = _schema_check("cleaned_prices", "quarantine", "quarantine")
features_schema_holds = _schema_check("indicator_features", "features", "features")


def reason_not_to_forecast(store: DatasetStore, ticker: str, cleaned: Dataset) -> str | None:
    """Return the reason to skip a ticker that was never served, or None."""
    if served_until(store, ticker) is not None:
        return None
    results = (judge(cleaned, is_served=False) for judge in (history_to_forecast, moves_to_forecast))
    return next((result.description for result in results if not result.passed), None)


def reason_not_to_train(store: DatasetStore, ticker: str, moving: int) -> str | None:
    """Return the reason to skip the models of a ticker that never had one, or None."""
    result = history_to_train(moving, fails=False)
    return None if result.passed or has_models(store, ticker) else result.description


def has_models(store: DatasetStore, ticker: str) -> bool:
    """Return True if models of the ticker were trained and judged before."""
    return store.exists("production_models", ticker)


def _is_served(context: dg.AssetCheckExecutionContext, zenith: ZenithResource) -> bool:
    return served_until(zenith.store, context.partition_key) is not None


def _severity(*, fails: bool) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if fails else dg.AssetCheckSeverity.WARN


def _prices(cleaned: Dataset) -> pd.DataFrame:
    return cleaned.tables["prices"]


def _none_of(
    finding: Finding, subject: str, severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
) -> dg.AssetCheckResult:
    """Return a result that passes if the finding is empty."""
    return check_result(
        passed=finding.figure == 0,
        severity=severity,
        description=f"{finding.figure:.0f} {subject}",
        metadata={"count": int(finding.figure), "offending": list(finding.days[:_MAX_DAYS])},
    )
