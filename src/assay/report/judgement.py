"""The examinations of a champion, the comparisons and the checklists as the page shows them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup

from assay.metrics import METRICS
from assay.records.report import Comparison, Curve, Estimate, Examination, Report
from assay.report import figures, plots, strips
from assay.report.evidence import Table, table_of
from assay.report.figure import Figure
from assay.report.judged import METHODS
from assay.report.strips import Bar
from assay.report.text import capital, count, cut
from assay.report.view import CheckLine, RunView

MOST_LINES, MOST_COLUMNS = 25, 12
CONCERNS = {
    "serious": ("rejected", "✕ serious"),
    "look": ("inconclusive", "? worth a look"),
    "none": ("accepted", "✓ nothing to worry about"),
}
STATES = {
    "hit": ("rejected", "✕ not met"),
    "open": ("neutral", "– cannot be told here"),
    "satisfied": ("accepted", "✓ met"),
}
_NAME = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class NumberRow:
    """A number with its interval; `svg` is None where the interval is a point."""

    title: str
    value: str
    interval: str
    rows: str
    method: str
    svg: Markup | None
    ends: tuple[str, str]


@dataclass(frozen=True)
class Look:
    """One examination as the page shows it."""

    id: str
    title: str
    style: str
    mark: str
    reading: str
    advice: str
    numbers: tuple[NumberRow, ...]
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]

    @property
    def folded(self) -> bool:
        """Return True where nothing is of concern and several tables would only be in the way."""
        return self.style == CONCERNS["none"][0] and len(self.tables) + bool(self.numbers) > 1


def looks(report: Report) -> tuple[Look, ...]:
    """Return the examinations, those of serious concern first."""
    order = list(CONCERNS)
    ranked = sorted(report.examinations, key=lambda found: order.index(found.concern))
    taken: set[str] = set()
    return tuple(_look(found, _id(found.name, taken), curves_of(report, found)) for found in ranked)


def _id(name: str, taken: set[str]) -> str:
    """Return an id that no examination before has."""
    stem = "exam-" + (_NAME.sub("-", name.lower()).strip("-")[:40] or "x")
    found, number = stem, 2
    while found in taken:
        found, number = f"{stem}-{number}", number + 1
    taken.add(found)
    return found


def curves_of(report: Report, found: Examination) -> tuple[Curve, ...]:
    """Return the curves of an examination, or else those of the report that it is named after."""
    return found.curves or tuple(curve for curve in report.curves if curve.kind == found.name)


def _look(found: Examination, id_: str, curves: tuple[Curve, ...]) -> Look:
    style, mark = CONCERNS[found.concern]
    return Look(
        id=id_,
        title=found.title,
        style=style,
        mark=mark,
        reading=found.reading,
        advice=found.advice,
        numbers=tuple(_number(name, one) for name, one in _distinct(found).items()),
        tables=tuple(
            table_of(title, list(lines), MOST_LINES, MOST_COLUMNS, ordered=True)
            for title, lines in found.by_title.items()
            if lines
        ),
        figures=plots.figures(curves),
    )


def _distinct(found: Examination) -> dict[str, Estimate]:
    """Return the numbers, one that only repeats a metric under another name left out."""
    metrics = [one for name, one in found.numbers.items() if name in METRICS]
    return {
        name: one for name, one in found.numbers.items() if name in METRICS or one not in metrics
    }


def _number(name: str, found: Estimate) -> NumberRow:
    title = figures.title(name) if name in METRICS else capital(cut(name, 60).replace("_", " "))
    svg, ends = None, ("", "")
    if found.low < found.high:
        # The point may lie outside of its interval (a damaged record); it must still fit in.
        low, high = min(found.low, found.value), max(found.high, found.value)
        domain = figures.domain(name, low, high)
        ends = (figures.value(name, domain[0]), figures.value(name, domain[1]))
        hover = f"{figures.value(name, found.value)} ({figures.interval(name, found)})"
        bar = Bar(found.low, found.value, found.high, "champion", hover)
        svg = strips.intervals([bar], domain, title=cut(title))
    return NumberRow(
        title=title,
        value=figures.value(name, found.value),
        interval=figures.interval(name, found) if svg else "exact",
        rows=count(found.n),
        method=METHODS.get(found.method, found.method),
        svg=svg,
        ends=ends,
    )


def kinds(report: Report) -> frozenset[str]:
    """Return the kinds of curves that an examination shows, so that none is drawn twice."""
    return frozenset(
        curve.kind for found in report.examinations for curve in curves_of(report, found)
    )


@dataclass(frozen=True)
class Compared:
    """One paired comparison in words."""

    metric: str
    against: str
    difference: str
    interval: str
    chance: str
    outcome: str


def comparisons(report: Report) -> tuple[Compared, ...]:
    """Return every paired comparison, with what chance would do in words."""
    return tuple(_compared(one) for one in report.comparisons)


def _compared(one: Comparison) -> Compared:
    gap, name = one.difference, one.metric
    p = one.p_value if one.p_adjusted is None else one.p_adjusted
    better, worse = gap.low > 0, gap.high < 0
    sure = p < 0.05
    side = "better" if better else "worse" if worse else ""
    outcome = (
        side
        if side and sure
        else f"{side}, but unsure among so many comparisons"
        if side
        else "cannot be told apart"
    )
    who = "the baseline" if one.against == "baseline" else "the model in use"
    return Compared(
        metric=figures.title(name),
        against=f"{who}, {cut(one.baseline, 40)}",
        difference=figures.signed(name, gap.value),
        interval=f"{figures.signed(name, gap.low)} to {figures.signed(name, gap.high)}",
        chance=chance(p),
        outcome=outcome,
    )


def chance(p: float) -> str:
    """Say how often chance alone would give a difference at least this large."""
    if p < 0.001:
        return "less than once in 1,000 times"
    if p < 0.01:
        return f"about {1000 * p:.0f} in 1,000 times"
    return f"about {100 * p:.0f} in 100 times"


@dataclass(frozen=True)
class CheckRow:
    """One line of a checklist with the look of its state."""

    id: str
    title: str
    style: str
    mark: str
    sentence: str
    decided_by: str


def check_rows(lines: tuple[CheckLine, ...]) -> tuple[CheckRow, ...]:
    """Return the lines of a checklist, those that are not met first."""
    ranked = sorted(lines, key=lambda line: list(STATES).index(line.state))
    return tuple(
        CheckRow(line.id, line.title, *STATES[line.state], line.sentence, line.decided_by)
        for line in ranked
    )


@dataclass(frozen=True)
class Reads:
    """How often the test rows were read and looked at, and what that costs."""

    sentence: str
    rows: tuple[tuple[str, str, str], ...]


def reads(view: RunView) -> Reads:
    """Say how often these test rows were read and what that costs."""
    looks = max(len({r.seal for r in view.readings}), view.report.looks if view.report else 0)
    rows = tuple((r.at, r.run, r.seal) for r in view.readings)
    if looks <= 1:
        return Reads(
            "They were looked at once, so nothing could be chosen by looking at them.",
            rows,
        )
    return Reads(
        f"They were looked at {count(looks)} times. Whoever changes the question, metric, split, "
        "gates or model after a look, and looks again, can pick what happens to come out well. To "
        f"make up for that, each gate's interval is widened as for {count(looks)} tries at once "
        "(Bonferroni), and a result has to be clearer to pass. Fresh test rows (data.test in the "
        "project file) start the count anew.",
        rows,
    )
