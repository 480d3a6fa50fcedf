"""The sensors of decisions, disk and digest: once for each cause, and nothing without a receiver."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from tests.empty_databases import put_mlflow_database
from zenith_pipelines import disk_space
from zenith_pipelines.defs import digest_sensors
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import add_tickers


@pytest.fixture
def instance(monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    with dg.DagsterInstance.ephemeral() as instance:
        add_tickers(instance, ["AAPL"])
        yield instance


@pytest.fixture
def alerts(monkeypatch):
    """The alerts that were sent."""
    alerts = []
    monkeypatch.setattr(digest_sensors, "send_alerts", lambda new, settings, log: alerts.extend(new))
    return alerts


@pytest.fixture
def table(monkeypatch, tmp_path):
    path = tmp_path / "alerts.toml"
    path.write_text('digest_at = 08:00:00\n[[to]]\nname = "desk"\nurl = "json://a"')
    monkeypatch.setenv("ZENITH_ALERTS", str(path))


@pytest.fixture
def evaluate(instance, monkeypatch):
    """Evaluate a sensor at an hour of UTC, with the cursor of its last evaluation."""
    cursor = None

    def evaluate(sensor, day=30, hour=12):
        nonlocal cursor
        monkeypatch.setattr(digest_sensors, "_now", lambda: datetime(2026, 11, day, hour, tzinfo=UTC))
        result = sensor(dg.build_sensor_context(instance=instance, cursor=cursor))
        cursor = getattr(result, "cursor", cursor)
        return result

    return evaluate


SENSORS = [digest_sensors.promotions_and_rollbacks, digest_sensors.low_disk_space, digest_sensors.daily_digest]


@pytest.mark.parametrize("sensor", SENSORS, ids=lambda sensor: sensor.name)
def test_without_a_receiver_nothing_is_read_or_sent(evaluate, alerts, sensor):
    assert evaluate(sensor) == dg.SkipReason("no receiver of ZENITH_ALERTS gets it")
    assert alerts == []


def test_a_full_disk_is_told_once_until_it_has_space_again(evaluate, alerts, table, monkeypatch):
    for least in (0.0, 1e18, 1e18, 0.0, 1e18):
        monkeypatch.setattr(disk_space, "MIN_FREE_BYTES", least)
        evaluate(digest_sensors.low_disk_space)

    assert [alert.kind for alert in alerts] == ["disk_space"] * 2


def test_a_day_has_one_digest_and_the_first_is_the_next_one_due(evaluate, alerts, table):
    for day, hour in ((28, 12), (28, 23), (29, 10), (29, 11), (29, 12), (30, 11)):  # 11:00 UTC is 8:00 in São Paulo
        evaluate(digest_sensors.daily_digest, day, hour)

    assert [alert.text.values["date"] for alert in alerts] == ["2026-11-29", "2026-11-30"]


def test_the_digest_names_failed_runs_and_early_retraining_since_the_last(evaluate, alerts, table, instance):
    evaluate(digest_sensors.daily_digest, 29, 12)
    graph = dg.GraphDefinition("retrain_model").to_job()
    tags = {"dagster/partition": "AAPL"}
    instance.report_run_failed(instance.create_run_for_job(graph, tags=tags))
    instance.create_run_for_job(graph, tags={**tags, "zenith/reason": "its bands missed"})

    evaluate(digest_sensors.daily_digest, 30, 12)

    lines = [line.spoken() for line in alerts[0].lines]
    assert "Failed runs: 1 (retrain_model AAPL)" in lines
    assert "Trained again early: 1 (AAPL)" in lines


@pytest.mark.slow
def test_a_registry_without_decisions_tells_none(evaluate, alerts, table):
    folder = Settings().home / "mlflow"
    folder.mkdir()
    put_mlflow_database(folder)

    result = evaluate(digest_sensors.promotions_and_rollbacks)

    assert result.skip_reason == dg.SkipReason("0 decisions told")
    assert alerts == []
