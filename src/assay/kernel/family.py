"""The contract that every model family keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from assay.records.audit import Finding
from assay.records.fitted import Candidate, Field, Operating, Pool, Signature, Space
from assay.records.report import Examination
from assay.records.snapshot import Column, DataSnapshot, Problem
from assay.records.spec import GateSpec, ProjectSpec, SplitSection

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Capabilities:
    """What a family needs and can do, so that no caller asks for its name.

    `libraries` are the distributions that decide its numbers: a new version is another engine.
    `trainer` is the dotted path of what training imports, for a caller that loads it ahead.
    """

    needs_labels: bool = True
    ordered_in_time: bool = False
    deterministic: bool = True
    exportable: bool = True
    libraries: tuple[str, ...] = ()
    trainer: str = ""


@dataclass(frozen=True)
class Rows:
    """Rows as they were ingested.

    `frame` has the feature columns. `target` is (n,) int64 codes into `Problem.classes`, or
    (n,) float64 for a number, or None when it is not known; a student is taught by the
    (n, classes) probabilities of another model. `weight` is (n,), None for all alike.
    """

    frame: pl.DataFrame
    target: NDArray[np.int64] | NDArray[np.float64] | None = None
    weight: NDArray[np.float64] | None = None

    @property
    def truth(self) -> NDArray[np.int64] | NDArray[np.float64]:
        """Return the target; raises ValueError where it is not known."""
        if self.target is None:
            raise ValueError("these rows have no target")
        return self.target


@dataclass(frozen=True)
class Predictions:
    """Answers for n rows: `values` is (n, classes) probabilities, or (n,) numbers.

    A label is the class with the highest probability after rounding to 9 digits, the first of
    equals, so that the last bit of a sum never flips one. For two classes this is "positive at
    the threshold or more", one for all or (n,) of them, when `positive_code` is given.
    """

    values: NDArray[np.float64]
    classes: tuple[str, ...] = ()
    threshold: float | NDArray[np.float64] = 0.5

    def take(self, index: NDArray[Any]) -> Predictions:
        """Return the predictions at these places, or where a mask is True."""
        each = self.threshold if isinstance(self.threshold, float) else self.threshold[index]
        return Predictions(self.values[index], self.classes, each)

    def codes(self, positive_code: int | None = None) -> NDArray[np.int64]:
        """Return (n,) class codes; raises ValueError for numbers."""
        if self.values.ndim != 2:
            raise ValueError("numbers have no labels")
        rounded = self.values.round(9)
        codes: NDArray[np.int64]
        if positive_code is not None and rounded.shape[1] == 2:
            other = 1 - positive_code
            chosen = rounded[:, positive_code] >= self.threshold
            codes = (chosen * (positive_code - other) + other).astype("int64")
        else:
            codes = rounded.argmax(axis=1).astype("int64")
        return codes


@dataclass(frozen=True)
class Explanation:
    """Why n rows were answered as they were.

    `contributions` is (n, columns): how far each of `columns` moves a row's answer away from its
    `base`, (n,), which is the answer for `reference`, one typical row. Base and contributions add
    up to `values`, (n,): the probability of the class that `of` names, a number where it is "".
    """

    columns: tuple[str, ...]
    reference: pl.DataFrame
    of: tuple[str, ...]
    base: NDArray[np.float64]
    contributions: NDArray[np.float64]
    values: NDArray[np.float64]
    method: str


def class_labels(target: pl.Series) -> pl.Series:
    """Return a target as text: whole numbers without a decimal point, booleans in lower case.

    Each value by itself, so that a part of a column gets the same labels as the whole.
    """
    text = target.cast(str)
    if not target.dtype.is_float():
        return text
    whole = target.cast(int, strict=False)
    return whole.cast(str).zip_with((whole == target).fill_null(value=False), text)


class Model(Protocol):
    """A candidate, fitted."""

    candidate: Candidate
    rounds: int | None
    """Iterations that early stopping chose, None where that does not apply."""

    def predict(self, frame: pl.DataFrame) -> Predictions:
        """Answer with the library that trained the model."""
        ...

    def state(self) -> bytes:
        """Return everything needed to restore the model, without pickled code."""
        ...


class Answering(Protocol):
    """What answers rows: a loaded package, or one whose scores are made answers."""

    @property
    def signature(self) -> Signature:
        """Return what it takes and gives back."""
        ...

    def predict(self, frame: pl.DataFrame) -> Predictions:
        """Answer for any rows that have the input columns; the package's own engine computes."""
        ...


