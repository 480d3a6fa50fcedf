"""The Python client against the real service on a real port; with Dagster: tests/integration/test_launching.py."""

import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from tests.core.portfolio.universe import drawn_universe
from tests.core.risk.distributions import normal_distribution
from tests.live_service import live_service
from tests.published import publish
from zenith_core.names import ALL_TICKERS, DISCLAIMER, UNIVERSE
from zenith_serving.app import create_app
from zenith_serving.client import (
    InvalidRequest,
    KeyRefused,
    NotFound,
    StillRunning,
    Unavailable,
    Unreachable,
    Zenith,
)
from zenith_serving.schemas.jobs import Launched
from zenith_serving.settings import Settings

KEY = "a-key-for-tests"


@pytest.fixture
def service(settings):
    changes = {"zenith_api_keys": (KEY,), "dagster_url": "http://127.0.0.1:1"}
    with live_service(Settings(**{**settings.model_dump(), **changes})) as url:
        yield url


@pytest.fixture
def zenith(service):
    with Zenith(service, key=KEY, patience=0) as zenith:
        yield zenith


def test_predictions_are_typed(zenith):
    price = zenith.predict_price("AAPL", 3)
    assert [point.day for point in price.predictions] == [1, 2, 3]
    assert (price.model_version, price.cached) == ("1", False)
    assert zenith.predict_price("AAPL", 3).cached
    assert not zenith.predict_price("AAPL", 3, use_cache=False).cached
    assert zenith.predict_signal("MSFT").likeliest == "buy"
    assert zenith.predict_signal("MSFT", 5).horizon == 5
    assert zenith.predict_comprehensive("MSFT", 2, signal_horizon=5).signal.horizon == 5
    both = zenith.predict_comprehensive("AAPL", 2)
    assert (len(both.price.predictions), both.signal.ticker) == (2, "AAPL")


def test_books_and_ranks_are_typed(zenith, home):
    universe = drawn_universe(rows=60, names=["AAPL", "MSFT"])
    publish(
        home, UNIVERSE, ALL_TICKERS, universe.to_json() | {"ranks": {"20": {"independent_bets": 1.5, "tickers": []}}}
    )

    book = zenith.predict_book([{"ticker": "AAPL", "quantity": 10}], 3, cash=5, currency="USD", tails=[0.05])
    assert (book.horizon, book.cash, len(book.tails), book.positions[0].ticker) == (3, 5.0, 1, "AAPL")
    assert [row.ticker for row in zenith.predict_ranks(["AAPL", "MSFT"]).ranks] == ["AAPL", "MSFT"]
    assert zenith.universe(limit=1).tickers == 2


def test_risk_and_quantiles_are_typed(zenith, home, write_snapshot):
    write_snapshot(home, "AAPL", distribution=normal_distribution())

    risk = zenith.predict_risk("AAPL", 3, tails=[0.05], touch=[{"pct": 3}, {"price": 90}])

    assert (risk.horizon, [tail.tail for tail in risk.tails]) == (3, [0.05])
    assert [level.price for level in risk.touch] == [103, 90]
    assert [len(quantile.prices) for quantile in zenith.predict_price("AAPL", 3, quantiles=[0.01]).quantiles] == [3]
    assert zenith.predict_comprehensive("AAPL").risk.horizon == 5


def test_forecasts_are_a_table_of_all_pages(zenith, home, write_snapshot, monkeypatch):
    write_snapshot(home, "AAPL", distribution=normal_distribution())
    monkeypatch.setattr("zenith_serving.client.client.ROWS_PER_PAGE", 1)

    table = zenith.forecasts(horizon=3, quantiles=[0.05])

    assert list(table["ticker"]) == ["AAPL", "IBM", "MSFT"]
    assert table["q0.05"].notna().tolist() == [True, False, False]
    assert table["target_date"].dtype.kind == "M"


def test_disclaimer_health_metrics_tickers_and_charts_are_available(zenith):
    assert zenith.disclaimer() == DISCLAIMER
    assert zenith.health().ready
    assert "# HELP" in zenith.metrics()
    assert [one.ticker for one in zenith.tickers().tickers] == ["AAPL", "IBM", "MSFT"]
    page = zenith.tickers(limit=1, after="AAPL", prefix="i", stale=True)
    assert ([one.ticker for one in page.tickers], page.next) == (["IBM"], None)
    assert zenith.chart("AAPL").ticker == "AAPL"


def test_a_batch_has_a_prediction_or_a_problem_for_each_ticker(zenith):
    msft, unknown = zenith.predict_batch(["MSFT", "AAPX"], "price", horizon=2).results
    assert (msft.ticker, msft.prediction.horizon, msft.problem) == ("MSFT", 2, None)
    assert (unknown.prediction, unknown.problem.status) == (None, 404)


