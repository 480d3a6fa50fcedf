"""Write the slowest tests of the last `make test` into docs/tests.md: `make slowest`."""

import sys
from pathlib import Path
from xml.etree import ElementTree

from docs.markdown import table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tests.md"
REPORT = ROOT / ".pytest_cache" / "tests.xml"
HEADING = "## The slowest tests\n"
COUNT = 20


def main() -> None:
    """Replace everything below the heading; exit with a message if there is no run, or one with failures."""
    if not REPORT.exists():
        sys.exit("no report of a run yet: make test")
    suite = next(ElementTree.parse(REPORT).iter("testsuite"))
    if int(suite.attrib["failures"]) + int(suite.attrib["errors"]):
        sys.exit("the last run had failures: make test")
    head, heading, _ = PAGE.read_text().partition(HEADING)
    PAGE.write_text(head + heading + slowest(suite))


def slowest(suite: ElementTree.Element) -> str:
    """Render the duration of the run and a table of its slowest tests."""
    cases = sorted(suite.iter("testcase"), key=lambda case: -float(case.attrib["time"]))[:COUNT]
    rows = [[_file(case), f"`{case.attrib['name']}`", f"{float(case.attrib['time']):.0f}"] for case in cases]
    summary = f"{suite.attrib['tests']} tests took {float(suite.attrib['time']):.0f} s."
    return f"\n{summary} Seconds include the setup of fixtures that a test was first to need.\n\n" + table(
        ["file", "test", "seconds"], rows
    )


def _file(case: ElementTree.Element) -> str:
    return f"`{case.attrib['classname'].replace('.', '/')}.py`"


if __name__ == "__main__":
    main()
