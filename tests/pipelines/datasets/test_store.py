import json
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from fsspec.registry import _registry
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zenith_core.errors import CorruptData, InvalidTicker, NotAvailable, UserError
from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.datasets.store import QUARANTINE, Dataset, DatasetStore
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.defs.resources import resources
from zenith_pipelines.ingestion.fetch import fetch_next
from zenith_pipelines.ingestion.sources.sample import SampleSource

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
def test_a_written_dataset_is_read_back(tmp_path, root):
    store = DatasetStore(root.format(tmp=tmp_path))
    stamp = store.write("raw_prices", "AAPL", DATASET)
    for dataset in (store.read("raw_prices", "AAPL"), store.read("raw_prices", "AAPL", stamp=stamp)):
        assert dataset.facts == DATASET.facts
        assert list(dataset.tables) == ["prices", "other"]
        pd.testing.assert_frame_equal(dataset.tables["prices"], TABLE)
    assert store.facts("raw_prices", "AAPL") == DATASET.facts
    assert store.stamps("raw_prices", "AAPL") == [stamp]


def test_rows_without_a_date_survive(store):
    table = TABLE.set_axis(TABLE.index.where([True, False, True]))
    store.write("raw_prices", "AAPL", Dataset(tables={"prices": table}))
    pd.testing.assert_frame_equal(store.read("raw_prices", "AAPL").table, table)


def test_a_missing_dataset_is_not_available(store):
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


def test_keep_history_keeps_older_snapshots(store):
    first = store.write("raw_prices", "AAPL", DATASET, keep_history=True)
    second = store.write("raw_prices", "AAPL", Dataset(facts={"rows": 0}), keep_history=True)
    assert store.stamps("raw_prices", "AAPL") == [first, second]
    pd.testing.assert_frame_equal(store.read("raw_prices", "AAPL", stamp=first).tables["prices"], TABLE)
    assert store.read("raw_prices", "AAPL").facts == {"rows": 0}


@pytest.mark.parametrize("suffix", [".parquet", "current.json"])
@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_flipped_byte_is_detected(store, suffix, place):
    store.write("raw_prices", "AAPL", DATASET)
    for path in files(store):
        if path.name.endswith(suffix):
            content = bytearray(path.read_bytes())
            content[int(len(content) * place)] ^= 1
            path.write_bytes(content)
    with pytest.raises(CorruptData, match="AAPL"):
        store.read("raw_prices", "AAPL")


