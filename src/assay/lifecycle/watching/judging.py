"""One window against the profile of the version that answered it: everything asked, one verdict."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.errors import AssayError
from assay.kernel.family import Predictions, class_labels
from assay.lifecycle.watching.kept import Past
from assay.lifecycle.watching.subject import Subject
from assay.lifecycle.watching.tally import Tally
from assay.metrics.base import Truth
from assay.records.spec import WatchSection
from assay.records.watch import Broken, Measured, Moved, MovedKind, Objective, WatchVerdict
from assay.watch.columns.count import codes, count
from assay.watch.columns.form import NEVER_SEEN, Counts
from assay.watch.drift.budget import alpha_of
from assay.watch.drift.joint import JointFound, compare_joint
from assay.watch.drift.moved import Scales, moved
from assay.watch.performance.asked import asked
from assay.watch.performance.concept import concept
from assay.watch.performance.estimated import estimate, unlike
from assay.watch.performance.exact import measure
from assay.watch.profile import Profile
from assay.watch.quality import Seen, broken
from assay.watch.verdict import verdict_of

AGAIN = 200
"""Logged rows of a window that the package is asked again."""
SAME = 1e-9
"""How far an answer may lie from the logged one, absolutely or relative to it."""
UNASKED = "nobody asked the package: its own Python needs --allow-code"
FOREIGN = -2
"""The code of a label that is a word, but none of the model's classes; -1 is no label."""
RELATION = "(labels beside answers)"
"""The column that a contradiction by labels is written under."""
CONTRADICTED = 0.001
"""The chance at which labels contradict what was known of such rows."""


@dataclass(frozen=True)
class Labelled:
    """Rows of which the truth is known: features (n, columns), answers and (n,) truth.

    `among` are answers of all rows that might have got a label, None where these are all.
    """

    features: pl.DataFrame
    answers: Predictions
    truth: Truth
    among: Predictions | None = None


@dataclass(frozen=True)
class Evidence:
    """A window that is over: what was counted, and what came of it beside.

    `features`, as they came in, and `answers` are those of the rows of the sample; `answers` is
    None where nobody knows them. `seconds` is how long the window took, None where rows have no
    times. `denied` is how far labels lie from what was known of such rows, where they do, `risen` a
    rise of losses over the windows. `logged` says that the answers are the server's, so that the
    package can be asked again.
    """

    tally: Tally
    features: pl.DataFrame
    answers: Predictions | None
    rows: int
    number: int = 0
    since: float | None = None
    until: float | None = None
    seconds: float | None = None
    versions: Mapping[str, int] = field(default_factory=dict)
    labelled: Labelled | None = None
    denied: Moved | None = None
    risen: Moved | None = None
    objectives: tuple[Objective, ...] = ()
    absent: tuple[str, ...] = ()
    doubt: str = ""
    logged: bool = False
    silent: float = 0.0
    usual: float = 0.0


def judge_window(
    subject: Subject, found: Evidence, section: WatchSection, history: Sequence[Past] = ()
) -> WatchVerdict:
    """Return the verdict on one window.

    `history` are windows that were judged before, the newest last: those of the same version are
    pooled with this one as `section.scales` say.
    """
    began = time.perf_counter()
    ignored = subject.hidden | set(section.ignore)
    quiet = ignored | set(found.absent)  # `quality` tells of those
    section = msgspec.structs.replace(section, ignore=tuple(sorted(quiet)))
    alpha = alpha_of(section, found.seconds)
    cells = codes(subject.profile.columns, subject.columns.look(found.features))
    drift: tuple[Moved, ...] = ()
    performance: tuple[Measured, ...] = ()
    if found.rows >= section.minimum:
        joint = _joint(subject, cells, quiet)
        with ThreadPoolExecutor(1) as pool:
            good = pool.submit(_performance, subject, found, cells, joint, alpha / 4)
            drift = (
                *_moved(subject, found, section, alpha, joint, history),
                *_of_labels(found, alpha / 4),
            )
            quality = _quality(subject, found, cells, ignored)
            performance = good.result()
    else:
        quality = _quality(subject, found, cells, ignored)
    verdict, reason = verdict_of(
        found.rows, section.minimum, drift, performance, quality, found.objectives
    )
    return WatchVerdict(
        model=subject.version.name,
        version=subject.version.version,
        package=subject.version.package,
        window=found.number,
        rows=found.rows,
        labelled=int(_told(found.labelled.truth).sum()) if found.labelled else 0,
        since=moment(found.since),
        until=moment(found.until),
        verdict=verdict,
        reason=reason,
        drift=drift,
        performance=performance,
        quality=quality,
        objectives=found.objectives,
        versions=dict(found.versions),
        alpha=alpha,
        seconds=round(time.perf_counter() - began, 6),
    )


