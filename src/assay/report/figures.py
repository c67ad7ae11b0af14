"""Metrics in a reader's words; one that is not in the catalogue shows under its own name."""

from __future__ import annotations

import math

from assay.metrics import METRICS
from assay.records.decision import GateResult
from assay.records.report import Estimate
from assay.report.text import cut, number


def title(name: str) -> str:
    """Return the metric's title."""
    return METRICS[name].title if name in METRICS else cut(name, 40)


def gate_name(gate: GateResult) -> str:
    """Return a gate's rule with the metric's title in place of its name."""
    rule = gate.name.removeprefix(gate.metric)
    return title(gate.metric) + rule if rule != gate.name else gate.name


def untold(gate: GateResult) -> bool:
    """Return True for a gate that had nothing to judge; its reason says why.

    A model that is no different from its rival has a range of zero too, but was judged.
    """
    judged = " is on the right side of " in gate.reason
    return gate.value == gate.low == gate.high == gate.threshold and not judged


def on_machine(name: str) -> bool:
    """Return True for what is measured on a machine or a file, such as latency."""
    return name in METRICS and METRICS[name].takes == "measured"


def direction(name: str) -> str:
    """Say which way is better, or nothing when it is not known."""
    if name not in METRICS:
        return ""
    return "higher is better" if METRICS[name].higher_is_better else "lower is better"


def value(name: str, amount: float) -> str:
    """Return a metric's value with its digits and unit."""
    if name in METRICS and METRICS[name].unit == "ms" and amount >= 0:
        return milliseconds(amount)
    text = METRICS[name].format(amount) if name in METRICS else number(amount)
    return text.replace("-", "−", 1) if text.startswith("-") else text


def fine(name: str, amount: float) -> str:
    """Return a metric's value with a digit more, to tell close candidates apart."""
    plain = name in METRICS and not METRICS[name].unit
    text = f"{amount:,.{METRICS[name].digits + 1}f}" if plain else value(name, amount)
    return text.replace("-", "−", 1)


def milliseconds(amount: float) -> str:
    """Return a latency in milliseconds with two digits that count, however short it is."""
    digits = 1 - math.floor(math.log10(amount)) if 0 < amount < 1 else 2
    return f"{amount:,.{min(max(digits, 2), 6)}f} ms"


def signed(name: str, amount: float) -> str:
    """Return a difference of two values with its sign."""
    text = value(name, amount)
    return text if text.startswith("−") else f"+{text}"


def interval(name: str, estimate: Estimate) -> str:
    """Return the ends of an interval: `0.812 to 0.861`."""
    return f"{value(name, estimate.low)} to {value(name, estimate.high)}"


def domain(name: str, low: float, high: float) -> tuple[float, float]:
    """Return the range of a picture around [low, high], kept inside the metric's own range."""
    room = (high - low) * 0.12 or abs(high) * 0.05 or 1.0
    least = METRICS[name].low if name in METRICS else float("-inf")
    most = METRICS[name].high if name in METRICS else float("inf")
    # Outside values (a difference, a damaged record) still have to fit into the picture.
    return min(max(low - room, least), low), max(min(high + room, most), high)
