"""The report's file: one HTML file that holds the page and its data, and loads nothing."""

import json
import re
from base64 import b64decode
from html.parser import HTMLParser

import pytest

from tests.pipelines.reports.sample_report import make_sample, sample_facts
from tests.serving.conftest import make_snapshot
from zenith_core.names import PAGE_FILES
from zenith_core.report.compose import compose_chart, compose_report
from zenith_pipelines.reports.report_file import render_file

EVIL = "</script><script>alert(1)</script>"


class Elements(HTMLParser):
    """The elements of a page with their attributes and their text."""

    def __init__(self, page):
        super().__init__()
        self.all = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.all.append([tag, dict(attributes), ""])

    def handle_data(self, data):
        if self.all:
            self.all[-1][2] += data

    def named(self, tag):
        return [(attributes, text) for name, attributes, text in self.all if name == tag]


@pytest.fixture(scope="module")
def page():
    facts = sample_facts(make_sample())
    facts["lstm_model"] |= {"code_version": EVIL}
    report = compose_report(make_snapshot("PETR4.SA"), lambda name: facts.get(name, {}))
    chart = compose_chart("PETR4.SA", lambda name: facts.get(name, {}))
    return render_file(report.model_dump(mode="json"), chart)


@pytest.fixture(scope="module")
def elements(page):
    return Elements(page)


def embedded(elements):
    return next(json.loads(text) for attributes, text in elements.named("script") if attributes.get("id") == "embedded")


def test_the_file_loads_nothing_and_its_policy_forbids_it(page, elements):
    addresses = [value for _, attributes, _ in elements.all for key, value in attributes.items() if key == "src"]

    assert all(address.startswith("data:") for address in addresses)
    assert elements.named("link") == []
    assert "../page/" not in page
    assert not re.search(r"@import|url\(\"?(?!data:|\"data:)", re.sub(r"base64,[\w+/=]+", "", page))
    policy = next(attributes["content"] for attributes, _ in elements.named("meta") if "http-equiv" in attributes)
    assert policy.startswith("default-src 'none'; ")
    assert "http" not in policy and "*" not in policy


def test_the_file_has_the_page_s_modules_and_all_that_they_import(elements):
    modules = next(
        json.loads(text) for attributes, text in elements.named("script") if attributes.get("type") == "importmap"
    )
    sources = {name: b64decode(address.partition(",")[2]).decode() for name, address in modules["imports"].items()}

    assert "report.js" in sources and "price-chart.js" in sources
    assert {name for text in sources.values() for name in re.findall(r'from "([^"]+)";', text)} <= set(sources)
    original = (PAGE_FILES / "plots.js").read_text()
    assert sources["plots.js"] == original.replace('from "./', 'from "')


def test_the_file_has_the_words_of_both_languages_and_the_whole_report(elements):
    data = embedded(elements)

    assert set(data["words"]) == {"words.en", "words.pt", "report.en", "report.pt"}
    assert data["report"]["ticker"] == "PETR4.SA"
    assert [model["version"] for model in data["report"]["models"]] == [1, 1]
    assert len(data["chart"]["candles"]["close"]) == 400


def test_no_text_of_the_data_becomes_markup(page, elements):
    assert embedded(elements)["report"]["models"][0]["lineage"]["code_version"] == EVIL
    assert "alert(1)</script>" not in page


def test_the_file_is_small_enough_for_a_letter(page):
    assert len(page.encode()) < 1_000_000
