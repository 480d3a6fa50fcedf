"""The content of the code location. A file that was left out, or a renamed asset, fails a test here."""

import subprocess
import sys

import dagster as dg
import pytest
import yaml
from dagster._utils.tags import TagConcurrencyLimitsCounter

from tests.doc_pages import ROOT
from zenith_core.asset_selection import STAGES
from zenith_core.names import QUEUE, QUEUES
from zenith_pipelines.definitions import defs


def test_the_assets_and_their_upstream_assets():
    graph = defs.resolve_asset_graph()

    assert {
        key.to_user_string(): sorted(p.to_user_string() for p in graph.get(key).parent_keys)
        for key in graph.get_all_asset_keys()
    } == {
        "raw_prices": [],
        "scale_model": ["cleaned_prices"],
        "universe_forecasts": ["serving_snapshot"],
        "universe_ledger": ["universe_forecasts"],
        "book_backtest": ["cleaned_prices"],
        "backtest_trials": ["ensemble_backtest", "lstm_backtest"],
        "cleaned_prices": ["raw_prices"],
        "indicator_features": ["cleaned_prices"],
        "lstm_model": ["cleaned_prices", "indicator_features", "serving_snapshot"],
        "ensemble_model": ["cleaned_prices", "indicator_features", "serving_snapshot"],
        "lstm_backtest": ["cleaned_prices", "lstm_model"],
        "ensemble_backtest": ["cleaned_prices", "ensemble_model"],
        "backtest_report": [
            "cleaned_prices",
            "ensemble_backtest",
            "ensemble_model",
            "forecast_ledger",
            "indicator_features",
            "leaderboard",
            "lstm_backtest",
            "lstm_model",
            "serving_snapshot",
        ],
        "serving_snapshot": ["cleaned_prices", "indicator_features"],
        "production_models": ["ensemble_model", "indicator_features", "lstm_model", "serving_snapshot"],
        "production_evaluation": ["cleaned_prices", "indicator_features", "production_models", "serving_snapshot"],
        "leaderboard": ["indicator_features", "production_models"],
        "forecast_ledger": ["cleaned_prices", "production_models", "serving_snapshot"],
    }


def test_every_asset_but_the_evaluation_and_those_of_all_tickers_is_a_stage_partitioned_by_ticker_and_described():
    graph = defs.resolve_asset_graph()

    # A model that was just trained has no newer sessions to be evaluated on.
    # The scale and the universe belong to all tickers.
    of_all = {"scale_model", "universe_forecasts", "universe_ledger", "book_backtest", "backtest_trials"}
    others = {"production_evaluation", *of_all}
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == {*STAGES, *others}
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        if key.to_user_string() not in of_all:
            assert isinstance(node.partitions_def, dg.DynamicPartitionsDefinition)
            assert node.partitions_def.name == "tickers"
        assert node.description
        assert node.owners
        assert node.kinds
        assert node.group_name != "default"


def test_the_checks_and_jobs():
    checks = {f"{key.asset_key.to_user_string()}:{key.name}" for key in defs.resolve_asset_graph().asset_check_keys}

    assert checks == {
        "raw_prices:few_restatements",
        "raw_prices:raw_schema_holds",
        "cleaned_prices:cleaned_schema_holds",
        "cleaned_prices:end_not_before_served",
        "cleaned_prices:enough_history",
        "cleaned_prices:few_rows_quarantined",
        "cleaned_prices:fresh",
        "cleaned_prices:no_future_dates",
        "cleaned_prices:no_unexplained_jump",
        "cleaned_prices:ohlc_is_consistent",
        "cleaned_prices:prices_move",
        "cleaned_prices:quarantine_schema_holds",
        "cleaned_prices:sessions_are_unique_and_sorted",
        "indicator_features:features_schema_holds",
        "indicator_features:no_leakage",
        "serving_snapshot:enough_to_train",
    }
    assert {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")} == {
        "cleanup_old_models",
        "clear_prediction_cache",
        "draw_report",
        "refresh_batch",
        "refresh_prices",
        "retrain_all_models",
        "retrain_batch",
        "evaluate_model",
        "learn_scale",
        "forecast_universe",
        "backtest_books",
        "retrain_model",
    }


