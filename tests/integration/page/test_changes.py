"""Changes and failures while the page is open: promotions, a service that is away, trainings, odd addresses."""

import re
import shutil

import pytest
from playwright.sync_api import expect

from tests.core.risk.distributions import normal_distribution
from tests.integration.page.server import ANSWERS, Server, answer, part
from tests.integration.page.test_everyone import violations
from tests.serving.conftest import make_lstm, make_snapshot
from tests.serving.page_state import write_charts, write_facts
from zenith_core.forecasting.abstention import REASONS

pytestmark = pytest.mark.slow

RUN = {"run_id": "1a2b", "url": "http://127.0.0.1:3000/runs/1a2b", "already_running": False, "error": None}


def look_again(page):
    """As when a person comes back to the window."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_a_promotion_shows_by_itself(visit, registry):
    page = visit("#MSFT")
    expect(page.locator(".figures")).to_contain_text("105.10")

    version = registry.register("lstm-MSFT", make_lstm("MSFT", growth=1.02))

    expect(page.locator(".figures")).to_contain_text("110.41")  # 100 * 1.02**5
    expect(page.locator("#news")).to_have_text(
        f"MSFT was updated: price model version {version}, signal model version 1, prices until 1 Mar 2013."
    )


def test_data_of_before_there_was_a_page_say_what_makes_the_rest(visit):
    page = visit("#MSFT")
    prices, backtest = part(page, "Price and forecast"), part(page, "Backtest vs. buy and hold")

    expect(prices.get_by_text("zenith run --tickers MSFT")).to_be_visible()
    expect(prices.locator("canvas")).to_be_visible()  # the fan needs no candles
    expect(backtest.get_by_text("zenith run --tickers MSFT")).to_be_visible()
    expect(part(page, "Signal").locator(".verdict")).to_have_text("Hold")


def test_a_ticker_without_models_shows_its_prices_and_says_so(visit, home):
    write_charts(home, "IBM")
    page = visit("#IBM")

    expect(page.locator(".head")).to_contain_text("100.00 USD")
    expect(page.locator(".head")).to_contain_text("Out of date 30 or more sessions old")
    expect(part(page, "Price and forecast").locator("canvas")).to_be_visible()
    for title in ("Price and forecast", "Signal", "Forecast skill"):
        expect(part(page, title).locator(".note")).to_have_text("No model can answer for this ticker yet.")


@pytest.fixture
def refreshed_ibm(home):
    """IBM's data have a distribution, until the test ends."""
    for distribution in (normal_distribution(), None):
        snapshot = make_snapshot("IBM", distribution=distribution)
        write_facts(home, "serving_snapshot", "IBM", snapshot.to_json())
        if distribution:
            yield


def test_a_ticker_with_a_distribution_and_no_model_has_a_band_and_hold(visit, refreshed_ibm):
    page = visit("#IBM")

    expect(page.locator(".figures")).to_contain_text("96.39 – 103.75")
    expect(part(page, "Signal").locator(".verdict")).to_have_text("Hold")
    expect(part(page, "Signal")).to_contain_text(REASONS["no_model"])
    expect(part(page, "Signal").locator(".bars")).to_have_count(0)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("#AAPX", "No such ticker. Similar ones: AAPL."),
        ("#ZZZZZZ", "No such ticker here."),
        ("#%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E", "Not a valid ticker"),
        ("#%E0%A4%A", "Not a valid ticker"),
    ],
)
def test_an_address_without_a_ticker_of_ours_is_explained(visit, address, says):
    page = visit(address)

    expect(page.get_by_role("main")).to_contain_text(says)
    expect(page.get_by_role("heading", level=1)).to_have_text("No predictions for this ticker")
    expect(page.get_by_role("main")).to_contain_text("zenith run --tickers TICKER")
    page.get_by_role("navigation").get_by_role("link", name="AAPL").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("AAPL")


def test_a_part_that_fails_fails_alone(visit):
    page = visit(stubs={"tickers/*/chart": {"type": "urn:zenith:problem:http-500"}}, status=500)
    for path in ANSWERS:
        answer(page, path, 404, {"type": "urn:zenith:problem:http-404"})
    page.reload()

    for title in ("Track record of served forecasts", "Models"):
        expect(part(page, title).locator(".note").first).to_have_text("This service does not offer this part.")
    for title in ("Price and forecast", "Backtest vs. buy and hold"):
        expect(part(page, title).locator(".note")).to_have_text("The service had an internal error and logged it.")
    expect(part(page, "Signal").locator(".verdict")).to_have_text("Hold")
    expect(part(page, "Price and forecast").locator("canvas")).to_be_visible()


@pytest.fixture
def own_server(home, registry, tmp_path):
    """A server that a test may stop, on a copy of the state."""
    shutil.copytree(home, tmp_path / "home")
    with Server(tmp_path / "home") as server:
        yield server


def test_a_service_that_is_away_is_said_and_taken_back(visit, own_server):
    page = visit(url=own_server.url)
    expect(page.locator(".figures")).to_contain_text("105.10")

    own_server.stop()
    look_again(page)
    banner = page.get_by_role("alert")
    expect(banner).to_contain_text("The service does not answer. Data shown are from ")
    expect(page.locator(".figures")).to_contain_text("105.10")
    own_server.start()
    look_again(page)
    expect(banner).to_be_hidden()


