"""How good the model is, beside the simple way and for whom: for readers who are not technical."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from assay.metrics import METRICS
from assay.records.report import Estimate, Report
from assay.report import plain_found
from assay.report.hypothesis import examination
from assay.report.measures import clearly_below, measure
from assay.report.numbers import HUNDRED, Book, Text, say
from assay.report.plain_part import Part, Table, hundred
from assay.report.view import RunView
from assay.report.words import small

MOST_GROUPS = 6
Place = tuple[object, ...]


def estimate_of(report: Report, metric: str) -> tuple[Place, Estimate] | None:
    """Return the champion's estimate of a metric, from the metrics or else an examination."""
    if metric in report.champion.metrics:
        return ("evaluate", "champion", "metrics", metric), report.champion.metrics[metric]
    for i, found in enumerate(report.examinations):
        if metric in found.numbers:
            at = ("evaluate", "examinations", i, "numbers", metric)
            return at, found.numbers[metric]
    return None


def good(book: Book, view: RunView, report: Report) -> Part:
    """Say how good the answers are, in cases of a hundred where that fits."""
    lines: list[Text] = []
    pictures: list[tuple[Markup, Text]] = []
    for metric, template in _sentences(view):
        found = estimate_of(report, metric)
        if found is None:
            continue
        at, estimate = found
        said = say(
            template,
            hundred=HUNDRED,
            target=book.quote("problem", "target"),
            number=measure(metric).said(book, *at),
            **({"positive": book.quote("problem", "positive")} if view.problem.positive else {}),
        )
        if metric in ("recall", "precision", "accuracy"):
            pictures.append((hundred(100 * estimate.value, "champion"), said))
        else:
            lines.append(said)
    counted = _counted(book, view, report) if not pictures else None
    lines += [counted] if counted else []
    if not lines and not pictures:
        lines.append(_headline(book, view, report))
    sure = say(
        "The numbers in brackets say how sure this is: with other cases of the same kind, the "
        "result would mostly lie between them."
    )
    return Part("How good it is", (*lines, sure), pictures=tuple(pictures))


def _sentences(view: RunView) -> Sequence[tuple[str, str]]:
    """Return the metrics that can be said in plain words for this task, with their sentences."""
    if view.problem.positive is not None:
        return (
            (
                "recall",
                "Of {hundred} cases whose {target} is “{positive}”, it finds {number}.",
            ),
            (
                "precision",
                "Of {hundred} cases that it calls “{positive}”, {number} truly are.",
            ),
            (
                "roc_auc",
                "Shown two cases, one “{positive}” and one not, it rates the right one higher in "
                "{number} of {hundred} such pairs; guessing gets half of them.",
            ),
        )
    if view.problem.classes:
        return (("accuracy", "Of {hundred} cases, it answers {number} rightly."),)
    return (
        ("mae", "An answer is off by {number} on average, in the unit of {target}."),
        ("median_ae", "Half of the answers are off by less than {number}."),
        ("rmse", "Counting large errors more, an answer is typically off by {number}."),
        (
            "r2",
            "Of the differences between cases, it explains {number} parts of {hundred}; always "
            "answering the average explains none.",
        ),
    )


def _counted(book: Book, view: RunView, report: Report) -> Text | None:
    """Say what was found and flagged as counts of test rows, where no share has an interval."""
    for i, curve in enumerate(report.curves):
        classes = curve.data.get("classes", [])
        if curve.kind != "confusion" or view.problem.positive not in classes or len(classes) != 2:
            continue
        at: Place = ("evaluate", "curves", i, "data", "counts")
        code = classes.index(view.problem.positive)
        return say(
            "Among the cases kept away from it, {there} had {target} “{positive}”; it found "
            "{found} of them. It also said “{positive}” of {wrong} cases that were not.",
            there=book.num(*at, code, form="sum"),
            target=book.quote("problem", "target"),
            positive=book.quote("problem", "positive"),
            found=book.num(*at, code, code),
            wrong=book.num(*at, 1 - code, code),
        )
    return None


