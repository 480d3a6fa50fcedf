import pytest

from zenith_core.asset_selection import STAGES
from zenith_core.errors import UserError
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.definitions import definitions
from zenith_pipelines.execution.ticker_run import TickerRun, _asset_keys, _assets, _run_config, check_until


@pytest.mark.parametrize("stage", STAGES)
def test_dagster_accepts_a_run_until_any_asset(stage):
    request = TickerRun("AAPL", source="sample", epochs=1, until=stage)

    keys = _asset_keys(_assets(request))
    job = definitions(Progress()).resolve_job_def("retrain_model").get_subset(asset_selection=keys and set(keys))

    assert stage in {node.name for node in job.nodes}
    assert set(_run_config(request)["ops"]) <= {node.name for node in job.nodes}


def test_an_unknown_asset_is_refused_with_the_names_of_all():
    with pytest.raises(UserError, match="the assets are raw_prices, cleaned_prices"):
        check_until("prices")
