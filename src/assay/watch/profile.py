"""The profile of a model at training time: a file in its package, with no row of the data."""

from __future__ import annotations

import msgspec

from assay.errors import Tampered
from assay.records.report import Estimate, SliceResult
from assay.records.spec import GateSpec
from assay.watch.columns.form import ColumnProfile
from assay.watch.drift.joint import Joint
from assay.watch.performance.known import Known

FILE = "profile.json"
"""Its name in a package."""


class Profile(msgspec.Struct, frozen=True, kw_only=True, tag="watch_profile@1"):
    """What monitoring compares with later.

    `columns` are the model's inputs as the training rows had them, or the declared test rows where
    there are enough (`lifecycle/profiling.py`); `answers` (`prediction`, and
    `probability_CLASS` or the number) and `target` those of the test rows. `joint` is how columns
    go together, `known` how right the model was where. `metrics` and `slices` are the report's on
    the test rows, `gates` those of the seal, `primary` its headline metric.
    """

    rows: int
    test_rows: int
    columns: tuple[ColumnProfile, ...]
    answers: tuple[ColumnProfile, ...] = ()
    target: ColumnProfile | None = None
    joint: Joint | None = None
    known: Known | None = None
    primary: str = ""
    metrics: dict[str, Estimate] = {}
    gates: tuple[GateSpec, ...] = ()
    slices: tuple[SliceResult, ...] = ()


def write_profile(profile: Profile) -> bytes:
    """Return a profile as JSON; equal profiles give equal bytes."""
    return msgspec.json.encode(profile, order="deterministic")


def read_profile(data: bytes) -> Profile:
    """Return the profile in these bytes; raises Tampered where they are none."""
    try:
        return msgspec.json.decode(data, type=Profile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Tampered(
            "WATCH-PROFILE-UNREADABLE",
            f"the profile of this package cannot be read: {error}",
            hint="run the project again with this version of Assay",
        ) from error