class Predictor(Answering, Protocol):
    """A loaded package: what is served."""

    def row(self, cells: Sequence[object]) -> NDArray[np.float64]:
        """Answer for one row, its cells in the order of the signature's inputs, without a frame.

        A cell of a number is a float, NaN where missing. Any other is None where missing: a
        boolean, whole microseconds since 1970 for a date in UTC, or text. Returns what `predict`
        has as `values` for this row alone, to the last bit: (1, classes) or (1,).
        """
        ...

    def rows(self, cells: Sequence[Sequence[object]]) -> NDArray[np.float64]:
        """Answer for n rows that came one by one, each in the form of `row`, at once.

        Returns (n, classes) or (n,): what `predict` has as `values` for a table of these rows.
        """
        ...

    @property
    def reference(self) -> pl.DataFrame:
        """Return one row in the middle of what training saw, typed: where explanations start."""
        ...

    def explain(self, frame: pl.DataFrame, answering: Answering) -> Explanation:
        """Explain what `answering` says: this predictor, or one that makes answers of its scores.

        Needs nothing but the package, and says the same of a row each time, whatever rows stand
        around it. A row's contributions add up to 1e-9.
        """
        ...

    def portable(self, frame: pl.DataFrame) -> tuple[Predictions, NDArray[np.int64] | None] | None:
        """Answer as the package's own model file does for a program that has no Assay.

        These are answers as they are given, after calibration, with the class codes that the file
        names, None where it names none. None altogether where a family has no such file.
        """
        ...


class PredictorLoader(Protocol):
    """Loads a package's files without the libraries that trained it."""

    def __call__(self, files: Mapping[str, bytes], signature: Signature) -> Predictor:
        """Return the predictor of these files (name to content)."""
        ...


class Family(Protocol):
    """A kind of machine learning, in the kernel's verbs.

    Every method is a pure function of its arguments and the seed. `problem` is what the project
    file and the data together ask.
    """

    id: str
    """`name@version`; the version changes when the same inputs would train another model."""
    capabilities: Capabilities

    def problem(self, spec: ProjectSpec, snapshot: DataSnapshot, target: pl.Series) -> Problem:
        """State task, classes, features and metrics.

        Raises DataError when the target cannot carry the task, SpecError when a metric or gate
        does not fit it.
        """
        ...

    def profile(self, problem: Problem, snapshot: DataSnapshot) -> Sequence[Finding]:
        """Return the findings that this family adds to the audit."""
        ...

    def split_policy(self, policy: SplitSection, problem: Problem) -> SplitSection:
        """Return the policy with what this family insists on filled in, such as stratifying."""
        ...

    def baselines(self, problem: Problem, columns: Sequence[Column]) -> tuple[Candidate, ...]:
        """Return the trivial and simple models that always run first."""
        ...

    def candidates(
        self, problem: Problem, columns: Sequence[Column], rows: int
    ) -> tuple[Candidate, ...]:
        """Return what to try, best guesses first, as declared values."""
        ...

    def spaces(self, problem: Problem, columns: Sequence[Column], rows: int) -> tuple[Space, ...]:
        """Return what tuning may turn once the candidates have been tried; none is fine."""
        ...

    def student(self, problem: Problem, columns: Sequence[Column], rows: int) -> Candidate | None:
        """Return the single small model that can learn an ensemble's answers, None without one.

        It is fitted on rows whose target is (n, classes) probabilities, or numbers.
        """
        ...

    def fit(
        self,
        candidate: Candidate,
        problem: Problem,
        train: Rows,
        valid: Rows | None,
        rounds: int | None,
        seed: int,
        threads: int,
    ) -> Model:
        """Fit everything, encoders too, on `train` alone; `valid` only stops early.

        Without `valid`, `rounds` says how many iterations to run (None: the candidate's own).
        """
        ...

    def restore(self, candidate: Candidate, problem: Problem, state: bytes) -> Model:
        """Rebuild a fitted model from `Model.state`."""
        ...

    def export(
        self,
        members: Sequence[tuple[Model, float]],
        pool: Pool,
        operating: Operating,
        problem: Problem,
        inputs: Sequence[Field],
    ) -> tuple[dict[str, bytes], Signature]:
        """Return the files of a package for the pooled members, and its signature.

        The predictor answers with scores; `operating` is for a file that answers outside Assay.
        """
        ...

    def nasty_rows(self, problem: Problem, train: Rows, seed: int) -> pl.DataFrame:
        """Return rows made from training rows to break an export: missing, unseen, extreme."""
        ...

    def explain(
        self,
        problem: Problem,
        predictor: Answering,
        models: Sequence[tuple[Model, float]],
        rows: Rows,
        train: Rows,
        seed: int,
    ) -> tuple[Examination, ...]:
        """Explain a model, and the weighted members it is made of, on rows it was not fitted on."""
        ...

    def profile_for_watch(
        self, inputs: Sequence[Field], frame: pl.DataFrame
    ) -> tuple[tuple[Field, ...], pl.DataFrame]:
        """Return what monitoring looks at in place of the rows, with the types of its columns.

        Monitoring knows columns of numbers, categories, dates, texts and vectors (lists of
        numbers) only. What a family's inputs are beyond that, such as pictures, it says here in
        these words: brightness, size, an embedding. Each row by itself, so that a part of the rows
        gives that part of the answer; without the libraries that train, as it runs beside a server.
        """
        ...

    def default_gates(self, problem: Problem) -> tuple[GateSpec, ...]:
        """Return the gates that `assay init` proposes."""
        ...
