"""The project file as a record: problem, data, metric, split, gates and budget."""

from __future__ import annotations

from typing import Any, Literal

from assay.records.base import Record

Agency = Literal["default", "template", "accepted", "user"]
"""Who made a choice: the tool, a template, a proposal of `assay init` left as it was, a person."""


DEFAULT_SECONDS = 30.0
"""The budget of a run whose project file names none."""


class ProjectSection(Record, frozen=True, kw_only=True, tag="spec.project@1"):
    """What the project is for."""

    name: str
    question: str = ""
    decision: str = ""
    family: str = "tabular"
    task: str | None = None
    template: str = ""


class DataSection(Record, frozen=True, kw_only=True, tag="spec.data@1"):
    """Where the table comes from and what its columns mean."""

    target: str
    source: str | None = None
    sql: str | None = None
    connection: str | None = None
    positive: str | None = None
    drop: tuple[str, ...] = ()
    types: dict[str, str] = {}
    missing: tuple[str, ...] = ()
    missing_target: Literal["error", "drop"] = "error"
    duplicates: Literal["keep", "drop"] = "keep"
    description: str = ""
    test: str | None = None


class FeaturesSection(Record, frozen=True, kw_only=True, tag="spec.features@1"):
    """What is done to rows before anything is fitted, and what a model must keep to.

    `transform` is Python of the project's own. `monotone` maps a number's column to `increasing`
    or `decreasing`; `interactions` lists groups of columns, and columns of different groups may
    not interact.
    """

    transform: str | None = None
    monotone: dict[str, Literal["increasing", "decreasing"]] = {}
    interactions: tuple[tuple[str, ...], ...] = ()


class SplitSection(Record, frozen=True, kw_only=True, tag="spec.split@1"):
    """How the test rows are set aside; at most one of the `*_on` keys is set."""

    test: float = 0.2
    seed: int = 0
    folds: int = 5
    stratify_on: str | None = None
    group_on: str | None = None
    time_on: str | None = None
    group_time_on: tuple[str, str] | None = None
    predefined_on: str | None = None
    test_values: tuple[str, ...] = ("test",)


class MetricSection(Record, frozen=True, kw_only=True, tag="spec.metric@1"):
    """The headline metric and those reported beside it."""

    primary: str | None = None
    also: tuple[str, ...] = ()


class SliceSpec(Record, frozen=True, kw_only=True, tag="spec.slice@1"):
    """A column whose values are reported one by one."""

    column: str


class GateSpec(Record, frozen=True, kw_only=True, tag="spec.gate@1"):
    """One acceptance rule; exactly one of `at_least`, `at_most`, `beats` is set.

    `on` asks it of a slice: `COLUMN=VALUE`, `every slice` that is declared, or the `worst slice`.
    """

    metric: str
    at_least: float | None = None
    at_most: float | None = None
    beats: str | None = None
    on: str | None = None


class AnswersSection(Record, frozen=True, kw_only=True, tag="spec.answers@1"):
    """How scores become answers; at most one rule chooses the threshold, else it is a half."""

    calibrate: Literal["auto", "none", "platt", "isotonic", "temperature"] = "auto"
    threshold: float | None = None
    costs: dict[str, float] = {}
    capacity: float | None = None
    precision: float | None = None
    recall: float | None = None
    coverage: float = 0.9


class FairnessSection(Record, frozen=True, kw_only=True, tag="spec.fairness@1"):
    """The groups that must be treated alike, by which definition, and what is done about it."""

    columns: tuple[str, ...] = ()
    definition: Literal[
        "average_odds", "equalized_odds", "equal_opportunity", "demographic_parity"
    ] = "average_odds"
    mitigate: Literal["none", "reweigh", "constrain", "thresholds"] = "none"


class Acceptance(Record, frozen=True, kw_only=True, tag="spec.acceptance@1"):
    """A finding of the audit that a person takes responsibility for."""

    code: str
    reason: str
    where: str | None = None


class AuditSection(Record, frozen=True, kw_only=True, tag="spec.audit@1"):
    """Findings that do not stop this project, each with its reason."""

    accept: tuple[Acceptance, ...] = ()


class BudgetSection(Record, frozen=True, kw_only=True, tag="spec.budget@1"):
    """What a run may take, and `only` which candidates it may try.

    `time` is the whole run's wall-clock seconds, `memory` the megabytes of all its processes.
    With `iterations`, the search ends after so many candidates. `repeat` is the digest of a
    leaderboard whose course is taken again, as `assay verify --rerun` does.
    """

    time: float | None = None
    memory: float | None = None
    iterations: int | None = None
    only: tuple[str, ...] = ()
    repeat: str = ""

    @property
    def seconds(self) -> float | None:
        """Return the limit in seconds: `time`, a default without it; None where another ends it."""
        if self.repeat or (self.time is None and self.iterations is not None):
            return None
        return DEFAULT_SECONDS if self.time is None else self.time


