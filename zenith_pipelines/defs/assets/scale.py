"""The scale of all tickers: one asset without partitions, learned weekly."""

import dagster as dg

from zenith_core.errors import TrainingError
from zenith_core.names import SCALE
from zenith_pipelines.defs.code_versions import code_version
from zenith_pipelines.defs.metadata import OWNERS, decisions_metadata, materialized, version_link
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.risk.distributions import histories, last_session
from zenith_pipelines.risk.scale_versions import learn_scale, promote_scale, register_scale
from zenith_pipelines.tickers import known_tickers


@dg.asset(
    group_name="models",
    owners=OWNERS,
    kinds={"mlflow", "onnx", "numpy"},
    deps=["cleaned_prices"],
    code_version=code_version("zenith_core/risk", "zenith_pipelines/risk"),
)
def scale_model(context: dg.AssetExecutionContext, zenith: ZenithResource) -> dg.MaterializeResult[None]:
    """How far prices will move, learned from all tickers together; registered, and promoted if it passes its gates.

    Too few tickers have no scale of their own: the packaged prior goes on serving them.
    """
    tickers = known_tickers(context.instance)
    try:
        candidate = learn_scale(histories(zenith.store, tickers), last_session(zenith.store, tickers) or "1970-01-01")
    except TrainingError as error:
        return materialized(metadata={"registered": False, "reason": str(error)})
    version = register_scale(zenith.registry, candidate, context.run.run_id)
    decision = promote_scale(zenith.registry, version.version, candidate, by=zenith.requested_by)
    return materialized(
        metadata={
            "registered": True,
            "version": version.version,
            "data_end": candidate.model.data_end,
            "tickers": candidate.model.tickers,
            "dagster/row_count": candidate.model.rows,
            **version_link(zenith.settings, SCALE, version.version),
            **candidate.metrics,
            **decisions_metadata(zenith.settings, {SCALE: decision}),
        }
    )
