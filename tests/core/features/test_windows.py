import numpy as np
import pytest

from zenith_core.features.targets import input_windows


def test_each_window_ends_with_its_row():
    values = np.arange(10.0).reshape(5, 2)

    cut = input_windows(values, np.array([2, 4]), length=3)

    assert cut.dtype == np.float32
    np.testing.assert_array_equal(cut, [values[0:3], values[2:5]])


def test_no_ends_give_no_windows():
    assert input_windows(np.zeros((5, 2)), np.array([], dtype=int), length=3).shape == (0, 3, 2)


@pytest.mark.parametrize("end", [1, 5, -1])
def test_a_window_outside_the_rows_is_refused(end):
    with pytest.raises(ValueError, match="rows 2 to 4"):
        input_windows(np.zeros((5, 2)), np.array([end]), length=3)
