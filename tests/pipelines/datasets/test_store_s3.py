"""The dataset store behaves alike on an S3-compatible server, in a folder and in memory."""

import fsspec
import numpy as np
import pandas as pd
import pytest

from zenith_core.errors import CorruptData, InvalidTicker, NotAvailable
from zenith_pipelines.datasets.store import QUARANTINE, Dataset, DatasetStore
from zenith_pipelines.settings import Settings

pytestmark = pytest.mark.slow  # starts an S3 server

TABLE = pd.DataFrame(
    {"close": [1.0, np.nan, 3.0], "reason": ["", "no date", "ü"]},
    index=pd.DatetimeIndex(["2024-01-02", "2024-01-03", None], name="date").as_unit("ns"),
)
DATASET = Dataset(tables={"prices": TABLE}, facts={"rows": 3})
OTHER = Dataset(tables={"prices": TABLE.iloc[:1]}, facts={"rows": 1})


@pytest.fixture(scope="module")
def endpoint():
    from moto.server import ThreadedMotoServer  # takes a second

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint, monkeypatch):
    """A bucket that the standard AWS variables point at: Zenith itself needs only the URI."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    fsspec.filesystem("s3", use_listings_cache=False).mkdir("prices")
    yield "s3://prices"
    fsspec.filesystem("s3", use_listings_cache=False).rm("prices", recursive=True)


@pytest.fixture(params=["folder", "memory", "s3"])
def root(request, tmp_path):
    if request.param == "s3":
        return f"{request.getfixturevalue('s3')}/zenith/data"
    return f"memory://{tmp_path}" if request.param == "memory" else str(tmp_path / "data")


@pytest.fixture
def store(root):
    return DatasetStore(root)


def damage(store, stamp, table="prices"):
    """Flip the last byte of a stored table."""
    path = f"{store.path('raw_prices', 'PETR4.SA')}/{stamp}/{table}.parquet"
    content = store._fs.cat_file(path)
    store._fs.pipe_file(path, content[:-1] + bytes([content[-1] ^ 1]))


def test_a_written_dataset_is_read_back(store):
    stamp = store.write("raw_prices", "PETR4.SA", DATASET)
    for dataset in (store.read("raw_prices", "PETR4.SA"), store.read("raw_prices", "PETR4.SA", stamp=stamp)):
        assert dataset.facts == {"rows": 3}
        pd.testing.assert_frame_equal(dataset.table, TABLE)
    assert store.exists("raw_prices", "PETR4.SA")
    assert store.facts("raw_prices", "PETR4.SA", stamp=stamp) == {"rows": 3}


def test_a_missing_dataset_is_not_available(store):
    assert not store.exists("raw_prices", "PETR4.SA")
    assert store.stamps("raw_prices", "PETR4.SA") == []
    with pytest.raises(NotAvailable, match="no raw_prices for PETR4.SA yet"):
        store.read("raw_prices", "PETR4.SA")


def test_a_newer_dataset_replaces_the_older_for_other_processes_too(store, root):
    other = DatasetStore(root)
    first = store.write("raw_prices", "PETR4.SA", DATASET)
    assert other.stamps("raw_prices", "PETR4.SA") == [first]
    second = store.write("raw_prices", "PETR4.SA", OTHER)
    assert other.read("raw_prices", "PETR4.SA").facts == {"rows": 1}
    assert other.stamps("raw_prices", "PETR4.SA") == [second]
    with pytest.raises(NotAvailable):
        other.read("raw_prices", "PETR4.SA", stamp=first)


def test_keep_history_keeps_older_snapshots(store):
    first = store.write("raw_prices", "PETR4.SA", DATASET, keep_history=True)
    second = store.write("raw_prices", "PETR4.SA", OTHER, keep_history=True)
    assert store.stamps("raw_prices", "PETR4.SA") == [first, second]
    assert store.read("raw_prices", "PETR4.SA", stamp=first).facts == {"rows": 3}


def test_a_flipped_byte_is_detected_quarantined_and_written_again(store):
    damage(store, store.write("raw_prices", "PETR4.SA", DATASET))
    with pytest.raises(CorruptData, match=r"does not match its checksum.* materialize raw_prices for PETR4.SA again"):
        store.read("raw_prices", "PETR4.SA")

    assert not store.exists("raw_prices", "PETR4.SA")
    assert store.stamps("raw_prices", "PETR4.SA") == []
    store.write("raw_prices", "PETR4.SA", OTHER)
    assert store.read("raw_prices", "PETR4.SA").facts == {"rows": 1}


def test_the_newest_intact_snapshot_becomes_current_again(store):
    stamps = [store.write("raw_prices", "PETR4.SA", each, keep_history=True) for each in (DATASET, OTHER, OTHER)]
    for stamp in stamps[1:]:
        damage(store, stamp)
    with pytest.raises(CorruptData, match=f"the intact snapshot {stamps[0]} is current"):
        store.read("raw_prices", "PETR4.SA")
    pd.testing.assert_frame_equal(store.read("raw_prices", "PETR4.SA").table, TABLE)


def test_the_quarantine_keeps_corrupt_files_with_the_reason(store, root):
    stamp = store.write("raw_prices", "PETR4.SA", DATASET)
    damage(store, stamp)
    with pytest.raises(CorruptData):
        store.read("raw_prices", "PETR4.SA")
    fs, base = fsspec.core.url_to_fs(root, use_listings_cache=False)
    quarantine = {path.rpartition("/")[2]: path for path in fs.find(f"{base}/{QUARANTINE}/raw_prices/PETR4.SA")}
    assert sorted(quarantine) == ["manifest.json", "prices.parquet", "reason.txt"]
    assert f"{stamp}/prices.parquet does not match its checksum" in fs.cat_file(quarantine["reason.txt"]).decode()


def test_a_ticker_cannot_leave_the_root(store):
    with pytest.raises(InvalidTicker):
        store.write("raw_prices", "../../etc", DATASET)


def test_one_setting_moves_the_data(s3, monkeypatch):
    monkeypatch.setenv("ZENITH_DATA_URI", f"{s3}/elsewhere")
    DatasetStore(Settings().data_uri).write("raw_prices", "AAPL", DATASET)
    assert DatasetStore(f"{s3}/elsewhere").facts("raw_prices", "AAPL") == {"rows": 3}
