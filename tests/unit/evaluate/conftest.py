import numpy as np
import pytest

from assay.kernel.family import Predictions


def two(positive):
    return Predictions(np.column_stack([1 - positive, positive]))


@pytest.fixture
def binary():
    """Return a maker of truth and calibrated predictions for n rows."""

    def make(n, seed=0, rate=0.3, shift=1.5):
        rng = np.random.default_rng(seed)
        truth = (rng.random(n) < rate).astype(np.int64)
        truth[:2] = (0, 1)
        score = shift * (rng.normal(size=n) + shift * truth - shift / 2)
        return truth, two(1 / (1 + np.exp(-score - np.log(rate / (1 - rate)))))

    return make


@pytest.fixture
def number():
    """Return a maker of truth and predictions of numbers for n rows."""

    def make(n, seed=0, noise=1.0):
        rng = np.random.default_rng(seed)
        signal = rng.gamma(3, size=n)
        return signal + noise * rng.laplace(size=n), Predictions(signal)

    return make
