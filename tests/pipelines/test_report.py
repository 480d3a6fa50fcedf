"""The report: self-contained, honest in its words, and drawable whatever is missing."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from zenith_core.backtest import backtest, forecast_signals
from zenith_core.disclaimer import DISCLAIMER
from zenith_core.metrics import price_metrics, signal_metrics
from zenith_pipelines.report.drawing import ROLES, to_png, to_svg
from zenith_pipelines.report.page import ReportInput, render_report, report_plots
from zenith_pipelines.report.verdicts import verdicts

pytestmark = pytest.mark.slow  # draws every plot

SESSIONS = 400
HORIZONS = (1, 5)


def make_forecasts(prices, foresight=0.0):
    """Forecasts of the last 150 sessions: no change, moved by `foresight` towards what came."""
    close = prices["close"].to_numpy()
    origins = np.arange(SESSIONS - 150, SESSIONS)
    tables = []
    for horizon in HORIZONS:
        target = origins + horizon
        come = target < SESSIONS
        actual = np.where(come, close[np.minimum(target, SESSIONS - 1)], np.nan)
        forecast = close[origins] * (np.where(come, actual, close[origins]) / close[origins]) ** foresight
        table = {
            "origin": prices.index[origins],
            "horizon": horizon,
            "target_date": prices.index[origins] + pd.offsets.BDay(horizon),
            "close": close[origins],
            "forecast": forecast,
            "lower": forecast * 0.93,
            "upper": forecast * 1.07,
            "actual": actual,
        }
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True)


def make_report(foresight=0.0, **changes):
    rng = np.random.default_rng(4)
    index = pd.bdate_range("2020-01-01", periods=SESSIONS, name="date")
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, SESSIONS)))
    prices = pd.DataFrame({"open": close, "close": close}, index=index)
    forecasts = make_forecasts(prices, foresight)
    signals = pd.DataFrame(rng.dirichlet([5, 8, 6], 150), columns=["sell", "hold", "buy"])
    signals["signal"], signals["label"] = signals.idxmax(axis=1), rng.choice(["sell", "hold", "buy"], 150)
    signals.insert(0, "date", index[-150:])
    steps = np.arange(1, 31)
    latest = pd.DataFrame({"date": index[-1] + pd.offsets.BDay() * steps, "price": close[-1] * 1.001**steps})
    latest["lower"], latest["upper"] = latest["price"] * 0.9, latest["price"] * 1.1
    report = ReportInput(
        ticker="PETR4.SA",
        currency="BRL",
        prices=prices,
        forecasts=forecasts,
        signals=signals,
        price_metrics=price_metrics(forecasts),
        signal_metrics=signal_metrics(signals),
        lstm_backtest=backtest(prices, forecast_signals(forecasts)),
        ensemble_backtest=backtest(prices, signals.set_index("date")["signal"]),
        latest=latest,
        lineage={
            "Data version": "abc123",
            "Source": "<script>alert(1)</script>",
            "LSTM model": "lstm-PETR4.SA version 3",
        },
    )
    return replace(report, **changes)


def words(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)))


@pytest.fixture(scope="module")
def page():
    return render_report(make_report())


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_loads_nothing(page):
    tags = Tags(page)
    assert tags.open == []
    assert not {tag for tag, _ in tags.seen} & {"script", "link", "img", "iframe"}
    links = [value for _, attributes in tags.seen for key, value in attributes.items() if key in ("src", "xlink:href")]
    assert all(value.startswith("#") for value in links)
    assert not re.search(r"@import|url\((?!#)", page)


def test_the_page_says_what_it_is_about(page):
    text = words(page)
    assert "PETR4.SA" in text and "BRL" in text and "last close, 2021-07-13" in text
    assert "lstm-PETR4.SA version 3" in text and "abc123" in text
    assert DISCLAIMER in text


def test_the_page_has_all_plots_each_with_its_name(page):
    names = [attributes["aria-label"] for tag, attributes in Tags(page).seen if tag == "svg"]
    assert names == [
        *("price fan", "skill by horizon", "coverage by horizon", "confusion matrix", "class probabilities"),
        *("lstm equity", "ensemble equity"),
    ]


def test_a_model_without_skill_is_said_to_have_none(page):
    assert "No better than assuming that the price stays where it is" in words(page)
    assert "No better than the historical frequency of each class" in words(page)


def test_a_model_with_skill_is_said_to_have_it():
    price, *_ = verdicts(make_report(foresight=0.5))
    assert price.good
    assert price.sentence == "Better than assuming that the price stays where it is"
    assert price.figures.endswith("significant at 2 of 2 horizons")


@pytest.mark.parametrize(
    ("coverage", "sentence"),
    [(0.80, "Too narrow"), (0.9, "Keeps its promise"), (0.99, "Wider than it says"), (None, "Not scored yet")],
)
def test_the_band_is_judged_by_its_coverage(coverage, sentence):
    report = make_report()
    metrics = {**report.price_metrics, "coverage": coverage}
    assert verdicts(replace(report, price_metrics=metrics))[1].sentence == sentence


def test_text_from_outside_is_escaped(page):
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_same_plot_is_the_same_bytes():
    one, other = (to_svg(report_plots(make_report())["price_fan"]) for _ in range(2))
    assert one == other


def test_a_report_with_nothing_scored_traded_or_forecast_still_renders():
    report = make_report()
    forecasts = report.forecasts.assign(actual=np.nan)
    signals = report.signals.assign(label="", signal="hold")
    idle = backtest(report.prices, signals.set_index("date")["signal"])
    page = render_report(
        replace(
            report,
            forecasts=forecasts,
            signals=signals,
            price_metrics=price_metrics(forecasts),
            signal_metrics=signal_metrics(signals),
            lstm_backtest=idle,
            ensemble_backtest=idle,
            latest=report.latest.iloc[:0],
        )
    )
    assert not re.search(r"\b(nan|None|NaT)\b", words(page))
    assert "Nothing to compare" in words(page) and "no labelled session yet" in page


def test_svg_colours_follow_the_page_and_text_stays_text():
    svg = to_svg(report_plots(make_report())["skill_by_horizon"], 'a "name"')
    assert svg.startswith('<svg role="img" aria-label="a &quot;name&quot;"')
    assert "var(--muted, #7d8795)" in svg
    assert not any(colour in re.sub(r"var\([^)]*\)", "", svg) for colour in ROLES.values())
    assert "sessions ahead</text>" in svg


def test_every_plot_is_a_png_too():
    for figure in report_plots(make_report()).values():
        assert to_png(figure, dpi=40).startswith(b"\x89PNG")
