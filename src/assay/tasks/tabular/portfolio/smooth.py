"""Linear models, networks and their like, best guesses first, sized by rows, columns and classes.

The habits of the network are those of RealMLP (Holzmüller et al. 2024), shortened to what a fold
can spend in a few seconds on one core; strengths of regularisation are the usual ones around 1.
"""

from __future__ import annotations

from typing import Any

from assay.records.fitted import Candidate, Knob, Space
from assay.tasks.tabular.portfolio.facts import Facts

Params = dict[str, Any]

CLASSES = 20
"""Classes up to which the slower linear models are worth their time."""
KERNEL_ROWS = 20_000
NEAR_ROWS, NEAR_COLUMNS = 20_000, 100
LANDMARK_CELLS = 150_000
"""Cells of the landmarks of a kernel: 300 KB."""
WORK = 2e11
"""Multiplications and additions that training a network may take: about four seconds."""
EPOCHS = (3, 25)


def smooth(facts: Facts) -> list[Candidate]:
    """Return linear models, networks, kernels, neighbours and naive Bayes."""
    if facts.text:
        return _with_text(facts)
    found = [_pairs(facts), _network(facts, "network", 128)]
    if facts.classes > CLASSES:
        found = [found[1]]
    elif facts.rows <= KERNEL_ROWS:
        found.append(_kernel(facts, "kernel"))
    found.append(_linear(facts, 0.3))
    if facts.classes <= CLASSES:
        found.append(_spline(facts, "spline", 0.3, 0, bent=True))
    found.append(_network(facts, "network_wide", 256, bent=True))
    if facts.rows <= NEAR_ROWS and facts.wide <= NEAR_COLUMNS:
        found.append(_neighbours(facts))
    if 2 <= facts.classes <= CLASSES:
        found.append(_candidate(facts, "bayes", "bayes", {"smoothing": 1.0}))
    found.append(_linear(facts, 0.03))
    return found


def smooth_spaces(facts: Facts) -> list[Space]:
    """Return what tuning may turn."""
    strength = Knob(name="strength", low=1e-3, high=30.0, log=True)
    linear = Space(candidate=_linear(facts, 1.0), knobs=(strength,))
    if facts.text:
        return [linear]
    network = Space(
        candidate=_network(facts, "network", 128),
        knobs=(
            Knob(name="rate", low=5e-4, high=8e-3, log=True),
            Knob(name="decay", low=0.02, high=2.0, log=True),
            Knob(name="dropout", choices=(0.0, 0.1, 0.2, 0.3)),
            Knob(name="width", choices=(64, 128, 256)),
            Knob(name="layers", low=2, high=4, whole=True),
        ),
    )
    if facts.classes > CLASSES:
        return [network, linear]
    pairs = Knob(name="pairs", low=10, high=300, log=True, whole=True)
    spline = Space(candidate=_pairs(facts), knobs=(strength, pairs))
    if facts.rows > KERNEL_ROWS:
        return [network, spline]
    kernel = Space(
        candidate=_kernel(facts, "kernel"),
        knobs=(
            Knob(name="strength", low=1.0, high=1000.0, log=True),
            Knob(name="gamma", low=0.1, high=5.0, log=True),
        ),
    )
    return [network, spline, kernel]


def _with_text(facts: Facts) -> list[Candidate]:
    """Return linear models of the words, and of the bins of the numbers beside them."""
    found = [_linear(facts, 2.0), _linear(facts, 0.5)]
    if facts.plain and facts.classes <= CLASSES:
        found.insert(1, _spline(facts, "spline", 1.0, 0))
    return found


def _candidate(
    facts: Facts, name: str, kind: str, params: Params, *, bent: bool = False, varies: bool = False
) -> Candidate:
    """Return a candidate; `bent` lets one of a kind learn the logarithm of a skewed number."""
    target = {"target": "log_mean"} if bent and facts.skewed else {}
    text = {"text": list(facts.text)}
    return Candidate(
        name=name, kind=kind, params=params | target | text, stops_early=varies, varies=varies
    )


def _linear(facts: Facts, strength: float) -> Candidate:
    return _candidate(facts, f"linear_{strength:g}", "linear", {"strength": strength})


def _spline(
    facts: Facts, name: str, strength: float, pairs: int, *, bent: bool = False
) -> Candidate:
    return _candidate(facts, name, "spline", {"strength": strength, "pairs": pairs}, bent=bent)


def _pairs(facts: Facts) -> Candidate:
    return _spline(facts, "spline_pairs", 0.3 if facts.classes else 0.1, 100)


def _kernel(facts: Facts, name: str) -> Candidate:
    landmarks = max(50, min(500, LANDMARK_CELLS // max(1, facts.wide)))
    return _candidate(
        facts, name, "kernel", {"strength": 30.0, "gamma": 0.5, "landmarks": landmarks}
    )


def _neighbours(facts: Facts) -> Candidate:
    count = max(5, min(50, round(facts.rows**0.5 / 4)))
    return _candidate(facts, "neighbours", "neighbours", {"rows": 3000, "count": count})


def _network(facts: Facts, name: str, width: int, *, bent: bool = False) -> Candidate:
    """Return a network of three layers, trained as long as a fold can spend.

    Dropout helps classes and harms numbers.
    """
    inputs = min(400, facts.wide + min(300, 32 * facts.plain))
    weights = inputs * width + 2 * width**2
    rows = min(facts.rows, 100_000)
    epochs = WORK * (width // 128) / (6 * max(1, rows) * weights)
    batch = next((b for most, b in ((2_000, 32), (5_000, 64), (20_000, 128)) if rows < most), 256)
    params = {
        "width": width,
        "layers": 3,
        "epochs": int(min(max(epochs, EPOCHS[0]), EPOCHS[1])),
        "batch": batch,
        "rate": 3e-3,
        "decay": 0.5,
        "dropout": (0.3 if width > 128 else 0.2) if facts.classes else 0.0,
    }
    return _candidate(facts, name, "network", params, bent=bent, varies=True)
