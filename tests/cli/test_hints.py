"""Commands that messages, the page and the guides tell people to type: each parses, and has a state in tests/hints.py.

tests/integration/test_typed_hints.py types them.
"""

import shlex

import pytest
import typer

from tests.doc_pages import ROOT
from tests.hints import (
    NAMED,
    RECORDS,
    SERVERS,
    STATES,
    commands_of_python,
    commands_of_script,
    hints_of_code,
    hints_of_pages,
    typed,
)
from zenith_cli.commands import app

IN_TABLE = {typed(command) for commands in (*STATES.values(), *SERVERS.values()) for command in commands}


@pytest.fixture(scope="module")
def in_pages():
    return {(file, typed(command)) for file, command in hints_of_pages() if command not in NAMED}


@pytest.fixture(scope="module")
def hints(in_pages):
    code = {(file, typed(command)) for file, command in hints_of_code() if command not in RECORDS}
    return code | {(file, command) for file, command in in_pages if file == "runbook.md"}


def parse(arguments):
    """Parse a command line as `zenith` would, without running it."""
    command, context, name = typer.main.get_command(app), None, "zenith"
    while True:
        context = command.make_context(name, list(arguments), parent=context)
        remaining = [*context._protected_args, *context.args] if hasattr(command, "commands") else []
        if not remaining:
            return
        name, command, arguments = command.resolve_command(context, remaining)


def test_the_search_finds_commands_in_messages_and_scripts_but_not_in_docstrings():
    module = '''
"""Read what `zenith models` shows."""
def f(name):
    """Like `zenith predict`."""
    print(f"no models of {name} yet: `zenith run --tickers {name}` makes" + " them; or `zenith tickers list`")
    print("In another terminal: . stack.env; zenith job retrain_model")
'''
    assert set(commands_of_python(module)) == {
        "zenith run --tickers {name}",
        "zenith tickers list",
        "zenith job retrain_model",
    }
    assert list(commands_of_script('command(`zenith run --tickers ${ticker}`), command("zenith ui")')) == [
        "zenith run --tickers {ticker}",
        "zenith ui",
    ]


def test_each_hint_is_in_the_table_with_the_state_that_it_is_shown_in(hints, in_pages):
    new = sorted((file, command) for file, command in hints if command not in IN_TABLE)
    assert new == [], "add it to tests/hints.py, with the state that it is shown in"
    assert sorted(IN_TABLE - {command for _, command in hints | in_pages}) == [], "nothing shows it any more"


@pytest.mark.slow
def test_each_hint_is_a_command(hints):
    assert len(hints) > 50
    assert [error for file, hint in sorted(hints) if (error := fault(file, hint))] == []


@pytest.mark.slow
def test_each_command_that_a_page_names_is_one(in_pages):
    # a page may name a command without its arguments
    assert len(in_pages) > 50
    allowed = ("MissingParameter", "NoArgsIsHelpError")
    faults = [error for file, hint in sorted(in_pages) if (error := fault(file, hint))]
    assert [error for error in faults if error[-1] not in allowed] == []


def fault(file, hint):
    """Return the file, the hint and the name of the error with which it does not parse, or None."""
    try:
        parse(shlex.split(hint)[1:])
    except (typer.TyperException, ValueError) as error:
        return file, hint, type(error).__name__
    return None


@pytest.mark.parametrize("file", SERVERS)
def test_what_starts_servers_is_typed_by_a_test(file):
    text = (ROOT / file).read_text()
    for command in SERVERS[file]:
        assert f'"{command.split()[1]}"' in text


@pytest.mark.parametrize(
    "hint", ["zenith rum", "zenith run --ticker AAPL", "zenith tickers show", "zenith rollback AAPL"]
)
def test_a_misspelt_command_does_not_parse(hint):
    with pytest.raises(Exception, match=r"(?i)no such|missing"):
        parse(hint.split()[1:])
