"""Answers for large files: as for small ones, whole or not at all, and never twice."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import batch_material
import polars as pl
import pytest
from batch_material import model, table

from assay.data import stream, survey
from assay.data.source import read_any
from assay.errors import DataError, Mistakes, StoreError, UsageError
from assay.lifecycle import batch
from assay.lifecycle.batch import answered, predict_file

SCRIPT = batch_material.__file__


@pytest.fixture
def _small(monkeypatch):
    monkeypatch.setattr(stream, "PART_BYTES", 4000)
    monkeypatch.setattr(stream, "PART_CELLS", 1)
    monkeypatch.setattr(survey, "BLOCK", 1000)


def parts_folder(out):
    return out.with_name(f".{out.name}.parts")


def save(folder, kind, frame=None):
    frame = table() if frame is None else frame
    path = folder / f"in{kind}"
    {".csv": frame.write_csv, ".parquet": frame.write_parquet, ".jsonl": frame.write_ndjson}[kind](
        path
    )
    return path


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("source", [".csv", ".parquet", ".jsonl"])
@pytest.mark.parametrize("kind", [".csv", ".parquet", ".jsonl"])
@pytest.mark.parametrize("sets", [False, True])
def test_a_file_in_parts_is_answered_as_the_whole(tmp_path, source, kind, sets):
    path, out, whole = save(tmp_path, source), tmp_path / f"out{kind}", tmp_path / f"whole{kind}"
    notes = []
    assert predict_file(model(), path, out, sets=sets, notify=notes.append) == 3000
    expected = answered(model(), read_any(path), whole, sets=sets)
    assert expected.columns[4] == "prediction_predicted"
    batch._write(expected, whole, kind)
    if kind == ".parquet":
        assert pl.read_parquet(out).equals(expected)
        assert pl.read_parquet_schema(out) == expected.schema
    else:
        assert out.read_bytes() == whole.read_bytes()
    assert len(notes) > 2
    assert [note.rows for note in notes] == sorted(note.rows for note in notes)
    assert notes[-1].share == pytest.approx(1.0, abs=0.01)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([path.name, out.name, whole.name])


@pytest.mark.usefixtures("_small")
def test_a_number_has_its_interval_in_every_part(tmp_path):
    path, out = save(tmp_path, ".csv"), tmp_path / "out.parquet"
    number = model(classes=(), positive=None, interval=(-1.0, 2.0))
    predict_file(number, path, out)
    found = pl.read_parquet(out)
    assert (found["high"] - found["low"]).round(9).unique().to_list() == [3.0]
    assert len(found) == 3000


@pytest.mark.usefixtures("_small")
def test_a_cell_that_does_not_fit_is_named_by_its_row_in_the_file(tmp_path):
    frame = table().with_columns(pl.col("x").cast(pl.String))
    frame[2345, "x"] = "much"
    path, out = save(tmp_path, ".csv", frame), tmp_path / "out.csv"
    with pytest.raises(DataError) as whole:
        model().ask(read_any(path))
    with pytest.raises(DataError) as parts:
        predict_file(model(), path, out)
    assert parts.value.where == whole.value.where == "column x, row 2346"
    assert [p.name for p in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.usefixtures("_small")
def test_a_column_that_is_missing_is_told_once(tmp_path):
    path = save(tmp_path, ".csv", table().drop("who"))
    with pytest.raises((DataError, Mistakes)) as caught:
        predict_file(model(), path, tmp_path / "out.csv")
    assert caught.value.code == "DATA-COLUMNS-MISSING"
    assert not parts_folder(tmp_path / "out.csv").exists()


@pytest.mark.usefixtures("_small")
def test_json_that_can_only_be_read_whole_is(tmp_path):
    path = tmp_path / "in.jsonl"
    rows = [{"x": 1.5, "who": "Ann", "when": None, "more": i} for i in range(500)]
    rows[400]["more"] = True
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert predict_file(model(), path, tmp_path / "out.csv") == 500
    assert pl.read_csv(tmp_path / "out.csv").height == 500
    assert not parts_folder(tmp_path / "out.csv").exists()


def start(path, out, seconds=0.05):
    return subprocess.Popen(
        [sys.executable, SCRIPT, str(path), str(out), str(seconds)], stdout=subprocess.PIPE
    )


def finished(out):
    folder = parts_folder(out)
    return [p.name for p in folder.glob("[!.]*-*-*")] if folder.is_dir() else []


def killed(path, out, parts=4):
    """Kill -9 a process that has answered some parts of `path`; return these."""
    with start(path, out) as process:
        end = time.monotonic() + 60
        while len(finished(out)) < parts:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.01)
        process.kill()
    assert not out.exists()
    return finished(out)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("kind", [".csv", ".parquet"])
def test_after_kill_9_the_same_command_answers_only_the_rest(tmp_path, kind):
    path, out, fresh = save(tmp_path, ".csv"), tmp_path / f"out{kind}", tmp_path / f"fresh{kind}"
    done = killed(path, out)
    asked = []

    class Counted(batch_material.Scores):
        def predict(self, frame):
            asked.append(frame.height)
            return super().predict(frame)

    counted = model()
    object.__setattr__(counted.package.predictor, "scores", Counted(counted.signature, 0.0))
    notes = []
    assert predict_file(counted, path, out, notify=notes.append) == 3000
    rows = sum(int(Path(name).stem.split("-")[2]) for name in done)
    assert sum(asked) == 3000 - rows
    assert notes[0].again == rows
    predict_file(model(), path, fresh)
    assert out.read_bytes() == fresh.read_bytes()
    assert not parts_folder(out).exists()


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("change", ["input", "model", "sets"])
def test_parts_of_another_input_or_model_are_not_used(tmp_path, change):
    path, out, fresh = save(tmp_path, ".csv"), tmp_path / "out.csv", tmp_path / "fresh.csv"
    killed(path, out)
    asked = model("d2") if change == "model" else model()
    if change == "input":
        path.write_bytes(path.read_bytes().replace(b"Ann", b"Bob"))
    notes = []
    predict_file(asked, path, out, sets=change == "sets", notify=notes.append)
    predict_file(asked, path, fresh, sets=change == "sets")
    assert out.read_bytes() == fresh.read_bytes()
    assert notes[0].again == 0


@pytest.mark.usefixtures("_small")
def test_two_at_once_do_not_meet(tmp_path):
    path, out = save(tmp_path, ".csv"), tmp_path / "out.csv"
    with start(path, out, seconds=0.3) as process:
        while not finished(out):
            time.sleep(0.01)
        with pytest.raises(UsageError) as caught:
            predict_file(model(), path, out)
        process.kill()
    assert caught.value.code == "PREDICT-BUSY"


FULL = """
import resource, sys
sys.path.insert(0, {here!r})
from pathlib import Path
from batch_material import model, small_parts
from assay.errors import StoreError
from assay.lifecycle.batch import predict_file
small_parts()
resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))
try:
    predict_file(model(), Path({path!r}), Path({out!r}))
