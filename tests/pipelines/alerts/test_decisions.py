"""Alerts of decisions, from a real registry: each is told once, wherever it was made."""

from datetime import UTC, datetime

import pytest

from zenith_pipelines.alerts.decisions import DecisionCursor, decision_alerts
from zenith_pipelines.registry.decision_log import DecisionRecord, record_decision
from zenith_pipelines.registry.model_registry import ModelRegistry, Version

GATES = ({"gate": "data end", "passed": False, "says": "", "figures": {}}, {"gate": "loss", "passed": True})


@pytest.fixture
def decide(registry, monkeypatch):
    """Record a decision about a version, each of the same day."""
    tags = {}

    def log(_, name, version, metrics, tags):
        pass

    def tag(_, name, version, new):
        tags.setdefault((name, version), {}).update(new)

    def search(_, query):
        day = query.removeprefix("tags.decided_at LIKE '").removesuffix("%'")
        return [Entity(*key, own) for key, own in tags.items() if own["decided_at"].startswith(day)]

    monkeypatch.setattr(ModelRegistry, "log_metrics", log)
    monkeypatch.setattr(ModelRegistry, "tag", tag)
    monkeypatch.setattr(ModelRegistry, "describe", lambda *_: None)
    monkeypatch.setattr(ModelRegistry, "_search_versions", search)
    monkeypatch.setattr("zenith_pipelines.registry.model_registry._version", lambda entity: entity.version)

    def decide(name, version, outcome, at, previous=None):
        reason = "better than the naive forecast"
        record_decision(registry, name, DecisionRecord(version, outcome, previous, "", reason, "me@here", GATES, at))

    return decide


class Entity:
    """A version as MLflow's search returns it."""

    def __init__(self, name, version, tags):
        self.tags = tags
        self.version = Version(name, version, "run", "uri", tags)


def today(second):
    return f"{datetime.now(UTC):%Y-%m-%d}T00:00:{second:02}.000000Z"


def test_each_decision_is_told_once_and_a_late_record_too(decide, registry):
    cursor = DecisionCursor(today(0))
    decide("lstm-AAPL", 3, "promoted", today(20))
    told, cursor = cursor.next(registry)
    assert [version.name for version in told] == ["lstm-AAPL"]

    decide("ensemble-AAPL", 1, "refused", today(10))  # written later than it was made
    told, cursor = cursor.next(registry)
    assert [version.name for version in told] == ["ensemble-AAPL"]

    told, again = cursor.next(registry)
    assert (told, again) == ([], cursor)


def test_the_first_evaluation_tells_no_history(decide, registry):
    decide("lstm-AAPL", 3, "promoted", "2026-01-01T00:00:00.000000Z")

    told, cursor = DecisionCursor.from_json(None, datetime.now(UTC)).next(registry)

    assert told == []
    assert DecisionCursor.from_json(cursor.to_json(), datetime.now(UTC)) == cursor


def test_the_texts_name_model_version_gates_and_person(decide, registry):
    decide("lstm-AAPL", 3, "promoted", today(1))
    decide("ensemble-AAPL", 2, "refused", today(2))
    decide("ensemble-IBM", 4, "unchanged", today(3))
    decide("scale", 5, "rolled back", today(4), previous=6)

    told, _ = DecisionCursor(today(0)).next(registry)
    alerts = decision_alerts(told)

    assert [(alert.kind, alert.text.spoken()) for alert in alerts] == [
        ("promoted", "AAPL LSTM: version 3 is in Production, by me@here. better than the naive forecast"),
        ("refused", "AAPL Ensemble: version 2 was refused. It did not pass: data end"),
        ("rolled_back", "scale: rolled back to version 5 by me@here. better than the naive forecast"),
    ]
    assert alerts[1].text.spoken("pt") == "AAPL Ensemble: a versão 2 foi recusada. Não passou em: fim dos dados"
    assert alerts[0].facts == {"model": "lstm-AAPL", "version": "3", "ticker": "AAPL"}