def test_a_changed_fact_is_detected(store):
    store.write("raw_prices", "AAPL", DATASET)
    path = Path(store.path("raw_prices", "AAPL"), "current.json")
    path.write_text(path.read_text().replace('"rows": 3', '"rows": 4'))
    with pytest.raises(CorruptData, match="checksum does not match"):
        store.facts("raw_prices", "AAPL")


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", "{", '{"facts": {}, "tables": {}}'])
def test_an_invalid_manifest_is_corrupt(store, content):
    store.write("raw_prices", "AAPL", DATASET)
    Path(store.path("raw_prices", "AAPL"), "current.json").write_text(content)
    with pytest.raises(CorruptData, match=r"current\.json cannot be read"):
        store.read("raw_prices", "AAPL")


def table_file(store) -> Path:
    return next(path for path in files(store) if path.name == "prices.parquet")


def quarantined(store) -> list[str]:
    """Return the names of the files in quarantine, and the reasons."""
    places = Path(store.path("raw_prices", "AAPL")).parents[1] / QUARANTINE / "raw_prices" / "AAPL"
    return [path.read_text() if path.name == "reason.txt" else path.name for path in sorted(places.rglob("*.*"))]


def test_a_truncated_table_is_detected_and_quarantined_with_the_reason(store):
    store.write("raw_prices", "AAPL", DATASET)
    table = table_file(store)
    table.write_bytes(table.read_bytes()[:-10])
    with pytest.raises(CorruptData, match=r"does not match its checksum: moved to .*quarantine/raw_prices/AAPL/"):
        store.read("raw_prices", "AAPL")
    reason = f"{table} does not match its checksum\n"
    assert {"manifest.json", "other.parquet", "prices.parquet", reason} <= set(quarantined(store))
    with pytest.raises(NotAvailable):
        store.read("raw_prices", "AAPL")


def test_a_missing_table_is_detected(store):
    store.write("raw_prices", "AAPL", DATASET)
    table_file(store).unlink()
    with pytest.raises(CorruptData, match=r"prices\.parquet is missing"):
        store.read("raw_prices", "AAPL")


def test_a_corrupt_current_manifest_is_restored_from_the_snapshot(store):
    stamp = store.write("raw_prices", "AAPL", DATASET)
    Path(store.path("raw_prices", "AAPL"), "current.json").write_text("{")
    with pytest.raises(CorruptData, match=f"the intact snapshot {stamp} is current"):
        store.read("raw_prices", "AAPL")
    pd.testing.assert_frame_equal(store.read("raw_prices", "AAPL").tables["prices"], TABLE)


def test_an_older_snapshot_stays_readable_when_the_newest_is_corrupt(store):
    stamps = [store.write("raw_prices", "AAPL", DATASET, keep_history=True) for _ in range(3)]
    newest = Path(store.path("raw_prices", "AAPL"), stamps[-1], "prices.parquet")
    newest.write_bytes(b"PAR1")
    with pytest.raises(CorruptData):
        store.read("raw_prices", "AAPL", stamp=stamps[-1])
    assert store.stamps("raw_prices", "AAPL") == stamps[:2]
    for stamp in (stamps[0], None):
        pd.testing.assert_frame_equal(store.read("raw_prices", "AAPL", stamp=stamp).tables["prices"], TABLE)


def night(rows, **changes):
    table = pd.DataFrame({"close": np.arange(rows) / 3, "volume": 1.0}, index=pd.date_range("2024-01-01", periods=rows))
    return Dataset({"prices": table.assign(**changes)}, {"rows": rows})


def own_tables(store):
    return [file.parent.name for file in files(store) if file.suffix == ".parquet"]


def test_a_history_holds_each_row_once_and_every_snapshot_stays_as_it_was(store):
    nights = [night(5), night(6), night(7), night(7, volume=2.0), night(8, volume=2.0), night(9, volume=2.0)]
    stamps = [store.write("raw_prices", "AAPL", each, keep_history=True) for each in nights]

    assert own_tables(store) == [stamps[2], *stamps[-2:]], "the third was restated, and two are whole"
    assert store.stamps("raw_prices", "AAPL") == stamps
    for stamp, each in zip(stamps, nights, strict=True):
        again = store.read("raw_prices", "AAPL", stamp=stamp)
        pd.testing.assert_frame_equal(again.table, each.table, check_freq=False)
        assert again.facts == store.facts("raw_prices", "AAPL", stamp=stamp) == each.facts


def test_the_histories_of_earlier_releases_are_folded_once(store, monkeypatch):
    monkeypatch.setattr(DatasetStore, "_fold", lambda *_: False)
    stamps = [store.write("raw_prices", "AAPL", night(rows), keep_history=True) for rows in range(3, 9)]
    assert own_tables(store) == stamps
    monkeypatch.undo()

    assert store.fold_history("raw_prices", "AAPL") == 4
    assert own_tables(store) == stamps[-2:]
    assert [len(store.read("raw_prices", "AAPL", stamp=stamp).table) for stamp in stamps] == [*range(3, 9)]
    assert store.fold_history("raw_prices", "AAPL") == 0

    store.copy("raw_prices", "AAPL", "MSFT", dict)
    assert [len(store.read("raw_prices", "MSFT", stamp=stamp).table) for stamp in stamps] == [*range(3, 9)]


def folders(store, ticker="AAPL"):
    return sorted(path.name for path in Path(store.path("raw_prices", ticker)).iterdir() if path.is_dir())


@pytest.mark.slow
@pytest.mark.parametrize("root", ["{tmp}", "memory://{tmp}/bucket"])
def test_clean_up_collects_the_manifests_of_folded_snapshots_and_each_is_read_as_before(tmp_path, root):
    store = DatasetStore(root.format(tmp=tmp_path))
    stamps = [store.write("raw_prices", "AAPL", night(rows), keep_history=True) for rows in range(3, 7)]
    store.fold_history("raw_prices", "AAPL")
    stamps += [store.write("raw_prices", "AAPL", night(rows), keep_history=True) for rows in range(7, 10)]
    store.fold_history("raw_prices", "AAPL")
    store.copy("raw_prices", "AAPL", "MSFT", dict)

    assert store._own_stamps(store.path("raw_prices", "AAPL")) == stamps[-2:]
    for reader in (store, DatasetStore(root.format(tmp=tmp_path))):
        for ticker in ("AAPL", "MSFT"):
            assert reader.stamps("raw_prices", ticker) == stamps
            sizes = [len(reader.read("raw_prices", ticker, stamp=stamp).table) for stamp in stamps]
            assert sizes == [reader.facts("raw_prices", ticker, stamp=stamp)["rows"] for stamp in stamps]
            assert sizes == [*range(3, 10)]
    with pytest.raises(NotAvailable):
        store.read("raw_prices", "AAPL", stamp="20000101T000000.000000Z")


def test_a_restated_snapshot_keeps_its_folder_with_its_tables(store):
    nights = [night(5), night(6), night(6, volume=2.0), night(7, volume=2.0), night(8, volume=2.0)]
    stamps = [store.write("raw_prices", "AAPL", each, keep_history=True) for each in nights]
    store.fold_history("raw_prices", "AAPL")

    assert folders(store) == [stamps[1], *stamps[-2:]]
    assert [store.read("raw_prices", "AAPL", stamp=stamp).facts["rows"] for stamp in stamps] == [5, 6, 6, 7, 8]


def test_a_damaged_file_of_collected_manifests_is_quarantined_and_the_newest_snapshots_go_on(store):
    stamps = [store.write("raw_prices", "AAPL", night(rows), keep_history=True) for rows in range(3, 7)]
    store.fold_history("raw_prices", "AAPL")
    Path(store.path("raw_prices", "AAPL"), "folded.json").write_text("{")

    assert len(store.read("raw_prices", "AAPL").table) == 6
    with pytest.raises(CorruptData, match=r"folded.json cannot be read"):
        store.stamps("raw_prices", "AAPL")
    assert store.stamps("raw_prices", "AAPL") == stamps[-2:]
    store.write("raw_prices", "AAPL", night(7), keep_history=True)
    store.fold_history("raw_prices", "AAPL")
    assert store.stamps("raw_prices", "AAPL")[:-1] == stamps[-2:]


def test_a_clean_up_killed_before_it_removes_the_folders_is_completed_by_the_next(store, monkeypatch):
    stamps = [store.write("raw_prices", "AAPL", night(rows), keep_history=True) for rows in range(3, 7)]

    def die(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store._fs, "rm", die)
        store.fold_history("raw_prices", "AAPL")
    assert folders(store) == store.stamps("raw_prices", "AAPL") == stamps
    store.fold_history("raw_prices", "AAPL")
    assert folders(store) == stamps[-2:]
    assert [len(store.read("raw_prices", "AAPL", stamp=stamp).table) for stamp in stamps] == [3, 4, 5, 6]


def test_a_folded_snapshot_whose_rows_are_lost_is_corrupt_and_the_newest_goes_on(store):
    stamps = [store.write("raw_prices", "AAPL", night(rows), keep_history=True) for rows in (3, 4, 5)]
    shutil.rmtree(Path(store.path("raw_prices", "AAPL"), stamps[1]))
    with pytest.raises(CorruptData, match=f"is a part of {stamps[1]}, which cannot be read"):
        store.read("raw_prices", "AAPL", stamp=stamps[0])
    assert len(store.read("raw_prices", "AAPL").table) == 5


def test_a_snapshot_that_is_folded_during_a_read_is_read_again(store, monkeypatch):
    stamps = [store.write("raw_prices", "AAPL", night(rows), keep_history=True) for rows in (3, 4)]
    read_table = DatasetStore._read_table

    def folded_meanwhile(self, path, sha256):
        monkeypatch.setattr(DatasetStore, "_read_table", read_table)
        store.write("raw_prices", "AAPL", night(5), keep_history=True)
        return read_table(self, path, sha256)

    monkeypatch.setattr(DatasetStore, "_read_table", folded_meanwhile)
    assert len(store.read("raw_prices", "AAPL", stamp=stamps[0]).table) == 3


def test_a_corrupt_old_snapshot_leaves_the_current_one_alone(store):
    old, new = (store.write("raw_prices", "AAPL", DATASET, keep_history=True) for _ in range(2))
    Path(store.path("raw_prices", "AAPL"), old, "manifest.json").write_text("{")
    with pytest.raises(CorruptData):
        store.read("raw_prices", "AAPL", stamp=old)
    assert store.stamps("raw_prices", "AAPL") == [new]
    assert store.read("raw_prices", "AAPL").facts == DATASET.facts


def test_a_reader_without_write_permission_reports_corrupt_data_and_moves_nothing(store, monkeypatch):
    store.write("raw_prices", "AAPL", DATASET)
    table_file(store).write_bytes(b"")
    before = files(store)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(store._fs, "makedirs", refuse)
    with pytest.raises(CorruptData, match="materialize raw_prices for AAPL again"):
        store.read("raw_prices", "AAPL")
    assert files(store) == before


def test_a_dataset_replaced_during_a_read_is_read_again(store, monkeypatch):
    store.write("raw_prices", "AAPL", DATASET)
    read_table, pending = store._read_table, [Dataset({"prices": TABLE.iloc[:1]}, {"rows": 1})]

    def read_after_a_write(path, sha):
        if pending:
            store.write("raw_prices", "AAPL", pending.pop())
        return read_table(path, sha)

    monkeypatch.setattr(store, "_read_table", read_after_a_write)
    assert store.read("raw_prices", "AAPL").facts == {"rows": 1}
    assert quarantined(store) == []


def test_a_root_of_an_unknown_file_system_is_an_error(tmp_path):
    with pytest.raises(UserError, match="datasets cannot be stored at nowhere://x"):
        DatasetStore("nowhere://x")


def test_s3_without_s3fs_names_the_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)  # as if it were not installed
    monkeypatch.delitem(_registry, "s3", raising=False)  # nor used before

    with pytest.raises(UserError, match=r"s3://bucket/x: Install s3fs .*: `.venv/bin/uv pip install -e '.\[s3\]'`"):
        DatasetStore("s3://bucket/x")


