"""Files for ZENITH_DAGSTER_CONFIG: Dagster and the launchers accept them."""

from pathlib import Path

import pytest
import yaml
from dagster_docker import DockerRunLauncher

from zenith_core.errors import UserError
from zenith_pipelines.dagster_runtime.celery_launcher import CeleryRunLauncher
from zenith_pipelines.dagster_runtime.celery_worker import worker_app
from zenith_pipelines.dagster_runtime.instance import dagster_home, open_instance
from zenith_pipelines.settings import Settings

pytestmark = pytest.mark.slow  # opens an instance with each launcher

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.setenv("ZENITH_BROKER_URL", "redis://:secret@redis:6379/1")
    monkeypatch.setenv("ZENITH_RUN_IMAGE", "zenith-cluster:latest")
    monkeypatch.setenv("ZENITH_RUN_NETWORK", "zenith_default")


def settings(path):
    return Settings(zenith_dagster_config=path)


def test_celery_launcher_is_used_and_other_settings_stay():
    celery = settings(DEPLOY / "celery" / "dagster.yaml")
    with open_instance(celery) as instance:
        assert isinstance(instance.run_launcher, CeleryRunLauncher)
        assert instance.run_launcher.celery.conf.broker_url == "redis://:secret@redis:6379/1"
        assert instance.run_launcher.celery.conf.task_acks_late
        queues = {queue.name for queue in instance.run_launcher.celery.conf.task_queues}
        assert queues == {"dagster", "ml_training", "maintenance"}
        assert instance.run_monitoring_start_timeout_seconds == 1800
        assert instance.run_monitoring_max_runtime_seconds == 7200  # of dagster.yaml
    text = (dagster_home(celery) / "dagster.yaml").read_text()
    assert yaml.safe_load(text)["concurrency"]["runs"]["tag_concurrency_limits"][0]["limit"] == 1
    assert "secret" not in text


def test_docker_launcher_gives_each_run_a_container_with_limits():
    with open_instance(settings(DEPLOY / "docker-run-launcher" / "dagster.yaml")) as instance:
        launcher = instance.run_launcher
        assert isinstance(launcher, DockerRunLauncher)
        assert (launcher.image, launcher.networks) == ("zenith-cluster:latest", ["zenith_default"])
        assert launcher.container_kwargs["mem_limit"] == "3g"


def test_without_the_setting_nothing_changes():
    home = dagster_home(Settings())
    own = (DEPLOY.parent / "dagster.yaml").read_bytes()
    assert (home / "dagster.yaml").read_bytes().startswith(own)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        ("- a list", "must have keys of dagster.yaml"),
        ("run_launcher: {", "is not valid YAML"),
        ("run_louncher: {}", "Dagster rejects .*run_louncher"),
    ],
)
def test_invalid_file_is_reported_in_one_line(tmp_path, content, message):
    path = tmp_path / "over.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=message) as failure:
        open_instance(settings(path))
    assert "\n" not in str(failure.value)


def test_worker_without_the_celery_launcher_names_the_missing_file():
    worker_app.cache_clear()
    with pytest.raises(UserError, match="deploy/celery/dagster.yaml"):
        worker_app()
