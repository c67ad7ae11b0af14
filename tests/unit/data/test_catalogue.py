from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import polars as pl
import pytest
from sklearn import datasets

from assay.data import catalogue
from assay.data.catalogue import Entry, entries, entry, get, locate, obtain
from assay.data.catalogue_files import Recipe, Upstream, content_digest, fetch
from assay.errors import DataError, UsageError
from assay.kernel.stage import Note

GOOD = b"a,b\n1,x\n2,y\n"
SILENT = threading.Event()
REAL = os.environ.get("ASSAY_DATA", "")


class Source(BaseHTTPRequestHandler):
    """A source with a good file, one that breaks off, one that never answers, and no others."""

    def do_GET(self) -> None:
        if self.path == "/silent.csv":
            SILENT.wait(5)
            return
        if self.path not in {"/good.csv", "/cut.csv"}:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(GOOD)))
        self.end_headers()
        self.wfile.write(GOOD if self.path == "/good.csv" else GOOD[:5])

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def source() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Source)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    SILENT.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No data folder, an empty cache, and no proxy between the test and its source."""
    monkeypatch.delenv("ASSAY_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def made(url: str, data: bytes = GOOD, recipe: Recipe | None = None) -> Entry:
    digest = hashlib.sha256(data).hexdigest()
    return Entry(
        name="made",
        title="Made for a test",
        file="made.parquet" if recipe else "made.csv",
        task="binary",
        rows=2,
        columns=2,
        licence="CC0",
        citation="none",
        source="http://127.0.0.1/",
        sha256="" if recipe else digest,
        bytes=len(data),
        parts=(Upstream(url=url, sha256=digest),),
        recipe=recipe,
    )


def cached() -> list[str]:
    folder = catalogue.cache_folder()
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_good_download_is_kept_and_not_fetched_again(source: str) -> None:
    notes: list[Note] = []
    path = obtain(made(f"{source}/good.csv"), notes.append)
    assert path.read_bytes() == GOOD
    assert (notes[-1].done, notes[-1].total) == (len(GOOD), len(GOOD))
    assert cached() == ["made.csv"]
    assert obtain(made("http://127.0.0.1:1/gone.csv")) == path


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("good.csv", b"other bytes", "DATASET-DIGEST"),
        ("missing.csv", GOOD, "DATASET-DOWNLOAD"),
        ("cut.csv", GOOD, "DATASET-DOWNLOAD"),
    ],
)
def test_a_bad_download_leaves_nothing(source: str, name: str, data: bytes, code: str) -> None:
    with pytest.raises(DataError) as caught:
        obtain(made(f"{source}/{name}", data))
    assert caught.value.code == code
    assert caught.value.where == f"{source}/{name}"
    assert caught.value.hint
    assert cached() == []


def test_an_offline_machine_is_told_what_to_do() -> None:
    with pytest.raises(DataError) as caught:
        obtain(made("http://127.0.0.1:1/good.csv"))
    assert caught.value.code == "DATASET-DOWNLOAD"
    assert "$ASSAY_DATA" in caught.value.hint


def test_a_silent_source_is_given_up(source: str) -> None:
    start = time.monotonic()
    with pytest.raises(DataError) as caught:
        fetch(Upstream(url=f"{source}/silent.csv", sha256="0"), lambda _: None, timeout=0.2)
    assert caught.value.code == "DATASET-DOWNLOAD"
    assert time.monotonic() - start < 3


@pytest.mark.parametrize("path", ["sklearn/datasets/data/none.csv", "no_such_package/a.csv"])
def test_a_packaged_file_that_is_not_there(path: str) -> None:
    with pytest.raises(DataError) as caught:
        fetch(Upstream(url=f"package:{path}"), lambda _: None)
    assert caught.value.code == "DATASET-PACKAGE"


def recipe(**change: object) -> Recipe:
    table = pl.DataFrame({"a": [1, 2], "c": ["ex", "y"]})
    plain = Recipe(
        content=content_digest(table), rename={"b": "c"}, labels={"c": {"x": "ex", "y": "y"}}
    )
    return msgspec.structs.replace(plain, **change)


def test_a_recipe_builds_the_table_once(source: str) -> None:
    path = obtain(made(f"{source}/good.csv", recipe=recipe()))
    assert pl.read_parquet(path).to_dict(as_series=False) == {"a": [1, 2], "c": ["ex", "y"]}
    assert obtain(made("http://127.0.0.1:1/gone.csv", recipe=recipe())) == path


def test_a_recipe_that_gives_another_table_is_refused(source: str) -> None:
    with pytest.raises(DataError) as caught:
        obtain(made(f"{source}/good.csv", recipe=recipe(content="0" * 64)))
    assert caught.value.code == "DATASET-DIGEST"
    assert cached() == []


@pytest.mark.parametrize("damage", [b"", b"PAR1 no parquet", None], ids=["empty", "text", "flip"])
def test_a_changed_file_is_never_used(source: str, damage: bytes | None) -> None:
    wanted = made(f"{source}/good.csv", recipe=recipe())
    path = obtain(wanted)
    if damage is None:
        pl.DataFrame({"a": [1, 3], "c": ["ex", "y"]}).write_parquet(path)
    else:
        path.write_bytes(damage)
    with pytest.raises(DataError) as caught:
        obtain(wanted)
    assert caught.value.code == "DATASET-DIGEST"
    assert caught.value.where == str(path)


def test_the_data_folder_comes_first(
    source: str, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    obtain(made(f"{source}/good.csv"))
    (folders / "made.csv").write_bytes(b"not the file")
    monkeypatch.setenv("ASSAY_DATA", str(folders))
    with pytest.raises(DataError) as caught:
        obtain(made(f"{source}/good.csv"))
    assert caught.value.where == str(folders / "made.csv")
    (folders / "made.csv").write_bytes(GOOD)
    assert obtain(made(f"{source}/good.csv")) == folders / "made.csv"


def test_a_cache_that_cannot_be_written(source: str, folders: Path) -> None:
    (folders / "cache").write_text("a file where a folder must be")
    with pytest.raises(DataError) as caught:
        obtain(made(f"{source}/good.csv"))
    assert caught.value.code == "DATASET-WRITE"


def test_a_data_set_without_an_address_says_where_to_put_it() -> None:
    with pytest.raises(DataError) as caught:
        get("movielens100k_ratings")
    assert caught.value.code == "DATASET-MANUAL"
    assert "movielens100k_ratings.parquet" in caught.value.hint
    assert "GroupLens" in caught.value.hint


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        locate("telco_chrun")
    assert (caught.value.code, caught.value.allowed[0]) == ("DATASET-UNKNOWN", "telco_churn")


@pytest.mark.parametrize("hostile", ["../../etc/passwd", "", "telco_churn.csv", "\x00"])
def test_a_name_is_never_a_path(hostile: str) -> None:
    with pytest.raises(UsageError):
        get(hostile)


SKLEARN = {
    "breast_cancer": (datasets.load_breast_cancer, {}),
    "wine": (datasets.load_wine, {}),
    "digits": (datasets.load_digits, {}),
    "diabetes": (datasets.load_diabetes, {"scaled": False}),
}


@pytest.mark.parametrize("name", SKLEARN)
def test_the_tables_of_scikit_learn_are_its_own(name: str) -> None:
    load, options = SKLEARN[name]
    bunch = load(**options)
    wanted = entry(name)
    table = pl.read_parquet(get(name))
    assert table.columns == [*map(str, bunch.feature_names), wanted.target]
    assert (table.drop(wanted.target).to_numpy() == bunch.data).all()
    names = getattr(bunch, "target_names", None)
    expected = bunch.target if name in {"diabetes", "digits"} else names[bunch.target]
    assert table[wanted.target].to_list() == expected.tolist()


def test_a_table_of_scikit_learn_is_built_without_importing_it(folders: Path) -> None:
    code = "import sys, assay.data.catalogue as c; c.get('wine'); print('sklearn' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "False"


def test_entries_are_complete_and_consistent() -> None:
    names = [found.name for found in entries()]
    assert len(set(names)) == len(names) == 44
    assert len({found.file for found in entries()}) == len(names)
    for found in entries():
        assert found.title, found.name
        assert found.licence, found.name
        assert found.citation, found.name
        assert found.source.startswith("https://"), found.name
        assert Path(found.file).name == found.file
        assert found.sha256 or all(p.url.startswith("package:") for p in found.parts), found.name
        for part in found.parts:
            assert part.url.startswith(("https://", "package:")), found.name
            assert bool(part.sha256) is part.url.startswith("https://"), found.name
        if found.recipe is None and found.parts:
            assert found.parts[0].sha256 == found.sha256
        if "redistribution" in found.licence:
            assert not found.parts
            assert not found.redistributable


@pytest.mark.data
@pytest.mark.skipif("ASSAY_DATA" not in os.environ, reason="ASSAY_DATA is not set")
class TestRealData:
    @pytest.fixture(autouse=True)
    def real(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ASSAY_DATA", REAL)

    def test_every_file_is_there_and_has_its_digest(self) -> None:
        for found in entries():
            if found.sha256:
                path = get(found.name)
                assert path == Path(REAL) / found.file
                assert path.stat().st_size == found.bytes

    @pytest.mark.parametrize("wanted", [e for e in entries() if e.sha256], ids=lambda e: e.name)
    def test_the_facts_are_those_of_the_file(self, wanted: Entry) -> None:
        path = get(wanted.name)
        if path.suffix == ".npz":
            return
        table = (
            pl.read_parquet(path)
            if path.suffix == ".parquet"
            else pl.read_csv(path, infer_schema=False)
        )
        assert table.shape == (wanted.rows, wanted.columns)
        if wanted.target is not None:
            assert wanted.target in table.columns
        if wanted.positive is not None:
            assert wanted.positive in table[wanted.target].cast(str).unique()
        for key, value in wanted.split.items():
            assert key == "test_values" or value in table.columns
        if wanted.recipe is not None:
            assert content_digest(table) == wanted.recipe.content
