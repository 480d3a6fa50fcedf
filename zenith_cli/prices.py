"""`zenith prices check`: print how price files would be read."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from zenith_core.errors import UserError
from zenith_pipelines.ingestion.sources.files.inspection import FileReading, read_files
from zenith_pipelines.settings import Settings


def check_files(place: Path, *, as_json: bool) -> int:
    """Print the reading of a file or of each in a folder, and return the exit status: 2 if one would be refused.

    Nothing is stored. Raises UserError if there is neither, or no price file.
    """
    Settings()  # registers the exchanges of ZENITH_EXCHANGES
    console = Console(stderr=True)
    documents, refusals, nameless, count = [], 0, 0, 0
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=1.0)
        for reading, share in read_files(place):
            count += 1
            refusals += reading.problem is not None
            nameless += reading.problem is None and reading.ticker is None
            if as_json:
                documents.append(reading.document())
            else:
                print("\n".join(_lines(reading)))
            progress.advance(task, share)
    if not count:
        raise UserError(f"{place} holds no price file: .csv, .txt, .tsv, .parquet or .xlsx, also as .gz or .zip")
    if as_json:
        print(json.dumps({"files": documents, "refused": refusals}, indent=2, ensure_ascii=False))
    else:
        left_out = f", {nameless} left out without a ticker" if nameless else ""
        print(f"{count - refusals - nameless} would be read{left_out}, {refusals} refused; nothing was stored")
    return 2 if refusals else 0


def _lines(reading: FileReading) -> list[str]:
    title = " · ".join(filter(None, [reading.file, reading.ticker, reading.form]))
    counts = [
        _count(number, name)
        for number, name in (
            (reading.rows, "row"),
            (reading.sessions, "session"),
            (reading.splits, "split"),
            (reading.dividends, "dividend"),
        )
        if number or reading.problem is None
    ]
    lines = [f"{title} · {', '.join(counts)}" if reading.rows else title]
    lines += [f"    {name:<5} {_row(row)}" for name, row in (("first", reading.first), ("last", reading.last)) if row]
    lines += [f"    {remark}" for remark in reading.remarks]
    lines += [f"    doubtful: {doubt}" for doubt in reading.doubts]
    return lines + ([f"    refused: {reading.problem}"] if reading.problem else [])


def _row(row: dict[str, Any]) -> str:
    return "  ".join(f"{value}" if name == "date" else f"{name} {_number(value)}" for name, value in row.items())


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.10g}"


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"
