"""Entry point of the zenith command.

Results go to stdout, everything else to stderr. Exit status: 0 success, 1 failure, 2 invalid request, 130 interrupted,
143 terminated.
"""

import signal
import sys

from typer import TyperException

from zenith_cli.commands import app
from zenith_core.errors import ZenithError
from zenith_core.outages import describe_error

_LEAST_MEMORY = 512 * 2**20  # with less, native libraries crash or hang at their import instead of raising an error


def main() -> None:
    """Run the command. Print an expected error as one line and exit with its status."""
    from zenith_pipelines.patience import be_brief  # here, because serving imports nothing of the pipelines

    be_brief()
    if memory_limit() < _LEAST_MEMORY:
        print(
            f"zenith: out of memory: {memory_limit() // 2**20} MiB are allowed, at least {_LEAST_MEMORY // 2**20} are "
            "needed: raise the limit (`ulimit -v`, `ulimit -d`)",
            file=sys.stderr,
        )
        sys.exit(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception, so that cleanup code runs
    try:
        sys.exit(app(prog_name="zenith", standalone_mode=False) or 0)  # standalone, Typer would draw a box
    except TyperException as error:
        if message := _usage_error(error):
            print(message, file=sys.stderr)
        sys.exit(error.exit_code)
    except ZenithError as error:
        print(f"zenith: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except Exception as error:
        outage = describe_error(error)
        if outage is None:
            raise
        print(f"zenith: {outage}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("zenith: interrupted", file=sys.stderr)
        sys.exit(130)


def memory_limit() -> float:
    """Return the bytes that this process may take. Windows has no such limit."""
    try:
        import resource
    except ModuleNotFoundError:
        return float("inf")
    limits = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
    return min((limit for limit in limits if limit != resource.RLIM_INFINITY), default=float("inf"))


def _usage_error(error: TyperException) -> str:
    """Return one line: the usage error and where to find help.

    Without arguments the error is the help itself, or empty if Typer has printed that.
    """
    message = error.format_message()
    if not message or "\n" in message:
        return message
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "zenith"
    return f"zenith: {message.replace('Value error, ', '').rstrip('.')}; see `{command} --help`"


if __name__ == "__main__":
    main()
