"""The page at / as a person sees it in Chromium, on a state made by hand, nothing trained."""

import math
import re

import pytest
from playwright.sync_api import expect

from tests.core.risk.distributions import NORMAL
from tests.integration.page.server import ANSWERS, part
from tests.integration.page.test_everyone import PORTUGUESE, violations
from tests.pipelines.reports.sample_report import RISK_RECORD
from zenith_core.forecasting.abstention import REASONS

MANY_PIXELS = 500
DATA_END = {"candidate": "2013-03-01", "champion": "2013-02-22"}

pytestmark = pytest.mark.slow


def coloured(canvas):
    """How many pixels of a chart are not blank."""
    return canvas.evaluate(
        "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data"
        ".reduce((count, value, at) => count + (at % 4 === 3 && value > 0), 0)"
    )


def picture(chart):
    return chart.locator("canvas").evaluate("canvas => canvas.toDataURL()")


def band(horizon):
    """The 90 % band around a close of 100 as the page writes it: that of normal returns of one per cent a session."""
    reach = NORMAL.inv_cdf(0.95) * 0.01 * math.sqrt(horizon)
    return [f"{100 * math.exp(side * reach):.2f}" for side in (-1, 1)]


def coverage():
    """The share of past closes inside the band in the home's walk-forward record, which scores one horizon."""
    (figures,) = RISK_RECORD["horizons"].values()
    return f"{figures['band']['coverage']:.0%}"


def test_it_shows_the_ticker_its_forecast_and_what_that_is_worth(visit):
    page = visit()

    expect(page).to_have_title("AAPL · Zenith")
    expect(page.get_by_role("heading", level=1)).to_have_text("AAPL")
    expect(page.locator(".head")).to_contain_text("100.00 USD")
    expect(page.locator(".head")).to_contain_text("Adjusted close of 1 Mar 2013 Out of date 30 or more sessions old")
    expect(page.locator(".badge")).to_have_text("Better than assuming an unchanged price, 5 sessions ahead")
    figures = page.locator(".figures")
    expect(figures).to_contain_text("Forecast, 5 sessions ahead")
    expect(figures).to_contain_text("105.10")  # 100 * 1.01**5
    expect(figures).to_contain_text("{} – {}covered {} of past outcomes".format(*band(5), coverage()))
    expect(page.get_by_role("contentinfo")).to_contain_text("This is not investment advice")
    assert page.said == []


def test_skill_and_coverage_are_in_plain_words(visit):
    worth = part(visit(), "Forecast skill")

    expect(worth).to_contain_text("1 session ahead: not shown to be better than assuming tomorrow equals today.")
    expect(worth).to_contain_text("5 sessions ahead: better than assuming an unchanged price: 4.0% less error")
    expect(worth).to_contain_text("30 sessions ahead: not shown to be better than assuming an unchanged price.")
    expect(worth).to_contain_text("Evidence, 5 sessions ahead: 5,000 to 1 since 3 Jan 2012; a claim asks 20 to 1.")
    expect(worth.get_by_role("row").nth(2)).to_have_text(re.compile(rf"^5 sessions0\.9700\.010{coverage()}$"))


def test_the_signal_has_its_probabilities_and_its_reason(visit):
    signal = part(visit(), "Signal")

    expect(signal.locator(".verdict")).to_have_text("Hold")
    assert [row.inner_text().split() for row in signal.locator(".bars li").all()] == [
        ["Buy", "50%"],
        ["Hold", "25%"],
        ["Sell", "25%"],
    ]
    expect(signal).to_contain_text(REASONS["stale_data"])
    expect(signal).to_contain_text("Still the most likely outcome: Buy.")
    expect(signal).to_contain_text("Out of sample the model was better than guessing from past frequencies.")


