"""SQL over files, and over a server that the tests start themselves."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import polars as pl
import pytest

from assay.data import sql
from assay.data.content import read_table
from assay.errors import DataError, MissingExtra, TransientFault

ORDERS = "id,customer,amount,day\n1,a,10.5,2020-01-01\n2,b,20,2020-01-02\n3,a,,2020-01-03\n"
CUSTOMERS = "customer,age,member\na,30,yes\nb,40,no\n"


def join_files(project, query, source="tables/*.csv", target="age"):
    project.file("tables/orders.csv", ORDERS)
    project.file("tables/customers.csv", CUSTOMERS)
    return project.ingest(source, target, sql=query)


def test_join_and_common_table(project):
    snapshot = join_files(
        project,
        "WITH big AS (SELECT * FROM orders WHERE amount > 5) "
        "SELECT customers.age, big.amount, customers.member FROM big "
        "JOIN customers ON big.customer = customers.customer ORDER BY big.amount",
    )
    assert read_table(snapshot, project.store).rows() == [(30.0, 10.5, True), (40.0, 20.0, False)]


def test_words_keep_their_spelling_in_queries(project):
    query = "SELECT * FROM customers WHERE member IN ('yes', 'no')"
    assert join_files(project, query, "tables/customers.csv").rows == 2


def test_one_file_is_a_table_of_its_stem(project):
    project.file("t.csv", "a,y\n1,1\n2,2\n3,3\n")
    assert project.ingest(sql="SELECT a, y FROM t WHERE a >= 2").rows == 2


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELEC * FROM t", "DATA-SQL"),
        ("SELECT * FROM nothing", "DATA-SQL"),
        ("SELECT b FROM t", "DATA-SQL"),
        ("SELECT * FROM t WHERE a > 99", "DATA-EMPTY"),
    ],
)
def test_bad_queries(project, query, code):
    project.file("t.csv", "a,y\n1,1\n2,2\n3,3\n")
    with pytest.raises(DataError) as caught:
        project.ingest(sql=query)
    assert caught.value.code == code
    assert caught.value.hint or code != "DATA-EMPTY"


def test_two_files_of_one_stem(project):
    project.file("tables/t.csv", "a\n1\n")
    project.file("tables/t.jsonl", '{"a": 1}\n')
    with pytest.raises(DataError) as caught:
        project.ingest("tables", sql="SELECT * FROM t")
    assert caught.value.code == "DATA-SQL"


@pytest.mark.parametrize(
    ("connection", "code"),
    [
        ("$ASSAY_TEST_UNSET", "DATA-CONNECTION-UNSET"),
        ("mysql://u:pw@h/d", "DATA-CONNECTION-URL"),
        ("postgresql://u:pw@[", "DATA-CONNECTION-URL"),
    ],
)
def test_connections_that_are_none(project, connection, code):
    with pytest.raises(DataError) as caught:
        project.ingest(connection=connection, sql="SELECT 1")
    assert caught.value.code == code
    assert "pw" not in str(caught.value)


def test_missing_driver(project, monkeypatch):
    def refuse(name):
        raise ImportError(name)

    monkeypatch.setattr(sql.importlib, "import_module", refuse)
    with pytest.raises(MissingExtra) as caught:
        project.ingest(connection="postgresql://h/d", sql="SELECT 1")
    assert caught.value.hint == 'pip install "assay-ml[postgres]"'


def binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    which = shutil.which("initdb")
    return found[-1].parent if found else Path(which).parent if which else None


def as_postgres(command: list[str], user: str) -> None:
    prefix = [] if user == getpass.getuser() else ["runuser", "-u", user, "--"]
    subprocess.run([*prefix, *command], check=True, capture_output=True, cwd="/")


@pytest.fixture(scope="module")
def server():
    """Start a server of our own on a socket in a temporary folder, and return its URL."""
    folder = binaries()
    if folder is None:
        pytest.skip("PostgreSQL is not installed")
    # A server refuses to run as root, and its user must reach the folder.
    user = "postgres" if os.geteuid() == 0 else getpass.getuser()
    base = Path(tempfile.mkdtemp())  # a short path: that of a socket has a limit
    base.chmod(0o755)
    place = base / "data"
    place.mkdir()
    shutil.chown(place, user)
    as_postgres([f"{folder}/initdb", "-D", str(place), "-A", "trust", "-U", "assay", "-N"], user)
    options = f"-c listen_addresses='' -k {place} -c fsync=off"
    control = [f"{folder}/pg_ctl", "-D", str(place), "-w"]
    as_postgres([*control, "-o", options, "-l", str(place / "log"), "start"], user)
    yield f"postgresql://assay:geheim@/postgres?host={place}"
    as_postgres([*control, "-m", "immediate", "stop"], user)
    shutil.rmtree(base)


TABLE = """
CREATE TABLE people AS SELECT * FROM (VALUES
  (1, 'a ', 10.50::numeric(8,2), true, DATE '2020-01-31',
   TIMESTAMPTZ '2020-01-31 10:00+02', NULL::float8, 'x'::char(3), gen_random_uuid()),
  (2, 'b', 20.25, false, NULL, NULL, 1.5, 'y', gen_random_uuid()),
  (3, NULL, NULL, NULL, DATE '2020-03-01', NULL, 2.5, 'z', gen_random_uuid())
) AS t (id, name, price, member, day, moment, score, letter, token)
"""


@pytest.fixture(scope="module")
def people(server):
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(server) as connection:
        connection.execute(TABLE)
    return server


@pytest.mark.postgres
def test_types_of_a_server(project, people):
    section = {"connection": people, "missing_target": "drop", "drop": ("moment",)}
    snapshot = project.ingest(None, "score", sql="SELECT * FROM people", **section)
    assert {c.name: c.type for c in snapshot.columns} == {
        "id": "number",
        "name": "category",
        "price": "number",
        "member": "boolean",
        "day": "datetime",
        "score": "number",
        "letter": "category",
        "token": "category",
    }
    frame = read_table(snapshot, project.store)
    assert frame.select("id", "name", "price", "member", "score", "letter").rows() == [
        (2.0, "b", 20.25, False, 1.5, "y"),
        (3.0, None, None, None, 2.5, "z"),
    ]


@pytest.mark.postgres
def test_query_of_a_server_by_environment(project, people, monkeypatch):
    monkeypatch.setenv("ASSAY_TEST_URL", people)
    snapshot = project.ingest(
        None,
        "id",
        connection="$ASSAY_TEST_URL",
        sql="SELECT id, day, moment, price FROM people WHERE day IS NOT NULL ORDER BY id",
        types={"moment": "datetime"},
    )
    frame = read_table(snapshot, project.store)
    assert frame.dtypes[1] == pl.Datetime("us")
    assert [str(value) for value in frame["moment"]] == ["2020-01-31 08:00:00", "None"]
    assert snapshot.source == "postgresql://localhost/postgres"
    assert "geheim" not in str(snapshot)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT nothing FROM people", "DATA-SQL"),
        ("SELECT * FROM nowhere", "DATA-SQL"),
        ("DELETE FROM people", "DATA-SQL"),
        ("SELECT * FROM people WHERE id > 99", "DATA-EMPTY"),
        ("SELECT id, array[1, 2] AS a FROM people", "DATA-NESTED"),
    ],
)
def test_bad_queries_of_a_server(project, people, query, code):
    with pytest.raises(DataError) as caught:
        project.ingest(None, "id", connection=people, sql=query)
    assert caught.value.code == code
    assert "geheim" not in str(caught.value)


@pytest.mark.postgres
def test_more_rows_than_one_batch(project, people, monkeypatch):
    monkeypatch.setattr(sql, "BATCH", 7)
    query = "SELECT i % 5 AS y, i * 0.5 AS x FROM generate_series(1, 50) AS i"
    snapshot = project.ingest(None, "y", connection=people, sql=query)
    assert (snapshot.rows, snapshot.column("x").high) == (50, 25.0)


def test_no_server_is_a_passing_fault(project):
    pytest.importorskip("psycopg")
    with pytest.raises(TransientFault) as caught:
        project.ingest(None, "y", connection="postgresql://u:geheim@127.0.0.1:1/d", sql="SELECT 1")
    assert caught.value.code == "DATA-CONNECTION"
    assert "geheim" not in str(caught.value)
    assert caught.value.__cause__ is None