def _headline(book: Book, view: RunView, report: Report) -> Text:
    metric = view.problem.primary
    found = estimate_of(report, metric)
    if found is None:
        return say("How good it is was not measured in a way that this page can tell.")
    asked = measure(metric)
    return say("{label}: {number}.", label=asked.label, number=asked.said(book, *found[0]))


def beside(book: Book, view: RunView, report: Report, simple: str) -> Part:
    """Compare with the simple way, which is to `simple`."""
    if report.champion.name == report.baseline.name:
        same = say("Nothing that was tried was better than the simple way, so it was kept.")
        return Part("Compared with the simple way", (same,))
    gap = report.comparison.difference
    if gap.low > 0:
        sure = "The model is better than that, and by more than chance would explain."
    elif gap.high < 0:
        sure = "The model is worse than that, and by more than chance would explain."
    else:
        sure = (
            "The check cannot tell the two apart: the difference may be chance. The simple way is "
            "cheaper to run and easier to explain, so ask what the model is for."
        )
    first = say("The simple way would be to {simple}. {sure}", simple=simple, sure=sure)
    names = [name for name in _order(view, report) if name in report.baseline.metrics]
    rows = tuple(
        (
            measure(name).label,
            measure(name).said(book, "evaluate", "champion", "metrics", name),
            measure(name).said(book, "evaluate", "baseline", "metrics", name),
        )
        for name in names
    )
    table = Table(("", "The model", "The simple way"), rows) if rows else None
    return Part("Compared with the simple way", (first,), table=table)


def _order(view: RunView, report: Report) -> list[str]:
    return sorted(report.champion.metrics, key=lambda name: name != view.problem.primary)


def groups(book: Book, view: RunView, report: Report) -> Part:
    """Say for whom the model works less well."""
    weak = list(_weak(view, report))
    asked = measure(view.problem.primary)
    lines = [_looked(report, found=bool(weak))]
    whole = ("evaluate", "champion", "metrics", view.problem.primary)
    rows = tuple(
        (
            say(
                "{column} “{value}”",
                column=book.quote("evaluate", "slices", i, "column", limit=40),
                value=book.quote("evaluate", "slices", i, "value", limit=40),
            ),
            say("{rows}", rows=book.num("evaluate", "slices", i, "rows")),
            asked.said(book, "evaluate", "slices", i, "metrics", view.problem.primary),
            say("{all}", all=asked.number(book, *whole, "value")),
        )
        for i in weak[:MOST_GROUPS]
    )
    points = tuple(
        plain_found.found(book, view, *at)
        for name in ("worst_slices", "fairness")
        if (at := examination(report, name)) is not None
    )
    header = ("Group", "Cases", asked.label, "All cases")
    table = Table(header, rows) if rows else None
    return Part("For whom it works less well", tuple(lines), points, table)


def _weak(view: RunView, report: Report) -> Iterator[int]:
    """Yield the places of slices that are clearly worse than all test rows together."""
    primary = view.problem.primary
    whole = report.champion.metrics.get(primary)
    higher = primary not in METRICS or METRICS[primary].higher_is_better
    for i, part in enumerate(report.slices):
        found = part.metrics.get(primary)
        if whole is None or found is None or small(part):
            continue
        if clearly_below(found, whole, higher_is_better=higher):
            yield i


def _looked(report: Report, *, found: bool) -> Text:
    if found:
        return say("In these groups it does clearly worse than over all cases:")
    if not report.slices:
        return say(
            "No groups were named to be looked at, so a weak one may hide in the average. Name "
            "those that matter to you, and ask for a new check."
        )
    if any(small(part) for part in report.slices):
        return say(
            "Among the groups that were looked at, none was found to do clearly worse; some of "
            "them are too small to tell."
        )
    return say("Among the groups that were looked at, none was found to do clearly worse.")
