"""The catalogue: names, defaults, formats and what importing it costs."""

import subprocess
import sys

import pytest

from assay.errors import SpecError
from assay.metrics import METRICS, default_also, default_primary, get, names_for


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(SpecError) as caught:
        get("roc-auc")
    assert caught.value.code == "METRIC-UNKNOWN"
    assert caught.value.got == "roc-auc"
    assert "average_precision" in caught.value.allowed
    assert caught.value.hint == "did you mean roc_auc?"


@pytest.mark.parametrize(
    ("task", "rate", "name"),
    [
        ("binary", 0.3, "roc_auc"),
        ("binary", None, "roc_auc"),
        ("binary", 0.01, "average_precision"),
        ("multiclass", 0.3, "accuracy"),
        ("multiclass", 0.02, "f1_macro"),
        ("regression", None, "rmse"),
    ],
)
def test_the_default_metric_fits_the_task_and_has_a_reason(task, rate, name):
    chosen, reason = default_primary(task, rate)
    assert chosen == name
    assert reason
    also = default_also(task, chosen)
    assert chosen not in also
    assert set(also) | {chosen} <= set(names_for(task))


def test_every_task_can_ask_for_latency_and_size():
    for task in ("binary", "multiclass", "regression"):
        assert names_for(task)[-3:] == ("latency_p50", "latency_p99", "package_bytes")


def test_numbers_are_written_with_their_unit():
    assert get("roc_auc").format(0.84251) == "0.843"
    assert get("rmse").format(47312.4) == "47,312"
    assert get("rmse").format(0.0012345) == "0.001234"
    assert get("rmse").format(3e-12) == "3.000e-12"
    assert get("rmse").format(0) == "0"
    assert get("latency_p99").format(3.14159) == "3.14 ms"
    assert get("package_bytes").format(312) == "312 bytes"
    assert get("package_bytes").format(1_234_567) == "1.2 MB"
    assert get("package_bytes").format(7.7e12) == "7700.0 GB"


def test_better_follows_the_direction():
    assert get("roc_auc").better(0.9, 0.8)
    assert get("rmse").better(0.8, 0.9)
    assert not get("rmse").better(0.9, 0.9)


def test_every_metric_has_one_formula_unless_it_is_measured():
    for metric in METRICS.values():
        formulas = (metric.counts is not None) + (metric.weighted is not None)
        assert formulas == (0 if metric.operational else 1), metric.name
        assert (metric.takes == "label") == (metric.counts is not None), metric.name


def test_importing_metrics_loads_no_heavy_library():
    heavy = "sklearn", "scipy", "polars"
    code = f"import sys, assay.metrics; print([m for m in {heavy} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
