"""What the generated pages are put together from."""

from collections.abc import Iterable, Sequence

MADE = "<!-- Made by `make reference`: change the code, not this page. -->"


def page(title: str, *parts: str) -> str:
    """A page; empty parts are left out."""
    return "\n\n".join(part for part in (f"# {title}", MADE, *parts) if part) + "\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, or nothing for no rows. A cell's text becomes one line."""
    lines = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    if not lines:
        return ""
    return "\n".join("| " + " | ".join(line) + " |" for line in (headings, ["---"] * len(headings), *lines))


def default(value: object) -> str:
    """A default value, as it is written; nothing for one that is empty."""
    if value is None or value in ("", (), []):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
