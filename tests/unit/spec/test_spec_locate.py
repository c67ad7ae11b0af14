from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.spec.locate import line_of, locate, parse_key
from assay.spec.toml import quote, render

TEXT = '''\
# [comment]
top = 1                     # 2
"a.b" = "# ] = not"
dotted . 'inner key' = 3    # 4

[section]  # "quoted
text = """
[fake]
key = 1 \\""" still
"quotes at the end"""""
raw = \'\'\'
[[fake]]
it''s\'\'\'\'\'
list = [ # 14
  1, "]",
  { x = 1, y = [
    2,
  ] },
  [3, [4]],
]
inline = { a.b = 1, "c d" = { e = 2 } } # 21

[[gates]]
metric = "m"
[[gates]]
metric = "n"
[gates.deep]
z = 1
[audit]
[[audit.accept]]
code = "A"
[far.away]
k = 2024-01-01T00:00:00Z
'''

WANTED = {
    ("top",): 2,
    ("a.b",): 3,
    ("dotted",): 4,
    ("dotted", "inner key"): 4,
    ("section",): 6,
    ("section", "text"): 7,
    ("section", "raw"): 11,
    ("section", "list"): 14,
    ("section", "list", 0): 15,
    ("section", "list", 1): 15,
    ("section", "list", 2): 16,
    ("section", "list", 2, "x"): 16,
    ("section", "list", 2, "y"): 16,
    ("section", "list", 2, "y", 0): 17,
    ("section", "list", 3): 19,
    ("section", "list", 3, 0): 19,
    ("section", "list", 3, 1): 19,
    ("section", "list", 3, 1, 0): 19,
    ("section", "inline"): 21,
    ("section", "inline", "a"): 21,
    ("section", "inline", "a", "b"): 21,
    ("section", "inline", "c d"): 21,
    ("section", "inline", "c d", "e"): 21,
    ("gates",): 23,
    ("gates", 0): 23,
    ("gates", 0, "metric"): 24,
    ("gates", 1): 25,
    ("gates", 1, "metric"): 26,
    ("gates", 1, "deep"): 27,
    ("gates", 1, "deep", "z"): 28,
    ("audit",): 29,
    ("audit", "accept"): 30,
    ("audit", "accept", 0): 30,
    ("audit", "accept", 0, "code"): 31,
    ("far",): 32,
    ("far", "away"): 32,
    ("far", "away", "k"): 33,
}


def test_every_kind_of_toml() -> None:
    tomllib.loads(TEXT)  # the text is TOML, or the test says nothing
    assert locate(TEXT) == WANTED


@pytest.mark.parametrize("text", ["", "\n", "# only a comment", "a=1", "[t]", "[[t]]", "a = []"])
def test_small_texts(text: str) -> None:
    tomllib.loads(text)
    assert set(locate(text).values()) <= {1}


def test_a_missing_key_has_the_line_of_its_section() -> None:
    lines = locate(TEXT)
    assert line_of(lines, ("gates", 1, "nothing")) == 25
    assert line_of(lines, ("section", "list", 9, 9)) == 14
    assert line_of(lines, ("nowhere", "at all")) is None


VALUES = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=6), VALUES, max_size=6))
def test_the_line_of_any_key_and_value(tree: dict[str, object]) -> None:
    text = "\n".join(f"{quote(key)} = {render(value)}" for key, value in tree.items())
    assert tomllib.loads(text) == tree
    lines = locate(text)
    assert [lines[key,] for key in tree] == list(range(1, len(tree) + 1))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ("a",)),
        ("a.b.0", ("a", "b", "0")),
        ('data.types."my col=1"', ("data", "types", "my col=1")),
        ("", None),
        ("a b", None),
        ("a.", None),
        ("[a]", None),
        ("a = 1\nb", None),
    ],
)
def test_parsing_keys(text: str, parts: tuple[str, ...] | None) -> None:
    assert parse_key(text) == parts
