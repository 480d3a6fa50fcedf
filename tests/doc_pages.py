"""Documentation pages as Markdown: code blocks, links and headings."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GUIDES = [ROOT / "README.md", *sorted((DOCS / "guides").glob("*.md")), DOCS / "runbook.md"]
"""Pages whose `bash` blocks are executed."""
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "benchmarks").rglob("*.md")),
    *sorted(DOCS.rglob("*.md")),
]

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_NOT_RUN = re.compile(r"<!-- not run: (.+?) -->")


@cache
def _tokens(page: Path) -> list[Token]:
    return _MARKDOWN.parse(page.read_text())


@dataclass(frozen=True)
class Block:
    """A code block. `excuse` is the reason not to run it, from the comment above it."""

    page: Path
    line: int
    language: str
    text: str
    excuse: str | None

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def lines(self) -> list[str]:
        """Return its shell lines: continuation lines joined, empty lines removed."""
        return [line for line in self.text.replace("\\\n", " ").splitlines() if line.strip()]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the code blocks of a page."""
    before = None
    for token in _tokens(page):
        if token.type == "fence":
            excuse = _NOT_RUN.search(before.content) if before and before.type == "html_block" else None
            yield Block(page, token.map[0] + 1, token.info, token.content, excuse and excuse[1])
        before = token


def commands(page: Path) -> Iterator[tuple[Block, list[str]]]:
    """Yield the arguments of every `zenith` command in the bash blocks of a page, without shell expansion."""
    for block in blocks(page):
        if block.language == "bash":
            for line in block.lines:
                for part in re.split(r"[;&|]+(?=\s|$)", line):
                    if words := zenith_words(part):
                        yield block, words


def zenith_words(text: str) -> list[str] | None:
    """Return the arguments if the command is `zenith`, possibly after VARIABLE=value."""
    try:
        words = shlex.split(text, comments=True)
    except ValueError:  # a quote that continues on the next line
        return None
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    return words[1:] if words[:1] in (["zenith"], [".venv/bin/zenith"]) else None


def links(page: Path) -> Iterator[str]:
    """Yield the targets of local links and pictures."""
    for token in _tokens(page):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if isinstance(target, str) and not re.match(r"\w+:", target):
                yield target


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings, in GitHub's form."""
    tokens = _tokens(page)
    headings = [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
