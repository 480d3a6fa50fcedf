"""Dependencies that routes share: the parts of the application, and where the API begins."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Path, Query, Request

from zenith_core.errors import UserError
from zenith_serving.errors import unknown_name
from zenith_serving.jobs.launcher import Launcher
from zenith_serving.observability.metrics import Metrics
from zenith_serving.portfolio.universe_store import UniverseStore
from zenith_serving.prediction.predictor import Predictor
from zenith_serving.published.dataset_reader import DatasetReader
from zenith_serving.published.evidence_universe import EvidenceUniverse
from zenith_serving.registry import ModelRegistry
from zenith_serving.schemas.base import Ticker
from zenith_serving.settings import Settings

PREFIX = "/api/v1/ml"

Result = TypeVar("Result")


class BoundedThreads:
    """A few threads for calls that may wait seconds for another service, so that predictions keep theirs."""

    def __init__(self, count: int) -> None:
        self._limiter = CapacityLimiter(count)

    async def run(self, call: Callable[[], Result]) -> Result:
        """Run the call in one of the threads, as soon as one is free."""
        return await to_thread.run_sync(call, limiter=self._limiter)


def _from_state(name: str) -> Any:
    """A dependency on `app.state.<name>`. Async, because FastAPI runs the others in threads."""

    async def read(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(read)


def _refuse_other_parameters(request: Request) -> None:
    """Raise UserError for a query parameter that the route lacks: a misspelt filter would list everything."""
    names = [field.alias for field in request.scope["route"].dependant.query_params]
    for name in request.query_params:
        if name not in names:
            raise UserError(unknown_name("parameter", name, names))


PredictorDep = Annotated[Predictor, _from_state("predictor")]
SettingsDep = Annotated[Settings, _from_state("settings")]
MetricsDep = Annotated[Metrics, _from_state("metrics")]
LedgersDep = Annotated[DatasetReader, _from_state("ledgers")]
UniverseStoreDep = Annotated[UniverseStore, _from_state("universe_store")]
UniverseDep = Annotated[EvidenceUniverse, _from_state("universe")]
RegistryDep = Annotated[ModelRegistry, _from_state("registry")]
RegistryThreads = Annotated[BoundedThreads, _from_state("registry_threads")]
LauncherDep = Annotated[Launcher, _from_state("launcher")]
DagsterThreads = Annotated[BoundedThreads, _from_state("dagster_threads")]
Limit = Annotated[int | None, Query(ge=1, le=1000, description="The most entries of the page. Not set: all entries.")]
TickerPath = Annotated[Ticker, Path()]
DeclaredParameters = Depends(_refuse_other_parameters)
