"""Valid and invalid requests, generated from the OpenAPI document, against every operation of the service.

With all dependencies available, none may end in a 5xx: `make contract` sends 10,000. With dependencies unavailable, a
documented 503 is allowed. Operations without inputs are called a few times.
"""

import json
import sys
from collections import Counter
from datetime import UTC, datetime
from itertools import product

import dagster as dg
import numpy as np
import pandas as pd
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr
from schemathesis import GenerationMode, checks

from tests.core.portfolio.universe import drawn_universe
from tests.core.risk.distributions import normal_distribution
from tests.integration.dagster_ui import running_ui
from tests.waiting import wait_until
from zenith_core.evaluation.forecast_ledger import ledger_rows
from zenith_core.evaluation.leaderboard import Contender, leaderboard
from zenith_core.evaluation.track_record import track_record
from zenith_core.inference import HORIZONS, QUANTILES, PriceForecast
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.names import ALL_TICKERS, HEADLINE_HORIZON, UNIVERSE
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.portfolio.universe_facts import universe_facts
from zenith_pipelines.production.forecast_explanation import SERVED, served_facts
from zenith_pipelines.settings import Settings as PipelinesSettings
from zenith_serving.app import create_app
from zenith_serving.jobs.launchable_jobs import JOBS

pytestmark = pytest.mark.slow

CASES = 10_000
HEADERS = {"x-api-key": "the-key"}
TICKERS = ["AAPL", "MSFT", "IBM"]
EXISTING = [
    {"ticker": ticker, "tickers": TICKERS, "name": job, "first": "lstm", "second": "ensemble", **config}
    for ticker, job, config in product(TICKERS, JOBS, ({}, {"config": {}}))
]
EXCLUDED = [
    checks.ignored_auth,
    checks.unsupported_method,
]  # they send requests of their own; see test_authentication.py


def service(settings, **changes):
    changes |= {"zenith_api_keys": (SecretStr("the-key"),), "zenith_rate_limit": "off"}
    return TestClient(create_app(settings.model_copy(update=changes)), raise_server_exceptions=False)


def store_datasets(settings, models):
    """Store datasets as the pipelines do: Dagster's sensors read them too, and quarantine any without a checksum."""
    store = DatasetStore(settings.data_uri)
    forecast = PriceForecast(np.full(HORIZONS, 100.0), np.full((HORIZONS, len(QUANTILES)), 100.0))
    for ticker in TICKERS:
        snapshot = models.snapshot(ticker, distribution=normal_distribution())
        ledger = ledger_rows(snapshot, forecast, "lstm", 1, datetime.now(UTC))
        store.write("serving_snapshot", ticker, Dataset(facts=snapshot.to_json()))
        facts = {"track_record": track_record(ledger), "horizon": HEADLINE_HORIZON}
        served = served_facts(ledger, facts, ANSWERS.of(ticker), snapshot)
        store.write("forecast_ledger", ticker, Dataset({"forecasts": ledger}, {**facts, SERVED: served}))
        board = leaderboard("price", [Contender("lstm", note="nothing in Production")], "lstm", pd.DataFrame())
        store.write("leaderboard", ticker, Dataset(facts={"tasks": {"price": board}}))
    store.write(UNIVERSE, ALL_TICKERS, Dataset(facts=universe_facts(store, drawn_universe(names=TICKERS))))


@pytest.fixture
def dagster_url(home, models):
    """Yield a whole Dagster on `home`. Runs stay queued, because hundreds of trainings would be launched."""
    config = home / "no_runs.yaml"
    config.write_text(json.dumps({"concurrency": {"runs": {"max_concurrent_runs": 0}}}))  # JSON is YAML
    settings = PipelinesSettings(zenith_home=home, zenith_dagster_config=config)
    store_datasets(settings, models)
    with open_instance(settings) as instance:
        instance.add_dynamic_partitions("tickers", TICKERS)
        for asset in ("ensemble_model", "lstm_model"):
            for ticker in TICKERS:
                instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=ticker))
    with running_ui(home, ZENITH_DAGSTER_CONFIG=str(config)) as dagster:
        yield dagster.url


@pytest.fixture
def complete_service(settings, home, mlflow_home, models, dagster_url):
    """Yield the service with data and models of all tickers, and with Dagster."""
    mlflow_home.register("lstm-IBM", models.lstm("IBM"))
    mlflow_home.register("ensemble-IBM", models.ensemble("IBM"))
    with service(settings, dagster_url=dagster_url) as client:
        yield client


@pytest.fixture
def incomplete_service(settings):
    """Yield the service without Dagster, and without models of IBM."""
    with service(settings) as client:
        yield client


