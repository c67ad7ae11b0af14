"""What the project file and the target together ask: task, classes, features, metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from assay.errors import AssayError, DataError, Mistakes, SpecError
from assay.kernel.family import class_labels
from assay.metrics import default_also, default_primary, get, names_for
from assay.records.snapshot import DataSnapshot, Problem
from assay.records.spec import GateSpec, ProjectSpec
from assay.tasks.tabular.limits import limits

Task = Literal["binary", "multiclass", "regression"]

TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression")
MOST_CLASSES = 100
FEWEST_ROWS = 10
WRITTEN = "the project file says so"
"""The reason for what would not have been inferred."""
POSITIVE_NAMES = frozenset({"yes", "y", "true", "t", "1", "positive", "pos"})


@dataclass(frozen=True)
class _Target:
    """The known values of the target, and how they count."""

    values: pl.Series
    name: str

    @property
    def numeric(self) -> bool:
        return self.values.dtype.is_numeric()

    @property
    def whole(self) -> bool:
        return self.numeric and bool((self.values == self.values.round()).all())

    @property
    def distinct(self) -> int:
        return self.values.n_unique()


def state(spec: ProjectSpec, snapshot: DataSnapshot, target: pl.Series) -> Problem:
    """Return the problem; task, positive class and metrics are inferred where not given.

    Raises:
        DataError: the target cannot carry the task.
        SpecError: task, positive class, a metric or a gate does not fit.
    """
    known = _Target(_known(target), spec.data.target)
    task, reason = _task(spec, known)
    classes: tuple[str, ...] = ()
    positive = None
    rate = None
    if task != "regression":
        labels = class_labels(known.values)
        counts = dict(labels.value_counts().iter_rows())
        classes = tuple(sorted(counts))
        if task == "binary":
            positive = _positive(spec.data.positive, counts)
        rate = counts[positive] if positive is not None else min(counts.values())
        rate = rate / len(labels)
    elif spec.data.positive is not None:
        raise SpecError(
            "SPEC-POSITIVE",
            "a number has no positive class",
            where="data.positive",
            got=spec.data.positive,
            hint='remove positive, or set task = "binary"',
        )
    chosen, why = default_primary(task, rate)
    primary = spec.metric.primary or chosen
    _check_metrics(task, spec.metric.primary, spec.metric.also, spec.gates)
    features = _features(spec, snapshot)
    monotone, interactions = limits(spec.features, snapshot, features, len(classes))
    reason += f"; metric {primary}: {why if primary == chosen else WRITTEN}"
    return Problem(
        family="tabular",
        task=task,
        target=spec.data.target,
        classes=classes,
        positive=positive,
        features=features,
        primary=primary,
        also=spec.metric.also or default_also(task, primary),
        reason=reason,
        monotone=monotone,
        interactions=interactions,
    )


def _known(target: pl.Series) -> pl.Series:
    values = target.drop_nulls()
    if values.dtype.is_float():
        values = values.filter(values.is_finite())
    if len(values) < FEWEST_ROWS:
        raise DataError(
            "DATA-TOO-FEW-ROWS",
            f"{len(values)} rows have a target, and nothing can be learned from so few",
            where=target.name,
            got=len(values),
            allowed=[f"at least {FEWEST_ROWS}"],
            hint="give more rows",
        )
    if values.dtype.is_temporal():
        raise DataError(
            "DATA-TARGET-DATE",
            "the target is a date, and this family predicts classes and numbers",
            where=target.name,
            hint="predict the number of days until the date instead",
        )
    if values.n_unique() == 1:
        raise DataError(
            "DATA-ONE-CLASS",
            "every row has the same target, so there is nothing to learn",
            where=target.name,
            got=str(values[0]),
            hint="name another target, or add rows with another outcome",
        )
    return values


def _task(spec: ProjectSpec, target: _Target) -> tuple[Task, str]:
    """Return the task and one clause that says why."""
    if spec.project.task is None:
        return _inferred_task(target, spec.metric.primary)
    task = _given_task(spec.project.task, target)
    inferred, reason = _inferred_task(target, None)
    return task, reason if task == inferred else WRITTEN


def _inferred_task(target: _Target, metric: str | None) -> tuple[Task, str]:
    distinct = target.distinct
    if distinct == 2:
        return "binary", f"{target.name} has two values"
    if not target.numeric:
        return _many_classes(target), f"{target.name} has {distinct} named values"
    if target.whole and metric in names_for("multiclass"):
        return _many_classes(target), f"{metric} is a metric of classes"
    if metric in names_for("regression"):
        return "regression", f"{metric} is a metric of numbers"
    if not target.whole:
        return "regression", f"{target.name} is a number with decimals"
    sizes = target.values.value_counts()["count"].to_numpy()
    if distinct < 5 or (distinct <= 20 and sizes.max() / sizes.min() < 3):
        return "multiclass", f"{target.name} has {distinct} whole values, each often enough"
    return "regression", f"{target.name} is a whole number with {distinct} values"


def _given_task(task: str, target: _Target) -> Task:
    if task not in TASKS:
        raise SpecError(
            "SPEC-TASK",
            "this family knows no such task",
            where="project.task",
            got=task,
            allowed=TASKS,
        )
    if task == "regression":
        if not target.numeric:
            raise DataError(
                "DATA-TARGET-TEXT",
                "the task is regression, and the target holds text",
                where=target.name,
                got=str(target.values[0]),
                hint='clean the column, or set task = "multiclass"',
            )
        return "regression"
    if task == "binary" and target.distinct != 2:
        raise DataError(
            "DATA-NOT-BINARY",
            f"the task is binary, and the target has {target.distinct} values",
            where=target.name,
            got=target.distinct,
            allowed=[2],
            hint='set task = "multiclass", or remove the line to let Assay choose',
        )
    if task == "multiclass":
        return _many_classes(target)
    return "binary"


def _many_classes(target: _Target) -> Task:
    if target.distinct > MOST_CLASSES:
        raise DataError(
            "DATA-TOO-MANY-CLASSES",
            f"the target has {target.distinct} classes, and at most {MOST_CLASSES} are supported",
            where=target.name,
            got=target.distinct,
            allowed=[f"at most {MOST_CLASSES}"],
            hint="join rare classes, or name another target",
        )
    return "binary" if target.distinct == 2 else "multiclass"


def _positive(given: str | None, counts: dict[str, int]) -> str:
    """Return the class given, else one that is called yes or the like, else the rarer one."""
    if given is not None:
        if given not in counts:
            raise SpecError(
                "SPEC-POSITIVE",
                "the positive class does not occur in the target",
                where="data.positive",
                got=given,
                allowed=sorted(counts),
                hint="name one of the classes, spelled as in the data",
            )
        return given
    named = [label for label in counts if label.strip().lower() in POSITIVE_NAMES]
    return named[0] if len(named) == 1 else min(sorted(counts), key=lambda label: counts[label])


def _check_metrics(
    task: str, primary: str | None, also: tuple[str, ...], gates: tuple[GateSpec, ...]
) -> None:
    """Raise SpecError, or Mistakes, for every metric that is unknown or does not fit the task."""
    named = [("metric.primary", primary)] if primary else []
    named += [(f"metric.also.{i}", name) for i, name in enumerate(also)]
    named += [(f"gates.{i}.metric", gate.metric) for i, gate in enumerate(gates)]
    errors: list[AssayError] = []
    for where, name in named:
        try:
            fits = task in get(name).tasks
        except SpecError as error:
            error.where = where
            errors.append(error)
            continue
        if not fits:
            errors.append(
                SpecError(
                    "METRIC-TASK",
                    f"{name} is not a metric for {task}",
                    where=where,
                    got=name,
                    allowed=names_for(task),
                    hint="choose a metric that fits, or set project.task",
                )
            )
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise Mistakes(errors)


def _features(spec: ProjectSpec, snapshot: DataSnapshot) -> tuple[str, ...]:
    """Return all columns but the target, dropped ones, ids, and those that steer the split."""
    split = spec.split
    held = {spec.data.target, *spec.data.drop, *(split.group_time_on or ())}
    held |= {split.group_on or "", split.time_on or "", split.predefined_on or ""}
    features = tuple(c.name for c in snapshot.columns if c.type != "id" and c.name not in held)
    if not features:
        raise DataError(
            "DATA-NO-FEATURES",
            "no column is left to predict from",
            where=spec.data.target,
            hint="drop fewer columns; a column taken for an id can be kept by data.types",
        )
    return features
