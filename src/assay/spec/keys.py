"""Every key of `assay.toml`, declared once.

From this table come the validation, the sentences of its errors, the generated tests with bad
values, and the reference page. Defaults come from the records, so that they are stated once too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from assay.metrics import METRICS
from assay.records import spec as records
from assay.records.base import Record
from assay.records.snapshot import COLUMN_TYPES
from assay.spec.constraint import Constraint, ListOf, MapOf, Number, OneOf, Text
from assay.spec.values import Duration, Label, Size, Threshold, label, quantity

Pattern = tuple[str, ...]
"""A key path with `*` for the place in a list of tables: `("gates", "*", "metric")`."""

SECTIONS: Mapping[str, type[Record]] = {
    "project": records.ProjectSection,
    "data": records.DataSection,
    "features": records.FeaturesSection,
    "split": records.SplitSection,
    "metric": records.MetricSection,
    "slices.*": records.SliceSpec,
    "gates.*": records.GateSpec,
    "answers": records.AnswersSection,
    "fairness": records.FairnessSection,
    "audit.accept.*": records.Acceptance,
    "budget": records.BudgetSection,
    "serve": records.ServeSection,
    "release": records.ReleaseSection,
    "watch": records.WatchSection,
    "retrain": records.RetrainSection,
    "alerts.*": records.AlertSpec,
}
"""Each section of the file and the record that it becomes, in the order of the file."""


def _same(value: Any) -> Any:
    return value


def _labels(values: list[Any]) -> list[str]:
    return [label(value) for value in values]


def _seconds(value: Any) -> float | None:
    return quantity(value, "s")


def _megabytes(value: Any) -> float | None:
    size = quantity(value, "bytes")
    return None if size is None else size / 1e6


def _bytes(value: Any) -> float | None:
    return quantity(value, "bytes")


@dataclass(frozen=True)
class Key:
    """One key: where it stands, what it may hold, what it means, and which tasks know it.

    `read` turns a value that keeps the rule into the value of the record. `tasks` is empty when
    every task knows the key.
    """

    path: str
    rule: Constraint
    doc: str
    read: Callable[[Any], Any] = _same
    tasks: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def pattern(self) -> Pattern:
        """Return the path in parts."""
        return tuple(self.path.split("."))

    @cached_property
    def _field(self) -> msgspec.structs.FieldInfo:
        section, _, name = self.path.rpartition(".")
        fields = msgspec.structs.fields(SECTIONS[section])
        return next(found for found in fields if found.name == name)

    @property
    def required(self) -> bool:
        """Return True when the section cannot do without the key."""
        return bool(self._field.required)

    @property
    def default(self) -> Any:
        """Return the value of an absent key as a file may write it; None when it is unset."""
        given = self._field.default
        if given is msgspec.NODEFAULT:
            factory = self._field.default_factory
            given = None if factory is msgspec.NODEFAULT else factory()
        if isinstance(self.rule, Size) and given is not None:
            return f"{given / 1e6:g}MB"
        return list(given) if isinstance(given, tuple) else given


_TASKS = OneOf(tuple(sorted({task for metric in METRICS.values() for task in metric.tasks})))
_NAME = Text(
    # it names models (NAME@VERSION) and folders
    pattern=r"[^\W_][^\x00-\x1f\x7f-\x9f/\\@]{0,99}",
    describe=r"a name of at most 100 characters that starts with a letter or digit, without / \ @",
)
_COLUMN = Text(empty=True, pattern=r"[^\x00]+", describe="the name of a column")
_COLUMNS = ListOf(_COLUMN)
_CONNECTION = Text(
    pattern=r"\$[A-Za-z_][A-Za-z0-9_]*|[a-z][a-z0-9+]*://\S+",
    describe='"$NAME" of an environment variable, or a URL without a password',
)
_METRIC = Text(pattern=r"[A-Za-z0-9_.@:-]+", describe="the name of a metric")
_BINARY = frozenset({"binary"})
_CLASSES = _BINARY | {"multiclass"}

TABLE: tuple[Key, ...] = (
    Key("project.name", _NAME, "Name of the project and of the models that come out of it."),
    Key("project.question", Text(empty=True), "What is asked, by whom, about what, by when."),
    Key("project.decision", Text(empty=True), "What will be done with the answers."),
    Key("project.family", Text(pattern=r"[a-z][a-z0-9_]*", describe="the name of a family"),
        "The family of machine learning that answers."),
    Key("project.task", _TASKS, "What kind of answer; inferred from the target when absent."),
    Key("project.template", Text(empty=True, pattern=r"([\w.-]+(@[0-9a-f]{12,64})?)?",
                                 describe='"NAME@DIGEST" of a template'),
        "The template that this file came from, with the digest of all its other values."),
    Key("data.source", Text(describe="a path, a glob or catalogue:NAME"),
        "A file (CSV, Parquet, JSON), a folder, a glob or `catalogue:NAME`; paths start at "
        "the project's folder."),
    Key("data.sql", Text(), "A query that gives the table, over `source` or over `connection`."),
    Key("data.connection", _CONNECTION,
        "The database for `sql`; keep a URL with a password in an environment variable."),
    Key("data.target", _COLUMN, "The column to predict."),
    Key("data.positive", Label(), "The class that scores are about; numbers count as text.", label,
        _BINARY),
    Key("data.drop", _COLUMNS, "Columns that are never read."),
    Key("data.types", MapOf(OneOf(COLUMN_TYPES)), "Column types that are not to be inferred."),
    Key("data.missing", ListOf(Label(empty=True)),
        "More cells that mean a missing value; numbers count as text.", _labels),
    Key("data.missing_target", OneOf(("error", "drop")),
        "Whether rows without a target are an error or are dropped."),
    Key("data.duplicates", OneOf(("keep", "drop")),
        "Whether rows that repeat an earlier one in every column are kept or dropped."),
    Key("data.description", Text(empty=True), "What a row is, and how the rows came to be."),
    Key("data.test", Text(describe="a path, a glob or catalogue:NAME"),
        "A table of its own with the test rows, such as fresh ones after many looks at the old."),
    Key("features.transform",
        Text(pattern=r"[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*",
             describe='"module:function"'),
        "Python of the project that makes features; its packages load with `--allow-code` only."),
    Key("features.monotone", MapOf(OneOf(("increasing", "decreasing"))),
        "Numbers that the answer may only rise or fall with, as `{ age = \"increasing\" }`; for "
        "two classes, the probability of the positive one."),
    Key("features.interactions", ListOf(ListOf(_COLUMN)),
        "Groups of columns: the model adds up what each group says, and no columns of different "
        "groups interact; columns in no group form one."),
    Key("split.test", Number(0.0001, 0.9), "Share of the rows (or groups, or time) set aside."),
    Key("split.seed", Number(0, 10**9, whole=True), "Seed of every random choice."),
    Key("split.folds", Number(2, 50, whole=True), "Folds of the cross-validation."),
    Key("split.stratify_on", _COLUMN, "Keep the shares of this column's values in every part."),
    Key("split.group_on", _COLUMN, "Keep all rows of one value of this column in one part."),
    Key("split.time_on", _COLUMN, "Test on the latest rows by this column."),
    Key("split.group_time_on", ListOf(_COLUMN, 2),
        "Test on later rows of unseen groups: the group's column, then the time's."),
    Key("split.predefined_on", _COLUMN, "This column says which rows are the test rows."),
    Key("split.test_values", ListOf(Label()), "Values of `predefined_on` that mark a test row.",
        _labels),
    Key("metric.primary", _METRIC, "The headline metric; chosen from the task when absent."),
    Key("metric.also", ListOf(_METRIC), "Metrics reported beside it."),
    Key("slices.*.column", _COLUMN, "A column whose values are reported one by one."),
    Key("gates.*.metric", _METRIC, "The metric that the gate judges."),
    Key("gates.*.at_least", Threshold(), "Accept when the whole interval is at or above this."),
    Key("gates.*.at_most", Threshold(), "Accept when the whole interval is at or below this."),
    Key("gates.*.beats", OneOf(("baseline", "champion")),
        "Accept when better than this on the same rows: the baseline, or the model that is live."),
    Key("gates.*.on",
        Text(pattern=r"every slice|worst slice|[^=]+=.*",
             describe='"COLUMN=VALUE", "every slice" or "worst slice"'),
        "Ask it of a slice: of one, of every one in `slices`, or of the worst that is found."),
    Key("answers.calibrate", OneOf(("auto", "none", "platt", "isotonic", "temperature")),
        "How probabilities are repaired on predictions out of fold; `auto` only where it helps.",
        tasks=_CLASSES),
    Key("answers.threshold", Number(0, 1), "The probability from which the answer is positive.",
        tasks=_BINARY),
    Key("answers.costs", MapOf(Number(0, 1e12)),
        "What each kind of mistake costs: `{ false_positive = 1, false_negative = 5 }`; the "
        "threshold with the least cost is chosen.", tasks=_BINARY),
    Key("answers.capacity", Number(0.0001, 1),
        "The share of rows that can be acted on: the threshold that picks so many is chosen.",
        tasks=_BINARY),
    Key("answers.precision", Number(0.0001, 1), "The lowest threshold with this precision.",
        tasks=_BINARY),
    Key("answers.recall", Number(0.0001, 1), "The highest threshold with this recall.",
        tasks=_BINARY),
    Key("answers.coverage", Number(0.5, 0.999),
        "Share of rows whose true answer the prediction sets and intervals are to hold."),
    Key("fairness.columns", _COLUMNS, "Columns whose groups must be treated alike.",
        tasks=_BINARY),
    Key("fairness.definition",
        OneOf(("average_odds", "equalized_odds", "equal_opportunity", "demographic_parity")),
        "What treated alike means, for the mitigation.", tasks=_BINARY),
    Key("fairness.mitigate", OneOf(("none", "reweigh", "constrain", "thresholds")),
        "What is done about a difference: weights of rows, constrained training, or a threshold "
        "for each group.", tasks=_BINARY),
    Key("audit.accept.*.code", Text(pattern=r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)*",
                                    describe="the code of a finding, such as LEAK-TARGET"),
        "A finding that must not stop this project."),
    Key("audit.accept.*.reason", Text(), "Why; it goes to the ledger as your choice."),
    Key("audit.accept.*.where", Text(), "Only the finding about this column."),
    Key("budget.time", Duration(),
        f"How long the whole run may take; {records.DEFAULT_SECONDS:g} s when neither it nor "
        "`iterations` is set.", _seconds),
    Key("budget.iterations", Number(1, 10**6, whole=True),
        "How many candidates may be tried; without `time` the run is then the same on any "
        "machine."),
    Key("budget.memory", Size(),
        "How much memory all processes of the run may take: fewer workers, or fits on a sample.",
        _megabytes),
    Key("budget.only", ListOf(Text(describe="the name of a candidate")),
        "The candidates to try; all of the family when absent."),
    Key("serve.unknown", OneOf(("ignore", "warn", "error")),
        "What a server does about columns that the model does not know."),
    Key("serve.absent", OneOf(("warn", "error")),
        "What it does about columns that are not sent; with `warn` they count as missing."),
    Key("serve.outside", OneOf(("ignore", "warn", "error")),
        "What it does about numbers outside of the range that training saw."),
    Key("serve.unseen", OneOf(("ignore", "warn", "error")),
        "What it does about categories that training never saw."),
    Key("serve.slo", Duration(),
        "The 99th percentile of latency to keep; beyond what it can take, a server sheds load.",
        _seconds),
    Key("serve.fallback", Text(describe="NAME@VERSION of a simpler model"),
        "The model that answers in place of this one when there is too much to do."),
    Key("serve.batch", OneOf(("auto", "always", "never")),
        "Whether requests that arrive together are answered in one call; `auto` measures."),
    Key("serve.cache", Duration(), "For how long an answer may be repeated to an equal request; "
        "never when absent.", _seconds),
    Key("serve.body", Size(), "The largest body of a request.", _bytes),
    Key("serve.rows", Number(1, 10**7, whole=True), "The most rows of a request."),
    Key("serve.log", OneOf((True, False)), "Whether predictions are logged."),
    Key("serve.flush", Duration(),
        "How often the log is written: what a `kill -9` can lose at most.", _seconds),
    Key("serve.segment", Size(), "The size at which a segment of the log is closed.", _bytes),
    Key("serve.keep", Duration(), "For how long segments of the log are kept.", _seconds),
    Key("serve.mask", _COLUMNS, "Columns that the log leaves out."),
    Key("serve.pseudonym", _COLUMNS,
        "Columns that the log holds as keyed digests: equal values stay equal."),
    Key("release.strategy", OneOf(("direct", "shadow", "canary", "ab", "blue_green")),
        "How a new version takes over from the one that is live."),
    Key("release.steps", ListOf(Number(0.001, 0.99)),
        "The shares of traffic that the new version gets in turn."),
    Key("release.minimum", Number(20, 10**9, whole=True),
        "The fewest requests of the new version in each step."),
    Key("release.patience", Duration(),
        "When a release that could not be decided is given up.", _seconds),
    Key("release.alpha", Number(0.0001, 0.2),
        "The chance of a wrong alarm over the whole release."),
    Key("release.sticky", Text(describe="a column, or header:NAME"),
        "The column, or `header:NAME`, whose values each stay with one version."),
    Key("release.metric", Text(pattern=r"[A-Za-z0-9_.-]+", describe="the name of a number"),
        "The number sent as feedback that the new version must not worsen."),
    Key("release.better", OneOf(("higher", "lower")), "Which way that number is better."),
    Key("release.margin", Number(0, 1e12), "By how much it may be worse all the same."),
    Key("release.latency", Number(1, 100),
        "How many times the latency of the live version the new one may take (99th percentile)."),
    Key("release.shift", Number(0.0001, 1),
        "How far the answers may move: total variation distance of their distributions."),
    Key("release.differ", Number(0.0001, 1),
        "The share of rows that the new version may answer otherwise than the live one."),
    Key("watch.window", Duration(), "The length of a window of rows that is judged.", _seconds),
    Key("watch.rows", Number(20, 10**9, whole=True),
        "The rows of a window, in place of a length in time."),
    Key("watch.minimum", Number(20, 10**9, whole=True),
        "The fewest rows of a window about which anything is said."),
    Key("watch.scales", ListOf(Number(1, 1000, whole=True)),
        "Each window is judged together with those before it, so many in all: slow changes show."),
    Key("watch.false_alarms", Number(0.001, 100),
        "False alarms to expect in 30 days, over all columns, scales and windows."),
    Key("watch.effect", Number(0.001, 1),
        "The smallest change that is an alarm: Jensen-Shannon distance, 0 to 1."),
    Key("watch.season", Duration(),
        "The period with which rows change by themselves, such as \"7d\".", _seconds),
    Key("watch.ignore", _COLUMNS, "Columns that are not looked at."),
    Key("watch.labels", Duration(), "How long labels may take to come.", _seconds),
    Key("watch.on_drift", ListOf(OneOf(("incident", "retrain"))), "What drift sets off."),
    Key("watch.on_degraded", ListOf(OneOf(("incident", "rollback", "retrain"))),
        "What a broken gate or objective sets off."),
    Key("watch.rollback", Duration(),
        "For how long after a change of version a degradation is blamed on it.", _seconds),
    Key("watch.errors", Number(0.000001, 0.5), "The share of answers that may fail."),
    Key("watch.objective", Duration(), "The span over which errors are budgeted.", _seconds),
    Key("retrain.window", Duration(), "How far back fresh labelled rows are taken.", _seconds),
    Key("retrain.rows", Number(50, 10**9, whole=True), "The most fresh rows that are taken."),
    Key("retrain.minimum", Number(50, 10**9, whole=True),
        "The fewest fresh labelled rows that a model is made of."),
    Key("retrain.judge", Number(0.05, 0.9),
        "The share of the fresh rows, the newest, that judge the new model."),
    Key("retrain.replay", Number(0, 1),
        "The share of the old training rows that are mixed in."),
    Key("retrain.half_life", Duration(), "The age at which a fresh row counts half.", _seconds),
    Key("retrain.labels", OneOf(("check", "trust")),
        "Whether fresh labels are checked against what was known before they are believed."),
    Key("retrain.approval", OneOf(("none", "train", "release")),
        "What a person has to agree to first: nothing, the training, or the release."),
    Key("retrain.pause", Duration(), "The least time between two retrainings.", _seconds),
    Key("alerts.*.to",
        Text(pattern=r"(webhook:https?://\S+|webhook:\$[A-Za-z_]\w*|mail:\S+@\S+|command:.+)",
             describe="webhook:URL, webhook:$NAME, mail:ADDRESS or command:WORDS"),
        "Where an alert goes; a URL with a secret in it belongs into an environment variable."),
    Key("alerts.*.on",
        ListOf(OneOf(("drift", "degraded", "quality", "objective", "incident", "retrain",
                      "release"))),
        "What is told."),
    Key("alerts.*.repeat", Duration(), "When an alert that lasts is told again.", _seconds),
    Key("alerts.*.resolved", OneOf((True, False)), "Whether the end of an alert is told, too."),
)  # fmt: skip

KEYS: Mapping[Pattern, Key] = {key.pattern: key for key in TABLE}


def _tables() -> dict[Pattern, type]:
    """Return what stands above the keys: a table, or a list where `*` follows."""
    found: dict[Pattern, type] = {}
    for pattern in KEYS:
        for end in range(1, len(pattern)):
            found[pattern[:end]] = list if pattern[end] == "*" else dict
    return found


TABLES: Mapping[Pattern, type] = _tables()


def children(pattern: Pattern) -> tuple[str, ...]:
    """Return the names that may stand directly below `pattern` (`()` for the top)."""
    names = [path[len(pattern)] for path in [*TABLES, *KEYS] if path[: len(pattern)] == pattern
             and len(path) == len(pattern) + 1]  # fmt: skip
    return tuple(dict.fromkeys(names))


def reference_markdown() -> str:
    """Return the reference page of the project file, made from the table of keys."""
    parts = ["# The project file", "", "Made from the table of keys; do not edit."]
    for section in SECTIONS:
        repeated = section.endswith(".*")
        name = section.removesuffix(".*")
        parts += ["", f"## `[[{name}]]`" if repeated else f"## `[{name}]`", ""]
        parts += ["| key | holds | default | meaning |", "|---|---|---|---|"]
        parts += [_row(key) for key in TABLE if key.path.rpartition(".")[0] == section]
    return "\n".join(parts) + "\n"


def _row(key: Key) -> str:
    default = "required" if key.required else _shown(key.default)
    only = f" Only for {', '.join(sorted(key.tasks))}." if key.tasks else ""
    cells = (f"`{key.pattern[-1]}`", " or ".join(key.rule.allowed), default, key.doc + only)
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _shown(default: Any) -> str:
    return "" if default in (None, "", [], {}) else f"`{msgspec.json.encode(default).decode()}`"
