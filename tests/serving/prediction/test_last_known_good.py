import logging

from zenith_serving.prediction.last_known_good import LastKnownGood


def test_a_copy_comes_back_with_its_version(tmp_path):
    copies = LastKnownGood(tmp_path)
    copies.save("lstm-AAPL", 3, b"model")
    assert copies.load("lstm-AAPL") == (3, b"model")
    assert copies.load("lstm-AAPL", 3) == (3, b"model")
    assert copies.load("lstm-AAPL", 4) is None
    assert copies.load("lstm-MSFT") is None


def test_a_new_copy_replaces_the_old_one_even_after_a_rollback(tmp_path):
    copies = LastKnownGood(tmp_path)
    copies.save("lstm-AAPL", 8, b"newer")
    copies.save("lstm-AAPL", 7, b"older")
    assert copies.load("lstm-AAPL") == (7, b"older")
    assert not copies.has("lstm-AAPL", 8)
    assert len(list((tmp_path / "lstm-AAPL").iterdir())) == 1


def test_a_copy_that_does_not_match_its_checksum_is_deleted_so_that_it_is_copied_again(tmp_path, caplog):
    copies = LastKnownGood(tmp_path)
    copies.save("lstm-AAPL", 3, b"model")
    (path,) = (tmp_path / "lstm-AAPL").iterdir()
    path.write_bytes(b"modem")
    with caplog.at_level(logging.WARNING):
        assert copies.load("lstm-AAPL") is None
    assert "checksum" in caplog.text
    assert not copies.has("lstm-AAPL", 3)


def test_a_folder_that_cannot_be_written_is_logged_and_changes_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    copies = LastKnownGood(tmp_path / "file")
    with caplog.at_level(logging.WARNING):
        copies.save("lstm-AAPL", 3, b"model")
    assert "MODELS_PATH" in caplog.text
    assert copies.load("lstm-AAPL") is None
