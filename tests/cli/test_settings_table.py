"""Every setting, as it is declared, with values that are empty, of the wrong type, out of range or unreachable."""

from typing import Literal, get_args, get_origin

import pytest

from tests.empty_databases import put_dagster_databases
from zenith_core.errors import UserError
from zenith_core.market import exchanges
from zenith_pipelines.defs.schedules import make_schedules
from zenith_pipelines.settings import Settings as PipelinesSettings
from zenith_serving.settings import Settings as ServingSettings

DECLARED = [(owner, name) for owner in (PipelinesSettings, ServingSettings) for name in owner.model_fields]
IDS = [f"{owner.__module__.partition('.')[0]}-{name}" for owner, name in DECLARED]

# Values of texts that no type refuses, and the command that reads them.
WRONG_TEXTS = {
    "zenith_exchanges": ".VI=NOPE",
    "zenith_tickers": "../../etc",
    "zenith_models": "lstm,nonsense",
    "zenith_answers": "price=nonsense",
    "zenith_features": "nonsense",
    "zenith_price_url": "https://a/{password}",
    "zenith_timezone": "Mars/Olympus",
    "zenith_rate_limit": "many",
    "cors_origins": "https://a/path",
    "dagster_url": "ftp://a",
    "dagster_public_url": "no address",
    "mlflow_public_url": "http://user:password@a",
    "zenith_page_url": "http://user:password@a",
    "zenith_alert_webhook": "file:///etc/passwd",
    "zenith_alerts": "/nowhere/alerts.toml",
    "mlflow_tracking_uri": "ftp://a",
    "redis_url": "redis://:pass#word@a:1",
}
CRONS = ("zenith_retrain_cron", "zenith_cleanup_cron", "zenith_cache_cron", "zenith_scale_cron")
READ_LATER = {  # by the command that uses them, with a value that is wrong or leads nowhere
    "zenith_home": ("/proc/zenith", ("tickers", "list")),
    "zenith_price_source": ("bloomberg", ("run",)),
    "zenith_csv_dir": ("/nowhere", ("run", "--source", "csv")),
    "zenith_data_uri": ("nonsense://a", ("export", "AAPL", "prices")),
    "database_url": ("postgresql://u:p@127.0.0.1:port/db", ("tickers", "list")),
    "zenith_dagster_config": ("/nowhere", ("tickers", "list")),
    "models_path": ("/proc/zenith", ("predict", "AAPL")),
}
ANY_TEXT = {"zenith_data_roots", "zenith_price_key", "zenith_dagster_hosts", "zenith_api_keys", "zenith_read_only_keys"}


def wrong_values(owner, name):
    """Values that the declaration itself refuses."""
    field = owner.model_fields[name]
    if name in WRONG_TEXTS:
        return [WRONG_TEXTS[name]]
    if get_origin(field.annotation) is Literal:
        return ["nonsense", get_args(field.annotation)[0].upper() + "x"]
    if field.annotation is bool:
        return ["maybe", "2"]
    if field.annotation is int:
        return ["abc", "1.5", "-1", "9" * 400 + "x"]
    return []


WRONG = [(owner, name, value) for owner, name in DECLARED for value in wrong_values(owner, name)]


COMMANDS = {  # by the settings that they read
    PipelinesSettings: (
        ("tickers", "list"),
        ("tickers", "add", "AAPL"),
        ("run",),
        ("job", "refresh_prices"),
        ("cleanup", "--dry-run"),
        ("models",),
        ("promote", "AAPL", "lstm", "1"),
        ("rollback", "AAPL", "lstm"),
        ("replay", "lstm-AAPL"),
        ("explain", "AAPL"),
        ("leaderboard",),
        ("track-record", "AAPL"),
        ("ledger", "verify"),
        ("scale", "show"),
        ("export", "AAPL", "prices"),
        ("ui", "--port", "47301"),
        ("up", "--port-base", "47200"),
        ("doctor", "--url", "http://127.0.0.1:1"),
    ),
    ServingSettings: (
        ("predict", "AAPL"),
        ("forecast", "AAPL"),
        ("serve", "--port", "47302"),
        ("doctor", "--url", "http://127.0.0.1:1"),
    ),
}
PAIRS = [
    (COMMANDS[owner][number % len(COMMANDS[owner])], name, value) for number, (owner, name, value) in enumerate(WRONG)
]
ALL_PAIRS = [(command, name, value) for owner, name, value in WRONG for command in COMMANDS[owner]]


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    for _, name in DECLARED:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.setattr(exchanges, "EXCHANGES", dict(exchanges.EXCHANGES))


@pytest.mark.parametrize(("owner", "name"), DECLARED, ids=IDS)
def test_an_empty_setting_counts_as_unset(monkeypatch, owner, name):
    monkeypatch.delenv("ZENITH_HOME")
    unset = owner()
    monkeypatch.setenv(name.upper(), "")

    assert owner() == unset
    assert owner().model_fields_set == unset.model_fields_set


@pytest.mark.parametrize(("owner", "name", "value"), WRONG, ids=[f"{name}={value[:20]}" for _, name, value in WRONG])
def test_a_wrong_value_is_one_line_with_the_name_and_without_a_password(monkeypatch, owner, name, value):
    monkeypatch.setenv(name.upper(), value)

    with pytest.raises(UserError) as refusal:
        owner()

    line = str(refusal.value)
    assert "\n" not in line
    assert len(line) < 300
    assert "password" not in line.replace("in a password", "").replace("user:password@host", "").replace(
        "without a user or password", ""
    )
    assert name.upper() in line or name in ("zenith_exchanges",)


@pytest.mark.parametrize("name", CRONS)
@pytest.mark.parametrize("value", ["weekly", "* * *", "61 0 * * *"])
def test_a_wrong_cron_is_one_line(monkeypatch, name, value):
    monkeypatch.setenv(name.upper(), value)

    with pytest.raises(UserError, match=f"^{name.upper()} .*is not a cron expression"):
        make_schedules(PipelinesSettings())


@pytest.mark.parametrize("name", READ_LATER)
def test_a_value_that_leads_nowhere_is_one_line_of_the_command_that_reads_it(monkeypatch, zenith, tmp_path, name):
    value, command = READ_LATER[name]
    put_dagster_databases(tmp_path)
    monkeypatch.setenv(name.upper(), value)

    status, out, err = zenith(*command)

    assert (status, out) == (2, "")
    assert err.startswith("zenith: ")
    assert err.count("\n") == 1


def test_every_setting_is_in_this_table():
    names_with_cases = {name for _, name, _ in WRONG} | set(CRONS) | set(READ_LATER) | ANY_TEXT

    assert {name for _, name in DECLARED} - names_with_cases == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "name", "value"),
    [*PAIRS, *(pytest.param(*pair, marks=pytest.mark.long) for pair in ALL_PAIRS if pair not in PAIRS)],
    ids=str,
)
def test_a_command_reports_a_wrong_setting_before_it_does_anything(monkeypatch, zenith, tmp_path, command, name, value):
    monkeypatch.setenv(name.upper(), value)

    status, out, err = zenith(*command)

    assert (status, out) == (2, "")
    assert err.startswith("zenith: ")
    assert err.count("\n") == 1
    assert name.upper() in err or name == "zenith_exchanges"
    assert "user:password@a" not in err
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
