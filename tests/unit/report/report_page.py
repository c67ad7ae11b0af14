"""What a parser makes of a page."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "br"}
ATTRIBUTES = {
    "aria-hidden", "aria-label", "charset", "class", "colspan", "content", "cx", "cy", "d",
    "data-form", "data-record", "height", "href", "http-equiv", "id", "lang", "name",
    "preserveaspectratio", "r", "role", "scope", "style", "tabindex", "title", "transform",
    "viewbox", "width", "x", "x1", "x2", "y", "y1", "y2",
}  # fmt: skip


class Page(HTMLParser):
    """What a parser makes of a page: its elements, attributes and text; tags must balance."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def has(self, tag: str, name: str) -> set[str]:
        return {value for t, n, value in self.attributes if (t, n) == (tag, name)}
