"""How many rows the fits of the learning curve get, by what there is time for."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assay.lifecycle.learning import LARGE, _sizes


def test_with_time_enough_the_curve_reaches_all_rows():
    assert _sizes(1000, np.inf) == [100, 250, 500, 1000]


def test_a_small_table_has_no_two_points_alike():
    assert _sizes(60, np.inf) == [20, 30, 60]
    assert _sizes(10, np.inf) == []


def test_large_tables_give_small_points():
    assert _sizes(1_000_000, 0.15) == [10_000, 30_000, 100_000]


@given(st.integers(1, 2_000_000), st.floats(0, 3))
def test_the_fits_together_keep_to_the_time(rows, wholes):
    sizes = _sizes(rows, wholes)
    assert sum(sizes) <= wholes * rows
    assert sizes == sorted(set(sizes))
    assert rows < LARGE or max(sizes, default=0) <= 0.3 * rows + 1
