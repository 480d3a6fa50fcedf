import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from zenith_core.errors import CorruptData, InvalidTicker, NotAvailable
from zenith_pipelines.files import write_atomically
from zenith_pipelines.store import Dataset, DatasetStore

TABLE = pd.DataFrame(
    {"close": [1.0, np.nan, 3.0], "flat": [True, False, True], "reason": ["", "no date", "ü"]},
    index=pd.DatetimeIndex(["2024-01-02", "2024-01-03", "2024-01-03"], name="date").as_unit("ns"),
)
DATASET = Dataset(tables={"prices": TABLE, "other": TABLE.iloc[:1]}, facts={"rows": 3, "source": "sample"})


@pytest.fixture
def store(tmp_path):
    return DatasetStore(str(tmp_path))


def files(store, name="raw_prices", ticker="AAPL") -> list[Path]:
    return sorted(path for path in Path(store.path(name, ticker)).rglob("*") if path.is_file())


@pytest.mark.parametrize("root", ["{tmp}", "memory://{tmp}/bucket"])
def test_what_is_written_is_read(tmp_path, root):
    store = DatasetStore(root.format(tmp=tmp_path))
    stamp = store.write("raw_prices", "AAPL", DATASET)
    for read in (store.read("raw_prices", "AAPL"), store.read("raw_prices", "AAPL", stamp=stamp)):
        assert read.facts == DATASET.facts
        assert list(read.tables) == ["prices", "other"]
        pd.testing.assert_frame_equal(read.tables["prices"], TABLE)
    assert store.facts("raw_prices", "AAPL") == DATASET.facts
    assert store.stamps("raw_prices", "AAPL") == [stamp]


def test_rows_without_a_date_survive(store):
    table = TABLE.set_axis(TABLE.index.where([True, False, True]))
    store.write("raw_prices", "AAPL", Dataset(tables={"prices": table}))
    pd.testing.assert_frame_equal(store.read("raw_prices", "AAPL").table, table)


def test_what_was_never_written_is_not_available(store):
    assert not store.exists("raw_prices", "AAPL")
    assert store.stamps("raw_prices", "AAPL") == []
    with pytest.raises(NotAvailable, match="no raw_prices for AAPL yet: `zenith run --tickers AAPL` makes it"):
        store.read("raw_prices", "AAPL")
    with pytest.raises(NotAvailable):
        store.facts("raw_prices", "AAPL")


def test_datasets_of_other_names_and_tickers_stay_apart(store):
    store.write("raw_prices", "AAPL", DATASET)
    assert store.exists("raw_prices", "AAPL")
    assert not store.exists("raw_prices", "AAPL.SA")
    assert not store.exists("cleaned_prices", "AAPL")


def test_a_newer_dataset_replaces_the_older(store):
    first = store.write("raw_prices", "AAPL", DATASET)
    second = store.write("raw_prices", "AAPL", Dataset(tables={"prices": TABLE.iloc[:2]}, facts={"rows": 2}))
    assert store.facts("raw_prices", "AAPL") == {"rows": 2}
    assert store.stamps("raw_prices", "AAPL") == [second]
    with pytest.raises(NotAvailable):
        store.read("raw_prices", "AAPL", stamp=first)


def test_history_is_kept_if_asked(store):
    first = store.write("raw_prices", "AAPL", DATASET, keep_history=True)
    second = store.write("raw_prices", "AAPL", Dataset(facts={"rows": 0}), keep_history=True)
    assert store.stamps("raw_prices", "AAPL") == [first, second]
    pd.testing.assert_frame_equal(store.read("raw_prices", "AAPL", stamp=first).tables["prices"], TABLE)
    assert store.read("raw_prices", "AAPL").facts == {"rows": 0}


@pytest.mark.parametrize("suffix", [".parquet", "current.json"])
@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_flipped_byte_is_seen(store, suffix, place):
    store.write("raw_prices", "AAPL", DATASET)
    for path in files(store):
        if path.name.endswith(suffix):
            content = bytearray(path.read_bytes())
            content[int(len(content) * place)] ^= 1
            path.write_bytes(content)
    with pytest.raises(CorruptData, match="AAPL"):
        store.read("raw_prices", "AAPL")


