"""The folders of the packages, their charters and the imports between them, for docs/architecture.md."""

import ast
from collections.abc import Iterator
from pathlib import Path

from docs.markdown import table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = ("zenith_core", "zenith_pipelines", "zenith_serving", "zenith_cli")
EVERYWHERE = {"errors.py", "names.py", "settings.py"}
BEGIN, END = "<!-- From here made by `make reference`. -->", "<!-- Until here. -->"


def architecture_page() -> str:
    """Return docs/architecture.md with the part between the two marks made again from the code."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    parts = [f"### {package}\n\n{folder_table(package)}" for package in PACKAGES]
    for index, package in enumerate(PACKAGES):
        if package != "zenith_cli":  # one file per command has no structure to draw
            parts[index] += f"\n\n{picture(package)}"
    return before + "\n\n".join([BEGIN, *parts, END]) + after


def folders(package: str) -> dict[str, str]:
    """Return the charter of each folder of a package: the first line of its `__init__.py`, without the full stop."""
    initials = sorted((ROOT / package).rglob("__init__.py"))
    charters = {path.parent: ast.get_docstring(ast.parse(path.read_text())) or "" for path in initials}
    return {str(path.relative_to(ROOT)): text.partition("\n")[0].rstrip(".") for path, text in charters.items()}


def folder_table(package: str) -> str:
    """Return a table of the folders."""
    return table(("folder", "charter"), [(f"`{folder}`", charter) for folder, charter in folders(package).items()])


def picture(package: str) -> str:
    """Return a Mermaid flowchart of a package's folders and top files.

    An arrow says that one imports the other, directly or through others. Files that nearly all import are left out.
    """
    arrows = _reduced({arrow for arrow in imports(package) if not EVERYWHERE.intersection(arrow)})
    rooms = sorted({room for arrow in arrows for room in arrow})
    nodes = [f'    {room.replace(".", "_")}["{room}"]' for room in rooms]
    edges = [f"    {one.replace('.', '_')} --> {other.replace('.', '_')}" for one, other in sorted(arrows)]
    return "\n".join(["```mermaid", "flowchart TD", *nodes, *edges, "```"])


def imports(package: str) -> Iterator[tuple[str, str]]:
    """Yield (room, imported room) for imports between rooms: folders of a package and files at its top.

    Imports inside functions count.
    """
    for path in sorted((ROOT / package).rglob("*.py")):
        room = path.relative_to(ROOT / package).parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == package:
                parts = node.module.split(".")
                for name in [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]:
                    target = name if (ROOT / package / name).is_dir() else f"{name}.py"
                    if target != room:
                        yield room, target


def _reduced(arrows: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Drop each arrow that a longer path implies, so that the picture stays readable."""
    return {(one, other) for one, other in arrows if not _reaches(one, other, arrows - {(one, other)})}


def _reaches(start: str, end: str, arrows: set[tuple[str, str]]) -> bool:
    rooms, new = {start}, {start}
    while new:
        new = {other for one, other in arrows if one in new} - rooms
        rooms |= new
    return end in rooms
