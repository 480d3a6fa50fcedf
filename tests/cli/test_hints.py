"""Commands that messages, the page and the guides tell people to type: each parses, and has its state in the table.

tests/integration/test_typed_hints.py types them.
"""

import shlex

import pytest
import typer

from tests.doc_pages import ROOT
from tests.hints import (
    ANY_PAGE,
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

HINTS = set(hints_of_code()) - RECORDS
HINTS |= {(ANY_PAGE, command) for _, command in hints_of_pages() if command not in NAMED}
IN_TABLE = {
    (file, command)
    for rows in (*STATES.values(), *SERVERS.values())
    for command, files in rows.items()
    for file in files.split()
}


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


def test_each_hint_is_in_the_table_with_the_state_that_it_is_shown_in():
    assert sorted(HINTS - IN_TABLE) == [], "add it to tests/hints.py, where it is typed"
    assert sorted(IN_TABLE - HINTS) == [], "nothing shows it any more"


@pytest.mark.parametrize("hint", sorted({command for _, command in HINTS}))
def test_a_hint_is_a_command(hint):
    parse(shlex.split(typed(hint))[1:])


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
