"""The page of a store in a real browser: real runs, a real log, and windows really judged."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "watching"))

from chromium import Chromium
from shop import Serving, Shop, make_table, start, train, wait_ready
from test_report_page import CONTRAST, OVERFLOWING, SMALLEST_TEXT, TEXT_SIZES
from watched import Log

from assay.cli.main import main

pytestmark = pytest.mark.browser

NAMELESS = """[...document.querySelectorAll('input, select, textarea, button, a[href], svg[role]')]
.filter(e => e.checkVisibility() && !e.labels?.length && !e.textContent.trim()
  && !e.ariaLabel && !e.querySelector('title')).map(e => e.outerHTML.slice(0, 120))"""

LANDMARKS = """['header', 'main', 'nav[aria-label="Pages"]', 'footer', 'h1', '.skip',
  '[aria-live=polite]'].map(s => document.querySelectorAll(s).length)"""


@dataclass(frozen=True)
class Store:
    """A store with a page in front of it, and a way to run commands on it."""

    shop: Shop
    page: Serving

    def paths(self) -> dict[str, str]:
        """Return a path for each kind of page."""
        runs = [event.subject for event in self.shop.events("run.started")]
        (incident, *_) = [e.data["incident"] for e in self.shop.events("incident.opened")]
        return {
            "overview": "/", "runs": "/runs", "project": "/projects/churny",
            "run": f"/runs/{runs[1]}", "compare": f"/compare?a={runs[0]}&b={runs[1]}",
            "model": "/models/churny", "column": "/models/churny/columns/fee",
            "window": "/models/churny/windows/1", "incidents": "/incidents",
            "incident": f"/incidents/{incident}", "alerts": "/alerts",
            "audit": "/audit?kind=watch.judged", "missing": "/models/none",
        }  # fmt: skip


NAMES = ("overview", "runs", "project", "run", "compare", "model", "column", "window",
         "incidents", "incident", "alerts", "audit", "missing")  # fmt: skip


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Three runs, and three windows of which the second and third drift."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ASSAY_STORE", raising=False)
        shop = train(tmp_path_factory.mktemp("shop"))
    log = Log(shop)
    for seed, moved in ((51, 0), (52, 9), (53, 12)):
        log.write(make_table(500, seed=seed).with_columns(pl.col("fee") + moved))
        code = main(["watch", "churny", "--once", "--store", str(shop.store)])
        assert code == (3 if moved else 0)
    page = start("ui", "--port", "0", "--store", str(shop.store))
    wait_ready(page)
    yield Store(shop, page)
    page.close()


@pytest.fixture(scope="session")
def paths(store: Store) -> dict[str, str]:
    return store.paths()


def quiet(browser: Chromium, but: tuple[str, ...] = ()) -> bool:
    """Return True where the browser said nothing of faults."""
    said = browser.said("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
    return not [one for one in said if not any(word in str(one) for word in but)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (390, False)])
def test_a_page_can_be_read(
    browser: Chromium, store: Store, paths: dict[str, str], name: str, width: int, dark: bool
) -> None:
    browser.open(store.page.url + paths[name], width, dark=dark)
    assert quiet(browser, ("404",) if name == "missing" else ())
    requests = [r["request"]["url"] for r in browser.said("Network.requestWillBeSent")]
    assert all(url.startswith(store.page.url + "/") for url in requests)
    assert browser.ask("document.documentElement.scrollWidth") == width
    assert browser.ask(OVERFLOWING) == []
    assert browser.ask(CONTRAST) == []
    assert browser.ask(NAMELESS) == []
    assert min(browser.ask(TEXT_SIZES), default=SMALLEST_TEXT) >= SMALLEST_TEXT
    header, *others = browser.ask(LANDMARKS)
    assert header >= 1
    assert others == [1] * len(others)


def test_the_pages_say_what_the_records_say(
    browser: Chromium, store: Store, paths: dict[str, str]
) -> None:
    browser.open(store.page.url + paths["model"], 1200)
    text = browser.ask("document.getElementById('main').innerText")
    judged = store.shop.events("watch.judged")
    assert judged[-1].data["reason"] in text
    assert "version 2" in text
    assert "1,500" in text  # rows in the log
    assert browser.ask("document.querySelectorAll('#drift .strips svg').length") >= 4
    assert browser.ask("document.querySelector('#drift .strips .name a').innerText")
    assert browser.ask("document.querySelectorAll('#performance figure svg').length") >= 1
    browser.open(store.page.url + paths["column"], 1200)
    beside = browser.ask("document.getElementById('beside').innerText")
    assert "flagged" in beside
    assert "→" in beside  # shares of the reference and of the window
    browser.open(store.page.url + paths["run"], 1200)
    assert "Accepted" in browser.ask("document.querySelector('.verdict').innerText")
    browser.ask("document.querySelector('.actions .button').click()")
    wait(browser, "location.pathname.endsWith('/report') && document.querySelector('#gates')")
    assert quiet(browser)


def wait(browser: Chromium, condition: str, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not browser.ask(f"!!({condition})"):
        assert time.monotonic() < end, browser.ask("document.body.innerText")[:2000]
        time.sleep(0.05)


def press(browser: Chromium, key: str, code: int, text: str = "") -> None:
    for kind in ("keyDown", "keyUp"):
        browser.call(
            "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
            **({"text": text} if text and kind == "keyDown" else {}),
        )  # fmt: skip


FOCUSED = "document.activeElement.innerText?.trim() ?? document.activeElement.tagName"


def test_the_keyboard_reaches_everything(browser: Chromium, store: Store) -> None:
    browser.open(store.page.url + "/", 1200)
    press(browser, "Tab", 9)
    assert browser.ask(FOCUSED) == "Skip to the content"
    assert browser.ask("document.activeElement.getBoundingClientRect().left") >= 0
    press(browser, "Enter", 13, "\r")
    assert browser.ask("location.hash") == "#main"
    seen = []
    for _ in range(40):
        press(browser, "Tab", 9)
        seen.append(browser.ask(FOCUSED))
        style = browser.ask("getComputedStyle(document.activeElement).outlineStyle")
        assert style != "none" or browser.ask("document.activeElement === document.body")
        if seen[-1] == "churny":
            break
    press(browser, "Enter", 13, "\r")
    wait(browser, "location.pathname === '/models/churny'")
    assert browser.ask("document.querySelector('nav.crumbs [aria-current]').innerText") == "churny"


def test_names_in_the_tree_that_a_screen_reader_reads(
    browser: Chromium, store: Store, paths: dict[str, str]
) -> None:
    browser.open(store.page.url + paths["model"], 1200)
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    named = {
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored")
    }
    roles = {role for role, _ in named}
    assert {"banner", "main", "navigation", "contentinfo", "heading", "table", "status"} <= roles
    assert ("navigation", "Pages") in named
    assert ("region", "Drift by column") in named
    assert not [name for role, name in named if role in ("image", "img", "link") and not name]


def test_the_page_follows_the_ledger(browser: Chromium, store: Store) -> None:
    browser.open(store.page.url + "/", 1200)
    browser.ask("document.querySelector('#models a').focus()")
    live = "document.querySelector('#models tbody td').innerText"
    assert browser.ask(live).startswith("version 2")
    store.shop.assay("rollback", "churny", "--reason", "to see it on the page")
    wait(browser, f"{live}.startsWith('version 1')")
    assert browser.ask("document.activeElement.innerText") == "churny"
    assert "up to date" in browser.ask("document.getElementById('live').innerText")
    assert quiet(browser)


def test_a_list_is_searched_without_a_script(browser: Chromium, store: Store) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(store.page.url + "/runs?text=pricy", 1200)
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
        rows = "document.querySelectorAll('tbody tr').length"
        assert browser.ask(rows) == 1
        browser.open(store.page.url + "/runs?sort=took", 1200)
        assert browser.ask(rows) == 3
        assert browser.ask("document.querySelector('[aria-sort]').ariaSort") == "ascending"
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


HOSTILE = """</title><img src=x onerror="document.title='owned'">'"&\N{SNOWMAN}"""


def test_a_hostile_name_runs_no_script(browser: Chromium, store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(store.shop.folder, folder)
    shop = Shop(folder)
    context = shop.workspace().context(run="r")
    context.append("model.registered", HOSTILE, package="f" * 64, run=HOSTILE, verdict="accepted")
    page = start("ui", "--port", "0", "--store", str(shop.store))
    try:
        wait_ready(page)
        name = quote(HOSTILE, safe="")
        for path in ("/", f"/models/{name}", f"/audit?subject={name}"):
            browser.open(page.url + path, 1200)
            assert "owned" not in browser.ask("document.title").replace(HOSTILE[8:], "")
            assert browser.ask("document.querySelectorAll('img, iframe').length") == 0
            assert "onerror=" in browser.ask("document.body.innerText")
            assert quiet(browser)
    finally:
        page.close()
