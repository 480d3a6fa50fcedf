"""Requests drawn from the service's own OpenAPI document, valid ones and others, against every operation in it.

`make contract` draws 10,000; what an operation has no choice of is asked once.
"""

import os
from collections import Counter

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr
from schemathesis import GenerationMode, checks

from zenith_serving.app import create_app

CASES = int(os.environ.get("ZENITH_CONTRACT_CASES", "600"))
HEADERS = {"x-api-key": "the-key"}
SERVED, NOT_SERVED = ("AAPL", "MSFT"), "IBM"
NOT_HERE = [checks.ignored_auth, checks.unsupported_method]  # send requests of their own; test_keys walks all routes
PREDICT = "/api/v1/ml/predict/"


@pytest.fixture
def client(settings):
    changes = {"zenith_api_keys": (SecretStr("the-key"),), "zenith_rate_limit": "off"}
    with TestClient(create_app(settings.model_copy(update=changes)), raise_server_exceptions=False) as client:
        yield client


def operations(client):
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    schema.config.base_url = "http://testserver"
    return [found.ok() for found in schema.get_all_operations()]


def with_inputs(operation):
    return bool(operation.definition.raw.get("requestBody") or operation.definition.raw.get("parameters"))


def make_strict(case):
    """What JSON's schemas cannot say: 5.0 is no integer here (row 30 of the faults), and aapl is AAPL again."""
    if isinstance(case.body, dict):
        case.body = {name: int(x) if isinstance(x, float) and x.is_integer() else x for name, x in case.body.items()}
        if "tickers" in case.body:
            case.body["tickers"] = list({ticker.upper(): ticker for ticker in case.body["tickers"]}.values())


def make_known(case, ticker):
    """Ask for a ticker that there is, or nearly all valid requests would end in 404."""
    if isinstance(case.body, dict):
        case.body |= {name: value for name, value in (("ticker", ticker), ("tickers", [ticker])) if name in case.body}
    if "ticker" in (case.path_parameters or {}):
        case.path_parameters["ticker"] = ticker


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


def check(client, case, seen):
    answer = ask(client, case)
    seen[case.operation.label, answer.status_code] += 1
    documented = [checks.not_a_server_error] if refused_as_documented(answer) else []
    if breaks_a_rule_of_several_fields(answer):
        documented.append(checks.positive_data_acceptance)
    case.validate_response(answer, headers=HEADERS, excluded_checks=[*documented, *NOT_HERE])
    return answer


def run(client, operation, mode, count, seen):
    known = [None, *SERVED, NOT_SERVED] if mode is GenerationMode.POSITIVE else [None]

    @seed(6)
    @hypothesis_settings(
        max_examples=count, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=mode), ticker=st.sampled_from(known))
    def one(case, ticker):
        case.headers.update(HEADERS)  # a case that was bad for its key only is a good one with ours
        if case.meta.generation.mode is GenerationMode.POSITIVE:
            make_strict(case)
        if ticker:
            make_known(case, ticker)
        check(client, case, seen)

    one()


@pytest.mark.slow
def test_no_request_makes_an_error_of_ours_or_an_answer_that_is_not_documented(client):
    seen = Counter()
    found = operations(client)
    choosy = [operation for operation in found if with_inputs(operation)]
    for operation in found:
        modes = list(GenerationMode) if operation in choosy else [GenerationMode.POSITIVE]
        for mode in modes:
            run(client, operation, mode, -(-CASES // (2 * len(choosy))), seen)
    print(f"{seen.total()} cases:", *sorted(seen.items()), sep="\n")
    assert seen.total() >= 0.9 * CASES
    for operation in found:
        assert seen[operation.label, 200] or not operation.path.startswith(PREDICT), operation.label
