"""The zenith command's entry point.

Results go to stdout, everything else to stderr. Exit status: 0 all that was asked was done, 1 something
failed, 2 the request cannot be carried out as asked, 130 interrupted.
"""

import sys

from zenith_cli.commands import app
from zenith_core.errors import ZenithError


def main() -> None:
    """Run the command; a known error becomes one line and its exit status."""
    try:
        app()
    except ZenithError as error:
        print(f"zenith: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
