"""A run view in which every text that a user or a file can set is hostile."""

from __future__ import annotations

from dataclasses import replace

from msgspec.structs import replace as change
from report_examined import examined_view
from report_more_views import multiclass_view, regression_view
from report_parts import PARITY, est, member, sha
from report_searched import searched_view
from report_views import binary_view, stopped_view

from assay.records.audit import Audit, Finding
from assay.records.decision import GateResult
from assay.records.fitted import Candidate, Field, Members, Pool, Shape, Trial
from assay.records.report import Curve, Examination, Scores, SliceResult, tabled
from assay.records.snapshot import CleaningStep, Column
from assay.records.spec import (
    Choice,
    DataSection,
    GateSpec,
    ProjectSection,
)
from assay.report import RunView, StageTime
from assay.report.view import CheckLine, Reading

NASTY = (
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "' onmouseover='document.title=1",
    "javascript:document.title='owned'",
    "{{ 7*7 }}{% raw %}${7*7}",
    "a\r\nb\u2028c\x00d",
    "\u202egnp.exe\u202c",
    "</style></title></svg></table><h1>x</h1>",
    "]]><!--",
    "&lt;b&gt;&#x3c;i>",
    "| pipe | `tick` [a](javascript:alert(1)) ![b](http://evil.example/c.png)",
    "w" * 10_000,
    "\ud800 half a pair",
)


def _examinations() -> tuple[Examination, ...]:
    """Every examination of the examined view with hostile words, and one of hostile name each."""
    report = examined_view().report
    assert report is not None
    words = {"title": NASTY[0], "reading": " ".join(NASTY), "advice": " ".join(NASTY)}
    return (
        *(
            change(found, **words, tables=tabled({n: [{n: n}] for n in NASTY}))
            for found in report.examinations
        ),
        *(
            Examination(
                name=n, title=n, reading=n, concern="serious", numbers={n: est(1, 0.1)},
                curves=(Curve(kind="importance", title=n, data=_bars()),),
            )
            for n in NASTY
        ),
    )  # fmt: skip


def _bars() -> dict[str, list[object]]:
    return {"columns": list(NASTY), **{k: [0.1] * len(NASTY) for k in ("mean", "low", "high")}}


