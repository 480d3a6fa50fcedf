"""/docs in Chromium: the API's own page, which needs no other server either."""

import pytest
from playwright.sync_api import expect

from tests.integration.page.test_everyone import violations

pytestmark = pytest.mark.slow

OF_SWAGGER_UI = {"button-name", "heading-order", "label", "nested-interactive", "scrollable-region-focusable"}
"""Rules of axe that its elements break, which no style sheet mends."""


@pytest.fixture
def docs(visit):
    page = visit("docs", stubs={})
    yield page
    assert page.said == []


def test_every_operation_is_shown(docs, server):
    paths = docs.request.get(f"{server.url}/openapi.json").json()["paths"]

    expect(docs.locator(".opblock")).to_have_count(sum(map(len, paths.values())))
    expect(docs.get_by_text("/api/v1/ml/predict/price")).to_be_visible()


def test_an_operation_can_be_tried_out(docs):
    price = docs.locator("#operations-predictions-predict_price")
    price.get_by_role("button").first.click()
    price.get_by_role("button", name="Try it out").click()
    price.locator("textarea").fill('{"ticker": "AAPL", "horizon": 2}')
    price.get_by_role("button", name="Execute").click()

    expect(price.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    expect(price.locator(".live-responses-table")).to_contain_text('"model_type": "lstm"')
    assert {rule for rule, _ in violations(docs)} <= OF_SWAGGER_UI  # all colours have contrast
