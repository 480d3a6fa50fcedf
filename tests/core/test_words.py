"""The catalogue of texts: every key in every language, with the same gaps, and the formats of numbers and dates."""

import json
import re

import pytest

from zenith_core.names import ALERT_DAYS, PAGE_FILES
from zenith_core.words import FORMATS, LANGUAGES, counted, day, number, texts, word

GAP = r"\{\w+(?::\w+)?\}"
EN = texts("en")
I18N = (PAGE_FILES / "i18n.js").read_text()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_key_lacks_a_translation_and_none_is_empty(language):
    words = texts(language)

    assert words.keys() == EN.keys()
    assert [key for key, text in words.items() if not text.strip()] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_has_the_same_gaps_in_each_language(language):
    differences = {
        key for key, text in texts(language).items() if set(re.findall(GAP, text)) != set(re.findall(GAP, EN[key]))
    }

    assert differences == set()


def test_each_file_has_its_twin_in_each_language_and_no_key_is_in_two_files():
    names = {path.name.partition(".")[0] for path in PAGE_FILES.glob("*.json")}
    files = [
        json.loads((PAGE_FILES / f"{name}.{language}.json").read_text()) for name in names for language in LANGUAGES
    ]

    assert sum(len(file) for file in files) == sum(len(texts(language)) for language in LANGUAGES)


def test_the_page_and_the_pipelines_know_the_same_formats():
    table = re.search(r"const FORMATS = \{(.*?)\};", I18N, re.DOTALL)[1]

    assert re.findall(r"^  (\w+):", table, re.MULTILINE) == list(FORMATS)
    used = {name for text in EN.values() for name in re.findall(r"\{\w+:(\w+)\}", text)}
    assert used <= FORMATS.keys()


def test_a_text_takes_the_form_for_its_number():
    assert word("en", "sessions", n=1) == "1 session"
    assert word("pt", "sessions", n=1200) == "1.200 pregões"
    assert word("pt", "model.lstm") == "LSTM"
    assert word("pt", "model.of_a_package") == "model.of_a_package"


def test_numbers_and_dates_are_those_of_the_language():
    assert [number(language, -1234.5, 2) for language in LANGUAGES] == ["-1,234.50", "-1.234,50"]
    assert [day(language, "2026-02-03T22:00:00Z") for language in LANGUAGES] == ["Feb 3, 2026", "3 de fev. de 2026"]
    assert [FORMATS["p"]("pt", value) for value in (0.0004, 0.001, 0.5, None)] == [
        "p < 0,001",
        "p = 0,001",
        "p = 0,500",
        "poucas para testar, ou sem diferença",
    ]
    assert [FORMATS["change1"](language, 0.0123) for language in LANGUAGES] == ["+1.2%", "+1,2%"]
    assert FORMATS["percent1"]("pt", 0.8764) == "87,6%"


def test_one_is_counted_in_the_singular():
    counts = [counted(each, "ticker") for each in (0, 1, 2, 1000)]
    assert counts == ["0 tickers", "1 ticker", "2 tickers", "1,000 tickers"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_filter_of_alerts_names_the_days_that_they_stand(language):
    assert re.findall(r"\d+", texts(language)["overview.filter.alerts"]) == [str(ALERT_DAYS)]
