"""One check per invariant, named after it, with its figure and the days that offend. What is judged how is in core.

A blocking check that fails with severity ERROR stops what is downstream of its asset; WARN only shows. An asset is
stored before its checks run, so `cleaned_prices` is the newest cleaning, passed or not: people can look at the rows
that offend. The last good data are what lies downstream: features, models and the serving snapshot are made only from
tables that passed, and stay as they are until tables pass again. To materialize a downstream asset alone, by hand,
is to overrule the check.

What does not belong here: repairs and rejections of rows, which are cleaning's, with their counts.
"""

import warnings
from datetime import UTC, datetime

import dagster as dg
import pandas as pd

from zenith_core.features.leakage import leakage_summary
from zenith_core.market.exchanges import exchange_of
from zenith_core.prices import quality_checks
from zenith_core.prices.quality_checks import Finding
from zenith_core.snapshot import STALE_AFTER_SESSIONS
from zenith_core.table_schemas import violations
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.models.training import MIN_SESSIONS

# Dagster calls partitioned checks a preview, and would say so at each start.
warnings.filterwarnings("ignore", "Specifying a partitions_def on an AssetCheckSpec", dg.PreviewWarning)

_SHOWN = 20  # offending days on a page; the figure says how many there are


@dg.asset_check(asset="cleaned_prices", blocking=True, partitions_def=ticker_partitions)
def enough_history(cleaned_prices: Dataset) -> dg.AssetCheckResult:
    """Enough sessions for the indicators' warm-up, the model's window and the walk-forward folds."""
    sessions = cleaned_prices.facts["sessions"]
    return dg.AssetCheckResult(
        passed=sessions >= MIN_SESSIONS,
        description=f"{sessions} sessions of history; at least {MIN_SESSIONS} are needed to train and test",
        metadata={"sessions": sessions, "needed": MIN_SESSIONS},
    )


@dg.asset_check(asset="cleaned_prices", blocking=True, partitions_def=ticker_partitions)
def sessions_are_unique_and_sorted(cleaned_prices: Dataset) -> dg.AssetCheckResult:
    """One row per session, in order: everything after relies on it."""
    return _none_of(quality_checks.repeated_or_unsorted(_prices(cleaned_prices)), "rows out of order or there twice")


@dg.asset_check(asset="cleaned_prices", blocking=True, partitions_def=ticker_partitions)
def no_future_dates(context: dg.AssetCheckExecutionContext, cleaned_prices: Dataset) -> dg.AssetCheckResult:
    """No session that has not closed yet: a model must not see a bar that is still moving."""
    exchange = exchange_of(context.partition_key)
    found = quality_checks.future_dates(_prices(cleaned_prices), exchange, datetime.now(UTC))
    return _none_of(found, "rows of sessions that have not closed")


@dg.asset_check(asset="cleaned_prices", blocking=True, partitions_def=ticker_partitions)
def ohlc_is_consistent(cleaned_prices: Dataset) -> dg.AssetCheckResult:
    """Prices are finite and positive, and the range from low to high holds open and close."""
    return _none_of(quality_checks.inconsistent_bars(_prices(cleaned_prices)), "bars that cannot be")


@dg.asset_check(asset="cleaned_prices", blocking=True, partitions_def=ticker_partitions)
def few_rows_quarantined(cleaned_prices: Dataset) -> dg.AssetCheckResult:
    """At most 2 % of the source's rows are impossible; above 5 % nothing is trained on the rest."""
    quarantine, rows = cleaned_prices.tables["quarantine"], cleaned_prices.facts["counts"]["rows_in"]
    found = quality_checks.quarantined_share(quarantine, rows)
    blocks = found.figure > quality_checks.MAX_QUARANTINED
    reasons = quarantine["reason"].value_counts()
    return dg.AssetCheckResult(
        passed=found.figure <= quality_checks.WARN_QUARANTINED,
        severity=dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN,
        description=f"{len(quarantine)} of {rows} rows quarantined ({found.figure:.1%}); "
        f"{quality_checks.WARN_QUARANTINED:.0%} warns, above {quality_checks.MAX_QUARANTINED:.0%} stops",
        metadata={
            "share": found.figure,
            "offending": list(found.days[:_SHOWN]),
            "reasons": {str(reason): int(count) for reason, count in reasons.items()},
        },
    )


