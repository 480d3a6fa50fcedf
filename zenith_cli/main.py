"""The zenith command's entry point.

Results go to stdout, everything else to stderr. Exit status: 0 all that was asked was done, 1 something
failed, 2 the request cannot be carried out as asked, 130 interrupted,
143 terminated.
"""

import signal
import sys

from zenith_cli.commands import app
from zenith_core.errors import ZenithError


def main() -> None:
    """Run the command; a known error becomes one line and its exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that what was begun is ended
    try:
        app()
    except ZenithError as error:
        print(f"zenith: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("zenith: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
