"""Requests drawn from the service's own OpenAPI document, valid ones and others, against every operation in it.

With everything behind the service there, none may end in an error of ours: `make contract` draws 10,000. With things
away, a 503 that says so may be. What an operation has no choice of is asked a few times.
"""

import json
import os
import sys
from collections import Counter
from datetime import UTC, datetime
from itertools import product

import dagster as dg
import numpy as np
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr
from schemathesis import GenerationMode, checks

from tests.integration.dagster_ui import running_ui, wait_until
from zenith_core.evaluation.forecast_ledger import ledger_rows
from zenith_core.evaluation.track_record import track_record
from zenith_core.inference import HORIZONS, QUANTILES, PriceForecast
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.settings import Settings as PipelinesSettings
from zenith_serving.app import create_app
from zenith_serving.jobs.launchable_jobs import JOBS

# Of the service with everything there: `make contract` says how many.
CASES = int(os.environ.get("ZENITH_CONTRACT_CASES", "0"))
CASES_AWAY = 600
HEADERS = {"x-api-key": "the-key"}
TICKERS = ["AAPL", "MSFT", "IBM"]
KNOWN = [
    {"ticker": ticker, "tickers": [ticker], "name": job, **config}
    for ticker, job, config in product(TICKERS, JOBS, ({}, {"config": {}}))
]
NOT_HERE = [checks.ignored_auth, checks.unsupported_method]  # send requests of their own; test_keys walks all routes


def service(settings, **changes):
    changes |= {"zenith_api_keys": (SecretStr("the-key"),), "zenith_rate_limit": "off"}
    return TestClient(create_app(settings.model_copy(update=changes)), raise_server_exceptions=False)


def store_datasets(settings, models):
    """As the pipelines store them: Dagster's sensors read them too, and set aside what has no checksum."""
    store = DatasetStore(settings.data_uri)
    forecast = PriceForecast(np.full(HORIZONS, 100.0), np.full((HORIZONS, len(QUANTILES)), 100.0))
    for ticker in TICKERS:
        snapshot = models.snapshot(ticker)
        ledger = ledger_rows(snapshot, forecast, 1, datetime.now(UTC))
        store.write("serving_snapshot", ticker, Dataset(facts=snapshot.to_json()))
        store.write("forecast_ledger", ticker, Dataset({"forecasts": ledger}, {"track_record": track_record(ledger)}))


@pytest.fixture
def dagster_url(home, models):
    """A whole Dagster on `home`. What is launched is queued and never begins: it would be hundreds of trainings."""
    never = home / "never.yaml"
    never.write_text(json.dumps({"concurrency": {"runs": {"max_concurrent_runs": 0}}}))  # JSON is YAML
    settings = PipelinesSettings(zenith_home=home, zenith_dagster_config=never)
    store_datasets(settings, models)
    with open_instance(settings) as instance:
        instance.add_dynamic_partitions("tickers", TICKERS)
        for asset in ("ensemble_model", "lstm_model"):
            for ticker in TICKERS:
                instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=ticker))
    with running_ui(home, ZENITH_DAGSTER_CONFIG=str(never)) as dagster:
        yield dagster.url


@pytest.fixture
def with_everything(settings, home, mlflow_home, models, dagster_url):
    """The service, with what it answers from for all tickers, and with all of Dagster."""
    mlflow_home.register("lstm-IBM", models.lstm("IBM"))
    mlflow_home.register("ensemble-IBM", models.ensemble("IBM"))
    with service(settings, dagster_url=dagster_url) as client:
        yield client


@pytest.fixture
def with_things_away(settings):
    """The service without Dagster, and without models of IBM."""
    with service(settings) as client:
        yield client


def launched(client):
    """A training that waits in the queue, once all of Dagster has begun to answer."""
    answers = []

    def is_launched():
        answers.append(client.post("/api/v1/ml/train", json={"ticker": "AAPL"}, headers=HEADERS))
        print(answers[-1].text)  # pytest shows it if no answer is the right one
        return answers[-1].status_code == 202

    wait_until(is_launched, 120)
    return answers[-1].json()


