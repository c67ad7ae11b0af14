"""Numbers that carry their record: each says where it stands, and a lint checks every one.

A place is a JSON pointer (RFC 6901) into the records of a run, by the names of the stages that
made them: `/evaluate/champion/metrics/roc_auc/value`.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from markupsafe import Markup

from assay.report.text import cut, moment, number, sentence
from assay.report.view import RunView

SCALE = "scale"
"""The form of the hundred in "of 100 cases", which is no finding."""


def records_of(view: RunView) -> dict[str, Any]:
    """Return the records of a run by the names that places start with."""
    found = {
        "snapshot": view.snapshot,
        "problem": view.problem,
        "split": view.split,
        "audit": view.audit,
        "seal": view.seal,
        "spec": view.project,
        "search": view.leaderboard,
        "members": view.members,
        "fit": view.fitted,
        "evaluate": view.report,
        "judge": view.decision,
        "package": view.package,
        "model": view.version,
        "run": {"id": view.run, "sealed": view.sealed_at, "test_reads": view.test_reads},
    }
    return {name: record for name, record in found.items() if record is not None}


def place(*steps: object) -> str:
    """Return the steps as a JSON pointer."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def resolve(records: Mapping[str, Any], pointer: str) -> Any:
    """Return what stands at a place; raises KeyError when nothing does."""
    found: Any = records
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        try:
            if isinstance(found, msgspec.Struct):
                found = getattr(found, key)
            else:
                found = found[key] if isinstance(found, Mapping) else found[int(key)]
        except (AttributeError, IndexError, TypeError, ValueError, KeyError):
            raise KeyError(pointer) from None
    return found


def _count(found: Any, rule: str) -> float:
    key, _, wanted = rule.partition("=")
    return float(sum(str(getattr(item, key)) == wanted for item in found) if key else len(found))


FORMS: dict[str, Callable[[Mapping[str, Any], Any, str], float]] = {
    "value": lambda _, found, __: float(found),
    "hundred": lambda _, found, __: 100 * float(found),
    "rest": lambda _, found, __: 100 * (1 - float(found)),
    "sum": lambda _, found, __: float(sum(found)),
    "count": lambda _, found, rule: _count(found, rule),
    "size": lambda _, found, __: abs(float(found)),
    "gap": lambda records, found, other: abs(float(found - resolve(records, other))),
}
"""How a number comes from its place: as it is, as cases in a hundred, as those left over, as a sum,
as a count (`count severity=error`), without its sign, or as the distance from the number at another
place (`gap /search/…`)."""


def derive(records: Mapping[str, Any], pointer: str, form: str) -> float:
    """Return the number that this form makes of this place; raises KeyError or ValueError."""
    name, _, rest = form.partition(" ")
    try:
        return FORMS[name](records, resolve(records, pointer), rest)
    except (TypeError, AttributeError) as wrong:
        raise ValueError(f"{pointer} is no number in the form {form}") from wrong


@dataclass(frozen=True)
class Num:
    """A number as it is shown, with the place it comes from and the form it was given."""

    text: str
    record: str
    form: str
    exact: float

    @property
    def anchor(self) -> str:
        """Return the id of this number's line in the list of sources."""
        key = f"{self.record} {self.form}".encode()
        return "n" + hashlib.blake2s(key, digest_size=5).hexdigest()

    def __str__(self) -> str:
        return self.text

    def __html__(self) -> str:
        if self.form == SCALE:
            return Markup('<span data-form="scale">{}</span>').format(self.text)
        return Markup(
            '<a class="num-of" href="#{}" title="{}" data-record="{}" data-form="{}">{}</a>'
        ).format(self.anchor, f"{self.record} = {self.exact:g}", self.record, self.form, self.text)


HUNDRED = Num("100", "", SCALE, 100.0)


@dataclass(frozen=True)
class Quote:
    """Words of a record, or a date in it, as they stand there."""

    text: str
    record: str
    form: str = "quote"

    def __str__(self) -> str:
        return self.text

    def __html__(self) -> str:
        return Markup('<span data-record="{}" data-form="{}">{}</span>').format(
            self.record, self.form, self.text
        )


