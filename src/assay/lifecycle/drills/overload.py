"""Drill: three times as many requests come as the server can take."""

from __future__ import annotations

from contextlib import nullcontext

from assay.lifecycle.drills.outcome import Check, Outcome, wrong_answers
from assay.lifecycle.drills.scene import Scene, phases
from assay.loadgen.fired import Fired
from assay.loadgen.open_loop import fire

TIMES, CALM = 3.0, 0.5
"""The load as a multiple of the capacity, during the fault and around it."""

SHORT, START = 1.0, 250.0
"""Seconds of each look for what the server can take, and requests a second in the first."""

MOST, MORE = 4000.0, 8
"""A server that takes more requests a second is asked for so many times the rows in each: the
generator has to ask three times as much."""

FULL, TWICE = 0.85, 2
"""The share of the requests that is answered at once where a server can take them, and how often it
must be less to be sure."""

MANY = 500
"""Connections: callers who do not wait for each other. A few could never ask too much at once."""

USEFUL = 0.5
"""The share of the capacity that must still be answered."""

WITHIN = 1.0
"""Seconds after the load has fallen in which the server may still refuse."""


async def overload(scene: Scene) -> Outcome:
    """Find the capacity, ask three times as much, and go back to half of it."""
    with nullcontext() if scene.url else scene.server("--workers", "1"):
        most = await _saturation(scene)
        while most > MOST:
            scene.of_rows(scene.asked.per * MORE)
            most = await _saturation(scene)
        calm, high = scene.seconds / 4, scene.seconds / 2
        due = phases((CALM * most, calm), (TIMES * most, high), (CALM * most, calm))
        fired = await scene.load(due=due, connections=MANY)
    diary = scene.diary
    diary.zero = diary.note(
        f"{TIMES * most:,.0f} requests a second, {TIMES:g} times what it can take",
        fired.started + calm,
    )
    diary.note("the load falls again", diary.zero + high)
    under = fired.part((fired.due >= calm) & (fired.due < calm + high))
    recover = _recovery(fired.since(calm + high), calm + high, scene.serve.slo)
    diary.note("all is answered in time again", diary.zero + high + recover)
    shed = fired.part((fired.status == 503) | (fired.status == 429))
    failed = fired.errors - shed.requests
    return Outcome(
        _first_refusal(scene, under),
        recover,
        failed,
        wrong_answers(scene),
        fired.requests,
        (
            *_checks(scene, under, most * high),
            (
                f"{shed.requests:,} were refused, each with Retry-After; {failed:,} failed",
                bool(shed.told.all()) and failed == 0,
            ),
            ("no answer was wrong", wrong_answers(scene) == 0),
            (f"all was answered in time {recover:.2f} s after, at most {WITHIN:g} s",
             recover <= WITHIN),
        ),
    )  # fmt: skip


def _checks(scene: Scene, under: Fired, could: float) -> list[Check]:
    accepted, slo = under.part(under.ok), scene.serve.slo
    p99, share = accepted.quantile(0.99).value, accepted.requests / could
    return [
        ("the load was more than could be taken", under.errors > 0),
        (f"p99 of what was accepted was {1e3 * p99:.1f} ms, at most {1e3 * slo:g} ms", p99 <= slo),
        (f"{share:.0%} of what it can take was answered, at least {USEFUL:.0%}", share >= USEFUL),
    ]


def _first_refusal(scene: Scene, under: Fired) -> float | None:
    if not under.errors:
        return None
    at = under.started + float((under.due + under.taken)[~under.ok].min())
    return scene.diary.since(scene.diary.note("the first request is refused", at))


def _recovery(after: Fired, start: float, slo: float) -> float:
    """Return the seconds from `start` to the last request that was refused or late."""
    trouble = after.due[~after.ok | (after.taken > slo)]
    return max(float(trouble.max()) - start, 0.0) if len(trouble) else 0.0


async def _saturation(scene: Scene) -> float:
    """Return how many requests a second are answered at most when more and more come.

    The capacity at the SLO is less; this is what the processor can do. Over MOST is enough.
    """
    rps, most, full = START, 0.0, 0
    while full < TWICE and most <= MOST:
        scene.say(f"looking for what it can take: {rps:,.0f} requests a second")
        fired = await fire(
            scene.target, scene.asked.body, rps, SHORT, MANY, scene.headers
        )  # fmt: skip
        most = max(most, fired.rps)
        full += fired.rps < FULL * rps
        rps *= 2
    return most
