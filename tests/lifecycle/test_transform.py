"""Python of the project's own: it runs when allowed, and travels with its digest."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from projects import FAST, Project, write_project

import assay
from assay.errors import DataError, Refused, Tampered, UsageError
from assay.records.base import digest_of

CODE = """
import polars as pl

def make(frame):
    ratio = (pl.col("fee") / (pl.col("visits") + 1)).alias("fee_per_visit")
    west = (pl.col("region") == "west").cast(pl.String).alias("in_the_west")
    return frame.with_columns(ratio, west).drop("height")
"""

FEATURES = f'{FAST}\n[features]\ntransform = "features:make"\n'


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Project:
    project = write_project(tmp_path_factory.mktemp("code") / "coded", "binary", FEATURES)
    (project.folder / "features.py").write_text(CODE)
    project.run()
    return project


def test_the_package_names_the_code_and_its_digest(made):
    package = made.run().package
    manifest = json.loads((package / "manifest.json").read_text())
    assert manifest["code"]["entry"] == "features:make"
    assert manifest["code"]["file"] == "code/features.py"
    assert manifest["code"]["digest"] == digest_of(CODE.encode())
    assert (package / "code" / "features.py").read_text() == CODE
    assert manifest["files"]["code/features.py"] == digest_of(CODE.encode())


def test_raw_columns_go_in_and_made_columns_are_what_is_learnt(made):
    result = made.run()
    assert "fee_per_visit" in result.view.problem.features
    assert "height" not in result.view.problem.features
    model = assay.load(result.package, allow_code=True)
    assert [f.name for f in model.signature.inputs] == [
        "fee", "visits", "region", "member", "height",
    ]  # fmt: skip


def test_loading_needs_leave(made, cli):
    with pytest.raises(Refused) as error:
        assay.load("coded@1", store=made.store)
    assert error.value.code == "PACKAGE-CODE"
    assert error.value.got == digest_of(CODE.encode())
    out = made.folder / "answers.csv"
    words = ("predict", "coded@1", made.folder / "table.csv", "-o", out, "--store", made.store)
    assert cli(*words).code == 3
    assert not out.exists()
    assert cli(*words, "--allow-code").code == 0
    assert pl.read_csv(out).height == 600


def test_answers_are_those_of_the_run(made):
    table = pl.read_csv(made.folder / "table.csv")
    model = assay.load("coded@1", store=made.store, allow_code=True)
    answer = model.predict(table)
    assert (answer["prediction"] == table["left"]).mean() > 0.8
    assert_frame_equal(model.predict(table.cast(pl.String)), answer)
    assert_frame_equal(model.predict(table[5:9]), answer[5:9])


def test_a_package_alone_is_enough_in_a_fresh_process(made, tmp_path):
    """It works from the package's own copy of the code, with the project nowhere near."""
    script = (
        "import sys, polars as pl, assay\n"
        "model = assay.load(sys.argv[1], allow_code=True)\n"
        "print(model.predict(pl.read_csv(sys.argv[2]))['probability_yes'].sum())"
    )
    table = made.folder / "table.csv"
    package = made.run().package
    done = subprocess.run(
        [sys.executable, "-c", script, package, table],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    model = assay.load(package, allow_code=True)
    here = model.predict(pl.read_csv(table))["probability_yes"].sum()
    assert float(done.stdout) == pytest.approx(here)
    assert assay.verify(str(package)).packages == 1


def test_code_is_refused_when_it_is_not_allowed(made, cli, tmp_path):
    for command in ("run", "check"):
        said = cli(command, made.folder, "--no-code", "--store", tmp_path / "store")
        assert (said.code, said.codes) == (3, ["CODE-NOT-ALLOWED"]), said.err


def test_changed_code_is_another_run(made, tmp_path):
    shutil.copytree(made.folder, tmp_path / "coded")
    copy = Project(tmp_path / "coded")
    first = copy.run()
    (copy.folder / "features.py").write_text(CODE.replace("+ 1)", "+ 2)"))
    second = copy.run()
    assert second.run != first.run
    assert second.package != first.package
    (first.package / "code" / "features.py").write_text(CODE.replace("+ 1)", "+ 2)"))
    with pytest.raises(Tampered):
        assay.load(first.package, allow_code=True)


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("def make(frame):\n    return frame.head(3)\n", "TRANSFORM-ROWS"),
        ("def make(frame):\n    return frame.select('fee').fee\n", "TRANSFORM-FAILED"),
        ("def other(frame):\n    return frame\n", "TRANSFORM-NOT-FOUND"),
        ("def make(frame:\n", "TRANSFORM-FAILED"),
        ("import no_such_module\n", "TRANSFORM-FAILED"),
        ("def make(frame):\n    return 7\n", "DATA-KIND"),
        (None, "TRANSFORM-NOT-FOUND"),
        (
            "import polars as pl\n"
            "def make(f):\n    return f.with_columns(gap=pl.col('height') - pl.mean('height'))\n",
            "TRANSFORM-NOT-ROWWISE",
        ),
    ],
)
def test_code_that_does_not_work_is_named_with_its_line(code, fault, project, cli):
    made = project(more=FEATURES)
    if code is not None:
        (made.folder / "features.py").write_text(code)
    said = cli("run", made.folder)
    assert (said.code, said.codes) == (2, [fault]), said.err
    assert "Traceback" not in said.err
    if fault == "TRANSFORM-FAILED":
        assert "features.py" in said.out


def test_code_that_changes_while_the_run_goes_on_is_not_packaged(project):
    made = project(more=FEATURES)
    file = made.folder / "features.py"
    file.write_text(CODE)

    def meddle(note) -> None:
        if note.stage == "evaluate":
            file.write_text(CODE + "\n# a second thought\n")

    with pytest.raises(UsageError) as error:
        made.run(notify=meddle)
    assert (error.value.code, error.value.where) == ("TRANSFORM-CHANGED", "features.py")
    assert not list((made.store / "packages").glob("*"))
    assert made.kinds()["model.registered"] == 0
    assert made.run().package is not None


def test_code_that_needs_a_second_file_is_named_before_anyone_relies_on_it(project, cli):
    made = project(more=FEATURES)
    (made.folder / "features.py").write_text("from helpers import make\n")
    (made.folder / "helpers.py").write_text(CODE)
    said = cli("run", made.folder)
    assert (said.code, said.codes) == (2, ["TRANSFORM-FAILED"]), said.err
    assert "helpers" in said.out
    assert not list((made.store / "packages").glob("*"))
    assert made.kinds()["model.registered"] == 0


def test_code_that_is_exchanged_under_a_loaded_model_does_not_run(made, tmp_path):
    package = tmp_path / "shipped"
    shutil.copytree(made.run().package, package)
    model = assay.load(package, allow_code=True)
    (package / "code" / "features.py").write_text("raise SystemExit('not what was read')")
    with pytest.raises(Tampered) as error:
        model.predict(pl.read_csv(made.folder / "table.csv"))
    assert error.value.code == "CODE-CHANGED"


def test_a_row_that_breaks_the_code_is_a_clear_error(made):
    model = assay.load("coded@1", store=made.store, allow_code=True)
    with pytest.raises(DataError):
        model.predict(pl.DataFrame({"fee": [1.0]}))