@dataclass(frozen=True)
class Text:
    """A sentence of plain words, numbers and quotations."""

    parts: tuple[str | Num | Quote, ...]

    def __str__(self) -> str:
        return "".join(map(str, self.parts))

    def __html__(self) -> str:
        return Markup("").join(self.parts)

    @property
    def numbers(self) -> tuple[Num, ...]:
        """Return the numbers that come from a record, in order."""
        return tuple(p for p in self.parts if isinstance(p, Num) and p.form != SCALE)


Part = str | Num | Quote | Text


def say(template: str, **parts: Part) -> Text:
    """Fill `{name}` in a template that has no digit of its own with numbers, words and texts."""
    found: list[str | Num | Quote] = []
    for words, name, _, _ in string.Formatter().parse(template):
        found += [words] if words else []
        if name is not None:
            part = parts[name]
            found += part.parts if isinstance(part, Text) else (part,)
    return Text(tuple(found))


def join(texts: Sequence[Part], between: str = " ") -> Text:
    """Return several texts as one."""
    parts: list[str | Num | Quote] = []
    for text in texts:
        parts += [between] if parts else []
        parts += text.parts if isinstance(text, Text) else (text,)
    return Text(tuple(parts))


@dataclass(frozen=True)
class Book:
    """The records of a run, and numbers out of them."""

    records: Mapping[str, Any]

    def num(
        self, *steps: object, form: str = "value", show: Callable[[float], str] = number
    ) -> Num:
        """Return the number at a place, in a form."""
        record = place(*steps)
        exact = derive(self.records, record, form)
        return Num(show(exact), record, form, exact)

    def cases(self, *steps: object, form: str = "hundred") -> Num:
        """Return a share as cases in a hundred; a rare one keeps a digit."""
        return self.num(*steps, form=form, show=_cases)

    def quote(self, *steps: object, limit: int = 60) -> Quote:
        """Return the words at a place, cut to a length."""
        record = place(*steps)
        return Quote(cut(resolve(self.records, record), limit), record)

    def key(self, *steps: object, limit: int = 60) -> Quote:
        """Return the name under which something stands, the last of the steps."""
        record = place(*steps)
        resolve(self.records, record)
        return Quote(cut(steps[-1], limit), record, "key")

    def sentence(self, *steps: object, limit: int = 400) -> Quote:
        """Return the words at a place as a sentence, with a capital letter and a full stop."""
        quoted = self.quote(*steps, limit=limit)
        return Quote(sentence(quoted.text), quoted.record)

    def date(self, *steps: object) -> Quote:
        """Return the time at a place, as a person writes it."""
        record = place(*steps)
        return Quote(moment(resolve(self.records, record)), record, "moment")


def _cases(hundred: float) -> str:
    """Return whole cases in a hundred, with digits near either end."""
    edge = min(abs(hundred), abs(100 - hundred))
    digits = 0 if edge >= 2 or edge == 0 else 1 if edge >= 0.1 else 2
    return f"{hundred:.{digits}f}".replace("-", "−")


@dataclass(frozen=True)
class Source:
    """One line of the list of sources: how a number was shown, where it stands, and exactly."""

    anchor: str
    text: str
    record: str
    form: str
    words: str
    exact: str


FORM_WORDS = {
    "hundred": "cases in a hundred",
    "rest": "the cases in a hundred that are left",
    "sum": "the sum",
    "count": "how many there are",
    "size": "without its sign",
    "gap": "the distance from",
}


def sources(texts: Iterator[Text] | Sequence[Text]) -> tuple[Source, ...]:
    """Return each number once, in the order in which it is first shown."""
    found: dict[str, Source] = {}
    for text in texts:
        for one in text.numbers:
            name, _, rule = one.form.partition(" ")
            words = " ".join((FORM_WORDS.get(name, ""), rule)).strip()
            exact = f"{one.exact:.10g}".replace("-", "−", 1)
            line = Source(one.anchor, one.text, one.record, one.form, words, exact)
            found.setdefault(one.anchor, line)
    return tuple(found.values())


def plain_numbers(text: Text) -> list[dict[str, Any]]:
    """Return the numbers of a text as JSON data."""
    return [
        {"text": n.text, "record": n.record, "form": n.form, "value": n.exact} for n in text.numbers
    ]
