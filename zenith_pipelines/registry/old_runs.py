"""Rows of MLflow's database that nothing reads once clean-up has deleted their version.

MLflow deletes no rows: a deleted version keeps its tags, a deleted logged model is only marked, and a run has its
metrics and params for ever. Kept are the runs themselves with the trials (a Sharpe ratio for each backtest) and the
decision history. The rest goes, as with `mlflow gc`, by MLflow's own tables.

Behind an MLflow server all rows stay, because its API deletes none.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zenith_pipelines.registry.artifact_storage import ARTIFACTS_REMOVED
from zenith_pipelines.registry.decision_log import PREFIX as DECISIONS
from zenith_pipelines.registry.trials import SHARPES, TRIAL_TAG

if TYPE_CHECKING:
    from zenith_pipelines.registry.model_registry import ModelRegistry

_OURS = "kind"  # tag of the runs, versions and logged models that Zenith made; a condensed run has lost it
_KEPT_TAGS = (ARTIFACTS_REMOVED, TRIAL_TAG, "mlflow.runName")
_PAGE = 500  # rows that one statement names


def condense_runs(registry: "ModelRegistry") -> None:
    """Delete the rows of deleted versions, and those of their runs that are neither trials nor decisions."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from mlflow.tracking._tracking_service.utils import _get_store

    store, experiment = _get_store(registry.tracking_uri), int(registry.experiment_id)  # type: ignore[no-untyped-call]
    if not isinstance(store, SqlAlchemyStore):
        return
    with store.ManagedSessionMaker(read_only=False) as session:
        _delete_versions(session)
        _delete_logged_models(session, experiment)
        _condense(session, experiment)


def _condense(session: Any, experiment: int) -> None:
    from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric, SqlParam, SqlRun, SqlTag

    ours = session.query(SqlTag.run_uuid).filter(SqlTag.key == _OURS)
    runs = session.query(SqlRun.run_uuid).join(SqlTag, SqlTag.run_uuid == SqlRun.run_uuid)
    runs = runs.filter(SqlRun.experiment_id == experiment, SqlTag.key == ARTIFACTS_REMOVED, SqlRun.run_uuid.in_(ours))
    for page in _pages([run_id for (run_id,) in runs]):
        for metric in (SqlMetric, SqlLatestMetric):
            _delete(session, metric, metric.run_uuid.in_(page), metric.key.not_like(SHARPES))
        _delete(session, SqlParam, SqlParam.run_uuid.in_(page))
        kept = SqlTag.key.in_(_KEPT_TAGS) | SqlTag.key.like(f"{DECISIONS}%")
        _delete(session, SqlTag, SqlTag.run_uuid.in_(page), ~kept)


def _delete_versions(session: Any) -> None:
    """Delete the tags of deleted versions, and their rows but the newest of a model, from which MLflow counts on."""
    from mlflow.entities.model_registry.model_version_stages import STAGE_DELETED_INTERNAL
    from mlflow.store.model_registry.dbmodels.models import SqlModelVersion, SqlModelVersionTag
    from sqlalchemy import func, tuple_

    of_version = (SqlModelVersion.workspace, SqlModelVersion.name, SqlModelVersion.version)
    of_tag = (SqlModelVersionTag.workspace, SqlModelVersionTag.name, SqlModelVersionTag.version)
    ours = session.query(*of_tag).filter(SqlModelVersionTag.key == _OURS)
    versions = session.query(*of_version).filter(
        SqlModelVersion.current_stage == STAGE_DELETED_INTERNAL, tuple_(*of_version).in_(ours)
    )
    newest = session.query(*of_version[:2], func.max(SqlModelVersion.version)).group_by(*of_version[:2])
    for page in _pages([tuple(row) for row in versions]):
        _delete(session, SqlModelVersionTag, tuple_(*of_tag).in_(page))
        _delete(session, SqlModelVersion, tuple_(*of_version).in_(page), tuple_(*of_version).not_in(newest))


def _delete_logged_models(session: Any, experiment: int) -> None:
    from mlflow.entities import LifecycleStage
    from mlflow.store.tracking.dbmodels.models import (
        SqlLoggedModel,
        SqlLoggedModelMetric,
        SqlLoggedModelParam,
        SqlLoggedModelTag,
    )

    models = (
        session.query(SqlLoggedModel.model_id)
        .join(SqlLoggedModelTag, SqlLoggedModelTag.model_id == SqlLoggedModel.model_id)
        .filter(
            SqlLoggedModel.experiment_id == experiment,
            SqlLoggedModel.lifecycle_stage == LifecycleStage.DELETED,
            SqlLoggedModelTag.tag_key == _OURS,
        )
    )
    for page in _pages([model_id for (model_id,) in models]):
        for table in (SqlLoggedModelTag, SqlLoggedModelParam, SqlLoggedModelMetric, SqlLoggedModel):
            _delete(session, table, table.model_id.in_(page))


def _delete(session: Any, table: Any, *conditions: Any) -> None:
    session.query(table).filter(*conditions).delete(synchronize_session=False)


def _pages(rows: Sequence[Any]) -> list[Sequence[Any]]:
    return [rows[start : start + _PAGE] for start in range(0, len(rows), _PAGE)]