def operations(client):
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    schema.config.base_url = "http://testserver"
    return [found.ok() for found in schema.get_all_operations()]


def with_inputs(operation):
    return bool(operation.definition.raw.get("requestBody") or operation.definition.raw.get("parameters"))


def make_strict(case):
    """What JSON's schemas cannot say: 5.0 is no integer here, and aapl is AAPL again."""
    if isinstance(case.body, dict):
        case.body = {name: int(x) if isinstance(x, float) and x.is_integer() else x for name, x in case.body.items()}
        if "tickers" in case.body:
            case.body["tickers"] = list({ticker.upper(): ticker for ticker in case.body["tickers"]}.values())


def make_known(case, known):
    """Ask for what there is, or nearly all valid requests would end in 404."""
    for asked in (case.body, case.path_parameters):
        if isinstance(asked, dict):
            asked |= {name: value for name, value in known.items() if name in asked}


def ask(client, case):
    sent = case.as_transport_kwargs(base_url="http://testserver")
    sent.pop("cookies", None)  # none are looked at
    if not isinstance(sent.get("data"), (dict, type(None))):
        sent["content"] = sent.pop("data")
    return client.request(**sent)


def refused_as_documented(answer):
    """The one error of ours that may be: something behind the service is away, and the answer says so."""
    problem = answer.headers["content-type"] == "application/problem+json"
    return answer.status_code == 503 and problem and int(answer.headers["retry-after"]) > 0


def breaks_a_rule_of_several_fields(answer):
    """JSON's schemas cannot say those. A field that is wrong by itself is named; a rule is one of the body or route."""
    if answer.status_code != 422:
        return False
    return {error["field"] for error in answer.json().get("errors", [])} <= {"body"}


def check(client, case, seen, *, away):
    answer = ask(client, case)
    seen[case.operation.label, answer.status_code] += 1
    documented = [checks.not_a_server_error] if away and refused_as_documented(answer) else []
    if breaks_a_rule_of_several_fields(answer):
        documented.append(checks.positive_data_acceptance)
    case.validate_response(answer, headers=HEADERS, excluded_checks=[*documented, *NOT_HERE])


def run(client, operation, mode, count, known, seen, *, away):
    @seed(6)
    @hypothesis_settings(
        max_examples=count, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=mode), there=st.sampled_from(known) | st.just({}))
    def one(case, there):
        case.headers.update(HEADERS)  # a case that was bad for its key only is a good one with ours
        if case.meta.generation.mode is GenerationMode.POSITIVE:
            make_strict(case)
            make_known(case, there)
        check(client, case, seen, away=away)

    one()


def ask_all(client, cases, known, *, away):
    """How often each operation answered what. Those that have no choice leave their share to the others."""
    seen = Counter()
    found = operations(client)
    choosy = [operation for operation in found if with_inputs(operation)]
    for operation in found:
        modes = list(GenerationMode) if operation in choosy else [GenerationMode.POSITIVE]
        for mode in modes:
            run(client, operation, mode, -(-cases // (2 * len(choosy))), known, seen, away=away)
    print(f"{seen.total()} cases:", *sorted(seen.items()), sep="\n")
    print("in all:", *sorted(Counter(f"{status // 100}xx" for _, status in seen.elements()).items()))
    assert seen.total() >= 0.9 * cases
    return seen


@pytest.mark.slow
@pytest.mark.skipif(not CASES, reason="make contract")
@pytest.mark.skipif(sys.platform == "win32", reason="process groups")
def test_with_everything_there_no_request_makes_an_error_of_ours_and_all_is_as_documented(with_everything):
    run_id = launched(with_everything)["run_id"]

    seen = ask_all(with_everything, CASES, [there | {"run_id": run_id} for there in KNOWN], away=False)

    assert max(status for _, status in seen) < 500
    assert {label for label, status in seen if status < 300} == {label for label, _ in seen}


@pytest.mark.slow
def test_with_things_away_that_is_the_only_error_of_ours_and_said_as_documented(with_things_away):
    seen = ask_all(with_things_away, CASES_AWAY, KNOWN, away=True)

    assert {status for _, status in seen if status >= 500} == {503}
