"""The one reading of the test rows: estimates, comparisons, slices, examinations and parity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
import polars as pl

from assay.evaluate.compare import compare_all
from assay.evaluate.curves import curves
from assay.evaluate.examinations import LATE, examine
from assay.evaluate.slices import bins, slice_results
from assay.kernel.family import Predictions, Rows
from assay.kernel.stage import Context, Inputs, Note, take
from assay.lifecycle.answered import Answered, write_answers
from assay.lifecycle.case import Answers, build_case, groups_of, times_of
from assay.lifecycle.criteria import asked_slices, reported, sliced_on
from assay.lifecycle.latency import latency
from assay.lifecycle.looks import looks_at
from assay.lifecycle.material import Material, target_codes
from assay.lifecycle.rival import Rival, live_rival
from assay.lifecycle.trained import Trained, explain
from assay.metrics import Metric
from assay.metrics.intervals.estimates import estimates
from assay.metrics.operate import operate
from assay.package import parity
from assay.package.load import Operated, open_predictor
from assay.package.smoke import start_ahead
from assay.records.base import digest
from assay.records.fitted import Fitted
from assay.records.report import (
    Comparison,
    Curve,
    Estimate,
    Examination,
    Parity,
    Report,
    Scores,
    SliceResult,
)
from assay.records.seal import Seal

NASTY_FROM = 2_000
"""Nasty rows are made from at most so many training rows."""
NASTY_ROWS, MOST_PASSES, SHORT = 10_000, 60, 200
"""Nasty rows to make, the passes over the columns for them, and the texts of later passes."""
PORTABLE_ROWS = 10_000
"""Test rows that the plain model file is asked for, about."""
EXPLAINED, EXPLAINED_FROM = 5_000, 20_000
"""Test rows and training rows that explanations draw from, at most."""

UNEXPLAINED = Examination(
    name="unexplained",
    title="What the answers rest on",
    reading="The budget of time was used up before the answers could be explained. A larger "
    "budget.time brings the explanations back.",
)


@dataclass(frozen=True)
class Library:
    """Rows made to break an export, and the trained champion's answers to test and nasty rows."""

    nasty: pl.DataFrame
    answers: Callable[[], list[Predictions]]


def evaluate(inputs: Inputs, context: Context) -> Report:
    """Run the stage: what is scored is the exported model, as it will be served.

    Meanwhile workers explain it, and ask the libraries that trained it.
    """
    material = Material.open(inputs, context.store)
    fitted, seal = take(inputs, "fit", Fitted), take(inputs, "seal", Seal)
    files = {name: context.store.get(found) for name, found in fitted.files.items()}
    predictor = open_predictor(material.problem.family, files, fitted.signature)
    start_ahead(material.problem.family)
    given, trained = _ask(material, context, fitted, predictor, seal)
    explained = _explained(material, context, fitted, files, given, seal)
    metrics = reported(seal)
    context.notify(Note("evaluate", f"{len(metrics)} metrics with intervals"))
    champion, baseline = (
        _scores(metrics, material, given, answer, seal)
        for answer in (given.champion, given.baseline)
    )
    rival = live_rival(inputs, context, material, given.index)
    looks = looks_at(context.ledger.read(), given.test)
    case = build_case(inputs, context, material, predictor, given, metrics, looks)
    compared = _comparisons(metrics, fitted, material, given, seal, rival)
    examined = tuple(examine(case, _say(context), context.left))
    same = _parity(material, context, predictor, given, trained)
    return Report(
        seal=digest(seal),
        test=given.test,
        rows=given.index.size,
        champion=Scores(name=fitted.name, metrics=champion),
        baseline=Scores(name=fitted.baseline.candidate.name, metrics=baseline),
        comparison=_headline(compared, seal),
        comparisons=compared,
        slices=_slices(material, seal, metrics, given),
        curves=(
            *curves(material.problem, given.rows.truth, given.champion, given.baseline),
            take(inputs, "learning", Curve),
        ),
        examinations=(*examined, *explained()),
        parity=same,
        latency_ms=latency(predictor, given.rows.frame),
        package_bytes=sum(len(data) for data in files.values()),
        looks=looks,
        unasked=rival.why,
        answers=context.store.put(write_answers(Answered(given.champion, given.rows.truth))),
    )


def _say(context: Context) -> Callable[[str], None]:
    return lambda text: context.notify(Note("evaluate", text))


def _ask(
    material: Material, context: Context, fitted: Fitted, predictor: Operated, seal: Seal
) -> tuple[Answers, Library]:
    """Open the door and ask both models; what the champion's libraries say is under way."""
    context.notify(Note("evaluate", "opening the test rows"))
    rows, index, test = material.test_rows(context, seal, digest([fitted.files, fitted.signature]))
    problem = material.problem
    alone = [member.candidate for member in fitted.members] == [fitted.baseline.candidate]
    simple = None if alone else Trained.baseline(problem, fitted).ask(context, [rows.frame])
    nasty = _nasty(material)
    trained = Trained.champion(problem, fitted).ask(context, [rows.frame, nasty])
    raw = predictor.scores.predict(rows.frame)
    champion = operate(fitted.signature.operating, raw, rows.frame, problem.positive_code)
    return Answers(
        rows,
        index,
        test,
        champion,
        raw,
        simple()[0] if simple else champion,  # to the last bit, so that the difference is none
        groups_of(material, seal, index),
        times_of(material, seal, index),
    ), Library(nasty, trained)


