"""The book on the page of all tickers: positions are typed or pasted, and answered with their risk."""

import pytest
from playwright.sync_api import expect

from tests.integration.page.server import part
from tests.integration.page.test_everyone import PHONE, PORTUGUESE, violations
from tests.published import publish
from tests.serving.routes.test_universe import universe_facts
from zenith_core.names import ALL_TICKERS, UNIVERSE, UNIVERSE_LEDGER

pytestmark = pytest.mark.slow

RECORD = {
    "outcomes": 12, "rps": 0.1561, "rps_equal": 0.16, "gain": 0.0039, "standard_error": 0.0012, "tail": 0.05,
    "hits": 1, "expected_hits": 0.6, "since": "2013-01-02", "until": "2013-01-17",
}  # fmt: skip


@pytest.fixture
def page_of_all(home, server, visit):
    """Open the page of all tickers of a home with a forecast of them together, and its record."""
    publish(home, UNIVERSE, ALL_TICKERS, universe_facts())
    publish(home, UNIVERSE_LEDGER, ALL_TICKERS, {"record": {"20": RECORD}})
    return lambda **options: visit("", **options)


def ask(page, text):
    """Type a book and send it with the keyboard alone; return its panel."""
    book = part(page, "Your book")
    book.get_by_label("Positions").focus()
    page.keyboard.type(text)
    book.get_by_role("button", name="Compute its risk").focus()
    page.keyboard.press("Enter")
    return book


def test_a_typed_book_has_risk_parts_and_scenarios(page_of_all):
    page = page_of_all()
    with page.expect_response("**/predict/book") as response:
        book = ask(page, "ticker,value\nAAPL,1000\nmsft;-400\nCASH 250")

    answer = response.value.json()
    assert (answer["value"], answer["gross"], answer["cash"]) == (850, 1400, 250)
    expect(book.locator(".figures")).to_contain_text("850.00 USD")
    expect(book.locator(".figures")).to_contain_text(f"{answer['tails'][0]['value_at_risk']:,.2f}")
    parts = book.get_by_role("region", name="Parts of the positions").locator("tbody tr")
    expect(parts).to_have_count(2)
    expect(parts.nth(0)).to_contain_text("served distribution")
    expect(parts.nth(1)).to_contain_text(f"{answer['positions'][1]['volatility_contribution']:,.2f}")
    expect(book.get_by_role("region", name="Worst periods of the past").locator("tbody tr")).to_have_count(5)
    assert violations(page) == []

    page.get_by_role("button", name="Português").click()
    expect(page.get_by_label("Posições")).to_have_value("ticker,value\nAAPL,1000\nmsft;-400\nCASH 250")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("AAPL 10\nMSFT 1,000", "Line 2, “MSFT 1,000”: a ticker and one number were expected"),
        ("AAPL ten", "Line 1, “AAPL ten”"),
        ("CASH 3", "There is no position yet"),
        ("AAPX 1", "no forecast of ticker number 1: did you mean AAPL?"),
        ("AAPL 1\nSAP.DE 1", "several currencies, USD (AAPL), EUR (SAP.DE)"),
    ],
)
def test_a_book_that_cannot_be_computed_is_one_line(page_of_all, text, says):
    book = ask(page_of_all(), text)

    expect(book.locator("#book-results .note")).to_contain_text(says)


def test_ranks_of_all_tickers_are_shown_against_equal_probabilities(page_of_all):
    book = part(page_of_all(), "Your book")
    book.get_by_text("How all tickers rank among one another").click()

    expect(
        book.get_by_text("12 past forecasts have come due: score 0.1561, that of equal probabilities 0.1600")
    ).to_be_visible()
    expect(book.get_by_role("region", name="How all tickers rank").locator("tbody tr")).to_have_count(8)


def test_in_portuguese_on_a_phone_axe_finds_nothing_and_nothing_scrolls_sideways(page_of_all):
    page = page_of_all(**PORTUGUESE, **PHONE)
    book = part(page, "A sua carteira")
    book.get_by_label("Posições").fill("AAPL 10,5")
    book.get_by_role("button", name="Calcular o risco").click()
    expect(book.get_by_text("Partes das posições").first).to_be_visible()
    book.locator("summary").click()
    expect(book.get_by_role("region", name="Como os ativos se classificam entre si").locator("tbody tr")).to_have_count(
        8
    )

    assert page.evaluate("document.documentElement.scrollWidth") == 375
    assert violations(page) == []