class ServeSection(Record, frozen=True, kw_only=True, tag="spec.serve@1"):
    """How a server answers; it can change without a new run.

    `slo` is the 99th percentile of latency that a server keeps by shedding load, `cache` for how
    long an answer may be repeated; spans are seconds and sizes bytes. `mask` names
    columns that the prediction log leaves out, `pseudonym` those it holds as keyed digests only.
    """

    unknown: Literal["ignore", "warn", "error"] = "warn"
    absent: Literal["warn", "error"] = "error"
    outside: Literal["ignore", "warn", "error"] = "warn"
    unseen: Literal["ignore", "warn", "error"] = "warn"
    slo: float = 0.05
    fallback: str | None = None
    batch: Literal["auto", "always", "never"] = "auto"
    cache: float | None = None
    body: float = 16e6
    rows: int = 10_000
    log: bool = True
    flush: float = 1.0
    segment: float = 64e6
    keep: float = 30 * 86_400.0
    mask: tuple[str, ...] = ()
    pseudonym: tuple[str, ...] = ()


class ReleaseSection(Record, frozen=True, kw_only=True, tag="spec.release@1"):
    """How a new version takes over from the one that is live.

    `steps` are the shares of traffic that a canary or an A/B test gives the new version in turn,
    each for at least `minimum` requests; `alpha` is the chance of a wrong alarm over the whole
    release. `sticky` is the column or header that keeps a unit on one arm. `metric` is the number
    sent as feedback that the new version must not worsen by more than `margin`. `shift` bounds how
    far the distribution of answers moves, `differ` for how many rows the answer is another one.
    """

    strategy: Literal["direct", "shadow", "canary", "ab", "blue_green"] = "canary"
    steps: tuple[float, ...] = (0.05, 0.25, 0.5)
    minimum: int = 500
    patience: float = 86_400.0
    alpha: float = 0.05
    sticky: str | None = None
    metric: str | None = None
    better: Literal["higher", "lower"] = "higher"
    margin: float = 0.0
    latency: float = 1.5
    shift: float = 0.1
    differ: float = 0.25


class WatchSection(Record, frozen=True, kw_only=True, tag="spec.watch@1"):
    """How a live model is watched; spans are seconds.

    A window is `window` long, or has `rows` rows where that is set; each is judged alone and
    together with those before it, as many as `scales` say. `false_alarms` is the expected number in
    30 days over everything that is looked at. A change below `effect` is never an alarm. `season`
    is the period with which the rows change by themselves. Labels come within `labels`.
    `on_drift` and `on_degraded` say what a verdict does besides being written; `rollback` is for
    how long after a change of version a degradation is blamed on it. `errors` is the share of
    answers that may fail, over `objective` seconds.
    """

    window: float = 86_400.0
    rows: int | None = None
    minimum: int = 100
    scales: tuple[int, ...] = (1, 4, 16)
    false_alarms: float = 1.0
    effect: float = 0.05
    season: float | None = None
    ignore: tuple[str, ...] = ()
    labels: float = 7 * 86_400.0
    on_drift: tuple[Literal["incident", "retrain"], ...] = ("incident",)
    on_degraded: tuple[Literal["incident", "rollback", "retrain"], ...] = ("incident",)
    rollback: float = 7 * 86_400.0
    errors: float = 0.001
    objective: float = 30 * 86_400.0


class RetrainSection(Record, frozen=True, kw_only=True, tag="spec.retrain@1"):
    """How a new model is made of fresh labelled rows when a verdict asks for one.

    The newest rows of the last `window` seconds, at most `rows`, at least `minimum` of them; the
    newest `judge` of those are the test rows. `replay` of the old training rows are mixed in; an
    older row counts half after `half_life`. `labels` says whether fresh labels are checked against
    what was known before they are believed. `approval` is what a person has to agree to first.
    `pause` is the least time between two retrainings.
    """

    window: float = 90 * 86_400.0
    rows: int | None = None
    minimum: int = 500
    judge: float = 0.3
    replay: float = 0.5
    half_life: float | None = None
    labels: Literal["check", "trust"] = "check"
    approval: Literal["none", "train", "release"] = "none"
    pause: float = 86_400.0


class AlertSpec(Record, frozen=True, kw_only=True, tag="spec.alert@1"):
    """Who is told of what: `to` is `webhook:URL`, `mail:ADDRESS` or `command:WORDS`.

    `on` lists what is told. An alert that lasts is told again after `repeat` seconds, None for
    never; `resolved` tells its end, too.
    """

    to: str
    on: tuple[
        Literal["drift", "degraded", "quality", "objective", "incident", "retrain", "release"], ...
    ] = ("degraded", "quality", "incident")
    repeat: float | None = None
    resolved: bool = True


class Choice(Record, frozen=True, kw_only=True, tag="choice@1"):
    """One key of the project file, its value, and who chose it."""

    path: str
    value: Any
    agency: Agency


class ProjectSpec(Record, frozen=True, kw_only=True, tag="spec@1"):
    """A whole project file, checked, with every default filled in.

    `choices` lists every key with its agency; it does not enter the seal.
    """

    project: ProjectSection
    data: DataSection
    features: FeaturesSection = FeaturesSection()
    split: SplitSection = SplitSection()
    metric: MetricSection = MetricSection()
    slices: tuple[SliceSpec, ...] = ()
    gates: tuple[GateSpec, ...] = ()
    answers: AnswersSection = AnswersSection()
    fairness: FairnessSection = FairnessSection()
    audit: AuditSection = AuditSection()
    budget: BudgetSection = BudgetSection()
    serve: ServeSection = ServeSection()
    release: ReleaseSection = ReleaseSection()
    watch: WatchSection = WatchSection()
    retrain: RetrainSection = RetrainSection()
    alerts: tuple[AlertSpec, ...] = ()
    choices: tuple[Choice, ...] = ()
