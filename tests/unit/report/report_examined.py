"""A run view with examinations, comparisons, several looks and checklists."""

from __future__ import annotations

from dataclasses import replace

from msgspec.structs import replace as change
from report_parts import est, sha
from report_views import binary_view

from assay.lifecycle.pitfalls import checklist, pitfalls
from assay.records.audit import Audit, Finding
from assay.records.report import Comparison, Curve, Examination, tabled
from assay.report import RunView
from assay.report.view import Reading


def examinations() -> tuple[Examination, ...]:
    """One examination of each concern, with every kind of picture that they bring."""
    losses = {
        "Missing values": ([0.004, 0.011, 0.024, 0.06], ["5 %", "10 %", "20 %", "40 %"]),
        "Noise": ([0.001, 0.003, 0.012, 0.03], ["0.1 sd", "0.2 sd", "0.5 sd", "1 sd"]),
        "Unseen categories": ([0.0, 0.002, 0.005, 0.013], ["5 %", "10 %", "20 %", "40 %"]),
    }
    return (
        Examination(
            name="calibration",
            title="Are the probabilities right?",
            reading="Probabilities are off by 0.021 on average (between 0.012 and 0.035).",
            numbers={"ece": est(0.021, 0.01), "set_size": est(1.3, 0.0)},
            tables=tabled(
                {"Said and happened": [{"said": "0.1 to 0.2", "happened": 0.16, "rows": 141}]}
            ),
            curves=(
                Curve(
                    kind="calibration",
                    title="Calibration as served",
                    data={
                        "predicted": [0.05, 0.3, 0.7],
                        "observed": [0.06, 0.27, 0.74],
                        "low": [0.03, 0.2, 0.66],
                        "high": [0.1, 0.33, 0.81],
                        "count": [470, 470, 469],
                    },
                    note="probability of Yes",
                ),
            ),
        ),
        Examination(
            name="robustness",
            title="How it bears bad rows",
            reading="ROC-AUC is 0.846 on the test rows as they are. Missing values cost most: "
            "ROC-AUC gets worse by 0.011 (between 0.006 and 0.016).",
            concern="look",
            advice="before asking the model about new rows, fill in what can be filled in",
            numbers={
                "robustness_missing": est(0.011, 0.005),
                "robustness_noise": est(0.003, 0.004),
            },
            tables=tabled(
                {
                    "What each trouble costs": [
                        {"At least": "0.002", "Trouble": name, "Worse by": f"{loss[1]}"}
                        for name, (loss, _) in losses.items()
                    ]
                }
            ),
            curves=(
                Curve(
                    kind="degradation",
                    title="What is lost as rows get worse",
                    data={
                        "metric": "ROC-AUC",
                        "headline": 0.8461,
                        "series": {
                            name: {
                                "severity": [1.0, 2.0, 3.0, 4.0],
                                "label": labels,
                                "value": [0.8461 - v for v in loss],
                                "loss": loss,
                                "low": [v - 0.004 for v in loss],
                                "high": [v + 0.004 for v in loss],
                            }
                            for name, (loss, labels) in losses.items()
                        },
                    },
                    note="1,000 of 1,409 test rows, drawn at random",
                ),
            ),
        ),
        Examination(
            name="worst_slices",
            title="Where it does worst",
            reading="Where Contract = Month-to-month and tenure is at most 6, accuracy is 0.641 "
            "(between 0.590 and 0.690), against 0.803 over all rows.",
            concern="serious",
            advice="collect more rows of this group, or leave its cases to a person",
            numbers={"worst_slice": est(0.641, 0.05, 312)},
        ),
        Examination(
            name="contributions",
            title="What moves the answers",
            reading="Contract moves the answers most.",
            curves=(
                Curve(
                    kind="contributions",
                    title="Share of each column",
                    data={
                        "columns": ["Contract", "tenure", "InternetService"],
                        "mean": [0.61, 0.52, 0.2],
                        "low": [0.58, 0.49, 0.18],
                        "high": [0.64, 0.55, 0.22],
                        "unit": "log-odds of Yes",
                    },
                ),
                Curve(kind="hologram", title="Nobody draws this", data={"z": [1]}),
            ),
        ),
        Examination(
            name="dependence",
            title="How the answer goes with a column",
            reading="With a longer tenure the chance of Yes falls.",
            curves=(
                Curve(
                    kind="dependence",
                    title="tenure",
                    data={
                        "column": "tenure",
                        "x": [1, 12, 24, 48, 72],
                        "mean": [0.5, 0.33, 0.25, 0.18, 0.1],
                        "low": [0.2, 0.1, 0.08, 0.05, 0.02],
                        "high": [0.8, 0.6, 0.5, 0.4, 0.3],
                        "y_label": "Probability of Yes",
                    },
                ),
                Curve(
                    kind="dependence",
                    title="Contract",
                    data={
                        "column": "Contract",
                        "x": ["Month-to-month", "One year", "Two year"],
                        "mean": [0.4, 0.2, 0.1],
                        "low": [0.2, 0.1, 0.02],
                        "high": [0.7, 0.4, 0.2],
                        "y_label": "Probability of Yes",
                    },
                ),
            ),
        ),
        Examination(
            name="learning",
            title="Would more rows help?",
            reading="The score still grows with more rows: with twice as many it may gain 0.004.",
        ),
    )


BLOCKS = Finding(
    code="TIME-ORDER",
    severity="warning",
    where="signed",
    message="The target moves with time, which a random split ignores.",
    evidence={
        "target_over_time": [
            {"from signed": f"20{19 + i}-01-01", "rows": 1400, "share of Yes": share}
            for i, share in enumerate((0.21, 0.24, 0.26, 0.29, 0.33))
        ],
        "values": [
            {"Churn = No": 400, "Churn = Yes": 12, "rows": 412, "value": "a"},
            {"Churn = No": 20, "Churn = Yes": 380, "rows": 400, "value": "b"},
        ],
        "classes": [
            {"class": "Yes", "rows": 1869, "share": 0.265},
            {"class": "No", "rows": 5174, "share": 0.735},
        ],
        "examples": [{"name": "x", "age": 31}, {"name": "y", "age": 44}],
    },
    hint='set split.time_on = "signed" if the model will answer for later rows',
)


def examined_view() -> RunView:
    """The binary view, examined, compared, and looked at under three seals."""
    view = binary_view()
    if view.report is None:
        raise ValueError("the binary view has a report")
    gap = est(0.0509, 0.0128, method="delong")
    comparisons = tuple(
        Comparison(
            metric=metric,
            champion="ensemble of 2",
            baseline="logistic, two columns",
            difference=change(gap, value=value, low=value - 0.0128, high=value + 0.0128),
            p_value=p / 2,
            p_adjusted=p,
        )
        for metric, value, p in (
            ("roc_auc", 0.0509, 2e-9),
            ("accuracy", 0.0323, 0.004),
            ("recall", 0.014, 0.06),
            ("average_precision", 0.005, 0.4),
        )
    )
    report = change(view.report, examinations=examinations(), comparisons=comparisons, looks=3)
    readings = tuple(
        Reading(at=f"2026-11-{day}T07:48:20+00:00", run=f"run-{day}", seal=sha(letter))
        for day, letter in (("20", "1"), ("21", "2"), ("22", "a"))
    )
    audit = Audit(findings=(BLOCKS, *view.audit.findings), checks=view.audit.checks)
    seen = replace(view, report=report, readings=readings, test_reads=3, audit=audit)
    seen = replace(seen, checklist=checklist(seen, readings))
    return replace(seen, pitfalls=pitfalls(seen))
