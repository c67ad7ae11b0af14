"""Rules between keys: what must, and what must not, stand together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from assay.errors import SpecError
from assay.kernel.plugins import BUILTIN_FAMILIES, FAMILY_GROUP, table
from assay.metrics import METRICS, Metric, get, names_for
from assay.spec.check import Mistaken, Values, dotted, pattern_of
from assay.spec.keys import KEYS
from assay.spec.locate import KeyPath
from assay.spec.values import EXAMPLES, quantity

_SPLITS = ("stratify_on", "group_on", "time_on", "group_time_on", "predefined_on")
_RULES = ("at_least", "at_most", "beats")
_THRESHOLDS = ("threshold", "costs", "capacity", "precision", "recall")
_COSTS = ("false_positive", "false_negative")


def cross_check(values: Values, tree: dict[str, Any], mistakes: Mistaken) -> None:
    """Note what contradicts another key, and names that no family or metric has.

    Turns the thresholds of gates into the units of their metrics, in place. `tree` is the parsed
    file: a key that is there but wrong counts as there.
    """
    _source(tree, mistakes)
    _split(values, tree, mistakes)
    _dropped(values, mistakes)
    _family(values, mistakes)
    _task(values, mistakes)
    _metrics(values, mistakes)
    _answers(values, tree, mistakes)
    _fairness(values, mistakes)
    for index, gate in enumerate(_tables(tree, "gates")):
        _one_rule(index, gate, mistakes)
        _threshold(index, values, mistakes)


def _tables(tree: dict[str, Any], section: str) -> list[Any]:
    found = tree.get(section)
    return found if isinstance(found, list) else []


def _written(tree: dict[str, Any], section: str) -> set[str]:
    found = tree.get(section)
    return set(found) if isinstance(found, dict) else set()


def _source(tree: dict[str, Any], mistakes: Mistaken) -> None:
    written = _written(tree, "data") & {"source", "sql", "connection"}
    if written == {"connection"} or written == {"source", "connection"}:
        mistakes.add(
            "SPEC-CONFLICT",
            ("data", "connection"),
            "data.connection needs a query in data.sql",
            hint='add sql = "SELECT … FROM …", or remove connection',
        )
    elif written == {"source", "sql", "connection"}:
        mistakes.add(
            "SPEC-CONFLICT",
            ("data", "connection"),
            "data.sql reads either the files of data.source or data.connection, not both",
            hint="remove source or connection",
        )
    elif "source" not in written and "connection" not in written:
        what = "data.sql has no table to read" if written else "there is no data"
        mistakes.add(
            "SPEC-MISSING-KEY",
            ("data", "source"),
            f"{what}: data.source is missing",
            allowed=KEYS["data", "source"].rule.allowed,
            hint='add source = "FILE", or sql = "SELECT …" with connection = "$NAME"',
        )


def _split(values: Values, tree: dict[str, Any], mistakes: Mistaken) -> None:
    written = _written(tree, "split")
    chosen = [name for name in _SPLITS if name in written]
    if len(chosen) > 1:
        mistakes.add(
            "SPEC-CONFLICT",
            ("split", chosen[1]),
            f"a split has one policy, and this one has {len(chosen)}: {', '.join(chosen)}",
            got=chosen,
            allowed=_SPLITS,
            hint="keep one of them; group_time_on stands for group and time together",
        )
    own = "test" in _written(tree, "data")
    if own and (chosen != ["stratify_on"] * len(chosen) or "test" in written):
        mistakes.add(
            "SPEC-CONFLICT",
            ("data", "test"),
            "data.test says which rows are the test rows, and so does [split]",
            got=[*chosen, *written & {"test"}],
            allowed=("stratify_on", "folds", "seed"),
            hint="keep data.test, or the policy in [split]",
        )
    if "test_values" in written and "predefined_on" not in written:
        mistakes.add(
            "SPEC-CONFLICT",
            ("split", "test_values"),
            "split.test_values means nothing without split.predefined_on",
            hint="add predefined_on = the column that marks the test rows, or remove test_values",
        )
    if values.get(("split", "test_values")) == []:
        mistakes.add(
            "SPEC-BAD-VALUE",
            ("split", "test_values"),
            "split.test_values must name at least one value",
            got=[],
            hint='write the values that mark a test row, such as ["test"]',
        )


def _dropped(values: Values, mistakes: Mistaken) -> None:
    """A dropped column is never read, so nothing can rest on it."""
    dropped = set(values.get(("data", "drop"), ()))
    for path, column in _used_columns(values):
        if column in dropped:
            mistakes.add(
                "SPEC-CONFLICT",
                path,
                f"{dotted(path)} names a column that data.drop removes",
                got=column,
                hint="take it out of data.drop",
            )


def _used_columns(values: Values) -> Iterator[tuple[KeyPath, str]]:
    for path, value in values.items():
        splits = path[0] == "split" and path[-1] in _SPLITS
        single = path in (("data", "target"), ("fairness", "columns"))
        if splits or single or path[-1] == "column":
            yield from ((path, name) for name in (value if isinstance(value, list) else [value]))
        elif path == ("features", "monotone"):
            yield from ((path, name) for name in value)
        elif path == ("features", "interactions"):
            yield from ((path, name) for group in value for name in group)


def _family(values: Values, mistakes: Mistaken) -> None:
    name = values.get(("project", "family"))
    families = sorted(table(FAMILY_GROUP, BUILTIN_FAMILIES))
    if name is not None and name not in families:
        mistakes.add(
            "FAMILY-UNKNOWN",
            ("project", "family"),
            f"no family called {name}",
            got=name,
            allowed=families,
            hint="use one of these, or install the package that brings it",
        )


def _task(values: Values, mistakes: Mistaken) -> None:
    task = values.get(("project", "task"))
    for path in values:
        key = KEYS[pattern_of(path)]
        if key.tasks and task is not None and task not in key.tasks:
            mistakes.add(
                "SPEC-CONFLICT",
                path,
                f"{key.path} has no meaning for a {task} task",
                got=values[path],
                allowed=sorted(key.tasks),
                hint=f"remove {key.path}, or change project.task",
            )


def _metrics(values: Values, mistakes: Mistaken) -> None:
    task = values.get(("project", "task"))
    for path, value in values.items():
        if path[0] == "release" or path[-1] not in ("primary", "also", "metric"):
            continue
        for name in value if isinstance(value, list) else [value]:
            try:
                metric = get(name)
            except SpecError as error:
                mistakes.add(
                    error.code,
                    path,
                    error.message,
                    got=name,
                    allowed=error.allowed,
                    hint=error.hint,
                )
                continue
            if task is not None and task not in metric.tasks:
                mistakes.add(
                    "METRIC-TASK",
                    path,
                    f"{name} does not fit a {task} task",
                    got=name,
                    allowed=names_for(task),
                    hint="choose a metric of the task, or change project.task",
                )


def _answers(values: Values, tree: dict[str, Any], mistakes: Mistaken) -> None:
    written = _written(tree, "answers")
    chosen = [name for name in _THRESHOLDS if name in written]
    if len(chosen) > 1:
        mistakes.add(
            "SPEC-CONFLICT",
            ("answers", chosen[1]),
            f"one rule chooses the threshold, and here are {len(chosen)}: {', '.join(chosen)}",
            got=chosen,
            allowed=_THRESHOLDS,
            hint="keep the one that your decision rests on",
        )
    costs = values.get(("answers", "costs"))
    if costs is not None and (set(costs) != set(_COSTS) or not any(costs.values())):
        mistakes.add(
            "SPEC-BAD-VALUE",
            ("answers", "costs"),
            "answers.costs says what a false positive and a false negative cost, not both nothing",
            got=costs,
            allowed=_COSTS,
            hint="write costs = { false_positive = 1, false_negative = 5 }",
        )


def _fairness(values: Values, mistakes: Mistaken) -> None:
    mitigate = values.get(("fairness", "mitigate"), "none")
    columns = values.get(("fairness", "columns"), [])
    if mitigate != "none" and not columns:
        mistakes.add(
            "SPEC-CONFLICT",
            ("fairness", "mitigate"),
            "fairness.mitigate has no groups to treat alike: fairness.columns is empty",
            got=mitigate,
            hint='name them, such as columns = ["sex"]',
        )
    elif values.get(("data", "target")) in columns:
        mistakes.add(
            "SPEC-CONFLICT",
            ("fairness", "columns"),
            "the groups that must be treated alike cannot be those of the answer itself",
            got=columns,
            hint="take the target out of fairness.columns",
        )
    elif mitigate == "thresholds" and len(columns) > 1:
        mistakes.add(
            "SPEC-CONFLICT",
            ("fairness", "columns"),
            "thresholds for each group need one column, and here are several",
            got=columns,
            hint="keep one, make a column of both with features.transform, or use mitigate = "
            '"reweigh"',
        )


def _one_rule(index: int, gate: Any, mistakes: Mistaken) -> None:
    rules = [name for name in _RULES if isinstance(gate, dict) and name in gate]
    if isinstance(gate, dict) and len(rules) != 1:
        mistakes.add(
            "SPEC-CONFLICT",
            ("gates", index),
            f"a gate needs exactly one of {', '.join(_RULES)}, and this one has {len(rules)}",
            got=rules,
            allowed=_RULES,
            hint="write one [[gates]] table for each rule",
        )


def _threshold(index: int, values: Values, mistakes: Mistaken) -> None:
    name = values.get(("gates", index, "metric"))
    if name not in METRICS:
        return
    metric = METRICS[name]
    for rule in ("at_least", "at_most"):
        path = ("gates", index, rule)
        if path not in values:
            continue
        number = quantity(values[path], metric.unit)
        if number is None or not metric.low <= number <= metric.high:
            _misfit(path, values.pop(path), metric, mistakes)
        else:
            values[path] = number


def _misfit(path: KeyPath, got: Any, metric: Metric, mistakes: Mistaken) -> None:
    low, high = metric.low, metric.high
    kind = "a number" if math.isinf(low) else f"a number of at least {low:g}"
    if math.isfinite(low) and math.isfinite(high):
        kind = f"a number from {low:g} to {high:g}"
    elif math.isfinite(high):
        kind = f"a number up to {high:g}"
    allowed = [kind] + (
        [f"text such as {EXAMPLES[metric.unit]}"] if metric.unit in EXAMPLES else []
    )
    hint = f"write a threshold on the scale of {metric.title}"
    if isinstance(got, int | float) and high == 1 and 1 < got <= 100:
        hint = f"write {got / 100:g} for {got:g} %"
    mistakes.add(
        "SPEC-BAD-VALUE",
        path,
        f"{dotted(path)} must be {' or '.join(allowed)} for {metric.name}",
        got=got,
        allowed=allowed,
        hint=hint,
    )
