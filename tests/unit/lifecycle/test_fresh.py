"""The tables of a retraining: what is taken from the log, mixed, kept apart and refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from assay.data.content import put_table
from assay.errors import Refused
from assay.lifecycle.retraining import fresh as rows
from assay.lifecycle.retraining.fresh import TEST, TRAIN, Fresh
from assay.lifecycle.retraining.retraining import differences
from assay.records.fitted import Field, Signature
from assay.records.seal import Seal
from assay.records.snapshot import Column, DataSnapshot
from assay.records.spec import DataSection, GateSpec, RetrainSection, ServeSection, SplitSection
from assay.serve.log.shelf import LOG
from assay.serve.log.writer import PredictionLog
from assay.stores.memory import MemoryStore

BEGUN = datetime(2026, 11, 1, tzinfo=UTC)
OLD = pl.DataFrame(
    {"fee": [1.0, 2.0, 3.0, 4.0], "on": [True, False, True, None], "y": [0.0, 1.0, 0.0, 1.0]}
)


def signature(*names: str) -> Signature:
    kinds = {"fee": "number", "on": "boolean"}
    fields = tuple(Field(name=n, type=kinds.get(n, "number"), missing=True) for n in names)
    return Signature(
        family="f", task="binary", target="y", inputs=fields, classes=("0", "1"), positive="1"
    )


def snapshot(store: MemoryStore) -> DataSnapshot:
    kinds = (("fee", "number"), ("on", "boolean"), ("y", "number"))
    columns = tuple(Column(name=n, type=k, rows=4) for n, k in kinds)  # type: ignore[arg-type]
    return DataSnapshot(
        source="s", content="c", table=put_table(OLD, store), rows=4, columns=columns
    )


def logged(root: Path, count: int, labels: bool = True) -> None:
    """Answer so many rows, one an hour, in a real log with their labels."""
    log = PredictionLog(root / LOG, worker=0)
    log.open("m", 1, signature("fee", "on"), ServeSection())
    for place in range(count):
        at = (BEGUN + timedelta(hours=place)).timestamp()
        log.add(f"r{place}", at, "m", 1, (float(place), place % 2 == 0), (0.4, 0.6), 9.0, 1)
        log.add(f"r{place}", at, "m", 1, (-1.0, None), (0.4, 0.6), 9.0, 1, shadow=True)
        if labels:
            log.feedback("m", f"r{place}", 0, str(place % 3), None, "", at + 60)
    log.close()


def gather(root: Path, section: RetrainSection, *names: str) -> Fresh:
    store = MemoryStore()
    newest = rows.newest_label(root, "m")
    given = signature(*(names or ("fee", "on")))
    return rows.gather(root, "m", given, snapshot(store), store, section, newest)


def test_rows_come_with_the_types_of_the_old_table_and_no_shadow(tmp_path: Path) -> None:
    logged(tmp_path, 30)
    found = gather(tmp_path, RetrainSection(minimum=5))
    assert found.table.schema == OLD.schema
    assert len(found) == 20, "a class that training never knew is left out"
    assert set(found.table["y"]) == {0.0, 1.0}
    assert found.newest == (BEGUN + timedelta(hours=28)).isoformat(timespec="microseconds")
    assert rows.newest_label(tmp_path, "m") == "2026-11-02T05:00:00.000000+00:00"


def test_the_window_and_the_most_rows_count_from_the_newest_label(tmp_path: Path) -> None:
    logged(tmp_path, 30)
    section = RetrainSection(minimum=1, window=9 * 3_600.0)
    assert rows.count_labelled(tmp_path, "m", section) == 9
    assert gather(tmp_path, section).table["fee"].min() == 21.0
    few = msgspec.structs.replace(section, rows=3)
    assert rows.count_labelled(tmp_path, "m", few) == 3
    assert gather(tmp_path, few).table["fee"].to_list() == [27.0, 28.0]


@pytest.mark.parametrize("late", [-10, 0.1, 5, 40, 400])
def test_the_newest_labelled_row_is_found_however_late_labels_are(
    tmp_path: Path, late: float
) -> None:
    begun = datetime.now(UTC).replace(microsecond=0) - timedelta(days=late)
    log = PredictionLog(tmp_path / LOG, worker=0)
    log.open("m", 1, signature("fee", "on"), ServeSection())
    for place in range(12):
        at = (begun + timedelta(minutes=place)).timestamp()
        log.add(f"r{place}", at, "m", 1, (float(place), True), (0.4, 0.6), 9.0, 1)
    for place, metric in ((7, ""), (8, ""), (3, ""), (11, "paid")):
        label, number = (None, 4.0) if metric else ("1", None)
        log.feedback("m", f"r{place}", 0, label, number, metric, begun.timestamp())
    log.feedback("m", "nobody's", 0, "1", None, "", begun.timestamp())
    log.close()
    newest = (begun + timedelta(minutes=8)).isoformat(timespec="microseconds")
    assert rows.newest_label(tmp_path, "m") == newest
    assert rows.count_labelled(tmp_path, "m", RetrainSection()) == 3


def test_without_labels_there_is_nothing(tmp_path: Path) -> None:
    assert rows.newest_label(tmp_path, "m") == ""
    logged(tmp_path, 3, labels=False)
    assert rows.newest_label(tmp_path, "m") == ""
    assert rows.count_labelled(tmp_path, "m", RetrainSection()) == 0


def test_too_few_rows_and_inputs_that_the_log_lacks_are_refused(tmp_path: Path) -> None:
    logged(tmp_path, 30)
    with pytest.raises(Refused) as few:
        gather(tmp_path, RetrainSection(minimum=31))
    assert few.value.code == "RETRAIN-FEW"
    with pytest.raises(Refused) as lacking:
        gather(tmp_path, RetrainSection(minimum=1), "fee", "masked")
    assert (lacking.value.code, lacking.value.got) == ("RETRAIN-COLUMNS", ["masked"])


@pytest.mark.parametrize("setting", ["mask", "pseudonym"])
def test_what_the_log_hides_is_not_learned_from(tmp_path: Path, setting: str) -> None:
    """Also where the project file says so no longer: what was logged is what counts."""
    log = PredictionLog(tmp_path / LOG, worker=0)
    log.open("m", 1, signature("fee", "on"), ServeSection(**{setting: ("fee",)}))
    for place in range(20):
        at = BEGUN.timestamp() + place
        log.add(f"r{place}", at, "m", 1, (float(place), True), (0.4, 0.6), 9.0, 1)
        log.feedback("m", f"r{place}", 0, str(place % 2), None, "", at)
    log.close()
    with pytest.raises(Refused) as lacking:
        gather(tmp_path, RetrainSection(minimum=5))
    assert (lacking.value.code, lacking.value.got) == ("RETRAIN-COLUMNS", ["fee"])


def test_columns_that_the_file_hides_today_are_not_learned_from(tmp_path: Path) -> None:
    logged(tmp_path, 30)
    store = MemoryStore()
    with pytest.raises(Refused) as lacking:
        rows.gather(
            tmp_path, "m", signature("fee", "on"), snapshot(store), store,
            RetrainSection(minimum=5), rows.newest_label(tmp_path, "m"), frozenset({"on"}),
        )  # fmt: skip
    assert (lacking.value.code, lacking.value.got) == ("RETRAIN-COLUMNS", ["on"])


def test_labels_of_unknown_classes_do_not_make_rows_enough(tmp_path: Path) -> None:
    logged(tmp_path, 30)
    with pytest.raises(Refused) as few:
        gather(tmp_path, RetrainSection(minimum=21))
    assert (few.value.code, few.value.got) == ("RETRAIN-FEW", 20)


def made(count: int) -> Fresh:
    at = pl.Series("at", [BEGUN + timedelta(hours=h) for h in range(count)])
    table = pl.DataFrame({"fee": np.arange(count, dtype=float), "y": np.arange(count) % 2 * 1.0})
    return Fresh(table, pl.DataFrame([at]))


def test_the_newest_are_kept_for_judging_and_older_rows_thinned() -> None:
    learn, judge = made(1_000).parted(0.3)
    assert (len(learn), judge.table["fee"][0]) == (700, 700.0)
    kept = rows.thinned(learn, 100 * 3_600.0, 0)["fee"].to_numpy()
    assert (kept >= 600).mean() > 0.4
    assert 100 < len(kept) < 200  # 1 / (1 - 0.5 ** 0.01) is 145
    assert rows.thinned(learn, None, 0).height == 700


def write(folder: Path, policy: SplitSection, old: pl.DataFrame | None = None) -> pl.DataFrame:
    learn, judge = made(10).parted(0.3)
    old = OLD if old is None else old
    replay = rows.replayed(old, np.arange(4), learn, policy, 2)
    rows.write(folder, learn, judge, replay, policy, None)
    return pl.read_parquet(folder / TRAIN)


def test_test_rows_are_a_table_of_their_own(tmp_path: Path) -> None:
    table = write(tmp_path, SplitSection())
    assert (table.height, pl.read_parquet(tmp_path / TEST)["fee"].to_list()) == (9, [7.0, 8.0, 9.0])
    again = write(tmp_path, SplitSection())
    assert again.equals(table)


def test_a_column_that_marks_test_rows_is_kept(tmp_path: Path) -> None:
    table = write(tmp_path, SplitSection(predefined_on="part", test_values=("holdout",)))
    assert table.filter(part="holdout")["fee"].to_list() == [7.0, 8.0, 9.0]
    assert not (tmp_path / TEST).exists()


@pytest.mark.parametrize("times", [[1, 2, 3, 9], [datetime(2026, 1, n) for n in (1, 2, 3, 4)]])
def test_under_a_split_by_time_fresh_rows_come_after_the_old_ones(
    tmp_path: Path, times: list[object]
) -> None:
    old = OLD.with_columns(pl.Series("when", times))
    table = write(tmp_path, SplitSection(time_on="when"), old)
    assert table["when"].is_sorted()
    assert table["fee"][-1] == 9.0
    assert table["when"].null_count() == 0


def test_old_rows_never_become_the_newest_test_rows() -> None:
    policy, section = SplitSection(time_on="when", test=0.2), RetrainSection(judge=0.3)
    most = rows.room_for_replay(policy, section, 1_000, 50_000)
    assert most == 500
    assert policy.test * (1_000 + most) <= section.judge * 1_000
    assert rows.room_for_replay(SplitSection(), section, 1_000, 50_000) == 50_000


def test_groups_cannot_be_kept(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        write(tmp_path, SplitSection(group_on="customer"))
    assert refused.value.code == "RETRAIN-SPLIT"


def test_the_data_section_names_the_tables_and_the_types_they_had(tmp_path: Path) -> None:
    write(tmp_path, SplitSection())
    old = DataSection(target="y", source="old.csv", drop=("id",), missing=("?",), sql="select 1")
    made = rows.section_of(old, snapshot(MemoryStore()), tmp_path)
    assert (made.source, made.test) == (str(tmp_path / TRAIN), str(tmp_path / TEST))
    assert (made.drop, made.sql, made.missing) == ((), None, ("?",))
    assert made.types == {"fee": "number", "y": "number"}


def test_criteria_are_compared_one_by_one_without_data_and_folds() -> None:
    seal = Seal(
        question="", decision="", data="a", task="binary", target="y", positive="1",
        primary="roc_auc", also=(), split=SplitSection(), slices=(), gates=(),
    )  # fmt: skip
    other = msgspec.structs.replace(seal, data="b", split=SplitSection(folds=1))
    assert differences(seal, other) == []
    gates = (GateSpec(metric="roc_auc", at_least=0.5),)
    changed = msgspec.structs.replace(other, gates=gates, split=SplitSection(test=0.5))
    assert differences(seal, changed) == ["split", "gates"]
