"""What the page draws, and what it reads off the files of the log."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from ui_planted import COLUMNS, HOSTILE, make_verdict

from assay.records.package import ModelVersion
from assay.records.watch import Measured
from assay.serve.log.columns import PREDICTED
from assay.serve.log.merge import merge
from assay.serve.log.shelf import LOG, Stream, log_of
from assay.ui.draw import heat, lineage, series, times
from assay.ui.draw.cells import MOST, beside
from assay.ui.fold.logs import Bucket, Logs, Piece, buckets
from assay.ui.fold.watched import Window
from assay.ui.site import Site
from assay.watch.columns.form import ColumnProfile

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


def write_unit(stream: Stream, rows: int, at: float, micros: int) -> None:
    moment = datetime.fromtimestamp(at, UTC)
    table = pl.DataFrame(
        {
            "request": [f"r{i}" for i in range(rows)],
            "row": [0] * rows,
            "at": [moment] * rows,
            "model": ["m"] * rows,
            "version": [1] * rows,
            "shadow": [False] * rows,
            "micros": [micros] * rows,
            "warned": [False] * rows,
        },
        schema=PREDICTED,
    )
    stream.write(table)


def test_the_log_is_counted_once_whether_merged_or_not(tmp_path: Path) -> None:
    shelf = log_of(tmp_path / LOG, "m")
    stream = Stream(shelf, version=1, worker=0)
    for i, rows in enumerate((30, 20, 50)):
        write_unit(stream, rows, NOON + 60 * i, 100 + i)
    logs = Logs(tmp_path)
    logs.look()
    found = logs.pieces("m")
    assert sorted(piece.rows for piece in found) == [20, 30, 50]
    assert {piece.p50 for piece in found} == {100.0, 101.0, 102.0}
    assert merge(shelf, 1.0, 1e9) > 0
    logs.look()
    found = logs.pieces("m")
    assert sum(piece.rows for piece in found) == 100
    assert {piece.covers == frozenset() for piece in found} == {False}
    assert (min(p.first for p in found), max(p.last for p in found)) == (NOON, NOON + 120)
    assert logs.pieces("no such model") == []


def test_a_torn_file_of_the_log_is_passed_over(tmp_path: Path) -> None:
    shelf = log_of(tmp_path / LOG, HOSTILE)
    stream = Stream(shelf, version=1, worker=0)
    write_unit(stream, 7, NOON, 10)
    (shelf.open / "v1-1-2-w0-00000001.arrow").write_bytes(b"ARROW1 torn")
    shelf.segments.mkdir()
    (shelf.segments / "v1-1-2-00.parquet").write_bytes(b"PAR1 torn")
    logs = Logs(tmp_path)
    with pytest.warns(Warning, match="torn"):
        logs.look()
    assert [piece.rows for piece in logs.pieces(HOSTILE)] == [7]
    next(shelf.open.glob("*w0-00000000.arrow")).unlink()
    logs.look()
    assert logs.pieces(HOSTILE) == []


def test_traffic_adds_up_however_it_is_cut() -> None:
    pieces = [Piece(NOON + i * 100, NOON + i * 100 + 250, 10 + i, 1, 5.0, 9.0) for i in range(40)]
    for count in (1, 7, 60, 500):
        found = buckets(pieces, count)
        assert sum(bucket.rows for bucket in found) == pytest.approx(sum(p.rows for p in pieces))
        assert len(found) <= count
    assert buckets([]) == []
    one = buckets([Piece(NOON, NOON, 3, 1)])
    assert [bucket.rows for bucket in one] == [3]
    assert series.traffic([]) is None
    assert series.traffic(one) is not None
    assert series.latency(one) is None
    figure = series.latency([Bucket(NOON + i, NOON + i + 1, 1, 100.0, 300.0) for i in range(5)])
    assert figure is not None
    assert "Milliseconds" in str(figure.svg)


def window(number: int) -> Window:
    verdict = make_verdict("m", number, COLUMNS)
    return Window(number, verdict.verdict, "", 1, 0, verdict.since, verdict.until, 1, (), "", "")


def test_a_strip_has_a_cell_for_each_window_and_names_are_only_text() -> None:
    seen = [(window(n), make_verdict("m", n, COLUMNS if n > 3 else COLUMNS[:2])) for n in range(30)]
    found = {strip.column: strip for strip in heat.strips(seen)}
    assert next(iter(found)) == "fee"  # it is flagged
    for strip in found.values():
        cells = re.findall(r'class="cell (none|h\d)"', str(strip.svg))
        assert len(cells) == 30
        assert "<img" not in str(strip.svg)
    assert found["fee"].flagged == str(found["fee"].svg).count("cell flag") == 10
    assert str(found["region"].svg).count("cell none") == 4
    assert [heat.level(e) for e in (0, 0.02, 0.05, 0.19, 0.4, 1)] == [0, 1, 2, 3, 5, 5]


def test_a_metric_nobody_can_say_is_not_drawn() -> None:
    unsaid = Measured(metric="rmse", value=None, low=None, high=None, n=0, estimated=True,
                      standing="unsaid", reason="no labels came")  # fmt: skip
    figure = series.performance([series.Point(window(1), unsaid)])
    assert figure.svg is None
    assert "no labels came" in figure.caption
    said = Measured(metric="rmse", value=2.0, low=1.5, high=2.5, n=9, estimated=True, threshold=2.2,
                    standing="unclear")  # fmt: skip
    figure = series.performance([series.Point(window(1), unsaid), series.Point(window(5), said)])
    assert str(figure.svg).count("<circle") == 1
    assert "estimated" in str(figure.svg)
    assert [row[0] for row in figure.rows] == ["1", "5"]


def test_cells_are_shares_and_the_smallest_are_summed_up() -> None:
    column = ColumnProfile(name="c", of="c", kind="category", rows=100, counts=(60, 40, 0, 0),
                           values=("a", "<b>"))  # fmt: skip
    cells, left = beside(column, (10, 10, 5, 0))
    assert [(c.name, c.reference, c.window) for c in cells] == [
        ("a", "60%", "40%"), ("<b>", "40%", "40%"), ("never seen", "0%", "20%"),
    ]  # fmt: skip
    assert left == 0
    assert "<b>" not in str(cells[1].svg)
    many = tuple(f"v{i}" for i in range(100))
    wide = ColumnProfile(name="c", of="c", kind="category", rows=5050,
                         counts=(*range(1, 101), 0, 0), values=many)  # fmt: skip
    cells, left = beside(wide, (0,) * 102)
    assert (len(cells), left) == (MOST, 60)
    assert cells[-1].name == "v99"


def test_times_are_as_short_as_may_be() -> None:
    day = times.DAY
    assert times.short(NOON, 400 * day) == "Nov 2026"
    assert times.short(NOON, 10 * day) == "22 Nov"
    assert times.short(NOON, day) == "22 Nov 12:00"
    assert times.short(NOON, 3600) == "12:00"
    assert times.short(NOON, 10) == "12:00:00"
    assert times.epoch("") is None
    assert times.epoch("2026-11-22T12:00:00") == NOON
    assert list(times.names(NOON, NOON)) == [NOON]


def test_the_chain_leads_from_data_to_what_is_live(site: Site) -> None:
    version = ModelVersion(name="churn", version=2, package="b" * 64, run="churn-0001",
                           verdict="accepted", at="2026-11-22T00:00:00+00:00")  # fmt: skip
    steps = lineage.chain(site, version)
    assert [step.what for step in steps] == ["Data", "Run", "Package", "Champion"]
    assert steps[0].digest == "5" * 64
    assert steps[1].href == "/runs/churn-0001"
    assert steps[2].digest == "b" * 64
