"""Repeated answers: bounded, short-lived, and gone with the version that gave them."""

from __future__ import annotations

from asking import Server, orders, post, rows_of, said, servable

from assay.serve.answering.cache import Cache, key_of

ROW = rows_of(orders(1))[0]


def test_a_repeated_row_is_answered_from_memory_and_says_its_age():
    server = Server().serve(cache=60.0)
    (first,) = server.ask(post(ROW))
    [lane] = server.models.lanes()
    for key, (at, answer) in lane.cache._kept.items():
        lane.cache._kept[key] = at - 1.1, answer
    (again,) = server.ask(post(ROW | {"age": f" {ROW['age']} ", "more": 1}))
    assert b"age" not in dict(first.headers)
    assert int(dict(again.headers)[b"age"]) >= 1
    assert said(first)["predictions"] == said(again)["predictions"]
    assert said(first)["request"] != said(again)["request"]
    assert said(again)["warnings"][0]["code"] == "SERVE-UNKNOWN-COLUMN"
    assert server.board.cache() == (1, 1)
    assert len(server.log.rows) == server.traffic().requests == 2


def test_missing_cells_are_one_key():
    server = Server().serve(cache=60.0)
    for cell in (None, "", "n/a"):
        server.ask(post(ROW | {"fee": cell, "region": None}))
    assert server.board.cache() == (2, 1)


def test_another_row_another_version_and_several_rows_are_not_repeated():
    server = Server().serve(cache=60.0)
    server.ask(post(ROW))
    server.ask(post(ROW | {"age": 20}))
    assert server.board.cache() == (0, 2)
    server.ask(post({"rows": [ROW, ROW]}))
    assert server.board.cache() == (0, 2)
    (other,) = server.serve(servable(version=2), cache=60.0).ask(post(ROW))
    assert said(other)["model"] == "orders@2"
    assert server.board.cache() == (0, 3)


def test_without_the_key_in_the_file_nothing_is_kept():
    server = Server().serve()
    for _ in range(2):
        server.ask(post(ROW))
    assert server.board.cache() == (0, 0)


def test_an_answer_is_forgotten_when_it_is_old():
    cache: Cache[str] = Cache(10.0)
    cache.put((1,), 100.0, "a")
    assert cache.get((1,), 110.0) == (10.0, "a")
    assert cache.get((1,), 110.1) is None
    assert len(cache) == 0


def test_what_was_not_asked_for_longest_goes_first():
    cache: Cache[int] = Cache(10.0, room=3)
    for number in range(3):
        cache.put((number,), 0.0, number)
    cache.get((0,), 1.0)
    cache.put((3,), 1.0, 3)
    assert [number for number in range(4) if cache.get((number,), 1.0)] == [0, 2, 3]


def test_keys_are_of_typed_cells():
    assert key_of([float("nan"), "a", None, True]) == key_of([float("nan"), "a", None, True])
    assert key_of([1.0, None]) != key_of([2.0, None])
