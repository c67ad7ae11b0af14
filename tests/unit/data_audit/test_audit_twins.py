"""Rows that stand on both sides of the split: copies, near copies, and the rows of one entity."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn import datasets

from assay.data.audit import battery
from assay.data.audit.rows import entities, twins
from assay.data.audit.rows.chance import chance_of
from assay.records.spec import SplitSection

COPIES = 60


@pytest.fixture(autouse=True)
def checks_of_rows(monkeypatch):
    """Run the checks under test alone: the others cost time and are tested elsewhere."""
    modules = {entities.__name__, twins.__name__}
    kept = [check for check in battery.CHECKS if check.find.__module__ in modules]
    monkeypatch.setattr(battery, "CHECKS", tuple(kept))


def cancer() -> pl.DataFrame:
    """Return 569 rows of 30 measured columns and their diagnosis."""
    data = datasets.load_breast_cancer()
    answers = pl.Series("y", np.where(data.target == 0, "malignant", "benign"))
    return pl.DataFrame(data.data, schema=list(data.feature_names)).with_columns(answers)


def diabetes() -> pl.DataFrame:
    data = datasets.load_diabetes(scaled=False)
    return pl.DataFrame(data.data, schema=list(data.feature_names)).with_columns(y=data.target)


def with_copies(
    table: pl.DataFrame, noise: float = 0.0, fresh: int = 0
) -> tuple[pl.DataFrame, np.ndarray]:
    """Return the table with copies of training rows as further test rows.

    Each number of a copy is off by a share of its column's spread; `fresh` columns are new in it.
    """
    rng = np.random.default_rng(0)
    parts = (np.arange(table.height + COPIES) % 5).astype(np.int8)
    parts[200:300] = -1
    parts[table.height :] = -1
    again = table.head(COPIES)
    numbers = [name for name in table.columns if name != "y"]
    again = again.with_columns(
        pl.col(name) + pl.Series(rng.normal(size=COPIES)) * noise * (table[name].std() or 0)
        for name in numbers
    )
    again = again.with_columns(
        pl.Series(name, rng.permutation(table[name])[:COPIES]) for name in numbers[:fresh]
    )
    return pl.concat([table, again]), parts


@pytest.mark.parametrize("make", [cancer, diabetes])
@pytest.mark.parametrize("noise", [0.001, 0.01, 0.05])
def test_copies_with_noise_are_an_error(run, only, make, noise):
    table, parts = with_copies(make(), noise)
    finding = only(run(table, parts=parts), "NEAR-DUPLICATES-SPLIT")
    assert finding.severity == "error"
    assert 0.8 * COPIES <= finding.evidence["with_a_near_twin"] <= 1.2 * COPIES
    pair = finding.evidence["pairs"][0]
    assert pair["test row"] > 569 or make is diabetes
    assert pair["y (test)"] == pair["y (training)"]


@pytest.mark.parametrize("fresh", [1, 2])
def test_copies_but_for_a_column_or_two_are_an_error_that_names_them(run, only, fresh):
    table, parts = with_copies(cancer(), 0.0, fresh)
    finding = only(run(table, parts=parts), "NEAR-DUPLICATES-SPLIT")
    assert finding.severity == "error"
    assert finding.evidence["with_a_near_twin"] == COPIES
    assert finding.evidence["differ_in"] == " and ".join(cancer().columns[:fresh])


def test_near_copies_with_answers_of_their_own_are_a_note(run, only):
    table, parts = with_copies(cancer(), 0.01)
    answers = table["y"].to_numpy().copy()
    answers[-COPIES:] = np.random.default_rng(1).permutation(answers[:COPIES])
    finding = only(run(table.with_columns(y=answers), parts=parts), "NEAR-DUPLICATES-SPLIT")
    assert finding.severity == "note"


@pytest.mark.parametrize("load", ["breast_cancer", "diabetes", "wine", "digits", "iris"])
def test_honest_tables_hold_no_near_copies_and_no_hidden_entities(run, codes, load):
    data = getattr(datasets, f"load_{load}")()
    table = pl.DataFrame(np.asarray(data.data), schema=[f"x{i}" for i in range(data.data.shape[1])])
    answers = data.target.astype(float) if load == "diabetes" else data.target.astype(str)
    for seed in range(3):
        found = codes(run(table.with_columns(y=answers), seed=seed))
        assert not found & {"NEAR-DUPLICATES-SPLIT", "GROUP-SUSPECT", "TEST-IS-TRAIN"}


def test_coarse_rows_are_alike_by_chance(run, codes):
    rng = np.random.default_rng(0)
    table = pl.DataFrame({f"c{i}": rng.choice(["a", "b", "c"], 800) for i in range(10)})
    table = table.with_columns(y=rng.choice(["no", "yes"], 800))
    found = codes(run(table))
    assert not found & {"NEAR-DUPLICATES-SPLIT", "GROUP-SUSPECT"}


@pytest.mark.parametrize(("known", "code"), [(1.0, "TEST-IS-TRAIN"), (0.2, "DUPLICATE-ROWS-SPLIT")])
def test_a_given_test_part_that_is_the_training_part(run, only, codes, known, code):
    table = cancer()
    copies = int(200 * known)
    shuffled = table.head(400).sample(copies, shuffle=True, seed=0)
    test = pl.concat([shuffled, table.tail(169).head(169 if known < 1 else 0)])
    both = pl.concat([table.head(400), test])
    parts = np.concatenate([np.arange(400) % 5, np.full(len(test), -1)]).astype(np.int8)
    policy = SplitSection(predefined_on="part")
    result = run(both, parts=parts, policy=policy)
    assert only(result, code).severity == "error"
    assert len(codes(result) & {"TEST-IS-TRAIN", "DUPLICATE-ROWS-SPLIT"}) == 1


def members(keep: float, rows: int = 560) -> pl.DataFrame:
    """Return rows of 120 members, who share half of the columns and, `keep` of them, the answer."""
    rng = np.random.default_rng(3)
    table = cancer()
    origin = rng.integers(0, 569, 120)[rng.integers(0, 120, rows)]
    own = rng.permutation(569)[:rows]
    names = table.columns[:-1]
    columns = [table[name][origin if place % 2 else own] for place, name in enumerate(names)]
    answers = np.where(rng.random(rows) < keep, table["y"].gather(origin), table["y"].gather(own))
    return pl.DataFrame(columns).with_columns(y=answers)


def test_an_entity_that_no_column_names(run, only):
    finding = only(run(members(1.0)), "GROUP-SUSPECT")
    assert finding.severity == "error"
    shared = set(cancer().columns[1:-1:2])
    assert len(shared.intersection(finding.evidence["columns"])) >= 8
    assert shared.issuperset(finding.evidence["columns"])
    assert finding.evidence["share_of_test_rows"] > 0.9
    assert finding.evidence["same_answer_beyond_chance"] == 1.0


def test_how_much_the_entity_tells_sets_the_severity(run, only):
    assert only(run(members(0.75)), "GROUP-SUSPECT").severity == "warning"


def test_an_entity_with_answers_of_their_own_is_no_finding(run, codes):
    assert "GROUP-SUSPECT" not in codes(run(members(0.0)))


def test_a_named_or_declared_entity_is_not_suspected_as_well(run, codes):
    table = members(1.0)
    member = table[table.columns[1]].rank("dense").cast(pl.Int64)
    named = table.with_columns(member_id=pl.format("M{}", member))
    assert codes(run(named)) & {"GROUP-OVERLAP", "GROUP-SUSPECT"} == {"GROUP-OVERLAP"}
    parts = np.where(member.to_numpy() < 25, -1, member.to_numpy() % 5).astype(np.int8)
    policy = SplitSection(group_on="member_id")
    found = codes(run(named, policy=policy, parts=parts))
    assert not found & {"GROUP-OVERLAP", "GROUP-SUSPECT"}


def test_the_chance_of_agreement_knows_columns_that_say_the_same():
    rng = np.random.default_rng(0)
    town = rng.integers(0, 6, 4000)
    table = pl.DataFrame({"town": town, "post code": 100 + town, "coin": rng.integers(0, 2, 4000)})
    agree = np.ones((4000, 3), bool)
    log = chance_of(table).log_share(np.arange(4000), agree)
    assert np.exp(log).mean() == pytest.approx(1 / 12, rel=0.05)
    agree[:, 0] = False
    log = chance_of(table).log_share(np.arange(4000), agree)
    assert np.exp(log).mean() == pytest.approx(1 / 12, rel=0.05)
