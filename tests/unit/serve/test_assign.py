from __future__ import annotations

import subprocess
import sys
import timeit

import numpy as np

from assay.serve.assign import share_of


def test_places_are_the_same_in_every_process_and_version():
    assert share_of("customer-7", "a1b2c3") == 0.4181023150698935
    told = subprocess.run(
        [sys.executable, "-c", "from assay.serve.assign import share_of as s;print(s('ü','x'))"],
        capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "3"},
    )  # fmt: skip
    assert float(told.stdout) == share_of("ü", "x")


def test_places_are_uniform_and_another_salt_gives_others():
    first = np.array([share_of(f"u{i}", "salt") for i in range(20_000)])
    other = np.array([share_of(f"u{i}", "pepper") for i in range(20_000)])
    counts = np.histogram(first, bins=20, range=(0, 1))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8  # chi-square with 19 degrees, p = 0.001
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.03
    assert first.min() >= 0
    assert first.max() < 1


def test_a_text_that_is_no_unicode_has_a_place_too():
    assert 0 <= share_of("\ud800", "x") < 1


def test_a_place_takes_about_a_microsecond():
    best = min(timeit.repeat(lambda: share_of("0123456789abcdef01", "a1b2c3d4"), number=5000))
    assert best / 5000 < 5e-6  # 0.9 µs on a quiet machine
