"""Commands that messages, the page and the guides tell people to type, and the states of a home they are shown in."""

import ast
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from typer.main import get_command

from tests.doc_pages import DOCS, PAGES, ROOT
from zenith_cli.commands import app

NAMES = sorted(get_command(app).commands)
MARKED = re.compile(r"`(zenith(?: [^`…][^`]*)?)`")
BARE = re.compile(rf"(?<![`\w/])zenith (?:{'|'.join(NAMES)})\b(?! ·)[^`;\n]*")
IN_WORDS = re.compile(rf"zenith (?:{'|'.join(NAMES)})\b")
PAGE_FILES = sorted((ROOT / "zenith_core" / "page").glob("*.js"))
WORDS = sorted((ROOT / "zenith_core" / "page").glob("words.*.json"))

Hint = tuple[str, str]
"""The file that shows it, and the command with {variables}."""


def hints_of_code() -> Iterator[Hint]:
    """Yield the hints in strings of the packages, without docstrings, and in the page."""
    for path in sorted(ROOT.glob("zenith_*/**/*.py")):
        if "zenith " in (text := path.read_text()):
            yield from ((path.name, command) for command in commands_of_python(text))
    for path in PAGE_FILES:
        yield from ((path.name, command) for command in commands_of_script(path.read_text()))
    for path in WORDS:
        for text in json.loads(path.read_text()).values():
            yield from ((path.name, command) for command in IN_WORDS.findall(str(text)))


def hints_of_pages() -> Iterator[Hint]:
    """Yield the commands in sentences and tables of the documentation; its blocks are run by another test."""
    for page in PAGES:
        if page.parent not in (DOCS / "reference", DOCS / "decisions") and "benchmarks" not in page.parts:
            text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
            yield from ((page.name, " ".join(command.split())) for command in MARKED.findall(text))


def commands_of_python(text: str) -> Iterator[str]:
    """Yield the commands in the strings of a module, but not in its docstrings."""
    tree = ast.parse(text)
    silent = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            silent.update(id(each.value) for each in node.body if isinstance(each, ast.Expr))
        if isinstance(node, ast.JoinedStr):
            silent.update(id(part) for part in node.values)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield from commands_of_text("".join(_source(part) for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield from commands_of_text(node.value)


def commands_of_script(text: str) -> Iterator[str]:
    """Yield the commands in the strings of a script of the page."""
    for quoted in re.findall(r"\"zenith [^\"]*\"|`zenith [^`]*`", text):
        yield quoted[1:-1].replace("${", "{")


def commands_of_text(text: str) -> Iterator[str]:
    """Yield the commands in a message: those in backticks, and those that stand without."""
    yield from MARKED.findall(text)
    yield from (command.strip() for command in BARE.findall(MARKED.sub("", text)))


def _source(part: ast.expr) -> str:
    """Return a part of an f-string as it is written."""
    return str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"


VALUES = {
    "{kind}": "lstm",
    "{code}": "EUR",
    "{base}": "USD",
    "NEW": "AAPLE",
    "{one.new}": "AAPLE",
    "{rename.new}": "AAPLE",
    "N": "2",
}
"""Texts typed for the variables of a hint. Every other variable is a ticker."""

STATES = {
    "new": (
        "zenith run",
        "zenith run --plan",
        "zenith run --source sample",
        "zenith run --tickers TICKER",
        "zenith tickers add AAPL",
        "zenith tickers add TICKER",
        "zenith tickers add PETR4.SA",
        "zenith tickers list",
        "zenith cleanup --dry-run",
        "zenith job learn_scale",
    ),
    "of a stock of Yahoo": (
        "zenith run --tickers TICKER",
        "zenith run --tickers EURUSD=X",
        "zenith job retrain_model",
    ),
    "trained": (
        "zenith run --tickers TICKER",
        "zenith run --tickers TICKER --as-of YESTERDAY",
        "zenith export TICKER prices",
        "zenith export TICKER ledger",
        "zenith export TICKER prices --as-of YESTERDAY",
        "zenith predict TICKER",
        "zenith predict TICKER --risk",
        "zenith forecast",
        "zenith models",
        "zenith models --history",
        "zenith models AAPL",
        "zenith models TICKER",
        "zenith models TICKER --history",
        "zenith job learn_scale",
        "zenith job forecast_universe",
        "zenith job refresh_prices",
        "zenith job refresh_prices --tickers TICKER",
        "zenith job retrain_model",
        "zenith job retrain_model --tickers TICKER",
        "zenith tickers list",
        "zenith cleanup",
        "zenith tickers remove TICKER",
        "zenith tickers rename TICKER AAPLE",
        "zenith cleanup --dry-run",
    ),
    "with a damaged model": ("zenith rollback TICKER lstm",),
    "with prices cut short": ("zenith job retrain_model --tickers TICKER --config allow_earlier_end=true",),
    "renamed": ("zenith run --tickers TICKER",),
    "half renamed": ("zenith tickers rename TICKER AAPLE",),
}
"""The commands that are shown, by the state of the home in which they are; TICKER is a ticker of that state."""

SERVERS = {
    "tests/integration/test_ui.py": ("zenith ui",),
    "tests/serving/served.py": ("zenith serve", "zenith serve --workers 2"),
    "tests/integration/test_up.py": ("zenith up", "zenith up --port-base 9000"),
    "tests/cli/test_doctor.py": ("zenith doctor",),
    "tests/cli/test_alerts.py": ("zenith alerts test",),
}
"""The commands that go on until they are stopped, or that ask servers, by the test that starts them."""

RECORDS = ("zenith scale prior FOLDER -o scale_priors.json",)
"""Strings that record how something was made."""

NAMED = {
    "zenith",
    "zenith explain AAPL",  # once there is a second forecast
    "zenith job",
    "zenith prices check",
    "zenith promote --force",
    "zenith replay",
    "zenith rollback",
    "zenith track-record",
}
"""Commands that pages name, but tell nobody to type as they stand."""


def typed(hint: str, ticker: str = "AAPL") -> str:
    """Return the hint as a person types it."""
    today = f"{datetime.now(UTC):%Y-%m-%d}"  # at the time of typing, so never before the home was trained
    values = {**VALUES, "{day}": today, "YESTERDAY": today, "TICKER": ticker}

    def value(variable: re.Match[str]) -> str:
        return values.get(variable[0], ticker if variable[0].startswith("{") else variable[0])

    return re.sub(r"\{[^}]*\}|\b[A-Z]+\b", value, hint)
