"""From what was measured to what is asked for."""

from __future__ import annotations

import pytest

from assay.deploy.sizing import FEWEST, WORKER_MB, Measured, sized


def test_what_was_measured_decides():
    found = sized(1, 10_000, Measured(workers=1, capacity=5_000, peak_mb=130, slo_ms=50))
    assert found.target_rps == 3_500
    assert found.copies == 3  # 10,000 over 3,500
    assert found.most == 12
    assert (found.memory_mb, found.limit_mb) == (160, 256)  # whole steps of 32 above 130 and 240
    assert "5,000 requests/s within 50 ms, 130 MB at most" in found.why


def test_more_workers_than_were_measured_count_in_proportion():
    measured = Measured(workers=1, capacity=5_000, peak_mb=128, slo_ms=50)
    found = sized(4, None, measured)
    assert (found.cpus, found.target_rps, found.memory_mb) == (4, 14_000, 512)
    assert found.copies == FEWEST


def test_without_a_load_test_it_says_so():
    found = sized(2, 10_000, None)
    assert found.memory_mb >= 3 * WORKER_MB
    assert (found.copies, found.target_rps) == (FEWEST, None)
    assert "not measured" in found.why
    assert "assay load-test" in found.why


@pytest.mark.parametrize("missing", ["capacity", "peak_mb"])
def test_half_a_measurement_is_used_for_its_half(missing):
    given = {"capacity": 5_000.0, "peak_mb": 130.0} | {missing: None}
    found = sized(1, 5_000, Measured(workers=1, slo_ms=50, **given))
    assert "not measured" in found.why
    assert "measured by" in found.why
    assert (found.target_rps is None) == (missing == "capacity")


def test_a_load_test_that_measured_neither_does_not_count():
    found = sized(1, 5_000, Measured(workers=1, capacity=None, peak_mb=None, slo_ms=50))
    assert "assay load-test --capacity" in found.why
    assert "measured by" not in found.why


def test_a_model_that_keeps_no_rate_gets_the_fewest_copies():
    found = sized(1, 5_000, Measured(workers=1, capacity=0.0, peak_mb=100, slo_ms=1))
    assert (found.copies, found.target_rps) == (FEWEST, None)
