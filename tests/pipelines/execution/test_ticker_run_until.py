import pytest

from zenith_core.asset_selection import STAGES
from zenith_core.errors import UserError
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.definitions import definitions
from zenith_pipelines.execution.ticker_run import TickerRun, _keys, _made, _run_config, check_until


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_until_any_asset_is_a_job_that_dagster_accepts(stage):
    request = TickerRun("AAPL", source="sample", epochs=1, until=stage)

    keys = _keys(_made(request))
    job = definitions(Progress()).resolve_job_def("retrain_model").get_subset(asset_selection=keys and set(keys))

    assert stage in {node.name for node in job.nodes}
    assert set(_run_config(request)["ops"]) <= {node.name for node in job.nodes}


def test_what_is_no_asset_is_refused_with_the_assets():
    with pytest.raises(UserError, match="the assets are raw_prices, cleaned_prices"):
        check_until("prices")
