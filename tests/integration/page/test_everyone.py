"""The page for everyone: axe finds nothing, on a phone, in the dark, in Portuguese, with larger type or less motion."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.integration.page.server import part

pytestmark = pytest.mark.slow

PHONE = {"viewport": {"width": 375, "height": 740}, "has_touch": True}
PORTUGUESE = {"locale": "pt-BR"}
DARK = {"color_scheme": "dark"}


def violations(page):
    violations = Axe().run(page).response["violations"]
    return [(one["id"], node["html"]) for one in violations for node in one["nodes"]]


def test_axe_finds_nothing_in_an_opened_table_or_an_explained_address(visit):
    page = visit()
    part(page, "Backtest vs. buy and hold").locator("summary").click()
    assert violations(page) == []

    page.goto(page.url.replace("#AAPL", "#AAPX"))
    expect(page.get_by_role("heading", level=1)).to_have_text("No predictions for this ticker")
    assert violations(page) == []


def background(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


HOWS = {"light": {}, "dark": DARK, "phone": PHONE, "portuguese in the dark on a phone": PORTUGUESE | PHONE | DARK}


@pytest.mark.parametrize("how", HOWS.values(), ids=HOWS)
def test_axe_finds_nothing(visit, how):
    page = visit(**how)
    expect(page.locator(".canvas canvas")).to_have_count(2)
    expect(page.locator(".gates").first).to_be_visible()
    page.get_by_role("combobox").first.press("ArrowDown")
    expect(page.locator("#found li")).to_have_count(3)

    assert violations(page) == []


@pytest.mark.parametrize("address", ["#AAPL", "#MSFT", "#NONE"])
def test_a_phone_never_scrolls_sideways(visit, address):
    page = visit(address, **PHONE, **PORTUGUESE)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_load_state("networkidle")
    for summary in page.locator("summary").all():
        summary.click()

    assert page.evaluate("document.documentElement.scrollWidth") == 375
    canvases = page.locator("canvas").all()
    assert [box["x"] >= 0 and box["x"] + box["width"] <= 375 for box in (one.bounding_box() for one in canvases)] == [
        True
    ] * len(canvases)


def test_the_system_s_theme_counts_until_another_is_chosen_and_that_stays(visit):
    page = visit(**DARK)
    dark = background(page)
    page.get_by_role("button", name="Light", exact=True).click()
    light = background(page)
    page.reload()

    assert background(page) == light != dark
    page.get_by_role("button", name="Dark", exact=True).click()
    assert background(page) == dark
    assert background(visit()) == light


def test_a_chart_changes_its_colours_with_the_theme(visit):
    page = visit()
    canvas = part(page, "Price and forecast").locator("canvas")
    picture = "canvas => canvas.toDataURL()"
    before = canvas.evaluate(picture)

    page.get_by_role("button", name="Dark", exact=True).click()

    page.wait_for_function("before => document.querySelector('canvas').toDataURL() !== before", arg=before)


def test_portuguese_is_spoken_to_who_reads_it(visit):
    page = visit(**PORTUGUESE)

    expect(page.locator("html")).to_have_attribute("lang", "pt-BR")
    expect(page.locator(".head")).to_contain_text("Fechamento ajustado de 1 de mar. de 2013")
    expect(page.locator(".figures")).to_contain_text("105,10")
    expect(part(page, "Sinal")).to_contain_text("O modelo se abstém: os dados estão desatualizados.")
    expect(page.get_by_role("contentinfo")).to_contain_text("Isto não é recomendação de investimento")
    expect(page.get_by_role("combobox", name="Buscar um ativo")).to_be_visible()


def test_the_language_can_be_changed_and_stays(visit):
    page = visit()
    page.get_by_role("button", name="Português").click()
    expect(page.get_by_role("heading", name="Preço e previsão")).to_be_visible()
    page.reload()

    expect(page.get_by_role("heading", name="Preço e previsão")).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="Price and forecast")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en-GB")


@pytest.mark.parametrize(("wish", "moves"), [("reduce", "0s"), ("no-preference", "0.15s, 0.15s")])
def test_nothing_moves_for_who_wants_less_motion(visit, wish, moves):
    page = visit(reduced_motion=wish)

    # Asked again and again: a button that was drawn anew meanwhile has no style any more.
    expect(page.get_by_role("button", name="6M")).to_have_css("transition-duration", moves)