def test_corrupt_data_is_replaced_by_writing_again(store):
    store.write("raw_prices", "AAPL", DATASET)
    Path(store.path("raw_prices", "AAPL"), "current.json").write_text("{")
    store.write("raw_prices", "AAPL", DATASET)
    assert store.facts("raw_prices", "AAPL") == DATASET.facts


def test_facts_that_are_not_json_leave_nothing_behind(store):
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


@pytest.mark.slow
def test_a_killed_write_leaves_the_old_dataset(store, tmp_path):
    store.write("raw_prices", "AAPL", DATASET)
    script = f"""
import os, signal, pandas as pd
from pathlib import Path
from zenith_pipelines.datasets.store import Dataset, DatasetStore
rename = Path.replace
def replace(path, target):
    if Path(target).name == "current.json":
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(path, target)
Path.replace = replace
DatasetStore({str(tmp_path)!r}).write("raw_prices", "AAPL", Dataset(tables={{"prices": pd.DataFrame({{"a": [1]}})}}))
"""
    run = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[3], check=False)
    assert run.returncode == -signal.SIGKILL
    pd.testing.assert_frame_equal(store.read("raw_prices", "AAPL").tables["prices"], TABLE)


WRITER = """
import os, sys, time, random
import numpy as np, pandas as pd, pyarrow.parquet
from zenith_pipelines.datasets.store import Dataset, DatasetStore
store, chance = DatasetStore(sys.argv[1]), random.Random(1)
for line in sys.stdin:
    version, longest = int(line.split()[0]), float(line.split()[1])
    child = os.fork()
    if not child:
        while True:
            version += 1
            tables = {name: pd.DataFrame({"a": np.full(20_000, version)}) for name in ("one", "two")}
            store.write("raw_prices", "AAPL", Dataset(tables, {"version": version}))
    time.sleep(chance.uniform(0.0, longest))
    os.kill(child, 9)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == 9
    print("killed", flush=True)
"""


