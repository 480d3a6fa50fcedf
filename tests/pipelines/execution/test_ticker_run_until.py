from types import SimpleNamespace

import pytest

from zenith_core.asset_selection import STAGES
from zenith_core.errors import UserError
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.definitions import definitions
from zenith_pipelines.execution.run_summary import describe
from zenith_pipelines.execution.ticker_run import (
    TickerRun,
    _asset_keys,
    _assets,
    _run_config,
    _unsuitable,
    check_until,
)
from zenith_pipelines.settings import Settings


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


@pytest.mark.parametrize(
    ("failed", "reason"),
    [
        ({"enough_history": "short"}, "short"),
        ({"prices_move": "halted"}, "halted"),
        ({"enough_to_train": "new"}, "new"),
        ({"few_rows_quarantined": "bad"}, None),
        ({"prices_move": "halted", "end_not_before_served": "shortened"}, None),
    ],
)
def test_a_short_or_halted_history_is_skipped_and_a_shortened_one_fails(failed, reason):
    checks = [SimpleNamespace(check_name=name, description=text, passed=False) for name, text in failed.items()]
    assert _unsuitable(SimpleNamespace(success=False, get_asset_check_evaluations=lambda: checks)) == reason


def test_the_outcome_has_each_reason_of_the_quarantine(tmp_path):
    settings = Settings(zenith_home=tmp_path)
    reasons = {"no date": {"rows": 2, "first": []}}
    DatasetStore(settings.data_uri).write("cleaned_prices", "AAPL", Dataset(facts={"quarantine": reasons}))
    outcome = describe(settings, "AAPL", assets={"cleaned_prices"}, raw={}, seconds={})
    assert outcome["quarantine"] == reasons
