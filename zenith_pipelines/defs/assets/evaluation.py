"""How Production does on what has come since its training, session by session, so that the UI plots it.

What does not belong here: the decision what to do about it; sensors read the asset's facts. It is no stage of
`retrain_model`: a model that was just trained on all there is has nothing newer to be scored on.
"""

from typing import Any, Literal

import dagster as dg
from pydantic import Field

from zenith_core.names import KINDS
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.defs.metadata import OWNERS
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.production.champion_challenger import CurrentData
from zenith_pipelines.production.live_evaluation import evaluate


class EvaluationConfig(dg.Config):
    """What to evaluate."""

    model_type: Literal["lstm", "ensemble", "all"] = Field(default="all", description="Which models.")


@dg.asset(
    partitions_def=ticker_partitions,
    group_name="production",
    owners=OWNERS,
    kinds={"mlflow", "onnx"},
    deps=["production_models"],
)
def production_evaluation(
    context: dg.AssetExecutionContext,
    config: EvaluationConfig,
    zenith: ZenithResource,
    cleaned_prices: Dataset,
    indicator_features: Dataset,
    serving_snapshot: Dataset,
) -> dg.MaterializeResult[Dataset]:
    """The models in Production, scored on the sessions after their training end; what was not asked for stays."""
    name, ticker = "production_evaluation", context.partition_key
    present = CurrentData(ServingSnapshot.from_json(dict(serving_snapshot.facts)), indicator_features.table)
    prices = cleaned_prices.tables["prices"]
    came = prices["close"].where(~prices["suspect"])
    facts = dict(zenith.store.facts(name, ticker)) if zenith.store.exists(name, ticker) else {}
    asked = [kind for kind in KINDS if config.model_type in (kind, "all")]
    made: dict[str, Any] = {kind: evaluate(zenith.registry, kind, present, came) for kind in asked}
    shown = {
        f"{kind}/{figure}": value
        for kind, figures in made.items()
        for figure, value in figures.items()
        if isinstance(value, int | float | str)
    }
    breaches = [f"{kind}: {breach}" for kind, figures in made.items() for breach in figures["breaches"]]
    return dg.MaterializeResult(value=Dataset(facts={**facts, **made}), metadata={**shown, "breaches": breaches})


evaluate_model = dg.define_asset_job(
    "evaluate_model",
    selection=dg.AssetSelection.assets("production_evaluation"),
    description="Score what is in Production on the sessions after its training end.",
)