@pytest.mark.parametrize(("age", "remains"), [(7200, False), (60, True)])
def test_an_unfinished_snapshot_in_a_history_is_deleted_once_it_is_old(store, tmp_path, age, remains):
    first = store.write("raw_prices", "AAPL", DATASET, keep_history=True)
    folder = tmp_path / "raw_prices" / "AAPL"
    partial_snapshot = folder / f"{datetime.now(UTC) - timedelta(seconds=age):%Y%m%dT%H%M%S.%fZ}"
    partial_snapshot.mkdir()
    (partial_snapshot / ".prices.parquet.0123").write_bytes(b"half a tab")

    second = store.write("raw_prices", "AAPL", DATASET, keep_history=True)

    assert partial_snapshot.exists() is remains
    assert store.stamps("raw_prices", "AAPL") == [first, second]


@pytest.mark.slow
@pytest.mark.parametrize("kills", [15, pytest.param(300, marks=pytest.mark.long)])
def test_a_writer_killed_at_any_moment_leaves_a_whole_dataset(store, tmp_path, kills):
    start = time.perf_counter()
    store.write("raw_prices", "AAPL", Dataset({"one": TABLE[["close"]], "two": TABLE[["close"]]}, {"version": 0}))
    longest = 0.03 + 4 * (time.perf_counter() - start)  # a few writes, however slow the disk
    versions = {0}
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as killer:
        for _ in range(kills):
            killer.stdin.write(f"{max(versions)} {longest}\n")
            killer.stdin.flush()
            assert killer.stdout.readline() == "killed\n"
            dataset = store.read("raw_prices", "AAPL")
            assert dataset.facts["version"] >= max(versions)
            if dataset.facts["version"]:
                assert {name: set(table["a"]) for name, table in dataset.tables.items()} == {
                    name: {dataset.facts["version"]} for name in ("one", "two")
                }
            versions.add(dataset.facts["version"])
            if len(versions) <= 2:
                longest *= 1.5  # the machine may have become slower
    assert len(versions) > 2
    assert quarantined(store) == []
    stamp = store.write("raw_prices", "AAPL", DATASET)
    assert {path.parent.name for path in files(store) if path.name[0] != "."} == {"AAPL", stamp}


