"""The sensors that send alerts: models that no longer fit, stale prices, failed runs."""

import json
from datetime import UTC, datetime

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.defs import alert_sensors
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import add_tickers, remove_tickers


@pytest.fixture
def instance(monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    with dg.DagsterInstance.ephemeral() as instance:
        add_tickers(instance, ["AAPL"])
        yield instance


@pytest.fixture
def store(instance):
    """The store of `instance`, which learns of each write, as from a run."""

    class ReportingStore(DatasetStore):
        def write(self, name, ticker, dataset, **options):
            stamp = super().write(name, ticker, dataset, **options)
            instance.report_runless_asset_event(dg.AssetMaterialization(name, partition=ticker))
            return stamp

    return ReportingStore(Settings().data_uri)


@pytest.fixture
def alerts(monkeypatch):
    """The alerts that were sent."""
    alerts = []
    monkeypatch.setattr(alert_sensors, "send_alerts", lambda new, settings, log: alerts.extend(new))
    return alerts


@pytest.fixture
def evaluate(instance, monkeypatch):
    """Evaluate a sensor at a moment, with the cursor of its last evaluation."""
    cursor = None

    def evaluate(sensor, *moment):
        nonlocal cursor
        monkeypatch.setattr(alert_sensors, "_now", lambda: datetime(*moment, tzinfo=UTC))
        result = sensor(dg.build_sensor_context(instance=instance, cursor=cursor))
        cursor = result.cursor
        return [request.partition_key for request in result.run_requests or ()], result.skip_reason

    return evaluate


def prices(store, last, source="yahoo"):
    store.write("raw_prices", "AAPL", Dataset(facts={"source": source}))
    store.write("cleaned_prices", "AAPL", Dataset(facts={"last": last}))


def test_prices_more_than_five_sessions_old_send_one_alert(evaluate, store, alerts):
    prices(store, "2026-11-16")

    assert evaluate(alert_sensors.stale_prices, 2026, 11, 23, 22) == ([], dg.SkipReason("all prices are fresh"))  # five
    for hour in (22, 23):
        assert evaluate(alert_sensors.stale_prices, 2026, 11, 24, hour) == ([], dg.SkipReason("stale: AAPL"))

    text = "AAPL: 6 sessions have closed since its last prices, of 2026-11-16"
    (alert,) = alerts
    assert (alert.kind, alert.facts) == ("stale_prices", {"ticker": "AAPL", "last": "2026-11-16"})
    assert alert.text.spoken() == text


def test_prices_that_become_stale_again_send_another_alert(evaluate, store, alerts):
    for day, last in ((24, "2026-11-10"), (24, "2026-11-23"), (30, "2026-11-11")):
        prices(store, last)
        evaluate(alert_sensors.stale_prices, 2026, 11, day, 23)

    assert [alert.facts["last"] for alert in alerts] == ["2026-11-10", "2026-11-11"]


def test_sample_prices_are_never_stale(evaluate, store, alerts):
    prices(store, "2013-03-01", source="sample")
    evaluate(alert_sensors.stale_prices, 2026, 11, 24, 22)

    assert alerts == []


def test_a_ticker_without_prices_is_not_stale(evaluate, alerts):
    assert evaluate(alert_sensors.stale_prices, 2026, 11, 24, 22) == ([], dg.SkipReason("all prices are fresh"))
    assert alerts == []


def forecasts(store, *, inside, first="2026-06-01", **columns):
    """Sixty forecasts, each one session ahead; all actual closes are inside their bands, or none."""
    origins = pd.bdate_range(first, periods=60)
    table = pd.DataFrame(
        {
            "made_at": origins.tz_localize("UTC"), "origin": origins, "horizon": 1,
            "target_date": origins + pd.offsets.BDay(1), "lower": 9.0, "upper": 11.0,
            "actual": 10.0 if inside else 12.0, **columns,
        }
    )  # fmt: skip
    store.write("forecast_ledger", "AAPL", Dataset({"forecasts": table}))


def inputs(store, value):
    """A snapshot with inputs of `value` for a month, and an ensemble trained on 0 to 1."""
    window = np.full((20, 2), value).tolist()
    snapshot = {
        "ticker": "AAPL", "data_version": "v", "feature_spec": "s", "as_of": "2026-11-23", "close": 9.0,
        "currency": "USD", "volatility": 0.1, "window": window, "next_sessions": [], "recent": [],
    }  # fmt: skip
    store.write("serving_snapshot", "AAPL", Dataset(facts=snapshot))
    limits = {"lower": [0.0, 0.0], "upper": [1.0, 1.0], "base_rates": [0.3, 0.4, 0.3]}
    store.write("ensemble_model", "AAPL", Dataset(facts={"feature_spec": "s", "study": {"limits": limits}}))


FITS = ([], dg.SkipReason("every model fits its data"))


@pytest.mark.slow
def test_bands_that_miss_launch_one_retraining_and_earlier_forecasts_no_longer_count(evaluate, store, alerts):
    inputs(store, 0.5)
    forecasts(store, inside=False)

    assert evaluate(alert_sensors.retraining_on_drift, 2026, 9, 1) == (["AAPL"], None)
    assert evaluate(alert_sensors.retraining_on_drift, 2026, 9, 1, 1) == FITS
    assert evaluate(alert_sensors.retraining_on_drift, 2026, 9, 30) == FITS  # the same misses
    assert alerts[0].text.spoken().startswith("AAPL is trained again: 0% of the last 60 forecasts 1 session ahead")

    forecasts(store, inside=False, first="2026-09-02")
    assert evaluate(alert_sensors.retraining_on_drift, 2026, 12, 1) == (["AAPL"], None)


def test_bands_of_a_scale_are_renewed_without_training(evaluate, store, alerts):
    inputs(store, 0.5)
    forecasts(store, inside=False, scale_version="prior-2025")

    assert evaluate(alert_sensors.retraining_on_drift, 2026, 9, 1) == FITS


@pytest.mark.slow
def test_inputs_outside_the_training_range_launch_a_retraining_once_a_week(evaluate, store, alerts):
    forecasts(store, inside=True)
    inputs(store, 5.0)

    assert evaluate(alert_sensors.retraining_on_drift, 2026, 11, 1) == (["AAPL"], None)
    assert evaluate(alert_sensors.retraining_on_drift, 2026, 11, 7, 23) == FITS
    assert evaluate(alert_sensors.retraining_on_drift, 2026, 11, 8) == (["AAPL"], None)
    assert len(alerts) == 2


def test_a_model_that_fits_is_left_alone(evaluate, store, alerts):
    forecasts(store, inside=True)
    inputs(store, 0.5)

    assert evaluate(alert_sensors.retraining_on_drift, 2026, 11, 1) == FITS
    assert alerts == []


def test_a_ticker_with_corrupt_data_does_not_stop_the_others(evaluate, store, instance, caplog):
    add_tickers(instance, ["IBM"])
    forecasts(store, inside=False)
    store.write("forecast_ledger", "IBM", Dataset({"forecasts": pd.DataFrame({"made_at": []})}))

    assert evaluate(alert_sensors.retraining_on_drift, 2026, 9, 1)[0] == ["AAPL"]


@pytest.mark.parametrize("count", [3, 30])
def test_drift_reads_only_the_tickers_that_changed(evaluate, store, instance, monkeypatch, count):
    add_tickers(instance, [f"T{number}" for number in range(count)])
    evaluated = []
    monkeypatch.setattr(alert_sensors, "_retraining_reason", lambda _, ticker, *__: evaluated.append(ticker))

    evaluate(alert_sensors.retraining_on_drift, 2026, 11, 1)
    assert sorted(evaluated) == sorted(["AAPL", *(f"T{number}" for number in range(count))])

    evaluated.clear()
    evaluate(alert_sensors.retraining_on_drift, 2026, 11, 1, 1)
    inputs(store, 0.5)
    store.write("cleaned_prices", "T1", Dataset())  # not evaluated
    evaluate(alert_sensors.retraining_on_drift, 2026, 11, 1, 2)
    evaluate(alert_sensors.retraining_on_drift, 2026, 11, 1, 3)
    assert evaluated == ["AAPL"]


def test_a_tick_evaluates_a_part_of_many_tickers_and_the_next_ticks_the_others(evaluate, instance, monkeypatch):
    add_tickers(instance, ["IBM", "MSFT"])
    evaluated = []
    monkeypatch.setattr(alert_sensors, "_MAX_EVALUATIONS", 2)
    monkeypatch.setattr(alert_sensors, "_retraining_reason", lambda _, ticker, *__: evaluated.append(ticker))

    for hour in range(3):
        evaluate(alert_sensors.retraining_on_drift, 2026, 11, 1, hour)

    assert evaluated == ["AAPL", "IBM", "MSFT"]


def test_the_cursor_of_an_earlier_release_is_the_launches(store, instance, alerts, monkeypatch):
    forecasts(store, inside=True)
    inputs(store, 5.0)
    cursor = json.dumps({"AAPL": "2026-11-01T00:00:00+00:00"})
    monkeypatch.setattr(alert_sensors, "_now", lambda: datetime(2026, 11, 2, tzinfo=UTC))

    result = alert_sensors.retraining_on_drift(dg.build_sensor_context(instance=instance, cursor=cursor))

    assert (result.run_requests, json.loads(result.cursor)["launches"]) == ([], json.loads(cursor))


@pytest.mark.parametrize("count", [3, 30])
def test_a_fresh_ticker_costs_no_calendar(evaluate, store, instance, monkeypatch, count):
    monkeypatch.setattr(alert_sensors, "sessions_closed_since", lambda *_: pytest.fail("a calendar was read"))
    add_tickers(instance, [f"T{number}" for number in range(count)])
    for number in range(count):
        DatasetStore.write(store, "cleaned_prices", f"T{number}", Dataset(facts={"last": "2026-11-20"}))

    assert evaluate(alert_sensors.stale_prices, 2026, 11, 24, 22) == ([], dg.SkipReason("all prices are fresh"))


def test_the_request_has_the_reason(evaluate, store, instance, monkeypatch):
    inputs(store, 5.0)
    forecasts(store, inside=True)
    monkeypatch.setattr(alert_sensors, "_now", lambda: datetime(2026, 11, 1, tzinfo=UTC))

    (request,) = alert_sensors.retraining_on_drift(dg.build_sensor_context(instance=instance)).run_requests

    assert (
        request.tags["zenith/reason"]
        == "on 20 of the last 20 sessions the inputs were outside the range of the training"
    )


@pytest.fixture
def fail(instance, monkeypatch):
    """Run refresh_prices for a ticker without prices, then the sensor of failed runs."""
    from zenith_pipelines.definitions import defs

    monkeypatch.setenv("ZENITH_PRICE_SOURCE", "sample")

    def fail(ticker, *, remove=False):
        add_tickers(instance, [ticker])
        result = defs.resolve_job_def("refresh_prices").execute_in_process(
            instance=instance, partition_key=ticker, raise_on_error=False
        )
        if remove:
            remove_tickers(instance, Settings(), [ticker])
        (event,) = [event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE"]
        context = dg.build_run_status_sensor_context(
            sensor_name="failed_runs", dagster_event=event, dagster_instance=instance, dagster_run=result.dagster_run
        ).for_run_failure()
        alert_sensors.failed_runs(context)
        return result.run_id

    return fail


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")  # raised inside Dagster
def test_a_failed_run_sends_an_alert_with_its_reason_in_one_line(fail, alerts):
    run_id = fail("MSFT-X")

    (alert,) = alerts
    assert alert.facts == {"job": "refresh_prices", "run_id": run_id, "ticker": "MSFT-X"}
    assert alert.text.spoken().startswith(
        "refresh_prices for MSFT-X failed: raw_prices: the sample has no MSFT-X; it has "
    )
    assert "\n" not in alert.text.spoken()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")  # raised inside Dagster
def test_a_failed_run_of_a_removed_ticker_sends_no_alert_and_logs_the_reason(fail, alerts, instance):
    run_id = fail("MSFT-X", remove=True)

    assert alerts == []
    messages = [log.message for log in instance.all_logs(run_id, dg.DagsterEventType.ENGINE_EVENT)]
    assert "MSFT-X was removed from the tickers: the run stops, and nothing of it is served" in messages


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("was terminated by signal 9 (SIGKILL). This usually indicates", "the process of the run was killed (SIGKILL)"),
        ("unexpectedly exited with code 3.", "the process of the run ended with status 3"),
    ],
)
def test_the_alert_of_a_run_whose_process_ended_says_how(instance, alerts, end, reason):
    run = instance.create_run_for_job(dg.GraphDefinition("fetch").to_job())
    instance.report_engine_event(f"Run execution process for {run.run_id} {end}", run)
    event = instance.report_run_failed(run)  # as Dagster's code server does, without a reason
    context = dg.build_run_status_sensor_context(
        sensor_name="failed_runs", dagster_event=event, dagster_instance=instance, dagster_run=run
    ).for_run_failure()

    alert_sensors.failed_runs(context)

    assert alerts[0].text.spoken().startswith(f"fetch failed: {reason}")


def test_the_alert_of_a_run_without_memory_says_so(instance, alerts):
    @dg.op
    def train():
        np.ones(2**50)

    job = dg.GraphDefinition("training", node_defs=[train]).to_job()
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    (event,) = [event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE"]
    context = dg.build_run_status_sensor_context(
        sensor_name="failed_runs", dagster_event=event, dagster_instance=instance, dagster_run=result.dagster_run
    ).for_run_failure()

    alert_sensors.failed_runs(context)

    assert alerts[0].text.spoken() == (
        "training failed: train: out of memory: close other programs, or train fewer tickers at a time with --jobs 1"
    )
