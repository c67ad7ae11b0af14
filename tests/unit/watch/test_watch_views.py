"""Texts and vectors through views: what each says, and that what moves shows in one of them."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from profiled import fields_of

from assay.records.fitted import Field
from assay.watch.columns import count as counting
from assay.watch.columns.build import profile_columns
from assay.watch.columns.count import codes, count
from assay.watch.columns.views import (
    DIRECTIONS,
    NEW_WORDS,
    Spoken,
    scripts_of,
    views_of_texts,
    views_of_vectors,
)
from assay.watch.columns.words import among, hashes, pack

SUBJECTS = {
    "sport": ["team", "match", "goal", "season", "player", "coach", "league", "score"],
    "money": ["bank", "market", "share", "price", "profit", "growth", "stock", "trade"],
}
COMMON = ["the", "a", "of", "to", "in", "and", "on", "for", "with", "said", "new", "year"]


def texts(subject: str, rows: int, seed: int) -> pl.Series:
    draw = np.random.default_rng(seed)
    words = [*COMMON, *SUBJECTS[subject]]
    return pl.Series([" ".join(draw.choice(words, draw.integers(5, 20))) for _ in range(rows)])


def apart(columns, window) -> dict[str, float]:
    """Return the total variation distance of each view."""
    found = count(columns, window).cells
    return {
        c.view: float(
            np.abs(found[c.name] / found[c.name].sum() - np.array(c.counts) / c.rows).sum() / 2
        )
        for c in columns
    }


def test_hashes_are_the_same_everywhere():
    found = hashes(pl.Series(["", "a", "日本"]))
    assert found.tolist() == [0, 13040092938735705047, 16388904902648011279]


def test_fingerprints_tell_who_is_among_them():
    known = hashes(pl.Series(["a", "b", "ä"]))
    packed = pack(known)
    assert len(packed) == 12
    assert among(hashes(pl.Series(["b", "c", "ä", "a"])), packed).tolist() == [
        True,
        False,
        True,
        True,
    ]
    assert among(known, b"").tolist() == [False, False, False]


def test_what_views_say_of_a_text():
    series = pl.Series(["Hello, hello world", "", None, "привет 42", "42"])
    known = pack(hashes(pl.Series(["hello", "42"])))
    found = views_of_texts(series, known)
    assert found["length"][[0, 1, 3]].tolist() == [18, 0, 9]
    assert found["words"][[0, 1, 3]].tolist() == [3, 0, 2]
    assert found[NEW_WORDS][[0, 1, 3, 4]].tolist() == [pytest.approx(1 / 3), 0, 0.5, 0]
    assert found["script"].to_list() == ["LATIN", "none", None, "CYRILLIC", "none"]
    assert all(np.isnan(values[2]) for values in found.values() if isinstance(values, np.ndarray))
    assert {abs(found[f"direction {k}"][4]) for k in range(1, 7)} == {1.0}


def test_one_text_says_the_same_in_any_company():
    many, one = texts("sport", 50, 0), texts("sport", 50, 0)[17:18]
    packed = pack(hashes(pl.Series(COMMON)))
    alone, among_others = views_of_texts(one, packed), views_of_texts(many, packed)
    for view, values in alone.items():
        assert values[0] == among_others[view][17], view


def test_words_are_counted_once_for_each_text():
    words, shared = Spoken(pl.Series(["dog dog cat", "dog", None])).shared()
    assert shared.tolist() == [2, 1]
    assert words[0] == hashes(pl.Series(["dog"]))[0]


def test_scripts_are_named_by_the_first_letter():
    found = scripts_of(pl.Series(["(a)", "日本", "ελ", "!?", None]))
    assert found.to_list() == ["LATIN", "CJK", "GREEK", "none", None]


def test_a_new_subject_shows_and_the_same_one_does_not():
    frame = pl.DataFrame({"t": texts("sport", 4_000, 1)})
    columns = profile_columns(frame, fields_of(frame, t="text"))
    assert [c.name for c in columns][:3] == ["t: length", "t: words", "t: new words"]
    assert len(columns) == 4 + DIRECTIONS["text"]
    assert {c.of for c in columns} == {"t"}
    same = apart(columns, pl.DataFrame({"t": texts("sport", 4_000, 2)}))
    other = apart(columns, pl.DataFrame({"t": texts("money", 4_000, 3)}))
    assert max(same.values()) < 0.08
    assert other[NEW_WORDS] > 0.8
    assert max(distance for view, distance in other.items() if "direction" in view) > 0.2


def test_words_that_are_new_come_as_often_as_the_profile_says():
    draw = np.random.default_rng(0)
    shares = 1 / np.arange(1, 3_001)
    words = np.array([f"w{i}" for i in range(3_000)])
    made = [" ".join(draw.choice(words, 10, p=shares / shares.sum())) for _ in range(2_000)]
    frame = pl.DataFrame({"t": made[:1_000]})
    columns = profile_columns(frame, fields_of(frame, t="text"))
    new = next(c for c in columns if c.view == NEW_WORDS)
    now = count([new], pl.DataFrame({"t": made[1_000:]})).moments[new.name]
    assert new.mean is not None
    assert now[1] / now[0] == pytest.approx(new.mean, abs=0.02)


def embeddings(rows: int, seed: int, shift: float = 0.0, width: int = 64) -> pl.Series:
    values = np.random.default_rng(seed).normal(size=(rows, width))
    values[:, :4] += shift
    return pl.Series(values, dtype=pl.Array(pl.Float64, width))


def test_what_views_say_of_a_vector():
    nan = float("nan")
    rows = [[3.0, 4.0], [6.0, 8.0], None, [nan, 1.0], [], [0.0, 0.0], [1.0]]
    found = views_of_vectors(pl.Series(rows, dtype=pl.List(pl.Float64)))
    size = found["size"].tolist()
    assert size[:2] == [5.0, 10.0]
    assert math.isnan(size[2])
    assert size[3:] == [float("inf"), 0.0, 0.0, 1.0]
    assert found["numbers"].to_list() == ["2", "2", None, "2", "0", "2", "1"]
    first = found["direction 1"]
    assert first[0] == first[1]  # the direction of a vector is not its size
    assert abs(first[0]) <= 1
    assert abs(first[6]) == 1


@pytest.mark.parametrize("form", [pl.Array(pl.Float32, 64), pl.List(pl.Float64)])
def test_embeddings_that_moved_show(form):
    frame = pl.DataFrame({"e": embeddings(3_000, 1).cast(form)})
    columns = profile_columns(frame, [Field(name="e", type="vector", missing=False)])
    assert len(columns) == 2 + DIRECTIONS["vector"]
    assert max(apart(columns, pl.DataFrame({"e": embeddings(3_000, 2).cast(form)})).values()) < 0.1
    moved = apart(columns, pl.DataFrame({"e": embeddings(3_000, 3, shift=1.0).cast(form)}))
    assert max(moved.values()) > 0.2
    narrow = pl.DataFrame({"e": embeddings(100, 4, width=32)})
    assert apart(columns, narrow)["numbers"] == 1.0


def test_parts_of_texts_and_vectors_add_up(monkeypatch):
    frame = pl.DataFrame({"t": texts("sport", 500, 1), "e": embeddings(500, 1)})
    columns = profile_columns(frame, [*fields_of(frame.select("t"), t="text"),
                                      Field(name="e", type="vector", missing=False)])  # fmt: skip
    whole = count(columns, frame)
    monkeypatch.setattr(counting, "VIEWED", 70)
    parts = count(columns, frame[:130]) + count(columns, frame[130:])
    assert all((parts.cells[name] == whole.cells[name]).all() for name in whole.cells)
    found = codes(columns, frame)
    for place, column in enumerate(columns):
        counts = np.bincount(found[:, place], minlength=len(column.counts))
        assert counts.tolist() == whole.cells[column.name].tolist(), column.name


def test_a_text_that_is_not_there_is_missing_in_every_view():
    frame = pl.DataFrame({"t": texts("sport", 50, 1)})
    columns = profile_columns(frame, fields_of(frame, t="text"))
    found = count(columns, pl.DataFrame({"x": [1, 2]}))
    assert all(cells[-1] == cells.sum() == 2 for cells in found.cells.values())
