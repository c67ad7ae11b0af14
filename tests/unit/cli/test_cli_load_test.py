"""The histogram of text."""

from __future__ import annotations

from assay.cli.load_test import BAR, histogram
from assay.records.deployment import LATENCY_EDGES


def test_bars_stand_for_counts() -> None:
    counts = [0] * (len(LATENCY_EDGES) + 1)
    counts[10], counts[12] = 30, 60
    lines = histogram(counts).splitlines()
    assert len(lines) == 3  # from the first to the last that occurs
    assert [line.count("█") for line in lines] == [BAR // 2, 0, BAR]
    assert "33.3%" in lines[0]
    assert "66.7%" in lines[2]


def test_few_are_still_seen_and_none_draws_nothing() -> None:
    counts = [0] * (len(LATENCY_EDGES) + 1)
    assert histogram(counts) == ""
    counts[0], counts[-1] = 100_000, 1
    lines = histogram(counts).splitlines()
    assert lines[-1].count("█") == 1
    assert lines[-1].strip().startswith(">")
