import logging
import shutil

import numpy as np
import pytest

from tests.published import publish
from zenith_core.errors import CorruptData
from zenith_serving.errors import UnknownTicker
from zenith_serving.published import dataset_reader
from zenith_serving.published.dataset_reader import DatasetReader
from zenith_serving.published.snapshot_store import SnapshotStore


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data" / "serving_snapshot"


def test_a_snapshot_is_read_as_it_was_written(tmp_path, folder, write_snapshot, models):
    write_snapshot(tmp_path, "AAPL", close=64.5)
    snapshot = SnapshotStore(folder).get("AAPL")
    assert snapshot.close == 64.5
    np.testing.assert_array_equal(snapshot.window, models.snapshot("AAPL").window)


def test_a_file_is_parsed_once_and_again_when_it_was_replaced(tmp_path, folder, write_snapshot):
    store = SnapshotStore(folder)
    write_snapshot(tmp_path, "AAPL", close=1.0)
    first = store.get("AAPL")
    assert store.get("AAPL") is first
    write_snapshot(tmp_path, "AAPL", close=2.0)
    assert store.get("AAPL").close == 2.0


def test_an_unknown_ticker_is_refused_with_those_that_look_like_it(tmp_path, folder, write_snapshot):
    for ticker in ("AAPL", "MSFT", "PETR4.SA"):
        write_snapshot(tmp_path, ticker)
    with pytest.raises(UnknownTicker) as error:
        SnapshotStore(folder).get("PETR3.SA")
    assert error.value.nearby == ["PETR4.SA"]
    assert str(error.value) == "no predictions for this ticker: did you mean PETR4.SA?"


def test_without_any_snapshot_the_message_says_how_to_make_one(folder):
    with pytest.raises(UnknownTicker, match="zenith run"):
        SnapshotStore(folder).get("AAPL")


def test_a_removed_ticker_is_served_no_more(tmp_path, folder, write_snapshot):
    write_snapshot(tmp_path, "AAPL")
    store = SnapshotStore(folder)
    store.get("AAPL")
    (folder / "AAPL" / "current.json").unlink()
    with pytest.raises(UnknownTicker):
        store.get("AAPL")


def test_an_unreadable_replacement_leaves_the_snapshot_that_was_read_before(tmp_path, folder, write_snapshot, caplog):
    write_snapshot(tmp_path, "AAPL", close=1.0)
    store = SnapshotStore(folder)
    store.get("AAPL")
    (folder / "AAPL" / "current.json").write_text('{"facts": {}}')
    with caplog.at_level(logging.WARNING):
        assert store.get("AAPL").close == 1.0
    assert "AAPL" in caplog.text


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"facts": 1}', '{"facts": {"ticker": "AAPL"}}', "\xff"])
def test_a_snapshot_that_never_was_readable_is_corrupt(folder, content):
    (folder / "AAPL").mkdir(parents=True)
    (folder / "AAPL" / "current.json").write_text(content)
    with pytest.raises(CorruptData, match="AAPL cannot be read"):
        SnapshotStore(folder).get("AAPL")


def test_state_counts_the_tickers_of_the_last_check(tmp_path, folder, write_snapshot):
    store = SnapshotStore(folder)
    store.check()
    assert store.state() == {"state": "ok", "tickers": 0, "problems": {}}
    write_snapshot(tmp_path, "AAPL")
    store.check()
    assert store.state() == {"state": "ok", "tickers": 1, "problems": {}}


