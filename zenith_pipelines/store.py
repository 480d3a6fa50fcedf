"""Where datasets live: parquet tables and JSON facts under one fsspec URI.

A dataset is written as new files, then made current by replacing one small manifest. A reader follows
the manifest and checks its SHA-256 and each table's, so it sees the old dataset or the new one, whole, or an error.

    <root>/<name>/<ticker>/<stamp>/<table>.parquet
    <root>/<name>/<ticker>/<stamp>/manifest.json     what this snapshot holds
    <root>/<name>/<ticker>/current.json              the manifest of the newest snapshot
"""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
from fsspec.implementations.local import LocalFileSystem

from zenith_core.errors import CorruptData, NotAvailable
from zenith_core.tickers import validate_ticker
from zenith_pipelines.files import write_atomically


@dataclass(frozen=True)
class Dataset:
    """What an asset holds: named tables and JSON-ready facts about them."""

    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def table(self) -> pd.DataFrame:
        """The only table of a dataset that has one."""
        (table,) = self.tables.values()
        return table


class DatasetStore:
    """Datasets by name and ticker under `root`, any fsspec URI (a folder, `s3://bucket/prefix`, `memory://`)."""

    def __init__(self, root: str) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(root, auto_mkdir=True)

    def write(self, name: str, ticker: str, dataset: Dataset, *, keep_history: bool = False) -> str:
        """Store the dataset and make it current; return its stamp. Older snapshots go unless `keep_history`."""
        folder = self._folder(name, ticker)
        facts = json.loads(json.dumps(dict(dataset.facts), allow_nan=False))  # fails before anything is written
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        manifest = {
            "stamp": stamp,
            "facts": facts,
            "tables": {key: self._write_table(f"{folder}/{stamp}", key, t) for key, t in dataset.tables.items()},
        }
        encoded = _seal(manifest)
        self._write_file(f"{folder}/{stamp}/manifest.json", encoded)
        self._write_file(f"{folder}/current.json", encoded)
        if not keep_history:
            self._remove_all_but(folder, stamp)
        return stamp

    def read(self, name: str, ticker: str, *, stamp: str | None = None) -> Dataset:
        """Read the current dataset, or the one with `stamp`. Raises NotAvailable or CorruptData."""
        folder = self._folder(name, ticker)
        manifest = self._read_manifest(name, ticker, f"{folder}/{stamp}/manifest.json" if stamp else None)
        tables = {key: self._read_table(folder, manifest["stamp"], key, sha) for key, sha in manifest["tables"].items()}
        return Dataset(tables=tables, facts=manifest["facts"])

    def facts(self, name: str, ticker: str) -> dict[str, Any]:
        """The facts of the current dataset, without reading its tables."""
        facts: dict[str, Any] = self._read_manifest(name, ticker)["facts"]
        return facts

    def exists(self, name: str, ticker: str) -> bool:
        """Whether there is a current dataset."""
        return bool(self._fs.exists(f"{self._folder(name, ticker)}/current.json"))

    def stamps(self, name: str, ticker: str) -> list[str]:
        """The stamps of all snapshots, oldest first."""
        folder = self._folder(name, ticker)
        entries = self._fs.ls(folder, detail=False) if self._fs.exists(folder) else []
        names = (path.rstrip("/").rsplit("/", 1)[-1] for path in entries)
        return sorted(stamp for stamp in names if self._fs.exists(f"{folder}/{stamp}/manifest.json"))

    def path(self, name: str, ticker: str) -> str:
        """Where the dataset's snapshots are, for people to read."""
        return self._folder(name, ticker)

    def _folder(self, name: str, ticker: str) -> str:
        return f"{self._root}/{name}/{validate_ticker(ticker)}"

    def _read_manifest(self, name: str, ticker: str, path: str | None = None) -> dict[str, Any]:
        path = path or f"{self._folder(name, ticker)}/current.json"
        try:
            return _unseal(self._fs.cat_file(path))
        except FileNotFoundError:
            raise NotAvailable(f"no {name} for {ticker} yet: `zenith run --tickers {ticker}` makes it") from None
        except ValueError as error:
            raise CorruptData(f"{path} cannot be read ({error}): materialize {name} for {ticker} again") from error

    def _write_table(self, folder: str, key: str, table: pd.DataFrame) -> str:
        buffer = io.BytesIO()
        table.to_parquet(buffer)
        self._write_file(f"{folder}/{key}.parquet", buffer.getvalue())
        return hashlib.sha256(buffer.getvalue()).hexdigest()

    def _read_table(self, folder: str, stamp: str, key: str, sha256: str) -> pd.DataFrame:
        path = f"{folder}/{stamp}/{key}.parquet"
        try:
            content = self._fs.cat_file(path)
        except FileNotFoundError as error:
            raise CorruptData(f"{path} is missing: materialize the asset again") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise CorruptData(f"{path} does not match its checksum: materialize the asset again")
        return pd.read_parquet(io.BytesIO(content))

    def _write_file(self, path: str, content: bytes) -> None:
        """Write beside, flush to disk, then rename; object stores replace whole objects by themselves."""
        if isinstance(self._fs, LocalFileSystem):
            write_atomically(Path(path), content)
        else:
            self._fs.pipe_file(path, content)

    def _remove_all_but(self, folder: str, stamp: str) -> None:
        for path in self._fs.ls(folder, detail=False):
            if self._fs.isdir(path) and path.rstrip("/").rsplit("/", 1)[-1] < stamp:
                self._fs.rm(path, recursive=True)


def _seal(manifest: dict[str, Any]) -> bytes:
    """The manifest as JSON, with its own checksum in it."""
    return json.dumps({**manifest, "sha256": _digest(manifest)}).encode()


def _unseal(content: bytes) -> dict[str, Any]:
    """Inverse of `_seal`. Raises ValueError for what it did not write."""
    manifest = json.loads(content)
    if not isinstance(manifest, dict) or manifest.pop("sha256", None) != _digest(manifest):
        raise ValueError("its checksum does not match")
    return manifest


def _digest(manifest: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest).encode()).hexdigest()
