"""The zenith command's entry point.

Results go to stdout, everything else to stderr. Exit status: 0 all that was asked was done, 1 something
failed, 2 the request cannot be carried out as asked, 130 interrupted,
143 terminated.
"""

import signal
import sys

from typer import TyperException

from zenith_cli.commands import app
from zenith_core.errors import ZenithError


def main() -> None:
    """Run the command; a known error becomes one line and its exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that what was begun is ended
    try:
        sys.exit(
            app(prog_name="zenith", standalone_mode=False) or 0
        )  # Typer itself would draw a box around what is wrong
    except TyperException as error:
        print(_usage(error), file=sys.stderr)
        sys.exit(error.exit_code)
    except ZenithError as error:
        print(f"zenith: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("zenith: interrupted", file=sys.stderr)
        sys.exit(130)


def _usage(error: TyperException) -> str:
    """One line on what was wrong with the command's words, and where the right ones are; or the help, if none came."""
    message = error.format_message()
    if "\n" in message:
        return message
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "zenith"
    return f"zenith: {message.replace('Value error, ', '').rstrip('.')}; `{command} --help` says what is right"


if __name__ == "__main__":
    main()
