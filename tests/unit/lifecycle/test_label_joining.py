"""Labels that come later, joined with what was answered."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assay.lifecycle.watching.kept import Labels
from assay.lifecycle.watching.labels import Joining
from assay.records.fitted import Field, Signature
from assay.records.spec import ServeSection
from assay.serve.log.shelf import LOG
from assay.serve.log.writer import PredictionLog
from assay.stores.workspace import open_workspace

SIGNATURE = Signature(
    family="f", task="binary", target="y", inputs=(Field(name="x", type="number", missing=True),),
    classes=("0", "1"), positive="1",
)  # fmt: skip


@pytest.mark.parametrize("year", [1, 1969, 9999])
def test_a_label_from_any_time_that_a_client_may_name_is_taken(tmp_path: Path, year: int) -> None:
    log = PredictionLog(tmp_path / LOG, worker=0)
    log.open("m", 1, SIGNATURE, ServeSection())
    log.add("r", time.time(), "m", 1, (1.0,), (0.4, 0.6), 9.0, 1)
    log.feedback("m", "r", 0, "1", None, "", datetime(year, 1, 2, tzinfo=UTC).timestamp())
    log.close()
    joining = Joining(open_workspace(tmp_path), "m", Labels())
    assert joining.take(30 * 86_400.0)
    assert joining.labels.fresh["truth"].to_list() == ["1"]