def hostile_view() -> RunView:
    """A run in which every text that a user or a file can set is hostile."""
    view, all_ = binary_view(), " ".join(NASTY)
    problem = change(
        view.problem,
        target=NASTY[0],
        classes=NASTY[:2],
        positive=NASTY[1],
        features=NASTY,
        reason=all_,
    )
    cols = tuple(
        Column(name=name, type="category", rows=100, unique=2, top=((name, 60), (NASTY[1], 40)))
        for name in NASTY
    )
    findings = tuple(
        Finding(
            code=name,
            severity=severity,
            where=name,
            message=name,
            hint=name,
            accepted=accepted,
            evidence={
                name: name,
                "t" + name: [{name: name}],
                "m" + name: {name: {name: name}},
                "l" + name: [name, [name]],
            },
        )
        for name in NASTY
        for severity in ("error", "note")
        for accepted in (None, name)
    )
    report = view.report
    assert report is not None
    assert view.leaderboard is not None
    assert view.decision is not None
    assert view.fitted is not None
    curves = list(report.curves)
    curves[0] = change(
        curves[0],
        title=NASTY[0],
        note=NASTY[1],
        data={**curves[0].data, "x_label": NASTY[0], "y_label": NASTY[1]},
    )
    curves[3] = change(curves[3], data={"classes": list(NASTY[:2]), "counts": [[3, 1], [2, 4]]})
    curves[4] = change(
        curves[4], data={"edges": [0, 0.5, 1], "series": {key: [1, 2] for key in NASTY}}
    )
    curves[5] = change(
        curves[5],
        data=_bars(),
    )
    trials = tuple(
        Trial(
            candidate=Candidate(name=name, kind=name),
            status="done",
            score=0.5,
            scores=(0.4, 0.6),
            low=0.4,
            high=0.6,
            at=place + 1.0,
            note=name,
        )
        for place, name in enumerate(NASTY)
    )
    scores = Scores(name=NASTY[0], metrics={**report.champion.metrics, NASTY[0]: est(1, 0.1)})
    return replace(
        view,
        run=NASTY[0],
        actor=NASTY[1],
        problem=problem,
        reason=all_,
        started_at=NASTY[0],
        seal=change(
            view.seal,
            question=all_,
            decision=all_,
            target=NASTY[0],
            gates=tuple(GateSpec(metric=n, at_least=0) for n in NASTY),
        ),
        project=change(
            view.project,
            project=ProjectSection(name=NASTY[0], question=all_, decision=all_),
            data=DataSection(target=NASTY[0], source=NASTY[1], description=all_),
            choices=tuple(Choice(path=n, value=[n, {n: n}], agency="user") for n in NASTY),
        ),
        snapshot=change(
            view.snapshot,
            columns=cols,
            source=all_,
            dropped=NASTY,
            licence=all_,
            citation=all_,
            cleaning=tuple(CleaningStep(rule=n, where=n, cells=1, example=n) for n in NASTY),
        ),
        split=change(view.split, policy="group_on " + NASTY[0], note=all_),
        audit=Audit(findings=findings, checks=NASTY),
        leaderboard=change(
            view.leaderboard,
            trials=trials,
            weights=dict.fromkeys(NASTY, 1 / len(NASTY)),
            steps=tuple((name, 0.5) for name in NASTY),
        ),
        members=Members(
            members=tuple(member(name, 0.1) for name in NASTY),
            baseline=member(NASTY[0], 1.0),
            weights=dict.fromkeys(NASTY, 0.1),
            shapes=tuple(
                Shape(name=name, weights={name: 1.0}, pool=Pool(), score=0.5, latency=1, bytes=9)
                for name in NASTY
            ),
            why=all_,
        ),
        report=change(
            report,
            curves=tuple(curves),
            champion=scores,
            slices=tuple(
                SliceResult(column=n, value=n, rows=9, metrics={"roc_auc": est(0.8, 0.1)}, note=n)
                for n in NASTY
            ),
            parity=change(PARITY, worst=NASTY[0]),
            examinations=_examinations(),
            comparisons=(
                change(report.comparison, metric=NASTY[0], champion=NASTY[1], baseline=NASTY[2]),
            ),
        ),
        readings=tuple(Reading(at=n, run=n, seal=sha("1")) for n in NASTY),
        pitfalls=tuple(CheckLine(n, n, "hit", n, n) for n in NASTY),
        checklist=tuple(CheckLine(n, n, "open", n, n) for n in NASTY),
        decision=change(
            view.decision,
            gates=tuple(
                GateResult(
                    name=n,
                    metric=n,
                    verdict="accepted",
                    value=1,
                    low=0,
                    high=2,
                    threshold=0,
                    reason=n,
                )
                for n in NASTY
            ),
        ),
        fitted=change(
            view.fitted,
            files=dict.fromkeys((*NASTY, "model.onnx"), sha("1")),
            members=(member(NASTY[0], 1.0),),
            signature=change(
                view.fitted.signature,
                positive=NASTY[1],
                classes=NASTY,
                inputs=tuple(
                    Field(name=n, type="category", missing=True, categories=NASTY) for n in NASTY
                ),
            ),
        ),
        stages=tuple(StageTime(n, 1.0) for n in NASTY),
        versions=((NASTY[0], NASTY[1]),),
    )


VIEWS = {
    "binary": binary_view,
    "multiclass": multiclass_view,
    "regression": regression_view,
    "stopped": stopped_view,
    "examined": examined_view,
    "searched": searched_view,
    "hostile": hostile_view,
}