def launch_training(client):
    """Return a queued training, as soon as all of Dagster answers."""
    answers = []

    def is_launched():
        answers.append(client.post("/api/v1/ml/train", json={"ticker": "AAPL"}, headers=HEADERS))
        print(answers[-1].text)  # pytest shows it on failure
        return answers[-1].status_code == 202

    wait_until(is_launched)
    return answers[-1].json()


def operations(client):
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    schema.config.base_url = "http://testserver"
    return [operation.ok() for operation in schema.get_all_operations()]


def has_inputs(operation):
    return bool(operation.definition.raw.get("requestBody") or operation.definition.raw.get("parameters"))


def make_strict(case):
    """Apply two rules that JSON Schema cannot express: 5.0 is no integer here, and aapl equals AAPL."""
    if isinstance(case.body, dict):
        case.body = {name: int(x) if isinstance(x, float) and x.is_integer() else x for name, x in case.body.items()}
        if "tickers" in case.body:
            case.body["tickers"] = list({ticker.upper(): ticker for ticker in case.body["tickers"]}.values())
        if "positions" in case.body:
            positions = {position["ticker"].upper(): position for position in case.body["positions"]}
            case.body["positions"] = list(positions.values())


def use_existing(case, values):
    """Request existing tickers, models and jobs; nearly all valid requests would be 404 otherwise."""
    for inputs in (case.body, case.path_parameters, case.query):
        if isinstance(inputs, dict):
            inputs |= {name: value for name, value in values.items() if name in inputs}
    if values and isinstance(case.body, dict) and "positions" in case.body:
        positions = zip(case.body["positions"], TICKERS, strict=False)
        case.body["positions"] = [{**position, "ticker": ticker} for position, ticker in positions]


def send(client, case):
    request = case.as_transport_kwargs(base_url="http://testserver")
    request.pop("cookies", None)  # the service ignores them
    if not isinstance(request.get("data"), (dict, type(None))):
        request["content"] = request.pop("data")
    return client.request(**request)


def refused_as_documented(answer):
    """Return True for the one allowed 5xx: a 503 problem with Retry-After, because a dependency is unavailable."""
    problem = answer.headers["content-type"] == "application/problem+json"
    return answer.status_code == 503 and problem and int(answer.headers["retry-after"]) > 0


def breaks_a_rule_of_several_fields(answer):
    """Return True for a rule that JSON Schema cannot express: its 422 names the body, not a field."""
    if answer.status_code != 422:
        return False
    return {error["field"] for error in answer.json().get("errors", [])} <= {"body"}


def check(client, case, counts, *, incomplete):
    answer = send(client, case)
    counts[case.operation.label, answer.status_code] += 1
    excluded = [checks.not_a_server_error] if incomplete and refused_as_documented(answer) else []
    if breaks_a_rule_of_several_fields(answer):
        excluded.append(checks.positive_data_acceptance)
    case.validate_response(answer, headers=HEADERS, excluded_checks=[*excluded, *EXCLUDED])


def run(client, operation, mode, count, existing, counts, *, incomplete):
    @seed(6)
    @hypothesis_settings(
        max_examples=count, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=mode), values=st.sampled_from(existing) | st.just({}))
    def check_case(case, values):
        case.headers.update(HEADERS)  # a case with only its key invalid becomes valid
        if case.meta.generation.mode is GenerationMode.POSITIVE:
            make_strict(case)
            use_existing(case, values)
        check(client, case, counts, incomplete=incomplete)

    check_case()


def check_all(client, cases, existing, *, incomplete):
    """Count answers by operation and status. Operations without inputs leave their share of cases to the others."""
    counts = Counter()
    all_operations = operations(client)
    with_inputs = [operation for operation in all_operations if has_inputs(operation)]
    for operation in all_operations:
        modes = list(GenerationMode) if operation in with_inputs else [GenerationMode.POSITIVE]
        for mode in modes:
            run(client, operation, mode, -(-cases // (2 * len(with_inputs))), existing, counts, incomplete=incomplete)
    print(f"{counts.total()} cases:", *sorted(counts.items()), sep="\n")
    print("in all:", *sorted(Counter(f"{status // 100}xx" for _, status in counts.elements()).items()))
    assert counts.total() >= 0.9 * cases
    return counts


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="process groups")
def test_a_complete_service_answers_every_request_as_documented_and_without_5xx(complete_service):
    run_id = launch_training(complete_service)["run_id"]

    counts = check_all(complete_service, CASES, [values | {"run_id": run_id} for values in EXISTING], incomplete=False)

    assert max(status for _, status in counts) < 500
    assert {label for label, status in counts if status < 300} == {label for label, _ in counts}


@pytest.mark.parametrize("cases", [100, pytest.param(2_000, marks=pytest.mark.long)])
def test_an_incomplete_service_has_no_5xx_but_the_documented_503(incomplete_service, cases):
    counts = check_all(incomplete_service, cases, EXISTING, incomplete=True)

    assert {status for _, status in counts if status >= 500} == {503}