def test_the_leaderboard_has_all_kinds_of_model_on_their_common_rows(visit):
    models = part(visit(), "Models")

    expect(models).to_contain_text("Price, 5 sessions ahead, 880 common forecasts")
    expect(models).to_contain_text("LSTM: Evidence, 5 sessions ahead: 34 to 1 since 18 Feb 2013; a claim asks 40 to 1.")
    rows = models.get_by_role("region", name="Leaderboard of AAPL, Price").get_by_role("row")
    expect(rows).to_have_text(
        [
            "ModelVersionLossNaive lossSkillp-valueIn own 90% bandDeflated SharpeCPU s",
            "gru30.02130.0220+1.0%0.31090%–4.5",
            "LSTM (answers)10.02140.0220+0.5%–89%––",
        ]
    )


def test_a_ticker_of_before_there_was_a_leaderboard_says_so(visit):
    expect(part(visit("#MSFT", stubs={}), "Models")).to_contain_text("No leaderboard yet: the next training makes it.")


def test_the_risk_has_losses_and_touched_levels_by_horizon(visit):
    tables = part(visit(), "Risk").get_by_role("table")
    losses, touches, record = (tables.nth(number) for number in range(3))

    expect(losses.get_by_role("row").nth(2)).to_have_text("5 sessions15.9%3.6%4.5%5.1%5.8%")
    expect(touches.get_by_role("row").nth(1)).to_have_text("110.00+10%≤ 0.1%≤ 0.1%8%")
    expect(touches.get_by_role("row").nth(3)).to_have_text("103.00+3%0.3%19%59%")
    expect(record.get_by_role("row").nth(1)).to_have_text("-3%" + 3 * "0.141 / 0.163")


def test_data_without_a_risk_show_the_command_that_computes_it(visit):
    risk = part(visit("#MSFT"), "Risk")

    expect(risk).to_contain_text("zenith job refresh_prices --tickers MSFT")


@pytest.mark.parametrize("title", ["Price and forecast", "Backtest vs. buy and hold"])
def test_a_chart_is_drawn_and_is_also_a_table(visit, title):
    chart = part(visit(), title)

    assert coloured(chart.locator("canvas")) > MANY_PIXELS
    chart.get_by_text("Show as a table").click()
    rows = chart.locator(".alternative tbody tr")
    expect(rows).to_have_count({"Price and forecast": 300 + 30}.get(title, 300))


def test_candles_and_line_and_periods_are_other_drawings(visit):
    chart = part(visit(), "Price and forecast")
    pictures = {picture(chart)}
    for name in ("Line", "All", "3M", "Log", "SMA 50", "SMA 200", "Bollinger 20", "RSI 14"):
        button = chart.get_by_role("button", name=name, exact=True)
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(button).to_be_focused()
        pictures.add(picture(chart))
    assert len(pictures) == 9


def test_the_chart_is_read_with_the_arrow_keys(visit):
    cursor = part(visit(), "Price and forecast").get_by_role("slider")
    expect(cursor).to_have_attribute(
        "aria-valuetext", re.compile("^1 Mar 2013: open .* close 100.00 · Volume 1[mM] · forecast 5 sessions")
    )
    cursor.focus()

    cursor.press("ArrowRight")
    expect(cursor).to_have_attribute("aria-valuetext", "4 Mar 2013: forecast 101.00, from {} to {}".format(*band(1)))
    cursor.press("End")
    expect(cursor).to_have_attribute("aria-valuetext", re.compile("^12 Apr 2013: forecast 134.78"))
    cursor.press("PageUp")
    expect(cursor).to_have_attribute("aria-valuetext", re.compile("^15 Mar 2013"))


def test_the_crosshair_reads_volume_indicators_and_signals(visit):
    chart = part(visit(), "Price and forecast")
    for name in ("SMA 50", "RSI 14"):
        chart.get_by_role("button", name=name).click()
    cursor = chart.get_by_role("slider")

    expect(cursor).to_have_attribute("aria-valuetext", re.compile("Volume 1[mM] · SMA 50 .* · RSI 14 50 "))
    cursor.focus()
    for _ in range(11):
        cursor.press("ArrowLeft")
    expect(cursor).to_have_attribute("aria-valuetext", re.compile("signal: Sell"))
    expect(chart.locator(".level")).to_be_visible()
    expect(chart.locator(".keys")).to_contain_text("Forecast made 5 sessions earlier")


