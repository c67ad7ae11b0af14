"""POST /feedback: what came to be known of answers, by the id of their request.

A label belongs to a row of a request; a number with the name of a `metric` belongs to the request,
such as what a customer paid. Ids are not checked: an answer may have come from another server, and
readers join the two logs. The last label of a row counts.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import polars as pl

from assay.errors import AssayError, DataError, Mistakes
from assay.kernel.family import class_labels
from assay.records.fitted import Signature
from assay.serve.http.message import Reply, Request, Response
from assay.serve.identity import PLAIN
from assay.serve.lane import Lane
from assay.serve.log.writer import PredictionLog
from assay.serve.models import Live
from assay.serve.problems import Rejected
from assay.serve.route import Endpoint, Target
from assay.serve.state import State

KEYS = ("request", "label", "value", "row", "metric", "at")
_PLAIN = re.compile(PLAIN)
MOST_ROWS = 2**31 - 1


def endpoints(state: State) -> Iterable[Endpoint]:
    """Return the paths that take feedback."""

    def feedback(request: Request, reply: Reply, target: Target) -> None:
        live = state.models.live(target.model)
        version = None if target.version is None else state.models.pick(*target)
        given = _given(request.body, live)
        log = _log_of(state, live)
        taken = _read(given, _signatures(live))
        for told in taken:
            now = time.time() if told.at is None else told.at
            log.feedback(
                live.deployment.model, told.request, told.row, told.label, told.value,
                told.metric, now,
            )  # fmt: skip
            lane = version or _answering(log, live, told.request)
            if told.metric and told.value is not None and lane is not None:
                state.tally.fed(lane.slot, told.metric, told.value)
        reply(Response(202, msgspec.json.encode({"accepted": len(taken)})))

    for path in ("/feedback", "/models/{model}/feedback"):
        yield Endpoint("POST", path, "feedback", feedback)


class Told(NamedTuple):
    """One piece of feedback, checked; `metric` is "" for the truth about a row."""

    request: str
    row: int
    label: str | None
    value: float | None
    metric: str
    at: float | None


def _given(body: bytes, live: Live) -> list[Any]:
    """Return the objects of the body: one, or those in the list `feedback`."""
    try:
        document = msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        raise Rejected(
            "SERVE-MALFORMED", "the body is no JSON that can be read", where="body",
            got=(str(error).splitlines() or ["it is nested too deeply"])[0][:200],
        ) from error  # fmt: skip
    if isinstance(document, dict) and isinstance(document.get("feedback"), list):
        listed: list[Any] = document["feedback"]
    else:
        listed = [document]
    most = next(iter(live.versions.values())).section.rows
    if len(listed) > most:
        raise Rejected(
            "SERVE-TOO-MANY-ROWS", "there is more feedback than one request may bring",
            got=len(listed), allowed=[f"at most {most:,}"], hint="send it in several requests",
        ).at(413)  # fmt: skip
    return listed


def _log_of(state: State, live: Live) -> PredictionLog:
    """Return the log; raises Rejected where feedback could not be kept."""
    if state.log is None or not any(lane.section.log for lane in live.versions.values()):
        raise Rejected(
            "SERVE-LOG-OFF", "this server keeps no log, so it can keep no feedback",
            where=live.deployment.model, hint="set serve.log = true in the project file",
        ).at(409)  # fmt: skip
    if state.log.full:
        raise Rejected(
            "SERVE-LOG-FULL",
            "the log cannot be written, so feedback is not taken",
            hint="send it again later",
        ).later(30)
    return state.log


def _signatures(live: Live) -> list[Signature]:
    return [lane.servable.signature for lane in live.versions.values()]


def _read(given: Sequence[Any], signatures: Sequence[Signature]) -> list[Told]:
    """Return all feedback, checked; raises the errors of all that does not fit."""
    taken: list[Told] = []
    errors: list[AssayError] = []
    for place, one in enumerate(given):
        try:
            taken.append(_one(one, signatures, f"feedback {place + 1}"))
        except DataError as error:
            errors.append(error)
    if errors:
        raise errors[0] if len(errors) == 1 else Mistakes(errors)
    return taken


def _one(given: Any, signatures: Sequence[Signature], where: str) -> Told:
    if not isinstance(given, dict):
        raise _misfit(where, "this is no object", None, [*KEYS])
    unknown = [key for key in given if key not in KEYS]
    if unknown:
        raise _misfit(where, "feedback has no such key", unknown[0], [*KEYS])
    metric = _word(given, "metric", where) if "metric" in given else ""
    label, value = given.get("label"), given.get("value")
    if (label is None) == (value is None) or (metric and value is None):
        needed = "value" if metric else "label or value"
        raise _misfit(where, f"feedback needs one {needed}", sorted(given), [])
    if value is not None:
        value = _number(value, where)
        if not metric and signatures[0].classes:
            raise _misfit(where, "the answers of this model are classes", value, ["label"])
    return Told(
        request=_word(given, "request", where),
        row=_row(given.get("row", 0), where),
        label=None if label is None else _label(label, signatures, where),
        value=value,
        metric=metric,
        at=_moment(given.get("at"), where),
    )


def _word(given: dict[str, Any], key: str, where: str) -> str:
    word = given.get(key)
    if not isinstance(word, str) or not _PLAIN.fullmatch(word):
        allowed = ["1 to 64 letters, digits and . _ : -"]
        raise _misfit(f"{where}, {key}", "this is no name", word, allowed)
    return word


def _row(row: Any, where: str) -> int:
    if isinstance(row, float) and row.is_integer():
        row = int(row)
    if isinstance(row, bool) or not isinstance(row, int) or not 0 <= row <= MOST_ROWS:
        raise _misfit(f"{where}, row", "a row's place is a whole number from 0", row, [])
    return row


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _misfit(f"{where}, value", "this is no finite number", value, [])
    return float(value)


def _label(label: Any, signatures: Sequence[Signature], where: str) -> str:
    """Return the class that training made of such a cell."""
    classes = dict.fromkeys(name for signature in signatures for name in signature.classes)
    if isinstance(label, str | bool | int | float):
        text = str(class_labels(pl.Series([label]))[0]).strip()
        found = text if text in classes else text.lower()
        if found in classes and (found == text or signatures[0].labels == "boolean"):
            return found
    raise _misfit(f"{where}, label", "this is none of the model's classes", label, list(classes))


def _moment(at: Any, where: str) -> float | None:
    """Return seconds since 1970 of a number of them, or of a time in ISO 8601."""
    if at is None:
        return None
    try:
        if isinstance(at, str):
            moment = datetime.fromisoformat(at)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if isinstance(at, int | float) and not isinstance(at, bool):
            datetime.fromtimestamp(at, UTC)
            return float(at)
    except (ValueError, OverflowError, OSError):
        pass
    raise _misfit(f"{where}, at", "this is no time", at, ["ISO 8601", "seconds since 1970"])


def _misfit(where: str, message: str, got: Any, allowed: list[Any]) -> DataError:
    return DataError("SERVE-FEEDBACK", message, where=where, got=got, allowed=allowed)


def _answering(log: PredictionLog, live: Live, request: str) -> Lane | None:
    """Return the version that answered a request, None where that cannot be told.

    What this worker does not remember is told by the id, as long as ids decide who answers. A
    release that went on to its next step since then may have moved it: that makes versions look
    more alike than they are, never less.
    """
    if len(live.versions) == 1:
        return next(iter(live.versions.values()))
    known = log.version_of(request)
    if known is not None:
        return live.versions.get(known[1]) if known[0] == live.deployment.model else None
    return None if live.deployment.sticky else live.arm_of(request)