def _nasty(material: Material) -> pl.DataFrame:
    """Return about `NASTY_ROWS` nasty rows: as many whatever the time, as packages count them."""
    some = material.train_index[:: max(1, material.train_index.size // NASTY_FROM)]
    rows = material.rows(some)
    found = [material.family.nasty_rows(material.problem, rows, seed=0)]
    passes = min(MOST_PASSES, -(-NASTY_ROWS // max(1, found[0].height)))
    for seed in range(1, passes):
        again = material.family.nasty_rows(material.problem, rows, seed=seed)
        # one pass with texts of any length is enough
        found.append(again.with_columns(pl.col(pl.String).str.slice(0, SHORT)))
    return pl.concat(found)


def _parity(
    material: Material, context: Context, predictor: Operated, given: Answers, trained: Library
) -> Parity:
    context.notify(Note("evaluate", "parity of the exported model"))
    problem = material.problem
    code = problem.positive_code if problem.positive is not None else None
    real, nasty = trained.answers()
    answered = predictor.predict(trained.nasty)
    found = parity.measure(real, given.champion, nasty, answered, code)
    some = np.arange(0, given.index.size, max(1, given.index.size // PORTABLE_ROWS))
    outside = [predictor.scores.portable(f) for f in (given.rows.frame[some], trained.nasty)]
    if outside[0] is not None and outside[1] is not None:
        (one, names), (other, odd_names) = outside[0], outside[1]
        whole = parity.measure(real.take(some), one, nasty, other, code, (names, odd_names))
        found = msgspec.structs.replace(found, portable=whole)
    parity.require(found)
    return found


def _scores(
    metrics: Sequence[Metric], material: Material, given: Answers, answer: Predictions, seal: Seal
) -> dict[str, Estimate]:
    return estimates(
        metrics,
        given.rows.truth,
        answer,
        positive_code=material.problem.positive_code,
        groups=given.groups,
        times=given.times,
        seed=seal.split.seed,
    )


def _headline(compared: Sequence[Comparison], seal: Seal) -> Comparison:
    """Return the comparison of champion and baseline by the headline metric, as one by itself."""
    one = next(c for c in compared if c.metric == seal.primary and c.against == "baseline")
    return msgspec.structs.replace(one, p_adjusted=None)


def _comparisons(
    metrics: Sequence[Metric],
    fitted: Fitted,
    material: Material,
    given: Answers,
    seal: Seal,
    rival: Rival,
) -> tuple[Comparison, ...]:
    """Compare by every metric, with the baseline and with the model that is live."""
    found: list[Comparison] = []
    rivals: list[tuple[str, Predictions, Literal["baseline", "champion"]]] = [
        (fitted.baseline.candidate.name, given.baseline, "baseline")
    ]
    if rival.answers is not None:
        rivals.append((rival.name, rival.answers, "champion"))
    for name, answers, against in rivals:
        found += compare_all(
            metrics,
            given.rows.truth,
            given.champion,
            answers,
            names=(fitted.name, name),
            against=against,
            positive_code=material.problem.positive_code,
            groups=given.groups,
            times=given.times,
            seed=seal.split.seed,
        )
    return tuple(found)


def _slices(
    material: Material, seal: Seal, metrics: Sequence[Metric], given: Answers
) -> tuple[SliceResult, ...]:
    table, problem = material.table, material.problem
    return slice_results(
        {name: bins(table[name][given.index]) for name in sliced_on(seal)},
        metrics,
        target_codes(table[problem.target][given.index], problem),
        given.champion,
        positive_code=problem.positive_code,
        groups=given.groups,
        seed=seal.split.seed,
        asked=asked_slices(seal),
    )


def _explained(
    material: Material,
    context: Context,
    fitted: Fitted,
    files: Mapping[str, bytes],
    given: Answers,
    seal: Seal,
) -> Callable[[], tuple[Examination, ...]]:
    """Start explaining a sample of the rows; what is returned waits for it, as time allows."""
    if context.left() < LATE:
        return lambda: (UNEXPLAINED,)
    context.notify(Note("evaluate", "explanations"))
    draw = np.random.default_rng(seal.split.seed)
    tested = np.sort(draw.permutation(given.index.size)[:EXPLAINED])
    trained = np.sort(draw.permutation(material.train_index)[:EXPLAINED_FROM])
    rows = given.rows
    weight = None if rows.weight is None else rows.weight[tested]
    stored = Trained.champion(material.problem, fitted).stored(context)
    future = context.executor.submit(
        explain,
        material.problem,
        files,
        fitted.signature,
        list(zip(stored, [member.weight for member in fitted.members], strict=True)),
        Rows(rows.frame[tested], rows.truth[tested], weight),
        material.rows(trained),
        seal.split.seed,
    )

    def finished() -> tuple[Examination, ...]:
        left = context.left() - LATE
        try:
            return future.result(None if left == float("inf") else max(0.0, left))
        except TimeoutError:
            context.executor.stop()
            return (UNEXPLAINED,)

    return finished
