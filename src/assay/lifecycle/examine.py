"""The one reading of the test rows: estimates, comparison, slices, plots, parity and latency."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.evaluate.compare import compare
from assay.evaluate.curves import curves
from assay.evaluate.intervals import estimates
from assay.evaluate.latency import measure as measure_latency
from assay.evaluate.slices import bins, slice_results
from assay.kernel.family import Predictions, Predictor, Rows
from assay.kernel.plugins import load_predictor
from assay.kernel.stage import Context, Inputs, Note, take
from assay.lifecycle.criteria import reported
from assay.lifecycle.fit import blend, restore
from assay.lifecycle.material import Material, target_codes
from assay.metrics import Metric, get
from assay.package import parity
from assay.records.base import digest
from assay.records.fitted import Fitted
from assay.records.report import Curve, Estimate, Parity, Report, Scores, SliceResult
from assay.records.seal import Seal

NASTY_FROM = 2_000
"""Nasty rows are made from at most so many training rows."""


def evaluate(inputs: Inputs, context: Context) -> Report:
    """Run the stage: what is scored is the exported model, as it will be served."""
    material = Material.open(inputs, context.store)
    fitted, seal = take(inputs, "fit", Fitted), take(inputs, "seal", Seal)
    problem = material.problem
    files = {name: context.store.get(found) for name, found in fitted.files.items()}
    predictor = load_predictor(problem.family)(files, fitted.signature)

    context.notify(Note("evaluate", "opening the test rows"))
    rows, index, test = material.test_rows(context, seal)
    champion = predictor.predict(rows.frame)
    same = _parity(material, context, fitted, predictor, rows, champion)
    alone = [member.candidate for member in fitted.members] == [fitted.baseline.candidate]
    baseline = (
        champion  # to the last bit, so that the difference is none
        if alone
        else blend([(restore(material, context.store, fitted.baseline), 1.0)], rows)
    )

    groups = _groups(material, seal, index)
    metrics = reported(seal)
    context.notify(Note("evaluate", f"{len(metrics)} metrics with intervals"))
    scores = [
        estimates(
            metrics,
            rows.truth,
            answer,
            positive_code=problem.positive_code,
            groups=groups,
            seed=seal.split.seed,
        )
        for answer in (champion, baseline)
    ]
    comparison = compare(
        get(problem.primary),
        rows.truth,
        champion,
        baseline,
        names=(fitted.name, fitted.baseline.candidate.name),
        positive_code=problem.positive_code,
        groups=groups,
        seed=seal.split.seed,
    )
    return Report(
        seal=digest(seal),
        test=test,
        rows=index.size,
        champion=Scores(name=fitted.name, metrics=scores[0]),
        baseline=Scores(name=fitted.baseline.candidate.name, metrics=scores[1]),
        comparison=comparison,
        slices=_slices(material, seal, index, metrics, champion, groups),
        curves=(
            *curves(problem, rows.truth, champion, baseline),
            *material.family.explain(problem, predictor, rows, seal.split.seed),
            take(inputs, "learning", Curve),
        ),
        parity=same,
        latency_ms=_latency(predictor, rows),
        package_bytes=sum(len(data) for data in files.values()),
    )


def _parity(
    material: Material,
    context: Context,
    fitted: Fitted,
    predictor: Predictor,
    rows: Rows,
    exported: Predictions,
) -> Parity:
    context.notify(Note("evaluate", "parity of the exported model"))
    models = [(restore(material, context.store, m), m.weight) for m in fitted.members]
    some = material.train_index[:: max(1, material.train_index.size // NASTY_FROM)]
    nasty = Rows(material.family.nasty_rows(material.problem, material.rows(some), seed=0))
    problem = material.problem
    found = parity.measure(
        blend(models, rows),
        exported,
        blend(models, nasty),
        predictor.predict(nasty.frame),
        problem.positive_code if problem.positive is not None else None,
    )
    parity.require(found)
    return found


def _groups(material: Material, seal: Seal, index: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return a code per test row for rows that belong together, when the split says so."""
    policy = seal.split
    column = policy.group_on or (policy.group_time_on[0] if policy.group_time_on else None)
    if column is None:
        return None
    return material.table[column][index].rank("dense").cast(pl.Int64).to_numpy()


def _slices(
    material: Material,
    seal: Seal,
    index: NDArray[np.int64],
    metrics: Sequence[Metric],
    champion: Predictions,
    groups: NDArray[np.int64] | None,
) -> tuple[SliceResult, ...]:
    columns = {s.column: bins(material.table[s.column][index]) for s in seal.slices}
    return slice_results(
        columns,
        metrics,
        target_codes(material.table[material.problem.target][index], material.problem),
        champion,
        positive_code=material.problem.positive_code,
        groups=groups,
        seed=seal.split.seed,
    )


def _latency(predictor: Predictor, rows: Rows) -> dict[str, Estimate]:
    one = rows.frame.head(1)
    return measure_latency(lambda: predictor.predict(one))