def test_a_page_without_tickers_says_what_makes_them_and_shows_them_when_they_are_there(
    visit, tmp_path, home, registry
):
    with Server(tmp_path) as server:
        page = visit("", url=server.url)
        expect(page.get_by_role("heading", level=1)).to_have_text("No tickers yet")
        expect(page.get_by_role("main")).to_contain_text("zenith run --source sample")
        assert violations(page) == []

        shutil.copytree(home / "data", tmp_path / "data")
        look_again(page)

        expect(page.get_by_role("heading", level=1)).to_have_text("All tickers")
        expect(page.get_by_role("row", name="AAPL")).to_be_visible()


def press_train(page, key="secret"):
    training = part(page, "Retrain")
    training.get_by_label("Key").fill(key)
    training.get_by_role("button", name="Train AAPL").click()
    return training


def kept_key(page):
    return page.evaluate("sessionStorage.getItem('zenith.key')")


def test_a_training_is_started_with_the_key_and_followed_to_its_end(visit):
    page = visit()
    answer(page, "train", 202, {**RUN, "status": "queued", "status_url": "/api/v1/ml/train/1a2b"})
    answer(page, "train/1a2b", 200, {**RUN, "status": "succeeded"})
    away = {"status": 503, "body": "{}"}
    page.route("**/api/v1/ml/train/1a2b", lambda route: route.fulfill(**away), times=1)  # it is asked again

    with page.expect_request("**/api/v1/ml/train") as request:
        training = press_train(page)

    assert request.value.header_value("authorization") == "Bearer secret"
    assert request.value.post_data_json == {"ticker": "AAPL", "model_type": "all"}
    expect(training.get_by_role("status")).to_contain_text("Run status: queued.")
    expect(training.get_by_role("link")).to_have_attribute("href", RUN["url"])
    expect(training.get_by_role("status")).to_contain_text("Run status: succeeded.")
    assert kept_key(page) == "secret"
    assert page.evaluate("Object.values(localStorage).join() + document.cookie") == ""


def test_epochs_go_with_the_lstm_only(visit):
    page = visit()
    answer(page, "train", 503, {"detail": "away"})
    training = part(page, "Retrain")
    training.get_by_label("LSTM epochs, 1 to 500").fill("20")
    bodies = []
    for model in ("LSTM", "Ensemble"):
        training.get_by_label("Model").select_option(model)
        with page.expect_request("**/api/v1/ml/train") as request:
            training.get_by_role("button", name="Train AAPL").click()
        bodies.append(request.value.post_data_json)
        expect(training.get_by_role("status")).to_contain_text("away")

    assert bodies == [
        {"ticker": "AAPL", "model_type": "lstm", "epochs": 20},
        {"ticker": "AAPL", "model_type": "ensemble"},
    ]


def test_a_run_that_waits_in_vain_says_what_for(visit):
    page = visit()
    answer(page, "train", 202, RUN | {"status": "queued", "note": "queued, no daemon is running"})

    expect(press_train(page).get_by_role("status")).to_contain_text("no daemon is running")


@pytest.mark.parametrize(
    ("status", "detail", "says"),
    [
        (401, "-", "A key is required: one of ZENITH_API_KEYS."),
        (403, "-", "The service does not accept this key."),
        (404, "-", "This service cannot start training."),
        (422, "epochs: at least 10", "epochs: at least 10"),
        (503, "Dagster is away: start `zenith ui`", "Dagster is away: start `zenith ui`"),
    ],
)
def test_a_training_that_is_refused_says_why_and_keeps_no_key(visit, status, detail, says):
    page = visit()
    answer(page, "train", status, {"type": f"urn:zenith:problem:http-{status}", "detail": detail})

    training = press_train(page)

    expect(training.get_by_role("status")).to_contain_text(says)
    assert kept_key(page) is None
    expect(training.get_by_role("button", name="Train AAPL")).to_be_enabled()


def test_a_run_that_failed_shows_its_error(visit):
    page = visit()
    failure = {"status": "failed", "error": "too short a history", "already_running": True}
    answer(page, "train", 202, RUN | failure)

    training = press_train(page)

    expect(training.get_by_role("status")).to_have_text(
        re.compile("already active. Status: failed.*too short a history")
    )


def test_a_service_that_asks_for_a_key_to_read_is_opened_with_one(visit):
    page = visit(stubs={"tickers": {"type": "urn:zenith:problem:key-missing"}}, status=401)
    expect(page.get_by_role("heading", level=1)).to_have_text("This service requires a key")
    assert violations(page) == []
    page.get_by_label("Key").fill("wrong")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("main").get_by_role("status")).to_have_text("A key is required: one of ZENITH_API_KEYS.")
    page.unroute("**/api/v1/ml/tickers")

    page.get_by_label("Key").fill("right")
    with page.expect_request("**/predict/comprehensive") as request:
        page.get_by_role("button", name="Open").click()

    assert request.value.header_value("authorization") == "Bearer right"
    expect(page.get_by_role("heading", level=1)).to_have_text("AAPL")
