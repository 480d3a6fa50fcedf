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
PAGE_FILES = sorted((ROOT / "zenith_serving" / "page").glob("*.js"))
WORDS = sorted((ROOT / "zenith_serving" / "page").glob("words.*.json"))

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
    **dict.fromkeys(
        ("{ticker}", "{name}", "{snapshot.ticker}", "{forecast_tickers[0]}", "{','.join(new_tickers)}", "TICKER"),
        "AAPL",
    ),
    "{kind}": "lstm",
    "{code}{base}=X": "EURUSD=X",
    **dict.fromkeys(("{day}", "YESTERDAY"), f"{datetime.now(UTC):%Y-%m-%d}"),  # the day on which the home was trained
    "NEW": "AAPLE",
    **dict.fromkeys(("{one.old}", "{rename.old}"), "AAPL"),
    **dict.fromkeys(("{one.new}", "{rename.new}"), "AAPLE"),
    "N": "2",
    "{model_type}": "lstm",
}
"""What stands for the variables of a hint when it is typed."""

ANY_PAGE = "pages"

STATES = {
    "new": {
        "zenith run": "forecast.py health_checks.py leaderboard.py ledger.py models.py tickers.py "
        "words.en.json words.pt.json pages",
        "zenith run --plan": "pages",
        "zenith run --source sample": "main.js",
        "zenith run --tickers {ticker}": "forecast.py forecast_explanation.py decision_replay.py models.py "
        "model_registry.py other_prices.py point_in_time.py store.py book.py",
        "zenith run --tickers {name}": "predict.py",
        "zenith run --tickers TICKER": "errors.py leaderboard.py main.js pages",
        "zenith tickers add AAPL": "tickers.py up.py",
        "zenith tickers add TICKER": "launcher.py",
        "zenith tickers add PETR4.SA": "pages",
        "zenith tickers list": "tickers.py pages",
        "zenith cleanup --dry-run": "health_checks.py outages.py",
        "zenith job learn_scale": "scale.py scale_versions.py",
    },
    "of a stock of Yahoo": {
        "zenith run --tickers {','.join(new_tickers)}": "tickers.py",
        "zenith run --tickers {code}{base}=X": "book.py",
        "zenith job retrain_model": "up.py",
    },
    "trained": {
        "zenith run --tickers {ticker}": "book.py health_checks.py parts.js",
        "zenith run --tickers {snapshot.ticker}": "serving_snapshot.py",
        "zenith run --tickers {ticker} --as-of {day}": "export.py",
        "zenith export {ticker} prices": "run_table.py",
        "zenith export TICKER ledger": "commands.py",
        "zenith export TICKER prices --as-of YESTERDAY": "pages",
        "zenith predict {forecast_tickers[0]}": "run_table.py",
        "zenith predict TICKER --risk": "pages",
        "zenith forecast": "pages",
        "zenith models": "health_checks.py commands.py pages",
        "zenith models --history": "pages",
        "zenith models AAPL": "pages",
        "zenith models TICKER": "pages",
        "zenith models {ticker} --history": "decision_replay.py",
        "zenith job learn_scale": "scale.py scale_versions.py",
        "zenith job refresh_prices": "health_checks.py pages",
        "zenith job refresh_prices --tickers {ticker}": "errors.py ledger.py risk.js",
        "zenith job refresh_prices --tickers TICKER": "pages",
        "zenith job retrain_model": "pages",
        "zenith job retrain_model --tickers TICKER": "pages",
        "zenith tickers list": "tickers.py",
        "zenith tickers remove TICKER": "pages",
        "zenith tickers rename TICKER NEW": "pages",
        "zenith cleanup --dry-run": "health_checks.py outages.py",
    },
    "with a damaged model": {
        "zenith rollback {ticker} {kind}": "health_checks.py",
        "zenith rollback TICKER lstm": "pages",
    },
    "with prices cut short": {
        "zenith job retrain_model --tickers {ticker} --config allow_earlier_end=true": "checks.py",
        "zenith job retrain_model --tickers TICKER --config allow_earlier_end=true": "pages",
    },
    "renamed": {"zenith run --tickers {ticker}": "tickers.py"},
    "half renamed": {
        "zenith tickers rename {one.old} {one.new}": "tickers.py",
        "zenith tickers rename {rename.old} {rename.new}": "renaming.py",
    },
}
"""For each state of a home the commands that are shown in it, and the files that show them."""

SERVERS = {
    "tests/integration/test_ui.py": {"zenith ui": "dagster_client.py health_checks.py run_table.py tickers.py pages"},
    "tests/serving/served.py": {
        "zenith serve": "health_checks.py run_table.py pages",
        "zenith serve --workers N": "pages",
    },
    "tests/integration/test_up.py": {"zenith up": "health_checks.py pages", "zenith up --port-base 9000": "pages"},
    "tests/cli/test_doctor.py": {"zenith doctor": "pages"},
}
"""The commands that go on until they are stopped, or that ask servers, by the test that starts them."""

RECORDS = {("scale_prior.py", "zenith scale prior FOLDER -o scale_priors.json")}
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
"""What pages name without telling anybody to type it as it stands."""


def typed(hint: str, ticker: str = "AAPL") -> str:
    """Return the hint as a person types it."""
    values = {variable: ticker if value == "AAPL" else value for variable, value in VALUES.items()}
    for variable, value in values.items():
        hint = re.sub(rf"(?<![\w{{]){re.escape(variable)}(?!\w)", value, hint)
    return hint
