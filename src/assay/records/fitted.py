"""Candidates, how they scored out of fold, and the members that were fitted in the end."""

from __future__ import annotations

from typing import Any, Literal

from assay.records.base import Record


class Candidate(Record, frozen=True, kw_only=True, tag="candidate@1"):
    """A model that could be fitted: a name, its kind, and its parameters as plain values.

    `stops_early` says that rows held back from the fit choose its iterations; `varies` that
    another seed gives another model, so that the mean of several is better than one.
    """

    name: str
    kind: str
    params: dict[str, Any] = {}
    stops_early: bool = False
    varies: bool = False


class Knob(Record, frozen=True, kw_only=True, tag="knob@1"):
    """A parameter that tuning may turn: between `low` and `high`, or one of `choices`."""

    name: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    whole: bool = False
    choices: tuple[Any, ...] = ()


class Space(Record, frozen=True, kw_only=True, tag="space@1"):
    """A candidate to start from, and the parameters of it that tuning may turn."""

    candidate: Candidate
    knobs: tuple[Knob, ...]


class Pool(Record, frozen=True, kw_only=True, tag="pool@1"):
    """How the answers of weighted members become one (`metrics/pool.py`).

    `linear`: the weighted mean. `log`: for classes the softmax of `bias` plus the weighted sum of
    the members' log-probabilities, whose weights need not sum to 1.
    """

    scale: Literal["linear", "log"] = "linear"
    bias: tuple[float, ...] = ()


class Weighting(Record, frozen=True, kw_only=True, tag="weighting@1"):
    """Weights of the training rows under which groups are treated alike.

    `rows` is the digest of the stored weights (npy, one per training row), "" for all alike.
    """

    rows: str = ""

    def blobs(self) -> tuple[str, ...]:
        """Return the weights."""
        return (self.rows,) if self.rows else ()


class Trial(Record, frozen=True, kw_only=True, tag="trial@1"):
    """One candidate, cross-validated.

    `low` and `high` are the ends of the interval of `score`; `at` is when it was finished, in
    seconds of the search; `rows` how many training rows a fit saw where it was not all of them.
    A discarded trial was clearly behind on the folds it got.

    `scores` has the primary metric of each fold; `rounds` the iterations that early stopping
    chose in each fold (empty where it does not apply); `predictions` the digest of the stored
    out-of-fold predictions (npy, one row per training row, NaN where none was made). `folds` is how
    many fits these come from; `state` that of the only one, where it saw nearly all rows and need
    not be fitted again.
    """

    candidate: Candidate
    status: Literal["done", "skipped", "failed", "discarded"]
    score: float | None = None
    low: float | None = None
    high: float | None = None
    at: float = 0.0
    rows: int | None = None
    scores: tuple[float, ...] = ()
    rounds: tuple[int, ...] = ()
    predictions: str = ""
    folds: int = 0
    state: str = ""
    seconds: float = 0.0
    note: str = ""


class FoldFit(Record, frozen=True, kw_only=True, tag="fold_fit@1"):
    """One candidate fitted on one fold: the smallest piece of training that is never done twice.

    `predictions` is the digest of the validation rows' predictions (npy), in row order; `at` is
    when it was finished, in seconds of the search; `state` that of the model where it is kept.
    """

    candidate: str
    fold: int
    predictions: str
    rounds: int | None
    seconds: float
    at: float = 0.0
    rows: int | None = None
    state: str = ""
    failed: str = ""

    def blobs(self) -> tuple[str, ...]:
        """Return the predictions, and the state."""
        return tuple(blob for blob in (self.predictions, self.state) if blob)


class Leaderboard(Record, frozen=True, kw_only=True, tag="leaderboard@1"):
    """Every trial of a search, baselines first, and the ensemble chosen from them.

    `weights` maps a candidate's name to its weight in `pool`. `score` is the out-of-fold score of
    the ensemble, `steps` the score after each member that was added, in order. `bags` says how
    many models with seeds of their own a member that varies is the mean of. `iterations` counts
    the candidates that were tried before the search stopped.
    """

    metric: str
    baselines: tuple[Trial, ...]
    trials: tuple[Trial, ...]
    weights: dict[str, float]
    score: float
    pool: Pool = Pool()
    steps: tuple[tuple[str, float], ...] = ()
    bags: int = 1
    iterations: int = 0
    stopped_by: Literal["done", "budget"] = "done"
    seconds: float = 0.0

    def blobs(self) -> tuple[str, ...]:
        """Return the out-of-fold predictions of every trial that has some, and what was kept."""
        tried = (*self.baselines, *self.trials)
        return tuple(blob for t in tried for blob in (t.predictions, t.state) if blob)

    @property
    def baseline(self) -> Trial:
        """Return the baseline with the best out-of-fold score (put first by the search)."""
        return self.baselines[0]


