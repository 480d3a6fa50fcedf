"""Versioned datasets (parquet tables and JSON facts) under one fsspec URI.

A dataset is written as new files, then made current by replacing one small manifest. A reader follows the manifest and
checks its SHA-256 and each table's. So it gets the whole old dataset, the whole new one, or an error.

    <root>/<name>/<ticker>/<stamp>/<table>.parquet
    <root>/<name>/<ticker>/<stamp>/manifest.json     the contents of this snapshot
    <root>/<name>/<ticker>/current.json              the manifest of the newest snapshot
    <root>/quarantine/<name>/<ticker>/<moment>/      files that did not match their checksum, and reason.txt

A history holds each row once: a snapshot whose tables are the first rows of the next one's keeps its manifest alone,
with `within`, the stamp of that one, and its number of `rows`. The two newest snapshots have tables of their own.
Clean-up collects such manifests in one file, because a folder and a file for each night fill a disk with blocks:

    <root>/<name>/<ticker>/folded.json               the manifests of folded snapshots, by stamp

Corrupt data are moved to the quarantine on first contact: never read again, and kept for inspection. The newest intact
snapshot, if there is one, becomes current again; if not, the next materialization writes the dataset again.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
from fsspec.implementations.local import LocalFileSystem

from zenith_core.errors import CorruptData, NotAvailable, UserError
from zenith_core.market.tickers import validate_ticker
from zenith_core.sealed_json import seal, unseal
from zenith_pipelines.datasets.atomic_files import LEFT_BEHIND_SECONDS, parquet_bytes, parquet_table, write_atomically

QUARANTINE = "quarantine"
_CURRENT = "current.json"
_FOLDED = "folded.json"
_OWN_TABLES = 2  # newest snapshots of a history that have tables of their own, so that one can replace the other


@dataclass(frozen=True)
class Dataset:
    """The value of an asset: named tables and JSON-ready facts about them."""

    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def table(self) -> pd.DataFrame:
        """The table of a dataset that has exactly one."""
        (table,) = self.tables.values()
        return table


class DatasetStore:
    """Datasets by name and ticker under `root`, any fsspec URI (a folder, `s3://bucket/prefix`, `memory://`).

    Raises UserError for a URI that no installed file system can open.
    """

    def __init__(self, root: str) -> None:
        # Other processes write to the same place, so a cached listing may be outdated.
        try:
            self._fs, self._root = fsspec.core.url_to_fs(root, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            extra = ": `.venv/bin/uv pip install -e '.[s3]'`" if root.startswith(("s3:", "s3a:")) else ""
            raise UserError(f"datasets cannot be stored at {root}: {error}{extra}") from error
        self._last_folded: tuple[bytes, dict[str, Any]] | None = None

    def write(
        self,
        name: str,
        ticker: str,
        dataset: Dataset,
        *,
        keep_history: bool = False,
        fence: Callable[[], None] = lambda: None,
    ) -> str:
        """Store the dataset and make it current; return its stamp. Without `keep_history`, delete older snapshots.

        `fence` is called before the manifest is written; if it raises, no snapshot is created.
        Folders that a killed write left without a manifest are deleted in any case, once they are old enough.
        """
        folder = self._folder(name, ticker)
        facts = json.loads(json.dumps(dict(dataset.facts), allow_nan=False))  # raises before anything is written
        stamp = _moment()
        manifest = {
            "stamp": stamp,
            "facts": facts,
            "tables": {key: self._write_table(f"{folder}/{stamp}", key, t) for key, t in dataset.tables.items()},
        }
        content = seal(manifest)
        fence()
        self._write_file(f"{folder}/{stamp}/manifest.json", content)
        self._write_file(f"{folder}/{_CURRENT}", content)
        self._remove_older(folder, stamp, unfinished_only=keep_history)
        if keep_history and len(stamps := self._own_stamps(folder)) > _OWN_TABLES:
            self._fold(name, ticker, *stamps[-_OWN_TABLES - 1 : -_OWN_TABLES + 1])
        return stamp

    def fold_history(self, name: str, ticker: str) -> int:
        """Fold all snapshots of a history, as each write folds one; return how many had tables of their own.

        The manifests of folded snapshots are collected in one file. After a kill they may be there twice, until the
        next time.
        """
        folder = self._folder(name, ticker)
        stamps = self._own_stamps(folder)
        count = sum(self._fold(name, ticker, *pair) for pair in reversed([*pairwise(stamps[: -_OWN_TABLES + 1])]))
        self._collect(name, ticker, stamps[:-_OWN_TABLES])
        return count

    def read(self, name: str, ticker: str, *, stamp: str | None = None) -> Dataset:
        """Read the current dataset, or the one with `stamp`. Raises NotAvailable; CorruptData after quarantining it."""
        folder = self._folder(name, ticker)
        manifest = self._manifest(name, ticker, stamp)
        try:
            return Dataset(tables=self._tables(folder, manifest), facts=manifest["facts"])
        except CorruptData as error:
            if self._manifest(name, ticker, stamp) != manifest:
                return self.read(name, ticker, stamp=stamp)  # a newer dataset has replaced it, or it was folded
            raise self._quarantine(name, ticker, manifest["stamp"], str(error)) from None

    def facts(self, name: str, ticker: str, *, stamp: str | None = None) -> dict[str, Any]:
        """Return the facts of the current dataset, or of the one with `stamp`, without reading its tables."""
        facts: dict[str, Any] = self._manifest(name, ticker, stamp)["facts"]
        return facts

    def exists(self, name: str, ticker: str) -> bool:
        """True if there is a current dataset."""
        return bool(self._fs.exists(f"{self._folder(name, ticker)}/{_CURRENT}"))

    def withdraw(self, name: str, ticker: str) -> None:
        """Remove the current manifest, if any. The next write makes a dataset current again."""
        with suppress(FileNotFoundError):
            self._fs.rm_file(f"{self._folder(name, ticker)}/{_CURRENT}")

    def stamps(self, name: str, ticker: str) -> list[str]:
        """Return the stamps of all snapshots, oldest first. Raises CorruptData after quarantining a damaged file."""
        return sorted({*self._own_stamps(self._folder(name, ticker)), *self._all_folded(name, ticker)})

    def tickers(self, name: str) -> list[str]:
        """Return the tickers that have a current dataset, sorted."""
        folder = f"{self._root}/{name}"
        entries = self._fs.ls(folder, detail=False) if self._fs.exists(folder) else []
        names = (path.rstrip("/").rsplit("/", 1)[-1] for path in entries)
        return sorted(ticker for ticker in names if self._fs.exists(f"{folder}/{ticker}/{_CURRENT}"))

    def names(self, ticker: str) -> list[str]:
        """Return the names of the datasets that have snapshots of a ticker, sorted."""
        folders = self._fs.ls(self._root, detail=False) if self._fs.exists(self._root) else []
        names = (path.rstrip("/").rsplit("/", 1)[-1] for path in folders)
        return sorted(name for name in names if name != QUARANTINE and self._fs.exists(self._folder(name, ticker)))

    def copy(self, name: str, ticker: str, target: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Copy all snapshots of a dataset to another ticker with their stamps, and with facts as `change` returns them.

        Snapshots that the other ticker has stay as they are, so that a copy that was killed can be repeated. Damaged
        ones are moved to the quarantine.
        """
        folder, new_folder = self._folder(name, ticker), self._folder(name, target)
        own = self.stamps(name, target)
        for stamp in self.stamps(name, ticker):
            if stamp in own:
                continue
            with suppress(CorruptData):
                manifest = self._manifest(name, ticker, stamp)
                for key in () if "within" in manifest else manifest["tables"]:
                    content = self._fs.cat_file(f"{folder}/{stamp}/{key}.parquet")
                    self._write_file(f"{new_folder}/{stamp}/{key}.parquet", content)
                self._write_file(
                    f"{new_folder}/{stamp}/manifest.json", seal({**manifest, "facts": change(manifest["facts"])})
                )
        if self._fs.exists(f"{folder}/{_CURRENT}") and not self._fs.exists(f"{new_folder}/{_CURRENT}"):
            manifest = self._manifest(name, ticker)
            self._write_file(f"{new_folder}/{_CURRENT}", seal({**manifest, "facts": change(manifest["facts"])}))

    def delete(self, name: str, ticker: str) -> None:
        """Delete all snapshots of a dataset."""
        self.withdraw(name, ticker)  # first: a reader finds none, rather than half of one
        with suppress(FileNotFoundError):
            self._fs.rm(self._folder(name, ticker), recursive=True)

    def path(self, name: str, ticker: str) -> str:
        """Return the folder of the dataset's snapshots."""
        return self._folder(name, ticker)

    def _folder(self, name: str, ticker: str) -> str:
        return f"{self._root}/{name}/{validate_ticker(ticker)}"

    def _own_stamps(self, folder: str) -> list[str]:
        """Return the stamps of the snapshots that have a folder of their own, oldest first."""
        entries = self._fs.ls(folder, detail=False) if self._fs.exists(folder) else []
        names = (path.rstrip("/").rsplit("/", 1)[-1] for path in entries)
        return sorted(stamp for stamp in names if self._fs.exists(f"{folder}/{stamp}/manifest.json"))

    def _manifest(self, name: str, ticker: str, stamp: str | None = None) -> dict[str, Any]:
        folder, entry = self._folder(name, ticker), stamp or _CURRENT
        path = f"{folder}/{stamp}/manifest.json" if stamp else f"{folder}/{_CURRENT}"
        try:
            return unseal(self._fs.cat_file(path))
        except FileNotFoundError:
            if stamp and (manifest := self._all_folded(name, ticker).get(stamp)):
                return dict(manifest)
            raise NotAvailable(f"no {name} for {ticker} yet: `zenith run --tickers {ticker}` makes it") from None
        except ValueError as error:
            raise self._quarantine(name, ticker, entry, f"{path} cannot be read ({error})") from None

    def _all_folded(self, name: str, ticker: str) -> dict[str, Any]:
        """Return the collected manifests by stamp. Raises CorruptData after quarantining a damaged file of them."""
        folder = self._folder(name, ticker)
        try:
            return self._folded(folder)
        except ValueError as error:
            raise self._quarantine(name, ticker, _FOLDED, f"{folder}/{_FOLDED} cannot be read ({error})") from None

    def _folded(self, folder: str) -> dict[str, Any]:
        """Return the collected manifests by stamp, parsed again only if the file has changed."""
        try:
            content = self._fs.cat_file(f"{folder}/{_FOLDED}")
        except FileNotFoundError:
            return {}
        if self._last_folded is None or self._last_folded[0] != content:
            self._last_folded = (content, unseal(content))
        return self._last_folded[1]

    def _tables(self, folder: str, manifest: dict[str, Any]) -> dict[str, pd.DataFrame]:
        if "within" in manifest:
            longer = self._tables(folder, self._holder(folder, manifest))
            return {key: longer[key][:rows] for key, rows in manifest["rows"].items()}
        place = f"{folder}/{manifest['stamp']}"
        return {key: self._read_table(f"{place}/{key}.parquet", sha) for key, sha in manifest["tables"].items()}

    def _holder(self, folder: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """Return the manifest of the snapshot that has the tables of a folded one."""
        while "within" in manifest:
            stamp, following = manifest["stamp"], manifest["within"]
            try:
                manifest = self._folded_or_own(folder, following)
            except (FileNotFoundError, LookupError, ValueError):
                raise CorruptData(f"{folder}/{stamp} is a part of {following}, which cannot be read") from None
            if manifest["stamp"] <= stamp:
                raise CorruptData(f"{folder}/{stamp} is a part of an earlier snapshot")
        return manifest

    def _folded_or_own(self, folder: str, stamp: str) -> dict[str, Any]:
        try:
            return unseal(self._fs.cat_file(f"{folder}/{stamp}/manifest.json"))
        except FileNotFoundError:
            manifest: dict[str, Any] = self._folded(folder)[stamp]
            return manifest

    def _fold(self, name: str, ticker: str, stamp: str, following: str) -> bool:
        """Replace the tables of a snapshot by a reference, if they are the first rows of the following snapshot's."""
        folder = self._folder(name, ticker)
        try:
            manifest = self._manifest(name, ticker, stamp)
            if "within" in manifest or not manifest["tables"]:
                return False
            tables = self.read(name, ticker, stamp=stamp).tables
            longer = self.read(name, ticker, stamp=following).tables
        except (CorruptData, NotAvailable):  # quarantined
            return False
        if tables.keys() != longer.keys() or not all(
            longer[key][: len(tables[key])].equals(tables[key]) for key in tables
        ):
            return False
        rows = {key: len(table) for key, table in tables.items()}
        folded = {**manifest, "within": following, "rows": rows}
        self._write_file(f"{folder}/{stamp}/manifest.json", seal(folded))
        for key in tables:
            self._fs.rm_file(f"{folder}/{stamp}/{key}.parquet")
        return True

    def _collect(self, name: str, ticker: str, stamps: Sequence[str]) -> None:
        """Move the manifests of those snapshots that are folded into one file."""
        folder = self._folder(name, ticker)
        manifests: dict[str, Any] = {}
        for stamp in stamps:
            with suppress(CorruptData, NotAvailable):  # quarantined
                manifests[stamp] = self._manifest(name, ticker, stamp)
        parts = {stamp: manifest for stamp, manifest in manifests.items() if "within" in manifest}
        if not parts:
            return
        earlier: dict[str, Any] = {}
        with suppress(CorruptData):  # quarantined
            earlier = self._all_folded(name, ticker)
        self._write_file(f"{folder}/{_FOLDED}", seal({**earlier, **parts}))
        for stamp in parts:
            self._fs.rm(f"{folder}/{stamp}", recursive=True)

    def _quarantine(self, name: str, ticker: str, entry: str, reason: str) -> CorruptData:
        """Move a snapshot, or the current manifest, to the quarantine; make the newest intact snapshot current.

        Return the error to raise. A reader without write permission moves nothing and gets the same error.
        """
        folder = self._folder(name, ticker)
        place = f"{self._root}/{QUARANTINE}/{name}/{validate_ticker(ticker)}/{_moment()}"
        remedy = f"materialize {name} for {ticker} again"
        with suppress(OSError):
            self._move(f"{folder}/{entry}", f"{place}/{entry}")
            self._write_file(f"{place}/reason.txt", f"{reason}\n".encode())
            intact = self._fall_back(folder)
            remedy = f"moved to {place}; " + (f"the intact snapshot {intact} is current" if intact else remedy)
        return CorruptData(f"{reason}: {remedy}")

    def _move(self, source: str, target: str) -> None:
        """Move a file, or a folder file by file, because object stores cannot rename folders."""
        for path in self._fs.find(source):
            destination = target + path.removeprefix(source)
            self._fs.makedirs(destination.rpartition("/")[0], exist_ok=True)
            self._fs.mv(path, destination)
        if self._fs.isdir(source):
            self._fs.rm(source, recursive=True)

    def _fall_back(self, folder: str) -> str | None:
        """Make the newest intact snapshot current and return its stamp. Without one, remove the current manifest."""
        for stamp in reversed(self._own_stamps(folder)):
            with suppress(CorruptData, ValueError, FileNotFoundError):
                content = self._fs.cat_file(f"{folder}/{stamp}/manifest.json")
                self._tables(folder, unseal(content))
                self._write_file(f"{folder}/{_CURRENT}", content)
                return stamp
        if self._fs.exists(f"{folder}/{_CURRENT}"):
            self._fs.rm_file(f"{folder}/{_CURRENT}")
        return None

    def _write_table(self, folder: str, key: str, table: pd.DataFrame) -> str:
        content = parquet_bytes(table)
        self._write_file(f"{folder}/{key}.parquet", content)
        return hashlib.sha256(content).hexdigest()

    def _read_table(self, path: str, sha256: str) -> pd.DataFrame:
        try:
            content = self._fs.cat_file(path)
        except FileNotFoundError:
            raise CorruptData(f"{path} is missing") from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise CorruptData(f"{path} does not match its checksum")
        return parquet_table(content)

    def _write_file(self, path: str, content: bytes) -> None:
        """Write atomically to a local file; object stores replace whole objects by themselves."""
        if isinstance(self._fs, LocalFileSystem):
            write_atomically(Path(path), content)
        else:
            self._fs.pipe_file(path, content)

    def _remove_older(self, folder: str, stamp: str, *, unfinished_only: bool) -> None:
        before = min(stamp, _moment(LEFT_BEHIND_SECONDS)) if unfinished_only else stamp
        for path in self._fs.ls(folder, detail=False):
            if self._fs.isdir(path) and path.rstrip("/").rsplit("/", 1)[-1] < before:
                if unfinished_only and self._fs.exists(f"{path.rstrip('/')}/manifest.json"):
                    continue
                self._fs.rm(path, recursive=True)


def _moment(seconds_ago: float = 0.0) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds_ago)).strftime("%Y%m%dT%H%M%S.%fZ")