def test_cached_answers_are_counted_and_deleted(zenith):
    zenith.predict_price("AAPL")
    assert zenith.cache_stats().entries == 1
    assert zenith.forget("aapl").ticker == "AAPL"
    assert zenith.cache_stats().entries == 0
    assert zenith.forget().ticker is None


def test_versions_and_their_history_are_listed(zenith):
    assert [one.name for one in zenith.models("MSFT").models] == ["lstm-MSFT", "ensemble-MSFT"]
    assert [one.version for one in zenith.models(model_type="lstm", status="production").models] == ["1", "1"]
    page = zenith.models(limit=1)
    assert ([one.name for one in page.models], page.next) == (["lstm-AAPL"], "lstm-AAPL/1")
    assert [one.name for one in zenith.models(limit=1, after=page.next).models] == ["ensemble-AAPL"]
    assert zenith.history("AAPL").events == []
    assert zenith.refresh_models().production == 4


@pytest.mark.slow
def test_a_refusal_raises_an_error_of_its_kind_with_the_service_s_detail(zenith, service):
    with pytest.raises(NotFound, match="did you mean AAPL") as error:
        zenith.predict_price("AAPX")
    assert (error.value.nearby, error.value.problem.type) == (["AAPL"], "urn:zenith:problem:unknown-ticker")
    with pytest.raises(InvalidRequest, match="horizon"):
        zenith.predict_price("AAPL", 31)
    with pytest.raises(NotFound):
        zenith.track_record("../../health")
    with pytest.raises(NotFound, match="no such address"):
        zenith.run("../../health")
    with pytest.raises(InvalidRequest, match="run_id"):
        zenith.run("x")
    with pytest.raises(Unavailable, match="webserver") as error:
        zenith.train("AAPL")
    assert error.value.retry_after == 10
    with Zenith(service, key="wrong", patience=0) as stranger, pytest.raises(KeyRefused):
        stranger.start_job("refresh_prices", "AAPL")


def test_an_unreachable_service_is_reported():
    with Zenith("http://127.0.0.1:1") as zenith, pytest.raises(Unreachable, match=r"nothing answers at 127\.0\.0\.1"):
        zenith.health()


