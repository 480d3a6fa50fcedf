"""The OpenAPI document meets the needs of client generators; test_contract.py tests the service against it."""

import keyword

import pytest
from openapi_spec_validator import validate
from pydantic import SecretStr

from zenith_serving.app import create_app
from zenith_serving.settings import Settings


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    """The document, which no test changes: it takes half a second to make."""
    home = tmp_path_factory.mktemp("home")
    settings = Settings(zenith_home=home, mlflow_tracking_uri=None, redis_url=None, models_path=None)
    return create_app(settings).openapi()


def operations(document):
    return [operation for item in document["paths"].values() for operation in item.values()]


@pytest.mark.slow
def test_the_document_is_valid(document):
    validate(document)


def test_each_operation_has_a_short_unique_id_that_is_a_valid_method_name(document):
    names = [operation["operationId"] for operation in operations(document)]

    assert len(names) == len(set(names))
    assert all(name.isidentifier() and not keyword.iskeyword(name) and len(name) < 30 for name in names)
    assert {"predict_price", "predict_batch", "models", "history", "track_record", "train", "start_job"} <= set(names)


def test_each_operation_has_a_tag_and_a_description(document):
    assert all(operation["tags"] and operation["description"] for operation in operations(document))


def test_each_json_answer_has_a_named_schema(document):
    """Without a name, a generator invents a class or omits it."""
    for operation in operations(document):
        for status in ("200", "202"):
            content = operation["responses"].get(status, {}).get("content", {}).get("application/json")
            assert content is None or "$ref" in content["schema"], operation["operationId"]


def test_each_operation_that_changes_something_requires_a_key(document):
    changing = [
        operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "get" and "/predict/" not in path
    ]
    assert len(changing) >= 5
    assert all(operation["security"] for operation in changing)


@pytest.mark.slow
def test_each_body_and_each_problem_is_a_named_schema_in_every_application(settings, document):
    """Without a name, a generator makes a class for each operation, or omits the second one."""
    assert create_app(settings).openapi() == document
    for operation in operations(document):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        schemas = [kind["schema"] for body in bodies for kind in body.get("content", {}).values()]
        assert all("$ref" in schema or schema.get("type") == "string" for schema in schemas), operation["operationId"]


PROBLEM = "#/components/schemas/Problem"
KEYS, BODY, PARAMETERS, ALL = {"401", "403"}, {"400", "408", "413", "422"}, {"422"}, {"429"}


def test_each_operation_documents_its_refusals_as_problems(document):
    for operation in operations(document):
        expected = ALL | (KEYS if "security" in operation else set())
        expected |= BODY if "requestBody" in operation else PARAMETERS if "parameters" in operation else set()
        refusals = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert expected <= set(refusals), operation["operationId"]
        assert expected >= KEYS or not KEYS & set(refusals), operation["operationId"]
        for answer in refusals.values():
            assert answer["description"]
            assert answer["content"] == {"application/problem+json": {"schema": {"$ref": PROBLEM}}}


@pytest.mark.slow
def test_with_read_keys_every_operation_but_health_documents_401(settings):
    changes = {"zenith_api_keys": (SecretStr("key"),), "zenith_read_keys": True}
    paths = create_app(settings.model_copy(update=changes)).openapi()["paths"]
    open_routes = [
        path for path, item in paths.items() for operation in item.values() if "401" not in operation["responses"]
    ]
    assert open_routes == ["/health"]