@pytest.mark.parametrize("count", [3, 30])
def test_a_check_looks_at_as_many_files_of_many_tickers_as_of_few(tmp_path, folder, monkeypatch, count):
    monkeypatch.setattr(dataset_reader, "MAX_CHECKS", 3)
    for number in range(count):
        publish(tmp_path, "serving_snapshot", f"T{number:02}", {"value": 1})
    reader, verified = DatasetReader(folder), []
    monkeypatch.setattr(reader, "_verify", verified.append)

    reader.check()
    assert (verified, reader.count) == (["T00", "T01", "T02"], count)
    for _ in range(count // 3):
        reader.check()
    assert verified == [f"T{number:02}" for number in range(count)]


def test_a_check_reads_few_of_many_new_files_and_the_next_ones_read_the_others(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(dataset_reader, "MAX_VERIFIED", 2)
    for number in range(7):
        publish(tmp_path, "serving_snapshot", f"T{number}", {"value": 1})
    reader = DatasetReader(folder)
    (folder / "T6" / "current.json").write_text("{}")
    for _ in range(3):
        reader.check()
    assert reader.problems() == {}
    reader.check()
    assert reader.problems().keys() == {"T6"}


def test_a_list_keeps_no_inputs_and_follows_the_file(tmp_path, folder, models):
    publish_with_copy(tmp_path, models, close=430.47)
    store = SnapshotStore(folder)
    listed = store.listed("AAPL")
    assert (listed.close, listed.window.size, listed.recent) == (430.47, 0, ())
    assert store.listed("AAPL") is listed
    assert store.peek("AAPL") is None
    assert store.get("AAPL").window.size

    file = publish_with_copy(tmp_path, models, close=431.0)
    assert store.listed("AAPL").close == 431.0
    file.write_text(file.read_text().replace("431.0", "931.0"))
    assert store.listed("AAPL").close == 431.0
    shutil.rmtree(file.parent)
    with pytest.raises(UnknownTicker):
        store.listed("AAPL")


def publish_with_copy(tmp_path, models, **changes):
    facts = models.snapshot("AAPL", **changes).to_json()
    return publish(tmp_path, "serving_snapshot", "AAPL", facts, stamp="20130301T220000.000000Z")


def test_an_edited_snapshot_is_never_read_and_the_copy_beside_it_goes_on(tmp_path, folder, models):
    file = publish_with_copy(tmp_path, models, close=430.47)
    store = SnapshotStore(folder)
    store.check()
    file.write_text(file.read_text().replace("430.47", "930.47"))
    assert store.get("AAPL").close == 430.47
    assert SnapshotStore(folder).get("AAPL").close == 430.47  # after a restart as well
    store.check()
    assert store.state() == {
        "state": "the data of 1 ticker are damaged",
        "tickers": 1,
        "problems": {"AAPL": "the serving snapshot is damaged: materialize it again"},
    }
    publish_with_copy(tmp_path, models, close=431.0)
    store.check()
    assert (store.get("AAPL").close, store.state()["state"]) == (431.0, "ok")


def test_an_edited_snapshot_without_any_copy_is_corrupt(tmp_path, folder, models):
    file = publish(tmp_path, "serving_snapshot", "AAPL", models.snapshot("AAPL", close=430.47).to_json())
    file.write_text(file.read_text().replace("430.47", "930.47"))
    with pytest.raises(CorruptData, match="AAPL cannot be read"):
        SnapshotStore(folder).get("AAPL")


def test_an_intact_file_that_holds_no_snapshot_is_reported_once_it_was_asked_for(tmp_path, folder, write_snapshot):
    write_snapshot(tmp_path, "AAPL", close=1.0)
    store = SnapshotStore(folder)
    store.get("AAPL")
    publish(tmp_path, "serving_snapshot", "AAPL", {"ticker": "AAPL"})
    assert store.get("AAPL").close == 1.0
    store.check()
    assert "cannot be read" in store.state()["problems"]["AAPL"]


@pytest.mark.parametrize("asset", ["forecast_ledger", "lstm_backtest", "ensemble_backtest"])
def test_damage_to_charts_and_ledger_is_reported_without_being_asked_for(tmp_path, folder, write_snapshot, asset):
    write_snapshot(tmp_path, "AAPL")
    file = publish(tmp_path, asset, "AAPL", {"value": 1})
    file.write_bytes(file.read_bytes()[:-7])
    store = SnapshotStore(folder)
    store.check()
    assert list(store.state()["problems"]) == ["AAPL"]
