"""The front door: the table of all tickers, sorted, filtered, paged and saved; also on a phone."""

import csv
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.integration.page.test_everyone import DARK, PHONE, PORTUGUESE, violations

pytestmark = pytest.mark.slow

MANY = 1200


def row(number):
    """A forecast of T0000, T0001, …, which rises by one hundredth of a per cent for each."""
    close = 100.0 + number
    return {
        "ticker": f"T{number:04}",
        "as_of": "2026-11-27",
        "close": close,
        "previous_close": 100.0,
        "recent": [100.0, close],
        "currency": "USD",
        "horizon": 5,
        "target_date": "2026-12-04",
        "price": close * (1 + number / 1e4),
        "change_pct": number / 100,
        "lower": close * 0.95,
        "upper": close * 1.05,
        "quantiles": {},
        "volatility": 0.02,
        "value_at_risk": 0.03,
        "signal": "buy" if number == 7 else "hold",
        "reason_code": "model" if number == 7 else "fails_baseline",
        "beats_naive": number % 2 == 0,
        "evidence": {"e_value": 5e3 if number == 7 else 1.0, "discovered": number == 7, "required": 20.0},
        "model_version": "1",
        "stale": number == 3,
        "alerts": [{"kind": "run_failed", "at": "2026-11-26T03:00:00Z"}] if number == 5 else [],
        "problem": None,
    }


def many(page):
    """Answer as a service with MANY tickers does, page by page."""

    def answer(route):
        query = parse_qs(urlsplit(route.request.url).query)
        first = int(query["after"][0][1:]) + 1 if "after" in query else 0
        last = min(first + int(query["limit"][0]), MANY)
        rows = [row(number) for number in range(first, last)]
        following = rows[-1]["ticker"] if last < MANY else None
        route.fulfill(json={"horizon": 5, "forecasts": rows, "next": following, "disclaimer": ""})

    page.route("**/api/v1/ml/forecasts?*", answer)
    page.reload()
    expect(page.get_by_text("1,200 tickers")).to_be_visible()


def tickers(page):
    return page.locator(".overview tbody th").all_inner_texts()


def test_all_tickers_are_shown_and_one_opens_its_page(visit):
    page = visit("")

    rows = page.locator(".overview tbody tr")
    expect(rows).to_have_count(3)
    assert tickers(page) == ["AAPL", "IBM", "MSFT"]
    expect(rows.nth(0)).to_contain_text("105.10")
    expect(rows.nth(0).locator(".sparkline")).to_be_visible()
    expect(rows.nth(0)).to_contain_text("data out of date")
    expect(rows.nth(1)).to_contain_text("No model can answer for this ticker yet.")
    page.get_by_role("group", name="Horizon of the forecasts").get_by_role("button", name="20 sessions").click()
    expect(rows.nth(0)).to_contain_text("122.02")
    page.get_by_role("main").get_by_role("link", name="MSFT").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("MSFT")
    page.get_by_role("link", name="Zenith, all tickers").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("All tickers")


def test_many_tickers_are_paged_sorted_and_filtered(visit):
    page = visit("")
    many(page)

    assert tickers(page) == [f"T{number:04}" for number in range(50)]
    page.get_by_role("button", name="Next").press("Enter")
    assert tickers(page)[0] == "T0050"
    page.keyboard.press("Enter")  # the button keeps the focus
    assert tickers(page)[0] == "T0100"
    page.get_by_role("button", name="Previous").press("Enter")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Next")).to_be_focused()  # for there is nothing to go back to
    page.get_by_role("button", name="Forecast").click()
    page.get_by_role("button", name="Forecast").press("Enter")
    assert tickers(page)[:2] == ["T1199", "T1198"]
    expect(page.get_by_role("columnheader", name="Forecast")).to_have_attribute("aria-sort", "descending")
    page.get_by_label("Show").select_option("buy or sell")
    assert tickers(page) == ["T0007"]
    page.get_by_label("Show").select_option("out of date")
    assert tickers(page) == ["T0003"]
    page.get_by_label("Show").select_option("with alerts of 7 days")
    assert tickers(page) == ["T0005"]
    expect(page.locator(".overview tbody tr")).to_contain_text("run failed")
    page.get_by_label("Show").select_option("all")
    page.get_by_label("Ticker contains").press_sequentially("119")
    assert tickers(page) == [*(f"T{number}" for number in range(1199, 1189, -1)), "T1119", "T0119"]


def test_what_is_shown_is_saved_as_csv(visit):
    page = visit("")
    many(page)
    page.get_by_label("Ticker contains").fill("T000")

    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()

    rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
    assert [each["ticker"] for each in rows] == [f"T{number:04}" for number in range(10)]
    assert float(rows[7]["change_pct"]) == 0.07
    assert [rows[number]["alerts"] for number in (4, 5)] == ["", "run_failed"]


@pytest.mark.parametrize("how", [{}, DARK, PORTUGUESE | PHONE], ids=["light", "dark", "portuguese on a phone"])
def test_axe_finds_nothing_and_nothing_scrolls_the_page_sideways(visit, how):
    page = visit("", **how)
    expect(page.locator(".overview tbody tr")).to_have_count(3)

    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