except StoreError as error:
    sys.exit(error.code)
"""


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("most", [1500, 60_000])
def test_a_full_disk_leaves_no_output_and_what_is_done(tmp_path, most):
    path, out = save(tmp_path, ".csv"), tmp_path / "out.csv"
    code = FULL.format(here=str(Path(SCRIPT).parent), most=most, path=str(path), out=str(out))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "PREDICT-NOT-WRITTEN" in done.stderr
    assert not out.exists()
    assert bool(finished(out)) == (most > 1500)
    assert predict_file(model(), path, out) == 3000
    assert [p.name for p in tmp_path.iterdir() if p != path] == ["out.csv"]


def test_no_right_to_write_is_told(tmp_path):
    path = save(tmp_path, ".csv")
    with pytest.raises(StoreError) as caught:
        predict_file(model(), path, tmp_path / "nowhere" / "out.csv")
    assert caught.value.code == "PREDICT-NOT-WRITTEN"


MEMORY = """
import resource, sys
sys.path.insert(0, {here!r})
from pathlib import Path
from batch_material import model
from assay.lifecycle.batch import predict_file
predict_file(model(), Path({path!r}), Path({out!r}))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def memory(path, out):
    code = MEMORY.format(here=str(Path(SCRIPT).parent), path=str(path), out=str(out))
    return int(subprocess.check_output([sys.executable, "-c", code])) / 1e3


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    frame = table(400_000).with_columns(pl.lit("filler " * 10).alias("more"))
    small, large = save(tmp_path, ".csv", frame), tmp_path / "large.csv"
    with large.open("wb") as file:
        frame.write_csv(file)
        for _ in range(4):
            frame.write_csv(file, include_header=False)
    first = memory(small, tmp_path / "small_out.csv")
    assert memory(large, tmp_path / "large_out.csv") < first + 60
    assert large.stat().st_size > 150e6
