"""Words and numbers for readers: foreign text made harmless, figures rounded sensibly."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import PurePosixPath

from markupsafe import Markup

MOST_TEXT = 10_000
TITLE_LIMIT = 400
"""Characters of a cut text that its tooltip still shows."""

# C0 and C1 controls, marks that turn the reading direction, the byte-order mark, lone surrogates.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+"
)
_MARKDOWN = re.compile(r"([\\`*_\[\]|~$@])")
_LINK = re.compile(r"(?i)\b(?:www\.|(?:https?|ftp|mailto|xmpp):)")
_BLOCK = re.compile(r"^(?:[-+](?=\s|$)|-+$|[=#])")
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def plain(text: object) -> str:
    """Return foreign text on one line, without control characters and direction marks.

    No report shows a text of more than a few hundred characters, so a huge one is cut off early.
    """
    return " ".join(_UNSEEN.sub(" ", str(text)[:MOST_TEXT]).split())


def harmless(value: object) -> object:
    """Return text as `plain` does, and anything else, such as a finished drawing, as it is."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def cut(text: object, limit: int = 60) -> str:
    """Return `plain(text)`, at most `limit` characters of it."""
    clean = plain(text)
    return clean if len(clean) <= limit else clean[: limit - 1].rstrip() + "…"


def clip(text: object, limit: int = 60) -> str:
    """Return `cut(text)`; what was cut off shows as a tooltip."""
    clean, short = plain(text), cut(text, limit)
    if clean == short:
        return short
    return Markup('<span title="{}">{}</span>').format(cut(clean, TITLE_LIMIT), short)


def markdown(value: object) -> Markup:
    """Return a value as Markdown that shows its characters and nothing else."""
    if isinstance(value, Markup):
        return value
    escaped = _MARKDOWN.sub(r"\\\1", cut(value, TITLE_LIMIT).translate(_HTML))
    # GitHub turns bare addresses into links; a leading sign makes a list or a heading.
    escaped = _LINK.sub(lambda m: m[0][:-1] + "\\" + m[0][-1], escaped)
    escaped = _BLOCK.sub(r"\\\g<0>", escaped)
    escaped = re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", escaped)
    return Markup(escaped)  # noqa: S704  (escaped for Markdown just above)


def capital(words: str) -> str:
    """Return words with the first letter in upper case."""
    return words[:1].upper() + words[1:]


def sentence(words: str) -> str:
    """Return words as a sentence, with a capital letter and a full stop."""
    words = capital(words)
    return words if words.endswith((".", "!", "?", "…")) else f"{words}."


def count(value: int) -> str:
    """Return a whole number with its thousands set apart."""
    return f"{value:,}"


def plural(value: int, noun: str, nouns: str = "") -> str:
    """Return a count with its noun: `1 row`, `2 rows`."""
    return f"{value:,} {noun if value == 1 else nouns or noun + 's'}"


def number(value: float | None) -> str:
    """Return a number with about four significant digits; a dash for None and NaN."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}".replace("-", "−")
    size = abs(value)
    if size >= 1000:
        text = f"{value:,.0f}"
    elif size >= 1e-4:
        text = f"{value:.4g}"
    else:
        text = f"{value:.2g}".replace("e-0", "e-")
    return text.replace("-", "−", 1) if text.startswith("-") else text


def percent(share: float) -> str:
    """Return a share as a percentage with as many digits as help."""
    value = 100 * share
    if value == 0 or value >= 99.95 or value == round(value):
        return f"{value:.0f}%"
    return f"{value:.1f}%" if value >= 0.1 else "< 0.1%"


def share(part: float, whole: float) -> str:
    """Return `part` of `whole` as a percentage; nothing of nothing is 0%."""
    return percent(part / whole if whole else 0.0)


def duration(seconds: float) -> str:
    """Return a length of time in the unit that a person would choose."""
    if 0 < seconds < 0.001:
        return "< 1 ms"
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def size(byte_count: float) -> str:
    """Return a number of bytes in kB or MB (powers of ten)."""
    if byte_count < 1000:
        return f"{byte_count:.0f} bytes"
    if byte_count < 1e6:
        return f"{byte_count / 1e3:.0f} kB"
    return f"{byte_count / 1e6:.1f} MB"


def moment(text: str) -> str:
    """Return an ISO 8601 time as `22 Nov 2026, 07:48 UTC`; other text comes back as it is."""
    if not text:
        return "an unknown time"
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return plain(text)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def day(epoch: float | None) -> str:
    """Return seconds since 1970 as a date (UTC); a dash for None or a date out of range."""
    try:
        return "–" if epoch is None else f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        return "–"


def p_value(value: float) -> str:
    """Return a p-value as `p = 0.012` or `p < 0.001`."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"


def chance(p: float) -> str:
    """Return a p-value for a column of them: `0.012`, or `< 1e-6`."""
    return "< 1e-6" if p < 1e-6 else number(float(f"{p:.2g}"))


def listing(items: Iterable[str], last: str = "and") -> str:
    """Return `a, b and c`."""
    *head, tail = tuple(items) or ("",)
    return f"{', '.join(head)} {last} {tail}" if head else tail


def source_name(source: str) -> str:
    """Return the last part of a path or URL: no folders, no user, no password."""
    if "://" not in source:
        return PurePosixPath(source.replace("\\", "/")).name or plain(source)
    scheme, _, rest = shown_source(source).partition("://")
    return f"{scheme}: {rest.rpartition('/')[2] or 'a table'}"


def shown_source(source: str) -> str:
    """Return a path or URL as it may be shown: without user, password and query."""
    if "://" not in source:
        return plain(source)
    scheme, _, rest = source.partition("://")
    place = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = place.partition("/")
    return plain(f"{scheme}://{host.rpartition('@')[2]}{slash}{path}")
