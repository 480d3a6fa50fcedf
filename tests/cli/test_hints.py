"""Commands that messages and the page tell people to type: each parses, with values in the place of placeholders."""

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer

from zenith_cli.commands import app

ROOT = Path(__file__).parents[2]
HINT = re.compile(r"`(zenith(?: [^`…][^`]*)?)`")
PLACEHOLDERS = {"NAME": "retrain_model", "TICKER": "AAPL", "KIND": "lstm", "VERSION": "1"}


def hints():
    """Yield (place, command) of every hint in a string of the packages, without docstrings, and in the page."""
    for path in sorted(ROOT.glob("zenith_*/**/*.py")):
        if "`zenith" not in (text := path.read_text()):
            continue
        tree = ast.parse(text)
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node, clean=False)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                text = "".join(_value(part) for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                text = node.value
            else:
                continue
            yield from ((path.name, command) for command in HINT.findall(text))
    for path in sorted(ROOT.glob("zenith_serving/page/*.js")):
        for command in HINT.findall(path.read_text()):
            yield path.name, re.sub(r"\$\{\w+\}", "AAPL", command)


def _value(part):
    """Return a part of an f-string with a likely value in the place of a variable."""
    if isinstance(part, ast.Constant):
        return part.value
    return "lstm" if ast.unparse(part.value) == "kind" else "AAPL"


HINTS = sorted(set(hints()))


def parse(arguments):
    """Parse a command line as `zenith` would, without running it."""
    command, context, name = typer.main.get_command(app), None, "zenith"
    while True:
        context = command.make_context(name, list(arguments), parent=context)
        remaining = [*context._protected_args, *context.args] if hasattr(command, "commands") else []
        if not remaining:
            return
        name, command, arguments = command.resolve_command(context, remaining)


def test_the_search_finds_hints_of_messages_of_f_strings_and_of_the_page():
    commands = {command for _, command in HINTS}
    assert {"zenith tickers list", "zenith run --tickers AAPL"} <= commands
    assert ("parts.js", "zenith run --tickers AAPL") in HINTS


@pytest.mark.parametrize(("place", "hint"), HINTS)
def test_a_hint_is_a_command(place, hint):
    words = [PLACEHOLDERS.get(word, word) for word in shlex.split(hint)]
    parse(words[1:])


@pytest.mark.parametrize(
    "hint", ["zenith rum", "zenith run --ticker AAPL", "zenith tickers show", "zenith rollback AAPL"]
)
def test_a_misspelt_command_does_not_parse(hint):
    with pytest.raises(Exception, match=r"(?i)no such|missing"):
        parse(hint.split()[1:])