class ScriptedServer(BaseHTTPRequestHandler):
    """Answers by the server's `script`: one (status, Retry-After, document) after the other, the last one forever."""

    def do_GET(self):
        self.server.paths.append(self.path)
        script = self.server.script
        status, after, document = script.pop(0) if len(script) > 1 else script[0]
        self.send_response(status)
        self.send_header("Retry-After", after)
        self.end_headers()
        self.wfile.write(document if isinstance(document, bytes) else json.dumps(document).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with HTTPServer(("127.0.0.1", 0), ScriptedServer) as server:
        server.paths, server.script, server.url = [], [], f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def problem(status):
    return {"type": "urn:zenith:problem:x", "title": "x", "status": status, "detail": "not now"}


ANSWER = (200, "", {"disclaimer": "words"})


@pytest.mark.parametrize("ask", [Zenith.run, Zenith.chart, Zenith.history, Zenith.track_record, Zenith.leaderboard])
def test_an_argument_stays_one_segment_of_the_path(server, ask):
    server.script[:] = [(404, "", problem(404))]
    with Zenith(server.url) as zenith:
        for text in ("a/b", "a?b", "a#b", "a%2Fb"):
            with pytest.raises(NotFound):
                ask(zenith, text)
    segments = [path.removeprefix(server.paths[0].partition("a%2Fb")[0]).partition("/")[0] for path in server.paths]
    assert segments == ["a%2Fb", "a%3Fb", "a%23b", "a%252Fb"]


@pytest.mark.parametrize("status", [429, 503])
def test_a_temporary_refusal_is_retried_after_retry_after(server, monkeypatch, status):
    server.script[:] = [(status, "7", problem(status)), (status, "", b"<html>"), ANSWER]
    pauses = []
    monkeypatch.setattr("tenacity.nap.time.sleep", pauses.append)
    with Zenith(server.url) as zenith:
        assert zenith.disclaimer() == "words"

    assert (pauses, len(server.paths)) == ([7.0, 1.0], 3)


def test_a_retry_after_beyond_the_patience_is_not_waited_for(server):
    server.script[:] = [(503, "60", problem(503))]
    with Zenith(server.url, patience=30) as zenith, pytest.raises(Unavailable, match="not now"):
        zenith.disclaimer()

    assert len(server.paths) == 1


def test_a_permanent_refusal_is_not_retried(server):
    server.script[:] = [(404, "", problem(404))]
    with Zenith(server.url) as zenith, pytest.raises(NotFound):
        zenith.disclaimer()

    assert len(server.paths) == 1


def test_an_answer_of_another_service_is_unreachable(server):
    server.script[:] = [(200, "", b"<html>")]
    with Zenith(server.url) as zenith, pytest.raises(Unreachable, match="no Zenith"):
        zenith.disclaimer()


RUN = {
    **{"run_id": "r", "job": "retrain_model", "ticker": "AAPL", "model_type": "all", "started_at": None},
    **{"ended_at": None, "url": "http://dagster/runs/r", "error": None, "note": None},
}
LAUNCHED = Launched(run_id="r", status="queued", status_url="/", url="/", already_running=False)


def test_a_run_is_waited_for_until_its_end(server):
    server.script[:] = [(200, "", {**RUN, "status": status}) for status in ("queued", "running", "succeeded")]
    with Zenith(server.url) as zenith:
        assert zenith.wait(LAUNCHED, every=0).status == "succeeded"

    assert server.paths == ["/api/v1/ml/jobs/runs/r"] * 3


def test_a_run_that_cannot_start_is_not_waited_for(server):
    server.script[:] = [(200, "", {**RUN, "status": "queued", "note": "queued, no daemon is running"})]
    with Zenith(server.url) as zenith:
        assert zenith.wait(LAUNCHED).note == "queued, no daemon is running"


def test_waiting_for_a_run_has_a_time_limit(server):
    server.script[:] = [(200, "", {**RUN, "status": "running"})]
    with Zenith(server.url) as zenith, pytest.raises(StillRunning, match="it continues"):
        zenith.wait(LAUNCHED, seconds=0)


@pytest.mark.slow
def test_it_imports_neither_the_service_nor_numpy():
    code = "import json, sys, zenith_serving.client; print(json.dumps(sorted({n.split('.')[0] for n in sys.modules})))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"fastapi", "starlette", "onnxruntime", "numpy", "pandas", "uvicorn"} & set(json.loads(process.stdout))


CALLS = (
    lambda zenith: zenith.predict_price("T"),
    lambda zenith: zenith.predict_risk("AAPL"),
    lambda zenith: zenith.predict_book([{"ticker": "AAPL", "value": 1}]),
    lambda zenith: zenith.predict_ranks(["AAPL", "MSFT"]),
    lambda zenith: zenith.universe(),
    lambda zenith: zenith.predict_signal("T"),
    lambda zenith: zenith.predict_risk("T"),
    lambda zenith: zenith.predict_comprehensive("T"),
    lambda zenith: zenith.predict_batch(["T"]),
    lambda zenith: zenith.cache_stats(),
    lambda zenith: zenith.forget("T"),
    lambda zenith: zenith.forget(),
    lambda zenith: zenith.disclaimer(),
    lambda zenith: zenith.tickers(),
    lambda zenith: zenith.forecasts(),
    lambda zenith: zenith.chart("T"),
    lambda zenith: zenith.track_record("T"),
    lambda zenith: zenith.explain("T"),
    lambda zenith: zenith.leaderboard("T"),
    lambda zenith: zenith.report("T"),
    lambda zenith: zenith.compare("T", "lstm/1", "lstm/2"),
    lambda zenith: zenith.models(),
    lambda zenith: zenith.refresh_models(),
    lambda zenith: zenith.history("T"),
    lambda zenith: zenith.train("T"),
    lambda zenith: zenith.start_job("J"),
    lambda zenith: zenith.run("R"),
    lambda zenith: zenith.health(),
    lambda zenith: zenith.metrics(),
)
ALIASES = {("GET", "/api/v1/ml/train/{run_id}")}  # `run` uses the other address of the same route


@pytest.mark.slow
def test_the_client_has_a_method_for_each_route(settings):
    requests = []

    def record(request):
        requests.append((request.method, request.url.path))
        return httpx.Response(404, json=problem(404))

    with Zenith(transport=httpx.MockTransport(record)) as zenith:
        for call in CALLS:
            with pytest.raises(NotFound):
                call(zenith)

    operations = {(m.upper(), p) for p, each in create_app(settings).openapi()["paths"].items() for m in each}
    patterns = {(m, re.sub(r"\{\w+\}", "[TJR]", p)): (m, p) for m, p in operations}
    missing = [o for (m, p), o in patterns.items() if not any(m == rm and re.fullmatch(p, rp) for rm, rp in requests)]
    assert set(missing) == ALIASES
