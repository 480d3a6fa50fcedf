"""Building blocks of the generated pages."""

from collections.abc import Iterable, Sequence

MADE = "<!-- Made by `make reference`: change the code, not this page. -->"


def page(title: str, *parts: str) -> str:
    """Return a page without empty parts."""
    return "\n\n".join(part for part in (f"# {title}", MADE, *parts) if part) + "\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, or an empty string without rows. Line breaks in cells become spaces."""
    lines = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    if not lines:
        return ""
    return "\n".join("| " + " | ".join(line) + " |" for line in (headings, ["---"] * len(headings), *lines))


def default(value: object) -> str:
    """Format a default value as code; return an empty string for an empty value."""
    if value is None or value in ("", (), []):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