def window(page):
    """Return the first and the last session that the price chart shows, by the keyboard."""
    cursor = part(page, "Price and forecast").get_by_role("slider")
    ends = []
    for key in ("Home", "End"):
        cursor.press(key)
        ends.append(int(cursor.get_attribute("aria-valuenow")))
    return ends


def test_the_chart_zooms_and_pans_by_keys_buttons_wheel_and_mouse(visit):
    page = visit()
    chart = part(page, "Price and forecast")
    cursor, six_months = chart.get_by_role("slider"), chart.get_by_role("button", name="6M")
    first, last = window(page)
    assert last == 300 + 30 - 1

    cursor.press("+")
    assert window(page)[0] > first
    expect(six_months).to_have_attribute("aria-pressed", "false")
    cursor.press("0")
    assert window(page) == [first, last]

    chart.get_by_role("button", name="Zoom out").click()
    assert window(page)[0] < first
    six_months.click()
    assert window(page) == [first, last]

    box = cursor.bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 200, middle[1], steps=4)
    page.mouse.up()
    moved = window(page)
    assert moved[0] < first and moved[1] < last

    six_months.click()
    cursor.focus()
    page.mouse.move(*middle)
    page.mouse.wheel(0, -100)
    page.wait_for_function("() => document.querySelector('[data-value=\"6m\"]').ariaPressed === 'false'")
    zoomed = window(page)
    assert zoomed[0] > first and zoomed[1] < last

    six_months.click()
    page.keyboard.down("Shift")
    page.mouse.move(middle[0] - 100, middle[1])
    page.mouse.down()
    page.mouse.move(middle[0] + 100, middle[1], steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    chosen = window(page)
    assert first < chosen[0] < chosen[1] < last
    cursor.dblclick()
    assert window(page) == [first, last]


def test_a_chart_that_is_not_in_use_lets_the_page_scroll(visit):
    page = visit()
    cursor = part(page, "Price and forecast").get_by_role("slider")
    cursor.hover()
    page.mouse.wheel(0, 100)

    page.wait_for_function("scrollY > 0")
    expect(part(page, "Price and forecast").get_by_role("button", name="6M")).to_have_attribute("aria-pressed", "true")


def test_the_backtest_stands_beside_buy_and_hold_with_costs_and_sharpe(visit):
    backtest = part(visit(), "Backtest vs. buy and hold")

    expect(backtest.get_by_role("row", name="Sharpe ratio")).to_have_text("Sharpe ratio0.380.71")
    expect(backtest).to_contain_text("0.10% commission and 0.05% slippage")
    expect(backtest).to_contain_text("Only walk-forward signals of model version 1")
    backtest.get_by_role("button", name="Ensemble").click()
    expect(backtest).to_contain_text("Strategy on Ensemble signals")


def test_served_forecasts_stand_against_what_came(visit):
    record = part(visit(), "Track record of served forecasts")

    expect(record.get_by_role("row").nth(1)).to_have_text("5 sessions10%1.77%2.27%")
    expect(record.locator(".missed")).to_have_text("101.25")
    expect(record).to_contain_text("1 forecast is waiting for its session.")
    expect(record).to_contain_text("Evidence, 5 sessions ahead: 1 to 5.0 since 18 Feb 2013. A claim asks 2,400 to 1.")
    expect(record).to_contain_text("A claim, 20 sessions ahead: 34 to 1 since 18 Feb 2013, where 20 to 1 is asked.")


@pytest.mark.parametrize(
    ("how", "title", "sentences"),
    [
        (
            {},
            "What changed",
            ["1 new session: the close went from 99.00 to 100.00 (+1.0%).", "The band is 54% wider: ±9.6% instead of"],
        ),
        (PORTUGUESE, "O que mudou", ["1 pregão novo: o fechamento passou de 99,00 para 100,00 (+1,0%)."]),
    ],
    ids=["english", "portuguese"],
)
def test_the_changes_since_the_forecast_before_are_explained(visit, how, title, sentences):
    changes = part(visit(**how), title)

    for sentence in [*sentences, "Something else."]:
        expect(changes).to_contain_text(sentence)
    expect(changes.locator("li").nth(2)).to_contain_text("LSTM")


def test_versions_promotions_and_links_are_there(visit):
    page = visit()
    models = part(page, "Models")

    expect(models.get_by_role("row").nth(1)).to_have_text("LSTM2Candidate1 Mar 201320 Nov 2026yes–")
    expect(models.get_by_role("row").nth(2)).to_have_text("LSTM1Production1 Mar 201320 Nov 2026no34 to 1")
    expect(models).to_contain_text("LSTM version 1 promoted")
    expect(models).to_contain_text("Did not pass: loss · by ana")
    expect(models.locator(".gates .refused")).to_have_text("✗ loss failed")
    expect(page.get_by_role("link", name="Dagster")).to_have_attribute("href", "http://127.0.0.1:3000")
    # A file has no address.
    expect(page.get_by_role("contentinfo")).to_contain_text("MLflow: no address set (MLFLOW_TRACKING_URI)")


def test_promotions_are_in_the_language_of_the_page_with_their_figures(visit):
    figures = {"candidate": 1.1, "champion": 1.0, "origins": 120, "newer": 20, "p_worse": 0.01, "change": 0.1}
    gates = [
        {"name": "data end", "passed": True, "detail": "data until", "figures": DATA_END},
        {"name": "loss", "passed": False, "detail": "+10.0% on 120 origins", "figures": figures},
    ]
    event = {"at": "2026-11-21T10:00:00Z", "model_type": "lstm", "version": "2", "action": "refused", "by": "ana"}
    reason = "wait for May; loss: +10.0% on 120 origins"
    history = {"ticker": "AAPL", "events": [{**event, "reason": reason, "gates": gates}]}
    models = part(visit(stubs={**ANSWERS, "models/*/history": history}, locale="pt-BR"), "Modelos")

    expect(models).to_contain_text("wait for May; Não passou em: perda · por ana")
    expect(models.locator(".gates .refused")).to_have_text("✗ perda não passou")
    models.get_by_text("Números dos critérios").click()
    expect(models.locator("dd")).to_have_text(
        [
            "dados até 1 de mar. de 2013, os da Produção até 22 de fev. de 2013",
            "+10,0% em 120 origens (20 mais novas que os dados da Produção), p = 0,010",
        ]
    )


def test_two_versions_are_compared_side_by_side_with_the_keyboard_alone(visit):
    page = visit(stubs={})
    models = part(page, "Models")
    first = models.get_by_label("First")
    expect(first.locator("option")).to_have_count(2)
    first.focus()
    page.keyboard.type("Ens")
    page.keyboard.press("Tab")
    page.keyboard.type("LSTM")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(models.get_by_role("row", name="Loss mae")).to_have_count(0)
    expect(models.get_by_role("row", name="Loss brier mae")).to_be_visible()
    expect(models.locator(".compared canvas")).to_have_count(2)
    expect(models.get_by_role("row", name="Status Production Production")).to_be_visible()
    assert violations(page) == []


def test_compared_reasons_and_shares_are_in_the_reader_s_language(visit):
    reason = {"group": "gates", "name": "reason", "differs": True}
    reason["values"] = ["first model, no skill shown", "my own words"]
    returns = {"group": "backtest", "name": "total_return", "differs": True, "values": [0.1814, None]}
    versions = ANSWERS["models?ticker=*"]["models"]
    compared = {"ticker": "AAPL", "versions": versions, "figures": [reason, returns], "backtests": [None, None]}
    page = visit(stubs=ANSWERS | {"models/*/compare?*": compared}, **PORTUGUESE)
    page.locator("#part-compare button").click()

    cells = page.locator(".comparison td")
    expect(cells).to_have_text(["primeiro modelo; não mostrou ganho", "my own words", "18,1%", "–"])
    expect(cells.nth(1).locator("[lang=en]")).to_have_text("my own words")


def test_a_version_leads_to_its_page_in_mlflow_if_that_is_a_server(visit):
    listing = {"tickers": [{"ticker": "AAPL", "close": 100.0, "as_of": "2013-03-01"}]}
    mlflow = {"links": {"dagster": "https://dagster.example", "mlflow": "https://mlflow.example"}}
    page = visit(stubs=ANSWERS | {"tickers": listing | mlflow})

    version = part(page, "Models").get_by_role("link", name="2")
    expect(version).to_have_attribute("href", "https://mlflow.example/#/models/lstm-AAPL/versions/2")
    expect(page.get_by_role("link", name="MLflow")).to_have_attribute("href", "https://mlflow.example")


def test_an_address_of_the_server_s_own_machine_is_no_link_elsewhere(visit, server):
    page = visit(url=server.url.replace("127.0.0.1", "zenith.localhost"))

    expect(page.get_by_role("contentinfo")).to_contain_text("Dagster: no address set (DAGSTER_URL)")


def test_what_the_service_itself_says_draws_without_a_word_in_the_console(visit):
    page = visit(stubs={})

    expect(part(page, "Track record of served forecasts").locator("table, .note").first).to_be_visible()
    expect(part(page, "Models").locator("table, .note").first).to_be_visible()
    assert [text for text in page.said if "404" not in text] == []


def test_the_tickers_are_listed_and_one_is_the_current(visit):
    page = visit("#AAPL")

    tickers = page.get_by_role("navigation", name="Tickers").get_by_role("link")
    expect(tickers).to_have_count(4)
    assert [one.inner_text().split()[:2] for one in tickers.all()] == [
        ["All", "tickers"],
        *([name, "100.00"] for name in ("AAPL", "IBM", "MSFT")),
    ]
    expect(tickers.nth(1)).to_have_attribute("aria-current", "page")
    tickers.last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("MSFT")
    expect(tickers.last).to_have_attribute("aria-current", "page")


def test_search_is_worked_with_the_keyboard(visit):
    page = visit()
    expect(page.get_by_label("Find a ticker")).to_have_id("search")  # a placeholder is no label: it goes as one types
    field = page.get_by_role("combobox", name="Find a ticker")
    options = page.get_by_role("listbox", name="Tickers found").get_by_role("option")

    field.press_sequentially("m")
    expect(options).to_have_text(["MSFT", "IBM"])  # names that begin so come first
    expect(field).to_have_attribute("aria-activedescendant", "found-0")
    field.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    field.press("Escape")
    expect(options).to_have_count(0)
    field.press("ArrowDown")
    expect(options).to_have_count(2)
    field.press("ArrowUp")
    field.press("ArrowUp")
    field.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("MSFT")
    assert page.url.endswith("/#MSFT")
    expect(page.get_by_role("main")).to_be_focused()


def test_the_tab_key_goes_from_the_skip_link_through_the_page_in_order(visit):
    page = visit()
    expect(part(page, "Models").get_by_role("table", name="Model versions of AAPL")).to_be_visible()
    focus_order = []
    for _ in range(8):
        page.keyboard.press("Tab")
        focus_order.append(
            page.evaluate(
                "(document.activeElement.ariaLabel ?? document.activeElement.innerText) || document.activeElement.id"
            )
        )
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", focus_order

    assert [text.split("\n")[0] for text in focus_order] == [
        *("Skip to the forecast", "Zenith, all tickers", "search", "Português", "Dark"),
        *("All tickers", "AAPL", "IBM"),
    ]
    page.get_by_role("link", name="Skip to the forecast").press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    assert page.url.endswith("#AAPL")
