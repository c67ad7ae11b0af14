"""Does a record stand behind every number of a page?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import msgspec

from assay.records.report import Curve
from assay.report.numbers import SCALE, Text, derive, resolve
from assay.report.text import capital, moment, plain

NUMBER = re.compile(r"(?<![\w.])[−-]?\d[\d,]*(?:\.\d+)?(?:e[−-]?\d+)?(?!\d*[A-Za-z]{2})")
"""A number on its own: not a part of a name such as F1."""

UNITS = {"%": 100.0, "kB": 1e-3, "k": 1e-3, "MB": 1e-6, "M": 1e-6, "GB": 1e-9}
_UNIT = re.compile(r"\s?(%|kB|MB|GB|k\b|M\b)")
_SILENT = {"style", "script"}
_VOID = {"meta", "br", "link", "hr"}


def unsupported(page: str | Text, records: Mapping[str, Any]) -> list[str]:
    """Return each number of a page that no record supports, with what is wrong about it.

    In HTML, and in a `Text`, every number must name its place and form, and be that number, rounded
    as it is shown. In plain text, which names no place, it must be a rounding of some number of
    the records, plots left out: a weaker rule.
    """
    if isinstance(page, Text):
        return list(_in_text(page, records))
    if page.lstrip().startswith("<"):
        reader = _Reader(records)
        reader.feed(page)
        reader.close()
        return reader.wrong
    known = set(_leaves(records))
    return [
        f"{found[0]}: in no record"
        for found in NUMBER.finditer(page)
        if not _known(found[0], page[found.end() :], known)
    ]


def _in_text(text: Text, records: Mapping[str, Any]) -> Iterator[str]:
    for part in text.parts:
        if isinstance(part, str):
            yield from (f"{found[0]}: names no record" for found in NUMBER.finditer(part))
        else:
            said = _judge(part.text, part.record, part.form, records)
            yield from [said] if said else []


class _Reader(HTMLParser):
    """Walks over a page and judges its text against the mark around it."""

    def __init__(self, records: Mapping[str, Any]) -> None:
        super().__init__()
        self.records = records
        self.open: list[tuple[str, str, str] | None] = []
        self.tags: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            return
        given = dict(attrs)
        form = given.get("data-form")
        above = self.open[-1] if self.open else None
        mark = (given.get("data-record") or "", form, tag) if form else above
        self.open.append(mark)
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.tags:
            while self.tags.pop() != tag:
                self.open.pop()
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.tags or self.tags[-1] in _SILENT:
            return
        mark = self.open[-1]
        if mark is None:
            self.wrong += [f"{found[0]}: names no record" for found in NUMBER.finditer(data)]
        elif data.strip():
            said = _judge(data, mark[0], mark[1], self.records)
            self.wrong += [said] if said else []


def _judge(shown: str, record: str, form: str, records: Mapping[str, Any]) -> str:
    """Say what is wrong about a marked text, nothing when its record supports it."""
    if form == SCALE:
        return "" if shown == "100" else f"{shown}: only a hundred needs no record"
    try:
        if form == "place":
            resolve(records, shown)
            right = True
        elif form == "key":
            resolve(records, record)
            name = record.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
            right = _quotes(shown, plain(name))
        elif form == "moment":
            right = shown == moment(resolve(records, record))
        elif form == "quote":
            right = _quotes(shown, plain(resolve(records, record)))
        else:
            right = _is(shown, derive(records, record, form))
    except (KeyError, ValueError):
        return f"{shown}: there is no {record} in the records"
    return "" if right else f"{shown}: {record} says otherwise"


def _quotes(shown: str, words: str) -> bool:
    """Return True for the words themselves, cut off by dots, or made a sentence."""
    cut_off = shown.endswith("…")
    shown, words = (
        capital(shown.rstrip("….")),
        capital(words.rstrip("….") if not cut_off else words),
    )
    return words.startswith(shown) if cut_off else shown == words


def _is(shown: str, exact: float) -> bool:
    """Return True for one number in a text that is the exact one, rounded as it is shown."""
    found = list(NUMBER.finditer(shown))
    return len(found) == 1 and _rounds(found[0][0], shown[found[0].end() :], exact)


def _rounds(token: str, after: str, exact: float) -> bool:
    unit = _UNIT.match(after)
    scaled = exact * (UNITS[unit[1]] if unit else 1.0)
    value = _parsed(token)
    step = 10.0 ** int(value.as_tuple().exponent)
    return abs(float(value) - scaled) <= step / 2 + 1e-9 * abs(scaled)


def _known(token: str, after: str, known: set[float]) -> bool:
    return float(_parsed(token)) == 100 or any(
        _rounds(token, unit, exact)
        for v in known
        for unit, exact in ((after, v), (after, -v), ("", 100 * v), ("", 100 - 100 * v))
    )


def _parsed(token: str) -> Decimal:
    return Decimal(token.replace(",", "").replace("−", "-"))


def _leaves(value: Any) -> Iterator[float]:
    """Yield every number of the records, the lengths of their lists, and numbers in their words."""
    if isinstance(value, Curve):
        return
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _leaves(getattr(value, name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        yield float(len(value))
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, str):
        yield from (float(_parsed(found[0])) for found in NUMBER.finditer(value))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)
