import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenith_core.errors import TooShortHistory
from zenith_core.evaluation.walk_forward import Fold, WalkForward

SMALL = WalkForward(folds=2, test_share=0.4, validation=20, gap=5, min_train=50)


def spans(fold: Fold) -> tuple:
    return tuple(
        (int(part[0]), int(part[-1])) if part.size else None for part in (fold.train, fold.validation, fold.test)
    )


def test_the_folds_of_200_samples_are_these():
    first, second = SMALL.split(200)

    assert spans(first) == ((0, 89), (95, 114), (120, 159))
    assert spans(second) == ((0, 129), (135, 154), (160, 199))


def test_the_final_fold_goes_on_where_the_tests_end():
    assert spans(SMALL.final(200)) == ((0, 169), (175, 194), None)


def test_the_default_split_of_the_sample_years_has_these_dates():
    sessions = pd.bdate_range("2001-05-22", periods=2961)  # as many origins as AAPL has

    dates = [
        [str(sessions[end].date()) for part in (fold.train, fold.validation, fold.test) for end in part[[0, -1]]]
        for fold in WalkForward().split(len(sessions))
    ]

    assert dates == [
        ["2001-05-22", "2006-12-26", "2007-02-07", "2008-01-30", "2008-03-13", "2009-04-30"],
        ["2001-05-22", "2008-02-13", "2008-03-27", "2009-03-19", "2009-05-01", "2010-06-18"],
        ["2001-05-22", "2009-04-02", "2009-05-15", "2010-05-07", "2010-06-21", "2011-08-08"],
        ["2001-05-22", "2010-05-21", "2010-07-05", "2011-06-27", "2011-08-09", "2012-09-25"],
    ]


def test_without_validation_there_is_one_gap():
    split = WalkForward(folds=2, test_share=0.4, validation=0, gap=5, min_train=50)

    assert [spans(fold) for fold in split.split(200)] == [((0, 114), None, (120, 159)), ((0, 154), None, (160, 199))]


@pytest.mark.slow
@given(
    folds=st.integers(1, 6),
    share=st.floats(0.1, 0.6),
    validation=st.integers(0, 80),
    gap=st.integers(0, 30),
    extra=st.integers(0, 500),
)
def test_parts_never_touch_and_tests_tile_the_end(folds, share, validation, gap, extra):
    split = WalkForward(folds, share, validation, gap, min_train=50)
    n = split.min_samples + extra

    parts = split.split(n)

    for fold in [*parts, split.final(n)]:
        start = fold.test[0] if fold.test.size else n
        newest = fold.train[-1]
        assert len(fold.train) >= 50
        if validation:
            assert len(fold.validation) == validation
            assert fold.validation[0] - newest == gap + 1
            newest = fold.validation[-1]
        assert start - newest == gap + 1
    test_rows = np.concatenate([fold.test for fold in parts])
    np.testing.assert_array_equal(test_rows, np.arange(test_rows[0], n))
    assert len({len(fold.test) for fold in parts}) == 1


def test_too_few_samples_are_refused_with_the_numbers():
    with pytest.raises(TooShortHistory, match=r"^133 samples .* 2 walk-forward folds with 50 .* at least 134$"):
        SMALL.split(SMALL.min_samples - 1)
    assert len(SMALL.split(SMALL.min_samples)[0].train) >= 50
