"""Jobs that look after what others have made: clean-up of the model registry.

What does not belong here: anything that makes data or models of a ticker; those are assets. These jobs have no
partition, and what they delete or keep is decided in `zenith_pipelines.registry.retention`.
"""

import dagster as dg
from pydantic import Field

from zenith_pipelines.dagster_runtime.instance import removed_tickers
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.registry.retention import KEEP_LATEST, RetentionRules, clean_up, cleanup_table


class CleanUpConfig(dg.Config):
    """What is kept of each model, besides what an alias points at."""

    keep_latest_n: int = Field(default=KEEP_LATEST, description="So many of the newest versions are kept.")
    keep_best: bool = Field(default=True, description="Keep the version with the best out-of-sample loss.")
    dry_run: bool = Field(default=False, description="Delete nothing, and show what would be deleted.")


@dg.op(out=dg.Out(dg.Nothing))
def clean_model_registry(
    context: dg.OpExecutionContext, config: CleanUpConfig, zenith: ZenithResource
) -> dg.Output[None]:
    """Delete old versions, models of removed tickers, and what failed registrations have left."""
    done = clean_up(zenith.registry, RetentionRules(**config.model_dump()), removed_tickers(context.instance))
    return dg.Output(
        None,
        metadata={
            "bytes_freed": done["bytes_freed"],
            "versions_deleted": sum(len(model["deleted"]) for model in done["models"].values()),
            "leftovers": len(done["leftovers"]),
            "dry_run": done["dry_run"],
            "report": dg.MetadataValue.md(cleanup_table(done)),
        },
    )


@dg.job(
    description="Delete model versions that are neither new, best, in use nor what a rollback needs, and leftovers."
)
def cleanup_old_models() -> None:
    """Delete model versions that nobody needs any more."""
    clean_model_registry()