class Member(Record, frozen=True, kw_only=True, tag="member@1"):
    """A candidate fitted on all training rows; `state` is the digest of its stored state.

    One that is bagged stands here once for each of its models, its weight shared among them.
    """

    candidate: Candidate
    weight: float
    rounds: int | None
    state: str

    def blobs(self) -> tuple[str, ...]:
        """Return the fitted state."""
        return (self.state,)


class Shape(Record, frozen=True, kw_only=True, tag="shape@1"):
    """A form that the champion could take: its out-of-fold score, and what it costs to serve.

    `latency` is the 99th percentile of one row in the real engine, in milliseconds; `bytes` the
    size of the exported files. `missed` names the metrics whose gates it does not keep, as the
    choice took them. One of the measured shapes is the `chosen` one.
    """

    name: str
    weights: dict[str, float]
    pool: Pool
    score: float
    latency: float
    bytes: int
    chosen: bool = False
    missed: tuple[str, ...] = ()


class Members(Record, frozen=True, kw_only=True, tag="members@1"):
    """The members that are served and the best baseline, fitted on all training rows.

    `weights` and `pool` are those of the chosen one of `shapes`, `why` says what decided.
    `student` is the trial of the single model that was taught the ensemble's answers, if any was.
    """

    members: tuple[Member, ...]
    baseline: Member
    weights: dict[str, float]
    pool: Pool = Pool()
    shapes: tuple[Shape, ...] = ()
    student: Trial | None = None
    why: str = ""

    def blobs(self) -> tuple[str, ...]:
        """Return the states of the members and of the baseline, and the student's predictions."""
        states = tuple(member.state for member in (*self.members, self.baseline))
        return states if self.student is None else (*states, self.student.predictions)


class Field(Record, frozen=True, kw_only=True, tag="field@1"):
    """One input column of a model, with what training saw of it.

    `reading` settles cells that can be read in two ways (decimal comma, day before month).
    `categories` are those of a category, from frequent to rare; `more` says that these are the most
    frequent ones only.
    """

    name: str
    type: str
    missing: bool
    low: float | None = None
    high: float | None = None
    categories: tuple[str, ...] = ()
    more: bool = False
    reading: str = ""


class Operating(Record, frozen=True, kw_only=True, tag="operating@1"):
    """How a model's scores become answers, chosen on predictions out of fold.

    `params` are Platt's slope and intercept on the log-odds, or the temperature; `knots` holds for
    each class the scores and the probabilities between which isotonic calibration interpolates.
    `thresholds` maps values of the column `group` to a threshold of their own. `margin` is the
    conformal score below which a class (or a number, by its distance) enters the answer's set.
    """

    calibration: Literal["none", "platt", "isotonic", "temperature"] = "none"
    params: tuple[float, ...] = ()
    knots: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...] = ()
    threshold: float = 0.5
    group: str = ""
    thresholds: dict[str, float] = {}
    coverage: float = 0.9
    margin: float | None = None
    why: str = ""


class Operation(Record, frozen=True, kw_only=True, tag="operation@1"):
    """How the champion and the baseline are operated: each by the same rules on its own scores."""

    champion: Operating
    baseline: Operating


class Signature(Record, frozen=True, kw_only=True, tag="signature@1"):
    """What a model takes and gives back.

    `missing` has further spellings of a missing value. `labels` says how a class is answered: as
    text, a whole number or a boolean. `interval` is, for a number, what to add to a prediction
    for the ends of its interval, at the coverage of `operating`.
    """

    family: str
    task: str
    target: str
    inputs: tuple[Field, ...]
    classes: tuple[str, ...] = ()
    positive: str | None = None
    missing: tuple[str, ...] = ()
    labels: Literal["text", "integer", "boolean"] = "text"
    interval: tuple[float, float] | None = None
    operating: Operating = Operating()


class Fitted(Record, frozen=True, kw_only=True, tag="fitted@1"):
    """The champion and the baseline fitted on all training rows, and the champion's exported files.

    `files` maps a file name of the package to the digest of its content.
    """

    name: str
    members: tuple[Member, ...]
    baseline: Member
    signature: Signature
    files: dict[str, str]
    seconds: float = 0.0
    baseline_operating: Operating = Operating()
    pool: Pool = Pool()

    def blobs(self) -> tuple[str, ...]:
        """Return the states of the members and of the baseline, and the exported files."""
        states = (member.state for member in (*self.members, self.baseline))
        return (*states, *self.files.values())