def _of_labels(found: Evidence, alpha: float) -> tuple[Moved, ...]:
    """Return what labels say of the relation of inputs and target."""
    denied = found.denied
    if denied is not None:
        denied = msgspec.structs.replace(denied, flagged=denied.p <= alpha)
    return tuple(row for row in (denied, found.risen) if row is not None)


def _joint(
    subject: Subject, cells: NDArray[np.int32], ignored: frozenset[str]
) -> JointFound | None:
    """Compare all columns together; not where one of them is not to be looked at."""
    joint = subject.profile.joint
    if joint is None or not len(cells):
        return None
    places = {column.name: i for i, column in enumerate(subject.profile.columns)}
    chosen = [places[name] for name in joint.columns]
    columns = [subject.profile.columns[place] for place in chosen]
    if ignored & {column.of for column in columns}:
        return None
    return compare_joint(joint, columns, cells[:, chosen])


def _moved(
    subject: Subject,
    found: Evidence,
    section: WatchSection,
    alpha: float,
    joint: JointFound | None,
    history: Sequence[Past],
) -> tuple[Moved, ...]:
    mine = [past for past in history if past.version == subject.version.version]
    pooled = _pooled(found.tally.inputs, [p.inputs for p in mine], section)
    answers = _pooled(found.tally.answers, [p.answers for p in mine], section)
    labels = None
    target = subject.profile.target
    if found.labelled is not None and target is not None:
        truth = pl.DataFrame({target.of: _words(subject, found.labelled.truth)})
        labels = {1: count((target,), truth)} if truth.height else None
    seasonal = _ago(mine, found, section)
    return moved(subject.profile, pooled, joint, section, alpha, labels, answers, seasonal=seasonal)


def _pooled(
    counts: Counts, before: Sequence[Counts], section: WatchSection
) -> dict[int, Counts] | None:
    """Return the window's counts, and those of as many together as each scale says."""
    if not counts.rows:
        return None
    found = {}
    for scale in sorted({1, *section.scales}):
        if scale - 1 <= len(before):
            total = counts
            for one in before[len(before) - scale + 1 :]:
                total = total + one
            found[scale] = total
    return found


def _ago(
    history: Sequence[Past], found: Evidence, section: WatchSection
) -> dict[MovedKind, Scales]:
    """Return the counts of the windows that lie a season before this one and those before it."""
    if section.season is None or found.since is None or found.until is None:
        return {}
    middle = (found.since + found.until) / 2 - section.season
    then = [place for place, past in enumerate(history) if past.begin <= middle <= past.end]
    if not then:
        return {}
    past, before = history[then[-1]], history[: then[-1]]
    return {
        "input": _pooled(past.inputs, [p.inputs for p in before], section) or {},
        "prediction": _pooled(past.answers, [p.answers for p in before], section) or {},
    }


def _performance(
    subject: Subject,
    found: Evidence,
    cells: NDArray[np.int32],
    joint: JointFound | None,
    alpha: float,
) -> tuple[Measured, ...]:
    """Return each metric measured, where labels came, else estimated; each gets half of `alpha`."""
    profile = subject.profile
    exact: tuple[Measured, ...] = ()
    if found.labelled is not None:
        told = found.labelled
        exact = _measured(profile, told, found.doubt, alpha / 2)
    said = {(m.metric, m.slice) for m in exact}
    if found.answers is None:
        why = f"the rows lack {', '.join(found.absent)}" if found.absent else UNASKED
        return (*exact, *_unsaid(profile, found.rows, why, said))
    doubt = found.doubt or unlike(profile.joint, joint)
    guessed = estimate(profile, found.answers, cells, found.features, doubt=doubt, alpha=alpha / 2)
    return (*exact, *(m for m in guessed if (m.metric, m.slice) not in said))


def _measured(profile: Profile, told: Labelled, doubt: str, alpha: float) -> tuple[Measured, ...]:
    """Return what labels say, as far as they say something."""
    found = measure(profile, told.answers, told.truth, told.features, among=told.among, alpha=alpha)
    return tuple(
        msgspec.structs.replace(m, reason="; ".join(filter(None, (m.reason, doubt))))
        for m in found
        if m.standing != "unsaid"
    )


def _unsaid(
    profile: Profile, rows: int, why: str, said: Collection[tuple[str, str]]
) -> tuple[Measured, ...]:
    return tuple(
        question.unsaid(rows, why, estimated=True)
        for question in asked(profile)
        if (question.metric.name, question.slice) not in said
    )


