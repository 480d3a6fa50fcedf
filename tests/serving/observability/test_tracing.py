import sys

import pytest
from fastapi.testclient import TestClient
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from zenith_serving.app import create_app

PRICE = "/api/v1/ml/predict/price"


@pytest.fixture
def spans(monkeypatch):
    """Yield the spans exported to a configured provider."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    yield exporter
    provider.shutdown()


def test_a_request_is_a_span_named_after_its_route_but_health_checks_are_not(settings, spans):
    client = TestClient(create_app(settings))
    client.post(PRICE, json={"ticker": "AAPL"})
    client.get("/health")
    client.get("/metrics")
    (span,) = spans.get_finished_spans()
    assert span.name == f"POST {PRICE}"
    assert (span.attributes["http.route"], span.attributes["http.response.status_code"]) == (PRICE, 200)


def test_a_missing_exporter_library_is_logged_and_the_service_runs(settings, monkeypatch, caplog):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with TestClient(create_app(settings)) as client:
        assert client.get("/health").status_code == 200
    assert "telemetry configuration failed" in caplog.text
