"""The report in a real browser: silent, offline, legible on a phone, and deaf to hostile text."""

from __future__ import annotations

from pathlib import Path

import pytest
from chromium import Chromium
from report_hostile import VIEWS

from assay.report import render_html
from assay.report.plain import render_plain

pytestmark = pytest.mark.browser

SMALLEST_TEXT = 10
"""Pixels: no text of a drawing is smaller, even at 360 px."""

OVERFLOWING = """[...document.querySelectorAll('main *, header *, .tiles *')].filter(e => {
  if (e.closest('.scroll') || e.closest('nav') || e.closest('svg')) return false;
  const box = e.getBoundingClientRect();
  return box.width > 0 && box.right > innerWidth + 1;
}).map(e => e.outerHTML.slice(0, 120))"""

TEXT_SIZES = """[...document.querySelectorAll('svg text')].map(e => {
  const svg = e.ownerSVGElement;
  const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
  return parseFloat(getComputedStyle(e).fontSize) * scale;
})"""

# Contrast as WCAG 2.2 defines it, of every text against the first opaque background behind it.
CONTRAST = """(() => {
  const paint = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = css => {
    paint.clearRect(0, 0, 1, 1); paint.fillStyle = css; paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const color = rgba(getComputedStyle(e).backgroundColor);
      if (color[3] > 250) return color;
    }
    return [255, 255, 255];
  };
  const bad = new Set();
  for (const e of document.querySelectorAll('body *:not(svg *)')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const pair = [light(rgba(getComputedStyle(e).color)), light(behind(e))];
    const ratio = (Math.max(...pair) + .05) / (Math.min(...pair) + .05);
    if (ratio < 4.5) bad.add(`${e.tagName}.${e.className} ${ratio.toFixed(2)}`);
  }
  return [...bad];
})()"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every run view as its report and as its plain page."""
    where = tmp_path_factory.mktemp("pages")
    for name, make in VIEWS.items():
        (where / f"{name}.html").write_text(render_html(make()), encoding="utf-8")
        (where / f"plain-{name}.html").write_text(render_plain(make()), encoding="utf-8")
    return where


PAGES = sorted([*VIEWS, *(f"plain-{name}" for name in VIEWS)])


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_shows_the_page_without_a_sound_or_a_request(
    browser: Chromium, folder: Path, name: str
) -> None:
    browser.open(folder / f"{name}.html", 360)
    assert browser.said("Log.entryAdded", "Runtime.exceptionThrown") == []
    assert browser.said("Runtime.consoleAPICalled") == []
    requests = [r["request"]["url"] for r in browser.said("Network.requestWillBeSent")]
    assert [Path(url).name for url in requests] == [f"{name}.html"]
    assert browser.ask("document.documentElement.scrollWidth") == 360
    assert browser.ask(OVERFLOWING) == []
    assert min(browser.ask(TEXT_SIZES), default=SMALLEST_TEXT) >= SMALLEST_TEXT


def test_hostile_text_runs_no_script(browser: Chromium, folder: Path) -> None:
    browser.open(folder / "hostile.html", 1280)
    assert "owned" not in browser.ask("document.title").removeprefix(
        "Accepted: <script>document.title='owned'"
    )
    assert browser.ask("document.querySelectorAll('script, img, iframe').length") == 0
    assert browser.ask("getComputedStyle(document.querySelector('section')).display") == "grid"


@pytest.mark.parametrize("name", [name for name in PAGES if "hostile" not in name])
@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_in_light_and_dark(
    browser: Chromium, folder: Path, name: str, dark: bool
) -> None:
    browser.open(folder / f"{name}.html", 1280, dark=dark)
    assert browser.ask(CONTRAST) == []


def test_contents_lead_to_their_sections(browser: Chromium, folder: Path) -> None:
    browser.open(folder / "binary.html", 1280)
    browser.ask("document.querySelector('nav a[href=\"#limits\"]').click()")
    assert browser.ask("location.hash") == "#limits"


def test_a_phone_has_labels_above_their_bars_and_room_for_sentences(
    browser: Chromium, folder: Path
) -> None:
    browser.open(folder / "binary.html", 390)
    above = """[...document.querySelectorAll('.bars')].map(e => {
      const [name, bar] = [...e.children].map(c => c.getBoundingClientRect());
      return name.bottom <= bar.top + 1;
    })"""
    assert set(browser.ask(above)) == {True}
    last = """Math.min(...[...document.querySelectorAll(
      '.scroll table:not(.matrix) td:last-child:not(.num,.pic)')]
      .map(e => e.getBoundingClientRect().width).filter(w => w > 0))"""
    assert browser.ask(last) >= 239


def test_a_number_leads_to_its_record_though_the_list_is_folded(
    browser: Chromium, folder: Path
) -> None:
    for name in ("examined", "plain-examined"):
        browser.open(folder / f"{name}.html", 1280)
        browser.ask("document.querySelector('a.num-of').click()")
        assert browser.ask("document.querySelector('tr:target').getBoundingClientRect().height") > 0


def test_contents_of_the_examinations_lead_to_them(browser: Chromium, folder: Path) -> None:
    browser.open(folder / "examined.html", 1280)
    browser.ask("document.querySelector('nav .inner a').click()")
    assert browser.ask("location.hash") == "#exam-worst-slices"
    clipped = """[...document.querySelectorAll('nav a')]
      .filter(e => e.scrollWidth > e.clientWidth + 1).length"""
    assert browser.ask(clipped) == 0