def _quality(
    subject: Subject, found: Evidence, cells: NDArray[np.int32], ignored: frozenset[str]
) -> tuple[Broken, ...]:
    tally, features = found.tally, subject.columns.look(found.features)
    looked = [name for name in tally.names if name not in ignored]
    repeated, place = _commonest(features.select(n for n in looked if n in features.columns))
    again, skewed, off = _asked_again(subject, found)
    columns = subject.profile.columns
    seen = Seen(
        absent=[name for name in found.absent if name not in ignored],
        blocks=tally.blocks,
        missing={
            name: tally.missing[:, at] for at, name in enumerate(tally.names) if name in looked
        },
        values={
            c.name: _numbers(features[c.of])
            for c in columns
            if c.kind == "number" and not c.view and c.of in looked and c.of in features.columns
        },
        repeated=repeated,
        sampled=features.height,
        cells={
            c.name: int(cells[place, at]) for at, c in enumerate(columns) if c.of in looked
        } if repeated else {},
        warned=tally.warned,
        asked=again,
        skewed=skewed,
        off=off,
        silent=found.silent,
        usual=found.usual,
        since=moment(found.since),
    )  # fmt: skip
    profile = msgspec.structs.replace(
        subject.profile, columns=tuple(c for c in columns if c.of not in ignored)
    )
    return broken(profile, tally.inputs, seen)


def _numbers(series: pl.Series) -> NDArray[np.float64]:
    """Return the finite numbers of a column; moments as seconds since 1970."""
    if series.dtype.is_temporal():
        values = series.cast(pl.Datetime("us")).to_physical().drop_nulls().to_numpy() / 1e6
    else:
        values = series.cast(pl.Float64, strict=False).drop_nulls().to_numpy()
    finite: NDArray[np.float64] = values[np.isfinite(values)]
    return finite


def _commonest(features: pl.DataFrame) -> tuple[int, int]:
    """Return how often the commonest row comes, and one place of it; 0 where none comes twice."""
    if features.height < 2 or not features.width:
        return 0, 0
    _, places, counts = np.unique(
        features.hash_rows(seed=3).to_numpy(), return_index=True, return_counts=True
    )
    top = int(counts.argmax())
    return (int(counts[top]), int(places[top])) if counts[top] > 1 else (0, 0)


def _asked_again(subject: Subject, found: Evidence) -> tuple[int, int, float]:
    """Return how many logged rows the package was asked again, how many differ, and how far."""
    if not found.logged or subject.ask is None or found.answers is None or subject.hidden:
        return 0, 0, 0.0
    rows = found.features.head(AGAIN)
    then = found.answers.values[: rows.height]
    try:
        now = subject.ask(rows).values
    except AssayError:  # columns of the log that do not fit any more: counted as skew
        return rows.height, rows.height, float("nan")
    apart = np.abs(now - then) / np.maximum(1.0, np.abs(then))
    apart = np.where(np.isfinite(then) | np.isfinite(now), apart, 0.0)
    worst = apart if apart.ndim == 1 else apart.max(axis=1, initial=0.0)
    return rows.height, int((~(worst <= SAME)).sum()), float(np.nanmax(apart, initial=0.0))


def contradiction(subject: Subject, told: Labelled) -> Moved | None:
    """Return how far labels deny what was known of such rows, None where they do not."""
    known = subject.profile.known
    if known is None:
        return None
    places = {column.name: i for i, column in enumerate(subject.profile.columns)}
    cells = codes(subject.profile.columns, subject.columns.look(told.features))
    agreement = concept(known, told.answers, cells[:, [places[n] for n in known.names]], told.truth)
    if not agreement.contradicts(CONTRADICTED):
        return None
    return Moved(
        column=RELATION,
        kind="label",
        effect=min(1.0, agreement.gap),
        p=agreement.p,
        flagged=False,
        reading=f"the relation of inputs and target changed: what {agreement.rows:,} labels say "
        f"lies {agreement.gap:.0%} from what was known of such rows",
    )


def truth_of(subject: Subject, truth: pl.Series) -> Truth:
    """Return (n,) class codes, -1 where missing, FOREIGN for a word that is no class; or numbers.

    Numbers are NaN where missing.
    """
    classes = subject.signature.classes
    if not classes:
        return truth.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
    words = class_labels(truth)
    codes_ = words.replace_strict(list(classes), range(len(classes)), default=FOREIGN,
                                  return_dtype=pl.Int64)  # fmt: skip
    return codes_.set(words.is_null(), -1).to_numpy()


def _words(subject: Subject, truth: Truth) -> pl.Series:
    """Return the labels that came as the profile of the target has them: words, or numbers."""
    classes, told = subject.signature.classes, truth[_told(truth)]
    if not classes:
        return pl.Series(told)
    words = [classes[code] if code >= 0 else NEVER_SEEN for code in told]
    return pl.Series(words, dtype=pl.String)


def _told(truth: Truth) -> NDArray[np.bool_]:
    """Return the (n,) rows of which somebody said what was true."""
    said: NDArray[np.bool_] = truth != -1 if truth.dtype.kind == "i" else np.isfinite(truth)
    return said


def moment(seconds: float | None) -> str:
    """Return a time as records have it, "" for none."""
    if seconds is None or not np.isfinite(seconds):
        return ""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
