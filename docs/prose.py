"""Measure how the code reads: `make prose`. tests/test_prose.py holds the sources to the limits.

Six codebases that we admire (starlette, skfolio, import-linter, freqtrade, datasette, dagster-open-platform) use the
four pronouns 0 to 2.3 times in 10,000 words of docstrings and comments, and participles for 0 to 2.2 of 1,000 names.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ("zenith_core", "zenith_pipelines", "zenith_serving", "zenith_cli")
MAX_PRONOUNS = 15.0
"""Uses of "what", "who", "whoever" and "whatever" in 10,000 words of docstrings and comments."""
MAX_PARTICIPLES = 5.0
"""Names that are bare participles in 1,000 bindings of variables and parameters."""

_PRONOUN = re.compile(r"\b(what|who|whoever|whatever)\b", re.IGNORECASE)
_OPENING = re.compile(r"(What|Who|Whoever|Whether|That)\b")
_WORD = re.compile(r"[A-Za-z']+")
_IRREGULAR = re.compile(
    "become|begun|bought|broken|brought|built|came|caught|chosen|done|drawn|driven|fallen|felt|forgotten|found|given|"
    "gone|got|heard|held|hidden|kept|known|laid|lent|lost|made|meant|met|paid|proved|risen|said|seen|sent|shown|sold|"
    "spent|spoken|stood|stolen|taken|taught|thought|told|torn|undone|understood|woken|written"
)
# Nouns that end in "ed", and terms of the field or of an interface: adjusted and cleaned prices, an expected value, a
# gate that passed, a cached answer.
_ALLOWED = re.compile("bed|embed|feed|need|red|seed|speed|adjusted|cleaned|cached|expected|passed")


@dataclass
class Prose:
    """Counts of one or more files; the lists hold `path:line: text` of each finding."""

    words: int = 0
    names: int = 0
    pronouns: list[str] = field(default_factory=list)
    openings: list[str] = field(default_factory=list)
    participles: list[str] = field(default_factory=list)

    @property
    def pronoun_rate(self) -> float:
        """Pronouns in 10,000 words."""
        return 1e4 * len(self.pronouns) / max(self.words, 1)

    @property
    def participle_rate(self) -> float:
        """Participles in 1,000 names."""
        return 1e3 * len(self.participles) / max(self.names, 1)


def measure(*folders: str) -> Prose:
    """Measure the Python files below `folders`, paths from the project's root."""
    prose = Prose()
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            add_source(prose, path.read_text(), path.relative_to(ROOT))
    return prose


def add_source(prose: Prose, source: str, path: Path) -> None:
    """Add the counts of one file."""
    for node in ast.walk(ast.parse(source)):
        if text := _docstring(node):
            _add_text(prose, text, f"{path}:{getattr(node, 'lineno', 1)}")
            if _OPENING.match(text):
                prose.openings.append(f"{path}:{getattr(node, 'lineno', 1)}: {text.splitlines()[0]}")
        for name in _names(node):
            prose.names += 1
            if is_participle(name):
                prose.participles.append(f"{path}:{getattr(node, 'lineno', 1)}: {name}")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            _add_text(prose, token.string, f"{path}:{token.start[0]}")


def is_participle(name: str) -> bool:
    """Say if a name is one past participle and nothing else, such as `known` or `_asked`."""
    word = name.strip("_")
    if _IRREGULAR.fullmatch(word):
        return True
    return word.endswith("ed") and word.isalpha() and not _ALLOWED.fullmatch(word)


def _add_text(prose: Prose, text: str, place: str) -> None:
    prose.words += len(_WORD.findall(text))
    prose.pronouns += [f"{place}: {match.group()}" for match in _PRONOUN.finditer(text)]


def _docstring(node: ast.AST) -> str | None:
    """Return the docstring of a module, class or function, or the string that describes an attribute."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return ast.get_docstring(node)
    return None


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name


def main() -> int:
    """Print the figures of the sources, tests, benchmarks and docs; with -v each finding of the sources, too."""
    for folders in (SOURCES, *((one,) for one in SOURCES), ("tests",), ("benchmarks", "docs")):
        prose = measure(*folders)
        print(
            f"{', '.join(folders):70} {prose.words:6} words  pronouns {prose.pronoun_rate:5.1f}/10,000"
            f"  openings {len(prose.openings):3}  participles {prose.participle_rate:4.1f}/1,000 of {prose.names}"
        )
    if "-v" in sys.argv:
        prose = measure(*SOURCES)
        print("\n".join([*prose.openings, *prose.pronouns, *prose.participles]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
