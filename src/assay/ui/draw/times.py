"""Axes of time: few names, as fine as the span asks for."""

from __future__ import annotations

from datetime import UTC, datetime

DAY = 86_400.0


def epoch(at: str) -> float | None:
    """Return a time of a record in seconds since 1970; None for one without a time."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def names(low: float, high: float, count: int = 4) -> dict[float, str]:
    """Return times inside [low, high], evenly spread, with what an axis says of each (UTC)."""
    steps = [low + (high - low) * i / (count - 1) for i in range(count)] if high > low else [low]
    return {at: short(at, high - low) for at in steps}


def short(at: float, span: float) -> str:
    """Return a time as short as it may be beside others so far away."""
    moment = datetime.fromtimestamp(at, UTC)
    if span > 300 * DAY:
        return f"{moment:%b %Y}"
    if span > 3 * DAY:
        return f"{moment.day} {moment:%b}"
    if span > 0.5 * DAY:
        return f"{moment.day} {moment:%b %H:%M}"
    return f"{moment:%H:%M}" if span > 300 else f"{moment:%H:%M:%S}"