TICKERS = st.one_of(
    st.text(max_size=20),
    st.lists(st.sampled_from(["..", "/", "\\", ".", "etc", "AAPL", "%2e%2e", "~", "\0", "^", "-"])).map("".join),
    st.from_regex(r"[\^A-Za-z0-9.=-]{1,16}", fullmatch=True),
)


@pytest.mark.slow
@given(ticker=TICKERS)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_ticker_cannot_leave_the_root(tmp_path, ticker):
    root = tmp_path / "home" / "data"
    store = DatasetStore(str(root))
    with suppress(InvalidTicker):
        store.write("raw_prices", ticker, Dataset(facts={"rows": 0}))
        assert store.facts("raw_prices", ticker) == {"rows": 0}
    for access in (store.read, store.facts, store.exists, store.stamps):
        with suppress(InvalidTicker, NotAvailable):
            access("raw_prices", ticker)
    outside = {path for path in tmp_path.rglob("*") if not path.is_relative_to(root / "raw_prices")}
    assert outside <= {root.parent, root}
    for folder in (root / "raw_prices").glob("*"):
        assert validate_ticker(folder.name) == folder.name
        shutil.rmtree(folder)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Materialize assets for a ticker in a fresh ZENITH_HOME; return the error of a failed step, or None."""
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "home"))
    with dg.DagsterInstance.ephemeral() as instance:

        def materialize(*assets, ticker="AAPL"):
            instance.add_dynamic_partitions("tickers", [ticker])
            result = dg.materialize(
                [upstream, below],
                selection=list(assets),
                instance=instance,
                partition_key=ticker,
                raise_on_error=False,
                resources=resources(Progress()),
            )
            failures = [event for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
            return failures[0].step_failure_data.error.cause.to_string() if failures else None

        yield materialize


@dg.asset(partitions_def=ticker_partitions)
def upstream():
    return DATASET


@dg.asset(partitions_def=ticker_partitions)
def below(upstream: Dataset):
    return Dataset(facts={"rows": len(upstream.tables["prices"])})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")  # caused by Dagster itself
def test_a_corrupt_input_fails_the_run_and_the_next_run_writes_it_again(run, tmp_path):
    assert run(upstream, below) is None
    store = DatasetStore(str(tmp_path / "home" / "data"))
    table = files(store, "upstream")[0].parent / "prices.parquet"
    table.write_bytes(table.read_bytes()[:-1])

    assert "prices.parquet does not match its checksum: moved to" in run(below)
    assert "no upstream for AAPL yet" in run(below)
    assert run(upstream, below) is None
    assert store.facts("below", "AAPL") == {"rows": 3}


@pytest.mark.slow
@pytest.mark.parametrize("fault", [lambda content: content[:-100], lambda content: b"\0" + content[1:]])
def test_a_corrupt_price_snapshot_is_quarantined_and_fetched_again(store, fault):
    source = SampleSource()
    store.write("raw_prices", "FB", fetch_next(store, source, "FB").snapshot, keep_history=True)
    (table,) = (path for path in files(store, ticker="FB") if path.suffix == ".parquet")
    table.write_bytes(fault(table.read_bytes()))

    again = fetch_next(store, source, "FB")
    assert again.is_new
    stamp = store.write("raw_prices", "FB", again.snapshot, keep_history=True)
    assert store.stamps("raw_prices", "FB") == [stamp]
    pd.testing.assert_frame_equal(store.read("raw_prices", "FB").table, source.fetch("FB").prices)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")
def test_a_partition_key_cannot_leave_the_data_folder(run, tmp_path):
    assert "not a ticker" in run(upstream, ticker="../../etc")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_root_may_contain_pattern_characters(tmp_path):
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
