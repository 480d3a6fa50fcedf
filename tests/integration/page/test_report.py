"""The report of a ticker in Chromium: in both languages, by axe, on a phone and on paper."""

import pytest
from playwright.sync_api import expect

from tests.integration.page.server import part
from tests.integration.page.test_book import RECORD
from tests.integration.page.test_everyone import DARK, PHONE, PORTUGUESE, violations
from tests.published import publish
from tests.serving.routes.test_universe import universe_facts
from zenith_core.names import ALL_TICKERS, UNIVERSE, UNIVERSE_LEDGER

pytestmark = pytest.mark.slow


def drawn(page):
    expect(page.locator("body[data-drawn]")).to_be_visible()
    return page


def test_the_page_of_a_ticker_leads_to_its_report_in_the_same_language(visit):
    page = visit(**PORTUGUESE)
    page.get_by_role("link", name="O relatório completo").click()
    drawn(page)

    expect(page).to_have_title("Relatório de AAPL · Zenith")
    expect(page.locator(".verdicts li").first).to_contain_text("Não é melhor que supor um preço inalterado")
    expect(part(page, "Origem dos dados e dos modelos")).to_contain_text("zenith 0.2.0")
    expect(page.locator(".verdicts li").first).to_contain_text("Evidência para 5 pregões: 5.000 para 1 desde")
    page.get_by_role("button", name="English").click()
    expect(page.locator(".verdicts li").first).to_contain_text("No better than assuming an unchanged price")


def test_the_report_has_all_evidence_beside_its_baselines(visit):
    page = drawn(visit("reports/AAPL"))

    skill = part(page, "Price forecasts vs. the random walk")
    expect(skill.get_by_role("row", name="Mean absolute error")).to_be_visible()
    expect(skill.get_by_role("img", name="Skill by horizon").locator("rect")).to_have_count(2)
    expect(part(page, "Signals vs. historical frequencies").get_by_role("row", name="Brier score")).to_be_visible()
    expect(part(page, "Backtests vs. buy and hold").locator("canvas")).to_have_count(2)
    expect(part(page, "How it was tested").get_by_role("row", name="served")).to_have_count(2)
    assert [text for text in page.locator("main").all_inner_texts() if "undefined" in text or "NaN" in text] == []
    assert page.said == []


def test_the_report_has_the_place_among_all_tickers_and_the_record_of_their_book(home, visit):
    publish(home, UNIVERSE, ALL_TICKERS, universe_facts())
    publish(home, UNIVERSE_LEDGER, ALL_TICKERS, {"record": {"20": RECORD}})
    page = drawn(visit("reports/AAPL"))

    place = part(page, "Among all tickers, and in a book of them")
    expect(place).to_contain_text("which vary together like 3.0 independent ones")
    expect(place.get_by_role("row", name="Part of the book's volatility")).to_contain_text("12.5%")
    expect(place).to_contain_text("5 sessions: No forecast has come due yet")
    expect(place).to_contain_text("Losses of an equal-weight book above its value at risk (5%): 1, expected 0.6")
    assert violations(page) == []
    page.get_by_role("button", name="Português").click()
    expect(part(page, "Entre todos os ativos, e numa carteira deles")).to_contain_text(
        "variam juntos como 3,0 independentes"
    )


@pytest.mark.parametrize("how", [{}, PORTUGUESE | PHONE | DARK], ids=["light", "portuguese in the dark on a phone"])
def test_axe_finds_nothing_and_nothing_scrolls_the_page_sideways(visit, how):
    page = drawn(visit("reports/AAPL", **how))

    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_paper_has_light_colours_and_no_controls(visit):
    page = drawn(visit("reports/AAPL", **DARK))
    page.emulate_media(media="print")

    expect(page.locator(".controls").first).to_be_hidden()
    expect(page.get_by_role("button", name="Print or save as PDF")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.emulate_media(media="screen")


def test_a_report_of_no_ticker_says_so(visit):
    page = drawn(visit("reports/AAPX"))

    expect(page.get_by_role("main")).to_contain_text("No such ticker. Similar ones: AAPL.")
