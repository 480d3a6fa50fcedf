import pytest

from zenith_core.names import unpacked


def test_the_tags_of_a_version_have_those_of_its_provenance():
    tags = {"kind": "lstm", "provenance": '{"sha256": "12", "task": "price"}'}
    assert unpacked(tags) == {"kind": "lstm", "sha256": "12", "task": "price"}


def test_tags_of_earlier_releases_stay_and_come_first():
    assert unpacked({"sha256": "12"}) == {"sha256": "12"}
    assert unpacked({"sha256": "12", "provenance": '{"sha256": "34"}'}) == {"sha256": "12"}


@pytest.mark.parametrize("damage", ['{"sha256": ', "", "[]", "7", '{"sha256": 12}', "[" * 100_000])
def test_a_damaged_provenance_is_left_as_it_is(damage):
    tags = {"kind": "lstm", "provenance": damage}
    assert unpacked(tags) == tags
