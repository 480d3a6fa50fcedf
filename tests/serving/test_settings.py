from pathlib import Path

import pytest

from zenith_core.errors import UserError
from zenith_serving.settings import Settings, read_settings

NAMES = ("ZENITH_HOME", "MLFLOW_TRACKING_URI", "REDIS_URL", "MODELS_PATH", "ML_CACHE_TTL")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in (*NAMES, "CORS_ORIGINS", "ZENITH_API_KEYS", "ZENITH_DATA_URI"):
        monkeypatch.delenv(name, raising=False)


def test_all_state_is_under_zenith_home_by_default(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    settings = Settings()
    assert settings.home == tmp_path / ".zenith"
    assert settings.snapshots == tmp_path / ".zenith" / "data" / "serving_snapshot"
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/.zenith/mlflow/mlflow.db"
    assert settings.last_good == tmp_path / ".zenith" / "serving-models"
    assert (settings.redis_url, settings.ml_cache_ttl, settings.cors_origins) == (None, 3600, ())


def test_the_environment_variables_of_the_earlier_system_are_read(monkeypatch):
    values = ("/srv/zenith", "http://mlflow:5000", "redis://:secret@redis/0", "/srv/models", "60")
    for name, value in zip(NAMES, values, strict=True):
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.home == Path("/srv/zenith")
    assert settings.tracking_uri == "http://mlflow:5000"
    assert settings.redis_url.get_secret_value() == "redis://:secret@redis/0"
    assert settings.last_good == Path("/srv/models")
    assert settings.ml_cache_ttl == 60


@pytest.mark.parametrize("uri", ["{}", "file://{}", "local://{}"])
def test_snapshots_are_read_from_the_pipelines_datasets(monkeypatch, tmp_path, uri):
    monkeypatch.setenv("ZENITH_DATA_URI", uri.format(tmp_path / "elsewhere"))

    assert Settings().snapshots == tmp_path / "elsewhere" / "serving_snapshot"


def test_a_relative_folder_starts_at_the_working_directory(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZENITH_DATA_URI", "elsewhere")

    assert Settings().snapshots == tmp_path / "elsewhere" / "serving_snapshot"


@pytest.mark.parametrize("uri", ["s3://bucket/zenith", "memory://x", "simplecache::s3://bucket"])
def test_object_storage_is_refused_with_the_name_of_the_setting(monkeypatch, uri):
    monkeypatch.setenv("ZENITH_DATA_URI", uri)

    with pytest.raises(UserError, match=f"ZENITH_DATA_URI {uri}: serving reads a folder only"):
        _ = Settings().snapshots


def test_lists_are_separated_by_commas_and_secrets_are_hidden(monkeypatch):
    monkeypatch.setenv("CORS_ORIGINS", "https://a.example, https://b.example")
    monkeypatch.setenv("ZENITH_API_KEYS", "old,new,")
    settings = Settings()
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert [key.get_secret_value() for key in settings.zenith_api_keys] == ["old", "new"]
    assert "new" not in repr(settings)


@pytest.mark.parametrize(
    "text", ["https://a.example/", "a.example", "HTTPS://A.example", "null", "https://a.example/x"]
)
def test_an_origin_that_no_browser_sends_is_refused(monkeypatch, text):
    monkeypatch.setenv("CORS_ORIGINS", f"https://b.example,{text}")
    with pytest.raises(UserError, match="CORS_ORIGINS is not valid: .* https://dashboard.example"):
        read_settings()


@pytest.mark.parametrize("name", ["ML_CACHE_TTL", "LOG_LEVEL", "LOG_FORMAT", "ZENITH_READ_KEYS", "ZENITH_RATE_LIMIT"])
def test_an_invalid_setting_is_reported_in_one_line_without_its_value(monkeypatch, name):
    monkeypatch.setenv(name, "something-secret")
    with pytest.raises(UserError, match=f"^{name} is not valid: ") as error:
        read_settings()
    assert "something-secret" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("url", ["redis://:sec#ret/word@host:6379", "redis://:sec@host:ret", "host:6379", "redis://"])
def test_an_invalid_redis_url_is_refused_without_showing_its_password(monkeypatch, url):
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(UserError, match="^REDIS_URL is not valid: ") as error:
        read_settings()
    assert "sec" not in str(error.value)
    assert "ret" not in str(error.value)


@pytest.mark.parametrize(
    "url", ["redis://host", "rediss://u:p%23@host:6380/1", "redis://[::1]:6379", "unix:///run/redis"]
)
def test_redis_urls_are_accepted(monkeypatch, url):
    monkeypatch.setenv("REDIS_URL", url)
    assert read_settings().redis_url.get_secret_value() == url


@pytest.mark.parametrize("options", ["foo=1", "socket_timeout=abc", "db=x", "health_check_interval=now", "db=0&foo=1"])
def test_an_option_that_redis_py_does_not_take_is_refused_at_the_start(monkeypatch, options):
    monkeypatch.setenv("REDIS_URL", f"redis://:secret@127.0.0.1:1/0?{options}")
    with pytest.raises(UserError, match="^REDIS_URL is not valid: an option after its") as error:
        read_settings()
    assert "secret" not in str(error.value)


def test_options_of_redis_py_are_accepted(monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0?socket_timeout=5&client_name=zenith")
    assert read_settings().redis_url is not None


def test_an_empty_redis_url_is_none(monkeypatch):
    monkeypatch.setenv("REDIS_URL", "")
    assert read_settings().redis_url is None
