"""The report's page and plots: self-contained, with the verdicts first, and complete with missing data."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from tests.pipelines.reports.sample_report import make_report, run_backtest
from zenith_core.evaluation.leaderboard import Contender, leaderboard
from zenith_core.evaluation.metrics import price_metrics, signal_metrics
from zenith_core.names import DISCLAIMER
from zenith_pipelines.reports.page import render_report, report_plots
from zenith_pipelines.reports.plotting import ROLES, to_png, to_svg
from zenith_pipelines.reports.signal_plots import feature_importances, reliability

pytestmark = pytest.mark.slow  # draws every plot


def render(report):
    return render_report(report, report_plots(report))


def words(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)))


@pytest.fixture(scope="module")
def page():
    report = make_report(scale_version="prior-2024")
    worse = report.forecasts.iloc[5:].assign(forecast=report.forecasts["forecast"] * 1.02)
    contenders = [
        Contender("gru", 1, evidence=worse, horizon=5),
        Contender("lstm", 3, evidence=report.forecasts, horizon=5),
        Contender("other", 2, note="its walk-forward forecasts are gone"),
    ]
    board = leaderboard("price", contenders, "lstm", report.prices)
    return render(replace(report, leaderboards={"price": board}))


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.open, self.tags = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_says_which_instrument_it_is_about_and_that_pence_are_no_pounds():
    listing = {"name": "Voda <fone>", "instrument": "equity", "exchange": "LSE"}
    text = render(make_report(ticker="VOD.L", currency="GBp", listing=listing))
    assert "Voda &lt;fone&gt; · equity · LSE · 100 GBp = 1 GBP" in text


def test_the_risk_has_its_tests_beside_ewma(page):
    text = words(page)

    assert "Forecast origins from 2016-03-01 to 2020-02-28" in text
    assert "1, 5.0% 5.21% 999 0.77 – -2.512 -2.488" in text
    assert "1 999 1.310 1.380 +5.1%" in text


def test_served_bands_have_no_figure_of_the_model_s_own(page):
    text = words(page)

    assert "by scale prior-2024 of all tickers" in text
    assert "Price inside the 90 % band 89.7%" in text
    assert "1, -3 % 21.0% 999 0.1412 0.1633 +13.5%" in text
    assert "static quantiles" not in text.lower()


def test_the_leaderboard_compares_all_models_of_a_task_on_their_common_rows(page):
    section = words(page).partition("Leaderboard")[2].partition("Data and lineage")[0]

    heading, lstm, gru, other = (
        section.index(text) for text in ("Price, 5 sessions ahead", "LSTM 3", "gru 1", "other 2")
    )
    assert heading < lstm < gru < other
    assert section[lstm:gru].startswith("LSTM 3, answers 0.")
    assert " 1.00 " in section[gru:other]  # the p-value of a model that is worse than the one that answers
    assert "other: its walk-forward forecasts are gone" in section


def test_without_a_record_there_is_no_section_of_risk_and_without_challengers_no_leaderboard():
    page = render(make_report(risk_record={}))
    assert "Value at risk" not in page
    assert "Leaderboard" not in page


def test_the_page_is_well_formed_and_loads_nothing(page):
    tags = Tags(page)
    assert tags.open == []
    assert not {tag for tag, _ in tags.tags} & {"script", "link", "img", "iframe"}
    links = [value for _, attributes in tags.tags for key, value in attributes.items() if key in ("src", "xlink:href")]
    assert all(value.startswith("#") for value in links)
    assert not re.search(r"@import|url\((?!#)", page)
    assert "://" not in re.sub(r'xmlns(:xlink)?="[^"]*"', "", page)
    assert len(page) < 1_500_000


def test_the_page_names_ticker_currency_models_and_disclaimer(page):
    text = words(page)
    assert "PETR4.SA" in text and "BRL" in text and "last close, 2021-07-13" in text
    assert "lstm-PETR4.SA version 3" in text and "abc123" in text
    assert DISCLAIMER in text


def test_the_page_goes_from_the_verdicts_to_the_lineage(page):
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert page.index('class="verdicts"') < page.index("<h2>")
    assert headings == [
        *("Past forecasts and actual prices", "Price forecasts vs. the random walk", "Bands"),
        "Value at risk, expected shortfall and volatility",
        *("Signals vs. historical frequencies", "Leaderboard", "Backtests vs. buy and hold", "Last trades"),
        *("How it was tested", "Data and model lineage"),
    ]


def test_every_figure_has_a_caption(page):
    assert page.count("<figure") == page.count("<figcaption>") == page.count("<svg ")


def test_the_page_shows_folds_certificate_and_lineage(page):
    text = words(page)
    dates = "2001-05-22 to 2007-03-16 2007-05-01 to 2008-05-05 2008-06-18 to 2009-08-19"
    assert f"{dates} 1,461 0.00, 0.00, 0.00 0.41, 0.41, 0.00" in text
    assert "Result: passed: 2 histories cut short and 1 begun late" in text
    assert "registered as lstm-PETR4.SA version 3 ensemble-PETR4.SA version 4" in text
    assert text.count("abc123") == 2  # of both models, once, and in the certificate


def test_the_page_has_all_plots_with_their_names(page):
    names = [attributes["aria-label"] for tag, attributes in Tags(page).tags if tag == "svg"]
    assert names == [
        *("price fan", "skill by horizon", "coverage by horizon", "confusion matrix", "reliability"),
        *("class probabilities", "feature importances", "lstm equity", "ensemble equity"),
    ]


def test_the_page_states_that_a_model_has_no_skill(page):
    assert "No better than assuming an unchanged price" in words(page)
    assert "No better than the historical frequency of each class" in words(page)


def test_external_text_is_escaped(page):
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_same_plot_is_the_same_bytes():
    one, other = (to_svg(report_plots(make_report())["price_fan"]) for _ in range(2))
    assert one == other


def test_a_report_without_scores_trades_or_forecasts_still_renders():
    report = make_report()
    forecasts = report.forecasts.assign(actual=np.nan)
    signals = report.signals.assign(label="", signal="hold")
    idle = run_backtest(report.prices, signals.set_index("date")["signal"])
    page = render(
        replace(
            report,
            forecasts=forecasts,
            signals=signals,
            price_metrics=price_metrics(forecasts),
            signal_metrics=signal_metrics(signals),
            backtests={"lstm": idle, "ensemble": idle},
            latest=report.latest.iloc[:0],
            price_study={},
            signal_study={},
            trading={},
            leakage={},
            lineage={},
        )
    )
    assert not re.search(r"\b(nan|None|NaT)\b", words(page))
    assert words(page).count("It never traded") == 2
    assert page.count("no labelled session yet") == 2 and "no importances recorded" in page


def test_svg_colours_follow_the_page_and_text_stays_text():
    svg = to_svg(report_plots(make_report())["skill_by_horizon"], 'a "name"')
    assert svg.startswith('<svg role="img" aria-label="a &quot;name&quot;"')
    assert "var(--muted, #7d8795)" in svg
    assert not any(colour in re.sub(r"var\([^)]*\)", "", svg) for colour in ROLES.values())
    assert "sessions ahead</text>" in svg


def test_every_plot_is_a_png_too():
    for figure in report_plots(make_report()).values():
        assert to_png(figure, dpi=40).startswith(b"\x89PNG")


def test_the_reliability_plot_draws_the_bins_of_every_class():
    metrics = make_report().signal_metrics
    axes_list = reliability(metrics).axes

    assert [axes.get_title().split(":")[0] for axes in axes_list] == ["sell", "hold", "buy"]
    for axes, bins in zip(axes_list, metrics["reliability"].values(), strict=True):
        (dots,) = (group for group in axes.collections if len(group.get_offsets()) == len(bins) > 1)
        np.testing.assert_allclose(dots.get_offsets(), [[row["predicted"], row["observed"]] for row in bins])
        assert axes.get_xlim() == axes.get_ylim()


def test_the_area_of_a_dot_is_proportional_to_the_sessions_of_its_bin():
    bins = [{"predicted": 0.2, "observed": 0.3, "rows": 25}, {"predicted": 0.4, "observed": 0.3, "rows": 100}]
    axes = reliability({"reliability": dict.fromkeys(("sell", "hold", "buy"), bins)}).axes[0]

    small, large = axes.collections[-1].get_sizes()
    assert large == pytest.approx(4 * small)
    assert axes.get_title() == "sell: 25 to 100 sessions per dot"


@pytest.mark.parametrize("tables", [None, {}, {"sell": [], "hold": [], "buy": []}])
def test_the_reliability_plot_without_labelled_sessions_shows_a_note(tables):
    (axes,) = reliability({"reliability": tables}).axes
    assert [text.get_text() for text in axes.texts] == ["no labelled session yet"]


def test_a_single_bin_can_be_drawn():
    bins = [{"predicted": 0.2, "observed": 0.0, "rows": 1}]
    assert to_png(reliability({"reliability": dict.fromkeys(("sell", "hold", "buy"), bins)}), dpi=40)


def test_the_importances_are_the_twelve_largest_from_the_top():
    importances = {f"feature_{number}": number / 190 for number in range(20)}
    (axes,) = feature_importances(importances).axes

    assert [label.get_text() for label in axes.get_yticklabels()] == [f"feature {n}" for n in range(8, 20)]
    assert [bar.get_width() for bar in axes.patches] == [n / 190 for n in range(8, 20)]
