"""Scales, ticks and drawings."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup
from report_parts import binary_curves

from assay.records.report import Curve
from assay.report.charts import Scale, span, tag, tick, ticks
from assay.report.plots import figures
from assay.report.strips import Bar, histogram, intervals, parts

sizes = st.floats(-1e9, 1e9, allow_nan=False)


@given(sizes, sizes)
def test_ticks_lie_inside_and_are_few(a: float, b: float) -> None:
    low, high = sorted((a, b))
    if high - low < 1e-6:
        return
    found = ticks(low, high)
    room = (high - low) * 1e-6
    assert all(low - room <= value <= high + room for value in found)
    assert len(found) <= 6
    assert found == sorted(found)


@given(sizes, sizes, sizes)
def test_a_scale_never_leaves_its_ends(a: float, b: float, value: float) -> None:
    low, high = sorted((a, b))
    assert 10 <= Scale(low, high, 10, 90)(value) <= 90


def test_span_of_nothing_and_of_one() -> None:
    assert span([]) == (0.0, 1.0)
    assert span([0.2, 0.4], 0) == (0.2, 0.4)
    low, high = span([5.0])
    assert low < 5 < high
    assert ticks(1.0, 1.0) == [1.0]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.25, "0.25"),
        (1000, "1000"),
        (20_000, "20k"),
        (1.5e6, "1.5M"),
        (-0.5, "−0.5"),
        (1e-17, "0"),
    ],
)
def test_tick(value: float, shown: str) -> None:
    assert tick(value) == shown


def test_elements_escape_children_and_attributes() -> None:
    made = tag("text", "<b>&\x00", Markup("<i/>"), class_='"><script>', stroke_width=1.0, x=None)
    assert (
        made == '<text class="&#34;&gt;&lt;script&gt;" stroke-width="1">&lt;b&gt;&amp;<i/></text>'
    )


def test_every_known_curve_becomes_a_figure_and_wide_ones_come_last() -> None:
    found = figures(binary_curves())
    assert {f.kind for f in found} == {c.kind for c in binary_curves()} - {"spectrogram"}
    assert [f.wide for f in found] == sorted(f.wide for f in found)
    assert all(f.caption and (f.svg or f.bars or f.matrix) for f in found)


def test_roc_reads_the_curve_at_a_tenth() -> None:
    data = {"x": [0.0, 0.05, 0.1, 1.0], "y": [0.0, 0.4, 0.7, 1.0], "baseline_x": [],
            "baseline_y": [], "x_label": "x", "y_label": "y"}  # fmt: skip
    (figure,) = figures([Curve(kind="roc", title="ROC", data=data)])
    assert "70% of the positive rows are found." in figure.caption
    assert figure.rows[2] == ("10%", "70%")
    assert figure.legend == (("champion", "Champion"),)


def test_many_classes_are_put_together() -> None:
    n = 40
    counts = [[i + 1 if i == j else 0 for j in range(n)] for i in range(n)]
    data = {"classes": [f"c{i}" for i in range(n)], "counts": counts}
    (figure,) = figures([Curve(kind="confusion", title="t", data=data)])
    assert len(figure.classes) == 12
    assert figure.classes[-1] == "29 other classes"
    assert sum(cell.count for row in figure.matrix for cell in row) == sum(map(sum, counts))


def test_calibration_zooms_in_on_rare_events() -> None:
    data = {"predicted": [0.01], "observed": [0.02], "low": [0.01], "high": [0.04], "count": [9]}
    (figure,) = figures([Curve(kind="calibration", title="t", data=data)])
    assert figure.svg is not None
    assert "0.05" in figure.svg


def test_a_threshold_shades_one_side() -> None:
    bar = Bar(0.4, 0.5, 0.6, "accepted", "0.5")
    right = intervals([bar], (0.0, 1.0), title="t", threshold=0.25, good="right")
    left = intervals([bar], (0.0, 1.0), title="t", threshold=0.25, good="left")
    (start,) = re.findall(r'<rect x="([\d.]+)%"', right)
    assert float(start) == pytest.approx(1.5 + 0.25 * 97)
    assert '<rect x="0.00%" width="25.75%"' in left
    assert "<rect" not in intervals([bar], (0.0, 1.0), title="t", threshold=0.25)


def test_empty_pictures() -> None:
    assert "<svg" in histogram((), "nothing")
    assert "<svg" in histogram((0, 0), "zeros")
    assert "nan" not in parts([("a", 0.0, "p0")], "nothing")
