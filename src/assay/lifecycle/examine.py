"""The one reading of the test rows: estimates, comparisons, slices, examinations and parity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from assay.evaluate.compare import compare, compare_all
from assay.evaluate.curves import curves
from assay.evaluate.examinations import examine
from assay.evaluate.intervals import estimates
from assay.evaluate.latency import measure as measure_latency
from assay.evaluate.slices import bins, slice_results
from assay.kernel.family import Predictions, Predictor, Rows
from assay.kernel.stage import Context, Inputs, Note, take
from assay.lifecycle.case import Answers, build_case, groups_of, times_of
from assay.lifecycle.criteria import asked_slices, reported, sliced_on
from assay.lifecycle.fit import operated, restore
from assay.lifecycle.looks import looks_at
from assay.lifecycle.material import Material, target_codes
from assay.lifecycle.rival import Rival, live_rival
from assay.metrics import Metric, get
from assay.package import parity
from assay.package.load import Operated, open_predictor
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


def evaluate(inputs: Inputs, context: Context) -> Report:
    """Run the stage: what is scored is the exported model, as it will be served."""
    material = Material.open(inputs, context.store)
    fitted, seal = take(inputs, "fit", Fitted), take(inputs, "seal", Seal)
    files = {name: context.store.get(found) for name, found in fitted.files.items()}
    predictor = open_predictor(material.problem.family, files, fitted.signature)
    context.notify(Note("evaluate", "opening the test rows"))
    given = _ask(material, context, fitted, predictor, seal)
    same = _parity(material, context, fitted, predictor, given)
    metrics = reported(seal)
    context.notify(Note("evaluate", f"{len(metrics)} metrics with intervals"))
    champion, baseline = (
        _scores(metrics, material, given, answer, seal)
        for answer in (given.champion, given.baseline)
    )
    rival = live_rival(inputs, context, material, given.index)
    looks = looks_at(context.ledger.read(), given.test)
    case = build_case(inputs, context, material, predictor, given, metrics, looks)
    return Report(
        seal=digest(seal),
        test=given.test,
        rows=given.index.size,
        champion=Scores(name=fitted.name, metrics=champion),
        baseline=Scores(name=fitted.baseline.candidate.name, metrics=baseline),
        comparison=_compare(fitted, material, given, seal),
        comparisons=_comparisons(metrics, fitted, material, given, seal, rival),
        slices=_slices(material, seal, metrics, given),
        curves=(
            *curves(material.problem, given.rows.truth, given.champion, given.baseline),
            take(inputs, "learning", Curve),
        ),
        examinations=(
            *examine(case, lambda name: context.notify(Note("evaluate", name))),
            *_explained(material, context, fitted, predictor, given, seal),
        ),
        parity=same,
        latency_ms=_latency(predictor, given.rows),
        package_bytes=sum(len(data) for data in files.values()),
        looks=looks,
        unasked=rival.why,
    )


def _ask(
    material: Material, context: Context, fitted: Fitted, predictor: Predictor, seal: Seal
) -> Answers:
    """Open the door and ask both models."""
    rows, index, test = material.test_rows(context, seal, digest([fitted.files, fitted.signature]))
    champion = predictor.predict(rows.frame)
    alone = [member.candidate for member in fitted.members] == [fitted.baseline.candidate]
    baseline = champion  # to the last bit, so that the difference is none
    if not alone:
        models = [(restore(material, context.store, fitted.baseline), 1.0)]
        baseline = operated(models, rows, fitted.baseline_operating, material.problem)
    return Answers(
        rows,
        index,
        test,
        champion,
        baseline,
        groups_of(material, seal, index),
        times_of(material, seal, index),
    )


def _parity(
    material: Material, context: Context, fitted: Fitted, predictor: Predictor, given: Answers
) -> Parity:
    context.notify(Note("evaluate", "parity of the exported model"))
    problem, operating = material.problem, fitted.signature.operating
    models = [(restore(material, context.store, m), m.weight) for m in fitted.members]
    some = material.train_index[:: max(1, material.train_index.size // NASTY_FROM)]
    nasty = Rows(material.family.nasty_rows(problem, material.rows(some), seed=0))
    found = parity.measure(
        operated(models, given.rows, operating, problem),
        given.champion,
        operated(models, nasty, operating, problem),
        predictor.predict(nasty.frame),
        problem.positive_code if problem.positive is not None else None,
    )
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


def _compare(fitted: Fitted, material: Material, given: Answers, seal: Seal) -> Comparison:
    """Compare champion and baseline by the headline metric."""
    return compare(
        get(seal.primary),
        given.rows.truth,
        given.champion,
        given.baseline,
        names=(fitted.name, fitted.baseline.candidate.name),
        positive_code=material.problem.positive_code,
        groups=given.groups,
        times=given.times,
        seed=seal.split.seed,
    )


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
    predictor: Operated,
    given: Answers,
    seal: Seal,
) -> tuple[Examination, ...]:
    context.notify(Note("evaluate", "explanations"))
    models = [(restore(material, context.store, m), m.weight) for m in fitted.members]
    train = material.rows(material.train_index)
    return material.family.explain(
        material.problem, predictor, models, given.rows, train, seal.split.seed
    )


def _latency(predictor: Predictor, rows: Rows) -> dict[str, Estimate]:
    one = rows.frame.head(1)
    return measure_latency(lambda: predictor.predict(one))
