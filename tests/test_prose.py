"""The limits of docs/prose.py on docstrings, comments and names, and the measure itself."""

from pathlib import Path

import pytest

from docs.prose import MAX_PARTICIPLES, MAX_PRONOUNS, SOURCES, Prose, add_source, is_participle, measure


@pytest.mark.slow
def test_the_sources_keep_the_limits():
    prose = measure(*SOURCES)

    assert prose.openings == []
    assert prose.pronoun_rate <= MAX_PRONOUNS, prose.pronouns
    assert prose.participle_rate <= MAX_PARTICIPLES, prose.participles


def test_docstrings_comments_and_names_are_counted():
    prose = Prose()
    add_source(
        prose,
        '"""What is here."""\n\nfound = 1  # by whoever looks\n\n\ndef f(known):\n    """Who knows."""\n',
        Path("a.py"),
    )

    assert prose.openings == ["a.py:1: What is here.", "a.py:6: Who knows."]
    assert prose.pronouns == ["a.py:1: What", "a.py:6: Who", "a.py:3: whoever"]
    assert sorted(prose.participles) == ["a.py:3: found", "a.py:6: known"]
    assert (prose.words, prose.names) == (8, 2)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("known", True), ("_asked", True), ("found", True), ("history", False), ("seed", False), ("known_tickers", False)],
)
def test_a_participle_is_told_from_a_noun(name, expected):
    assert is_participle(name) is expected