def test_a_changed_fact_is_seen(store):
    store.write("raw_prices", "AAPL", DATASET)
    path = Path(store.path("raw_prices", "AAPL"), "current.json")
    path.write_text(path.read_text().replace('"rows": 3', '"rows": 4'))
    with pytest.raises(CorruptData, match="checksum does not match"):
        store.facts("raw_prices", "AAPL")


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", "{", '{"facts": {}, "tables": {}}'])
def test_a_manifest_that_is_none_is_corrupt(store, content):
    store.write("raw_prices", "AAPL", DATASET)
    Path(store.path("raw_prices", "AAPL"), "current.json").write_text(content)
    with pytest.raises(CorruptData, match=r"current\.json cannot be read"):
        store.read("raw_prices", "AAPL")


def test_truncated_and_lost_tables_are_seen(store):
    store.write("raw_prices", "AAPL", DATASET)
    table = next(path for path in files(store) if path.suffix == ".parquet")
    table.write_bytes(table.read_bytes()[:-10])
    with pytest.raises(CorruptData, match="does not match its checksum"):
        store.read("raw_prices", "AAPL")
    table.unlink()
    with pytest.raises(CorruptData, match="is missing"):
        store.read("raw_prices", "AAPL")


def test_corrupt_data_is_replaced_by_writing_again(store):
    store.write("raw_prices", "AAPL", DATASET)
    Path(store.path("raw_prices", "AAPL"), "current.json").write_text("{")
    store.write("raw_prices", "AAPL", DATASET)
    assert store.facts("raw_prices", "AAPL") == DATASET.facts


def test_facts_that_are_no_json_leave_nothing_behind(store):
    store.write("raw_prices", "AAPL", DATASET)
    before = files(store)
    with pytest.raises(ValueError, match="Out of range float"):
        store.write("raw_prices", "AAPL", Dataset(tables={"prices": TABLE}, facts={"skill": float("nan")}))
    assert files(store) == before


@pytest.mark.parametrize("failing", ["prices.parquet", "manifest.json", "current.json"])
def test_a_failed_write_leaves_the_old_dataset(store, monkeypatch, failing):
    store.write("raw_prices", "AAPL", DATASET)

    def replace(path, target):
        if Path(target).name == failing:
            raise OSError(28, "No space left on device")
        return path.rename(target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(OSError, match="No space left"):
            store.write("raw_prices", "AAPL", Dataset(tables={"prices": TABLE.iloc[:1]}))
    pd.testing.assert_frame_equal(store.read("raw_prices", "AAPL").tables["prices"], TABLE)
    assert not [path for path in files(store) if path.name.startswith(".")]
    newest = store.write("raw_prices", "AAPL", DATASET)
    assert {path.parent.name for path in files(store)} == {"AAPL", newest}


def test_a_killed_write_leaves_the_old_dataset(store, tmp_path):
    store.write("raw_prices", "AAPL", DATASET)
    script = f"""
import os, signal, pandas as pd
from pathlib import Path
from zenith_pipelines.store import Dataset, DatasetStore
rename = Path.replace
def replace(path, target):
    if Path(target).name == "current.json":
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(path, target)
Path.replace = replace
DatasetStore({str(tmp_path)!r}).write("raw_prices", "AAPL", Dataset(tables={{"prices": pd.DataFrame({{"a": [1]}})}}))
"""
    run = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=False)
    assert run.returncode == -signal.SIGKILL
    pd.testing.assert_frame_equal(store.read("raw_prices", "AAPL").tables["prices"], TABLE)


def test_a_ticker_cannot_leave_the_root(store, tmp_path):
    with pytest.raises(InvalidTicker):
        store.write("raw_prices", "../../etc", DATASET)
    assert list(tmp_path.iterdir()) == []


def test_a_root_with_pattern_characters(tmp_path):
    store = DatasetStore(str(tmp_path / "data [1]*?"))
    stamp = store.write("raw_prices", "^BVSP", DATASET)
    assert store.stamps("raw_prices", "^BVSP") == [stamp]


def test_a_manifest_is_json_for_other_readers(store):
    stamp = store.write("raw_prices", "AAPL", DATASET)
    manifest = json.loads(Path(store.path("raw_prices", "AAPL"), "current.json").read_text())
    assert (manifest["stamp"], manifest["facts"], sorted(manifest["tables"])) == (
        stamp,
        DATASET.facts,
        ["other", "prices"],
    )


def test_a_file_is_readable_as_the_umask_says(tmp_path):
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    write_atomically(tmp_path / "deep" / "file", b"content")
    assert (tmp_path / "deep" / "file").read_bytes() == b"content"
    assert (tmp_path / "deep" / "file").stat().st_mode == plain.stat().st_mode
