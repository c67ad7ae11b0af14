"""Every record type, found by walking the package: JSON round trip, digest, refusal of garbage."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
import types
import typing

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay.records
from assay.errors import Tampered
from assay.records.base import Record, digest, digest_of, from_json, to_json
from assay.records.event import Draft, event_digest, make_event
from assay.records.package import Manifest

for found in pkgutil.iter_modules(assay.records.__path__):
    importlib.import_module(f"assay.records.{found.name}")

KINDS = sorted(
    (kind for kind in Record.__subclasses__() if kind.__module__.startswith("assay.records")),
    key=lambda kind: kind.__name__,
)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def sample(annotation, *, full=True):
    """Return a value of a type: with everything filled in, or with optional parts left out."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is typing.Any:
        return {"nested": [1, 2.5, None, "<b>ü</b>"]}
    if origin is typing.Literal:
        return arguments[0]
    if origin in (typing.Union, types.UnionType):
        given_ = [a for a in arguments if a is not type(None)]
        return sample(given_[0], full=full) if full or len(given_) == len(arguments) else None
    if origin is tuple and arguments[-1] is Ellipsis:
        return (sample(arguments[0], full=full),) * 2 if full else ()
    if origin is tuple:
        return tuple(sample(a, full=full) for a in arguments)
    if origin is dict:
        return {"z": sample(arguments[1]), "a": sample(arguments[1])} if full else {}
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return make(annotation, full=full)
    return {str: "naïve \u202e\x00'\"", int: 7, float: 0.1, bool: True}[annotation]


def make(kind, *, full=True):
    hints = typing.get_type_hints(kind)
    fields = msgspec.structs.fields(kind)
    wanted = [field for field in fields if full or field.required]
    own = {f.name for f in fields if kind in typing.get_args(hints[f.name])}  # else it never ends
    return kind(**{f.name: sample(hints[f.name], full=full and f.name not in own) for f in wanted})


def test_all_are_found():
    assert {"Event", "Draft", "ProjectSpec", "Report", "Manifest", "Seal"} <= {
        kind.__name__ for kind in KINDS
    }
    assert len(KINDS) > 35


@every_kind
@pytest.mark.parametrize("full", [True, False], ids=["full", "least"])
def test_round_trip(kind, full):
    record = make(kind, full=full)
    data = to_json(record)
    back = from_json(data, kind)
    assert back == record
    assert to_json(back) == data
    assert digest(back) == digest_of(data)


@every_kind
def test_tag_has_name_and_version(kind):
    tag = kind.__struct_config__.tag
    name, _, version = tag.partition("@")
    assert name
    assert version.isdigit()
    assert f'"record":"{tag}"'.encode() in to_json(make(kind))


def test_tags_are_unique():
    assert len({kind.__struct_config__.tag for kind in KINDS}) == len(KINDS)


@every_kind
def test_records_are_frozen(kind):
    record = make(kind)
    with pytest.raises(AttributeError):
        setattr(record, record.__struct_fields__[0], None)


@every_kind
def test_unknown_field_is_refused(kind):
    fields = msgspec.json.decode(to_json(make(kind)))
    with pytest.raises(Tampered):
        from_json(msgspec.json.encode(fields | {"added": 1}), kind)


@every_kind
def test_another_version_or_kind_is_refused(kind):
    fields = msgspec.json.decode(to_json(make(kind)))
    for tag in (fields["record"] + "1", "other@1"):
        with pytest.raises(Tampered):
            from_json(msgspec.json.encode(fields | {"record": tag}), kind)


@every_kind
@pytest.mark.parametrize(
    "garbage", [b"", b"{", b"null", b"[]", b"\xff\xfe", b"\x00" * 9, b"7", b"{}" * 2, b'"text"']
)
def test_garbage_is_tampered(kind, garbage):
    with pytest.raises(Tampered) as caught:
        from_json(garbage, kind)
    assert caught.value.code == "RECORD-UNREADABLE"
    assert caught.value.hint


@every_kind
def test_any_other_value_has_another_digest(kind):
    full, least = make(kind), make(kind, full=False)
    assert digest(full) == digest(make(kind))
    assert (digest(full) == digest(least)) == (full == least)


DIGESTS = """
import json, sys
from assay.records.base import digest, from_json
from assay.records.package import Manifest
print(digest(from_json(sys.stdin.buffer.read(), Manifest)))
"""


def test_digest_is_the_same_in_another_process():
    record = make(Manifest)
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", DIGESTS],
            input=to_json(record),
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        )
        assert done.stdout.decode().strip() == digest(record)


def test_digest_of_known_bytes():
    """SHA-256 of nothing and of `abc` (FIPS 180-2), so that no version changes them unseen."""
    assert digest_of(b"").startswith("e3b0c44298fc1c14")
    assert digest_of(b"abc").startswith("ba7816bf8f01cfea")
    assert to_json({"b": 1, "a": [0.1, None]}) == b'{"a":[0.1,null],"b":1}'


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"))
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.text(st.characters(codec="utf-8"), max_size=4), inner, max_size=3
    ),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), plain, max_size=4))
def test_any_plain_data_survives_an_event(data):
    draft = Draft(kind="k", subject="s", actor="a", data=data)
    event = make_event(draft, seq=0, at="2026-01-01T00:00:00.000000+00:00", previous="0" * 64)
    back = from_json(to_json(event), type(event))
    assert back.data == data
    assert event_digest(back) == back.digest == event.digest


def test_key_order_does_not_matter():
    one = Draft(kind="k", subject="s", actor="a", data={"x": 1, "y": {"a": 1, "b": 2}})
    other = Draft(kind="k", subject="s", actor="a", data={"y": {"b": 2, "a": 1}, "x": 1})
    assert digest(one) == digest(other)
