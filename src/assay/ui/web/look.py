"""Templates and files: the look of the page is that of the reports."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from jinja2 import ChoiceLoader, Environment, PackageLoader

from assay.report import figures, html
from assay.ui.web.page import link

_CSS, _JS, _SVG = b"text/css; charset=utf-8", b"text/javascript; charset=utf-8", b"image/svg+xml"

_WORDS = {
    "accepted": "accepted steady kept promoted resolved sent done",
    "rejected": "rejected refused degraded broken aborted failed error open critical lost",
    "inconclusive": "inconclusive asked training judged drift unclear warning firing waiting",
    "stopped": "stopped",
    "c0": "on",
}
STYLES = {word: style for style, words in _WORDS.items() for word in words.split()}
"""The look of each word that says how something stands; any other is neutral."""


@cache
def environment() -> Environment:
    """Return the templates of the page; those of the reports can be included."""
    report = html.environment()
    made = report.overlay(
        loader=ChoiceLoader([PackageLoader("assay.ui"), PackageLoader("assay.report")])
    )
    made.globals.update(link=link, metric=figures.title, value=figures.value, styles=STYLES)
    return made


@cache
def assets() -> dict[str, tuple[bytes, bytes]]:
    """Return every file that pages load, with its type, by its path."""
    own = files("assay.ui") / "static"
    base = files("assay.report") / "templates" / "style.css.j2"
    return {
        "/static/base.css": (base.read_bytes(), _CSS),
        "/static/ui.css": ((own / "ui.css").read_bytes(), _CSS),
        "/static/ui.js": ((own / "ui.js").read_bytes(), _JS),
        "/static/icon.svg": ((own / "icon.svg").read_bytes(), _SVG),
    }