@dg.asset_check(asset="cleaned_prices", partitions_def=ticker_partitions)
def no_unexplained_jump(cleaned_prices: Dataset) -> dg.AssetCheckResult:
    """No close half as high again as the one before, or the inverse, without an action. Real crashes are such; look."""
    return _none_of(
        quality_checks.jumps_without_action(_prices(cleaned_prices)), "unexplained jumps", dg.AssetCheckSeverity.WARN
    )


@dg.asset_check(asset="cleaned_prices", partitions_def=ticker_partitions)
def fresh(context: dg.AssetCheckExecutionContext, cleaned_prices: Dataset) -> dg.AssetCheckResult:
    """The last row is at most 5 sessions of the exchange old. Old data are still fit to train and test on."""
    exchange = exchange_of(context.partition_key)
    found = quality_checks.sessions_behind(_prices(cleaned_prices), exchange, datetime.now(UTC))
    return dg.AssetCheckResult(
        passed=found.figure <= STALE_AFTER_SESSIONS,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{found.figure:.0f} sessions of {exchange.code} have closed since the last row",
        metadata={
            "sessions": int(found.figure),
            "most": STALE_AFTER_SESSIONS,
            "last": cleaned_prices.facts["last"],
            "offending": list(found.days[:_SHOWN]),
        },
    )


@dg.asset_check(asset="raw_prices", partitions_def=ticker_partitions)
def few_restatements(raw_prices: Dataset) -> dg.AssetCheckResult:
    """The source restated or withdrew at most 1 % of the sessions since the snapshot before this one."""
    rows, compared = len(raw_prices.tables["prices"]), raw_prices.facts.get("restatements") or {}
    counts, days = compared.get("counts", {}), compared.get("dates", {})
    restated, vanished = (int(counts.get(kind, 0)) for kind in ("restated", "vanished"))
    share = (restated + vanished) / rows if rows else 0.0
    return dg.AssetCheckResult(
        passed=share <= quality_checks.MAX_RESTATED,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{restated} sessions restated and {vanished} vanished since the last snapshot ({share:.1%})",
        metadata={
            "share": share,
            "restated": restated,
            "vanished": vanished,
            "offending": sorted({*days.get("restated", ()), *days.get("vanished", ())})[:_SHOWN],
        },
    )


@dg.asset_check(asset="indicator_features", blocking=True, partitions_def=ticker_partitions)
def no_leakage(indicator_features: Dataset) -> dg.AssetCheckResult:
    """No feature changes when the history is cut short, no model input when it begins later."""
    certificate = indicator_features.facts["leakage"]
    prefixes, late = certificate["prefixes"], certificate["late_starts"]
    return dg.AssetCheckResult(
        passed=certificate["passed"],
        description=leakage_summary(certificate),
        metadata={
            "prefixes": len(prefixes["tested"]),
            "late_starts": len(late["tested"]),
            "values_compared": prefixes["values"] + late["values"],
            "offending": [
                f"{found['column']} on {found['worst']}, history {found['history']}"
                for found in certificate["offending"]
            ],
            "certificate": dg.MetadataValue.json(certificate),
        },
    )


def _schema_check(asset: str, table: str, schema: str) -> dg.AssetChecksDefinition:
    """A blocking check that a table of an asset is as its schema declares."""

    @dg.asset_check(
        asset=asset,
        name=f"{schema}_schema_holds",
        description=f"The table `{table}` is as `zenith_core.table_schemas.{schema}_schema` declares it.",
        blocking=True,
        partitions_def=ticker_partitions,
    )
    def schema_holds(dataset: Dataset) -> dg.AssetCheckResult:
        broken = violations(dataset.tables[table], schema)
        return dg.AssetCheckResult(
            passed=not broken,
            description="; ".join(broken[:3]) or "as declared",
            metadata={"broken": len(broken), "offending": broken[:_SHOWN], "rows": len(dataset.tables[table])},
        )

    return schema_holds


raw_schema_holds = _schema_check("raw_prices", "prices", "raw")
cleaned_schema_holds = _schema_check("cleaned_prices", "prices", "cleaned")
quarantine_schema_holds = _schema_check("cleaned_prices", "quarantine", "quarantine")
features_schema_holds = _schema_check("indicator_features", "features", "features")


def _prices(cleaned: Dataset) -> pd.DataFrame:
    return cleaned.tables["prices"]


def _none_of(
    found: Finding, what: str, severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
) -> dg.AssetCheckResult:
    """Passed if nothing was found."""
    return dg.AssetCheckResult(
        passed=found.figure == 0,
        severity=severity,
        description=f"{found.figure:.0f} {what}",
        metadata={"count": int(found.figure), "offending": list(found.days[:_SHOWN])},
    )