def test_the_schedules_and_sensors_run_from_the_start():
    repository = defs.get_repository_def()
    schedules = {
        each.name: (each.job_name, each.cron_schedule, each.execution_timezone, each.default_status.value)
        for each in repository.schedule_defs
    }
    sensors = {each.name: (sorted(_jobs(each)), each.default_status.value) for each in repository.sensor_defs}

    assert schedules == {
        "monthly_cleanup": ("cleanup_old_models", "0 3 1 * *", "America/Sao_Paulo", "RUNNING"),
        "daily_cache_clearing": ("clear_prediction_cache", "0 0 * * *", "America/Sao_Paulo", "RUNNING"),
        "weekly_books": ("backtest_books", "0 1 * * 0", "America/Sao_Paulo", "RUNNING"),
        "weekly_scale": ("learn_scale", "0 1 * * 0", "America/Sao_Paulo", "RUNNING"),
        "weekly_retraining": ("retrain_batch", "0 2 * * 0", "America/Sao_Paulo", "RUNNING"),
    }
    assert sensors == {
        "daily_digest": ([], "RUNNING"),
        "failed_runs": ([], "RUNNING"),
        "low_disk_space": ([], "RUNNING"),
        "orphan_reaper": ([], "RUNNING"),
        "promotions_and_rollbacks": ([], "RUNNING"),
        "refresh_after_close": (["refresh_batch"], "RUNNING"),
        "requested_retraining": (["retrain_batch"], "RUNNING"),
        "retraining_on_drift": (["retrain_model"], "RUNNING"),
        "stale_prices": ([], "RUNNING"),
        "tickers_in_step": ([], "RUNNING"),
        "universe_after_refresh": (["forecast_universe"], "RUNNING"),
    }


def test_jobs_schedules_and_sensors_are_described_in_the_ui():
    repository = defs.get_repository_def()
    ours = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    for each in (*ours, *repository.schedule_defs, *repository.sensor_defs):
        assert each.description, each.name


def _jobs(sensor):
    return [target.job_name for target in sensor.targets]


def test_retraining_makes_every_stage_and_nothing_else():
    keys = defs.resolve_job_def("retrain_model").asset_layer.selected_asset_keys

    assert {key.to_user_string() for key in keys} == set(STAGES)


@pytest.mark.slow
def test_loading_the_code_location_imports_no_learning_library():
    heavy = {
        "keras",
        "jax",
        "tensorflow",
        "torch",
        "sklearn",
        "xgboost",
        "mlflow",
        "matplotlib",
        "yfinance",
        "ta",
        "pandera",
        "scipy.special",
    }
    code = "import sys, zenith_pipelines.definitions; print(*sys.modules)"

    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert heavy.isdisjoint(modules)


def test_a_run_of_a_ticker_waits_for_training_and_a_run_over_all_for_maintenance():
    jobs = [job for job in defs.resolve_all_job_defs() if not job.name.startswith("__")]
    queues = {job.name: job.run_tags["dagster-celery/queue"] for job in jobs}
    assert queues == {
        "retrain_model": "ml_training",
        "retrain_batch": "ml_training",
        "refresh_batch": "ml_training",
        "refresh_prices": "ml_training",
        "evaluate_model": "ml_training",
        "draw_report": "ml_training",
        "retrain_all_models": "maintenance",
        "learn_scale": "maintenance",
        "forecast_universe": "maintenance",
        "backtest_books": "maintenance",
        "cleanup_old_models": "maintenance",
        "clear_prediction_cache": "maintenance",
    }
    assert set(queues.values()) == set(QUEUES)


def test_on_one_machine_a_second_maintenance_waits_and_a_training_beside_it_does_not():
    limits = yaml.safe_load((ROOT / "dagster.yaml").read_text())["concurrency"]["runs"]["tag_concurrency_limits"]
    cleaning, learning, training, again = (
        dg.DagsterRun(job_name=name, tags={QUEUE: queue, **tags})
        for name, queue, tags in (
            ("cleanup_old_models", "maintenance", {}),
            ("learn_scale", "maintenance", {}),
            ("retrain_model", "ml_training", {"dagster/partition": "AAPL"}),
            ("refresh_prices", "ml_training", {"dagster/partition": "AAPL"}),
        )
    )

    counter = TagConcurrencyLimitsCounter(limits, [cleaning])

    assert [counter.is_blocked(run) for run in (learning, training)] == [True, False]
    counter.update_counters_with_launched_item(training)
    assert counter.is_blocked(again)
