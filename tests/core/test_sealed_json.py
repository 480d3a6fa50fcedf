import json

import numpy as np
import pytest
from pydantic import BaseModel

from zenith_core.sealed_json import is_intact, seal, unseal, unseal_part

DOCUMENT = {"stamp": "1", "facts": {"close": 430.47, "name": "Ação", "none": None}, "tables": {}}


def test_a_sealed_document_is_restored():
    assert unseal(seal(DOCUMENT)) == DOCUMENT
    assert is_intact(seal(DOCUMENT))


class Stamp(BaseModel):
    stamp: str


def test_a_part_is_read_from_intact_and_from_formatted_documents_only():
    content = seal(DOCUMENT)
    formatted = json.dumps(json.loads(content), indent=1).encode()
    assert unseal_part(content, Stamp) == unseal_part(formatted, Stamp) == Stamp(stamp="1")
    with pytest.raises(ValueError, match="checksum"):
        unseal_part(content.replace(b'"1"', b'"2"'), Stamp)


@pytest.mark.slow
def test_every_value_is_restored_bit_for_bit():
    random = np.random.default_rng(1)
    floats = random.integers(0, 2**63, 20_000, dtype=np.int64).view(np.float64)
    values = [*floats[np.isfinite(floats)].tolist(), *random.standard_normal(1000).astype(np.float32).tolist()]
    document = {
        "values": [*values, 5e-324, -0.0, 0, 2**80, -(2**63)],
        "text": "\ud800 half a pair",
        "none": [None, True],
    }

    restored = unseal(seal(document))

    assert json.dumps(restored) == json.dumps(document)
    assert repr(restored) == repr(document)


def test_the_checksum_is_that_of_the_document_as_earlier_releases_wrote_it():
    assert seal({"a": 1}) == (b'{"a": 1, "sha256": "f9d86028c6e0d64e225186f96acb69338b2c59764df79162107f5c4bb34d1310"}')


def test_every_flipped_bit_that_changes_the_document_is_seen():
    content = seal(DOCUMENT)
    for position in range(len(content)):
        for bit in range(8):
            damage = bytearray(content)
            damage[position] ^= 1 << bit
            assert not is_intact(bytes(damage))
            try:
                assert unseal(bytes(damage)) == DOCUMENT  # a capital in an escape
            except ValueError:
                continue


@pytest.mark.parametrize("length", [0, 1, 50, -1, -70])
def test_a_shortened_document_is_refused(length):
    content = seal(DOCUMENT)[:length]
    assert not is_intact(content)
    with pytest.raises(ValueError):  # json's own message, or ours
        unseal(content)


@pytest.mark.parametrize("content", [b"[]", b"null", b"{}", b'{"sha256": 1}', b"[" * 100_000, b"\xff"])
def test_anything_else_is_refused(content):
    with pytest.raises(ValueError):
        unseal(content)


def test_a_document_that_was_formatted_anew_is_accepted():
    assert unseal(json.dumps(json.loads(seal(DOCUMENT)), indent=2).encode()) == DOCUMENT
