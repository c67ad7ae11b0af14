"""What the test rows, and training rows out of fold, say of how right the model is where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.kernel.family import Predictions
from assay.metrics.base import Truth
from assay.metrics.operate import log_odds
from assay.records.snapshot import Problem
from assay.watch.columns.form import ColumnProfile
from assay.watch.performance.additive import (
    Codes,
    Term,
    Told,
    centred,
    effects,
    fitted,
    mean_of,
    terms_of,
)

Floats = NDArray[np.float64]

BINS = 10
"""Bins of the score that calibration is told in, equal in test rows."""
QUANTILES = 50
"""Points that stand for the law of a number's errors, in each bin of the score."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """How right the answers were on rows that the model was not fitted on; no row of them.

    The event is, for two classes, the `positive` one (its code), for more that the likeliest class
    is the true one; its answered probability is the score. For a number the score is the answer.
    `edges` part the scores into bins; `seen`, `hits` and `expected` are how many test rows lie in
    each, how often the event happened (the sum of absolute errors) and the sum of what the scores
    foretold. `names` are the columns of the codes that it was built from.

    `terms` and `draws` (little-endian float32, draws x places) are an additive model of what the
    score does not say (`additive.py`), `level` its constant for a number, and `errors` for each
    bin QUANTILES of a number's errors, answer minus truth, in units of that model.
    """

    task: str
    classes: tuple[str, ...] = ()
    positive: int = 0
    rows: int
    test_rows: int
    names: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    seen: tuple[int, ...] = ()
    hits: tuple[float, ...] = ()
    expected: tuple[float, ...] = ()
    terms: tuple[Term, ...] = ()
    draws: bytes = b""
    level: float = 0.0
    errors: tuple[tuple[float, ...], ...] = ()

    @property
    def kind(self) -> Literal["event", "error"]:
        """Return `event` for classes, `error` for a number."""
        return "event" if self.classes else "error"

    def bins(self, answers: Predictions) -> NDArray[np.int64]:
        """Return the (n,) bins of the scores."""
        return np.searchsorted(np.array(self.edges), score_of(self, answers), side="right")

    def foretold(self, answers: Predictions, codes: Codes) -> Floats:
        """Return (1 + draws, n): the event's chance, or the expected absolute error.

        The first line is the most likely one; the spread of the others is the doubt about it.
        `codes` is (n, columns) in the order of `names`.
        """
        width = max(max(term.places) for term in self.terms) + 1
        draws = np.frombuffer(self.draws, dtype="<f4").reshape(-1, width).astype(np.float64)
        offset, slope = _offset(self, answers)
        shift = effects(draws, self.terms, self.names, self.bins(answers), codes, slope)
        return mean_of(self.kind, centred(self.kind, offset + shift))


def score_of(known: Known, answers: Predictions) -> Floats:
    """Return the (n,) scores: the event's answered probability, or the number."""
    score: Floats = answers.values
    if known.classes:
        score = score[:, known.positive] if len(known.classes) == 2 else score.max(axis=1)
    return score


def outcome_of(known: Known, answers: Predictions, truth: Truth) -> Floats:
    """Return (n,) 1.0 where the event happened, or the absolute errors."""
    if not known.classes:
        error: Floats = np.abs(answers.values - truth)
        return error
    event = known.positive if len(known.classes) == 2 else answers.values.argmax(axis=1)
    happened: Floats = np.equal(truth, event).astype(np.float64)
    return happened


def _offset(known: Known, answers: Predictions) -> tuple[Floats, Floats]:
    """Return the (n,) offsets on the additive scale, and what the slope multiplies."""
    score = score_of(known, answers)
    if not known.classes:
        return np.full(len(score), known.level), np.zeros(len(score))
    odds = log_odds(score)
    return odds, odds


def build_known(
    problem: Problem,
    columns: Sequence[ColumnProfile],
    codes: Codes,
    answers: Predictions,
    truth: Truth,
    test_codes: Codes,
    test_answers: Predictions,
    test_truth: Truth,
) -> Known:
    """Return what is known of how right a model is where.

    `codes` (n, columns) int32 are the cells of n training rows in the order of `columns`, `answers`
    the champion's answers of them out of fold, calibrated as served (rows that no fold answered are
    NaN and left out), `truth` their class codes or numbers; the same for the test rows, as the
    champion answered them. Deterministic.
    """
    told = usable(answers)
    codes, answers, truth = codes[told], answers.take(told), truth[told]
    both = _stacked(answers, test_answers)
    cells = np.vstack([codes, test_codes])
    true = np.concatenate([truth, test_truth])
    known = Known(
        task=problem.task,
        classes=problem.classes,
        positive=problem.positive_code if problem.positive is not None else 0,
        rows=len(codes),
        test_rows=len(test_codes),
        names=tuple(column.name for column in columns),
    )
    outcome = outcome_of(known, both, true)
    level = float(np.log(max(outcome.mean(), 1e-12))) if not problem.classes else 0.0
    edges = np.unique(np.quantile(score_of(known, both), np.arange(1, BINS) / BINS))
    known = msgspec.structs.replace(known, level=level, edges=tuple(edges.tolist()))
    offset, slope = _offset(known, both)
    fold = np.repeat([1.0, 0.0], [known.rows, known.test_rows])
    rows = Told(cells, known.bins(both), offset, slope, outcome, fold, known.kind)
    terms = terms_of(columns, len(edges) + 1, rows)
    draws = fitted(rows, terms, known.names).astype("<f4")
    known = msgspec.structs.replace(known, terms=terms, draws=draws.tobytes())
    known = _with_calibration(known, test_answers, test_codes, test_truth)
    return known if problem.classes else _with_errors(known, both, cells, true)


def usable(answers: Predictions) -> NDArray[np.bool_]:
    """Return the (n,) rows whose answers are finite numbers."""
    finite = np.atleast_2d(np.isfinite(answers.values).T)
    result: NDArray[np.bool_] = np.logical_and.reduce(finite, axis=0)
    return result


def _stacked(one: Predictions, other: Predictions) -> Predictions:
    return Predictions(np.concatenate([one.values, other.values]), one.classes)


def _with_calibration(known: Known, answers: Predictions, codes: Codes, truth: Truth) -> Known:
    """Add what the test rows show in each bin of the score."""
    bins, size = known.bins(answers), len(known.edges) + 1
    foretold = score_of(known, answers) if known.classes else known.foretold(answers, codes)[0]
    outcome = outcome_of(known, answers, truth)
    return msgspec.structs.replace(
        known,
        seen=tuple(np.bincount(bins, minlength=size).tolist()),
        hits=tuple(np.bincount(bins, outcome, size).tolist()),
        expected=tuple(np.bincount(bins, foretold, size).tolist()),
    )


def _with_errors(known: Known, answers: Predictions, codes: Codes, truth: Truth) -> Known:
    """Add the law of the errors in units of their expected size, by bin: equal parts of them.

    A part is told by its mean square and the sign of its mean. The law of a bin is what the answers
    there miss, too: where they rise too slowly, high ones lie below the truth.
    """
    units = (answers.values - truth) / np.maximum(known.foretold(answers, codes)[0], 1e-300)
    bins = known.bins(answers)
    laws = []
    for number in range(len(known.edges) + 1):
        inside = units[bins == number]
        parts = np.array_split(np.sort(inside if len(inside) >= QUANTILES else units), QUANTILES)
        laws.append(
            tuple(float(np.sign(p.mean()) * np.sqrt((p**2).mean())) for p in parts if len(p))
        )
    return msgspec.structs.replace(known, errors=tuple(laws))
