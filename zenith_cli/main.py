"""The zenith command. Each subcommand lives in a file of its own; this one puts them together.

Results go to stdout, everything else to stderr. Exit status: 0 all that was asked was done, 1 something
failed, 2 the request cannot be carried out as asked.
"""

import sys

import typer

from zenith_cli.export import export
from zenith_cli.predict import predict
from zenith_cli.run import run
from zenith_cli.serve import serve
from zenith_cli.ui import ui
from zenith_core.errors import ZenithError

app = typer.Typer(
    help="Honest forecasts of stock prices and trading signals.", no_args_is_help=True, add_completion=False
)
for command in (run, predict, export, serve, ui):
    app.command()(command)


def main() -> None:
    """Entry point: a known error becomes one line and its exit status."""
    try:
        app()
    except ZenithError as error:
        print(f"zenith: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
