"""The form and the reference of a real server, in a real browser: asked, read, and silent."""

from __future__ import annotations

import ast
import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest
from chromium import Chromium
from shop import Serving, Shop, launch, wait_ready

pytestmark = pytest.mark.browser

READY = "!document.getElementById('send').disabled"
DRAWN = "document.querySelectorAll('#docs section').length > 2"
EXPLAINED = "!document.getElementById('reasons').hidden"
TEXT = "document.getElementById('{}').innerText"

OVERFLOWING = """[...document.querySelectorAll('body *')].filter(e => {
  if (e.closest('.scroll, pre, .unseen, .skip, option')) return false;
  const box = e.getBoundingClientRect();
  return box.width > 0 && box.right > innerWidth + 1;
}).map(e => e.outerHTML.slice(0, 120))"""

NAMELESS = """[...document.querySelectorAll('input, select, textarea, button')].filter(e =>
  e.checkVisibility() && !e.labels?.length && !e.textContent.trim() && !e.ariaLabel
).map(e => e.outerHTML.slice(0, 120))"""

# Contrast of text against what is behind it, by the formula of WCAG 2.2, 1.4.3.
PALE = """(() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const linear = v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = color => rgb(color).slice(0, 3).reduce(
    (sum, v, i) => sum + linear(v / 255) * [.2126, .7152, .0722][i], 0);
  const behind = e => {
    const color = getComputedStyle(e).backgroundColor;
    const clear = rgb(color)[3] === 0;
    return clear && e.parentElement ? behind(e.parentElement) : color;
  };
  const words = 'p, h1, h2, h3, label, th, td, button, a, .hint, li';
  return [...document.querySelectorAll(words)].filter(e => {
    if (!e.checkVisibility() || !e.innerText?.trim()) return false;
    if (e.closest('.unseen, .skip, :disabled')) return false;
    const pair = [getComputedStyle(e).color, behind(e)].map(light);
    return (Math.max(...pair) + .05) / (Math.min(...pair) + .05) < 4.5;
  }).map(e => e.outerHTML.slice(0, 120));
})()"""


def wait(browser: Chromium, condition: str, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not browser.ask(condition):
        assert time.monotonic() < end, (
            f"never: {condition}\n{browser.ask('document.body.innerText')}"
        )
        time.sleep(0.03)


def put(browser: Chromium, column: str, value: str) -> None:
    """Type into the field of a column, or choose by what an entry says."""
    browser.ask(
        f"""(() => {{ const e = document.querySelector('[data-column="{column}"]');
        const place = [...e.options ?? []].findIndex(o => o.text === '{value}');
        if (e.options) e.selectedIndex = place; else e.value = '{value}'; }})()"""
    )


def said(browser: Chromium, part: str) -> str:
    found: str = browser.ask(TEXT.format(part))
    return found


def quiet(browser: Chromium) -> bool:
    return not browser.said("Log.entryAdded", "Runtime.exceptionThrown")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, False), (390, True)])
def test_a_row_is_asked_about_and_explained(
    browser: Chromium, serving: Serving, width: int, dark: bool
) -> None:
    browser.open(serving.url + "/", width, dark=dark)
    wait(browser, READY)
    assert said(browser, "title") == "Ask churny"
    put(browser, "fee", "75.5")
    put(browser, "visits", "1")
    put(browser, "region", "west")
    put(browser, "member", "not known")
    row = {"fee": 75.5, "visits": 1, "region": "west", "member": None}
    expected = serving.client().predict(row)
    browser.ask("document.getElementById('send').click()")
    wait(browser, EXPLAINED)
    (one,) = expected["predictions"]
    result = said(browser, "result")
    assert f"The answer of {expected['model']}" in result
    assert one["label"] in result.split()
    for share in one["probabilities"].values():
        assert f"{100 * share:.1f} %" in result
    explained = serving.client().post("/explain", row).json["explanations"][0]
    reasons = said(browser, "reasons")
    for part in explained["contributions"]:
        if part["contribution"]:
            assert part["column"] in reasons
            assert f"{100 * abs(part['contribution']):.1f} points" in reasons
    assert f"{100 * explained['base']:.1f} % for a typical row" in reasons
    assert one["label"] in said(browser, "said")
    for looked in (OVERFLOWING, NAMELESS, PALE):
        assert browser.ask(looked) == []
    assert quiet(browser)


def test_another_model_answers_with_a_number_and_warns(browser: Chromium, serving: Serving) -> None:
    browser.open(serving.url + "/", 1280)
    wait(browser, READY)
    browser.ask(
        "(() => { const m = document.getElementById('model'); m.value = 'pricy';"
        " m.dispatchEvent(new Event('change')) })()"
    )
    put(browser, "visits", "400")
    browser.ask("document.getElementById('ask').requestSubmit()")
    wait(browser, EXPLAINED)
    browser.ask(
        "fetch('/openapi.json').then(r => r.json()).then(d => window.example ="
        " d.paths['/models/pricy/predict'].post.requestBody.content['application/json'].example)"
    )
    wait(browser, "window.example")
    row = browser.ask("window.example.rows[0]") | {"visits": 400}
    answer = serving.client().predict(row, path="/models/pricy/predict")
    assert f"{answer['predictions'][0]['value']:.6g}"[:6] in said(browser, "result")
    assert "visits" in said(browser, "warnings")
    assert "visits" in said(browser, "reasons")
    assert quiet(browser)


def test_what_cannot_be_a_number_is_said_at_its_field(browser: Chromium, serving: Serving) -> None:
    browser.open(serving.url + "/", 1280)
    wait(browser, READY)
    browser.ask("document.querySelector('[data-column=fee]').type = 'text'")
    put(browser, "fee", "many")
    # a number that the page let through: the server refuses it, and the page says where
    browser.ask("document.querySelector('[data-column=fee]').dataset.type = 'text'")
    browser.ask("document.getElementById('send').click()")
    wait(browser, "!!document.querySelector('[aria-invalid=true]')")
    assert browser.ask("document.activeElement.dataset.column") == "fee"
    assert "fee" in said(browser, "problems")
    assert browser.ask("document.getElementById('result').hidden")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_reference_shows_requests_that_work(
    browser: Chromium, serving: Serving, width: int, tmp_path: Any
) -> None:
    browser.open(serving.url + "/docs", width)
    wait(browser, DRAWN)
    for path in ("/predict", "/models/pricy/explain", "/v2/models/churny/infer", "/metrics"):
        assert path in said(browser, "docs")
    browser.ask("document.querySelectorAll('[role=tab]')[1].click()")
    program = tmp_path / "ask.py"
    program.write_text(browser.ask("document.querySelector('[role=tabpanel]').textContent"))
    assert run(["python3", str(program)])["model"] == "churny@2"
    browser.ask("document.querySelectorAll('[role=tab]')[0].click()")
    script = browser.ask("document.querySelector('[role=tabpanel]').textContent")
    assert run(["bash", "-c", f"{script} -s"])["model"] == "churny@2"
    for looked in (OVERFLOWING, NAMELESS, PALE):
        assert browser.ask(looked) == []
    assert quiet(browser)


def run(command: list[str]) -> Any:
    """Run a program that prints JSON, or a dictionary of Python."""

    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return json.loads(out) if out.startswith('{"') else ast.literal_eval(out)


ODD = "Öl & <i> {x} 100%"
IMAGE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server of a model with every type of column, and markup in names and cells."""
    shop, rng, rows = Shop(tmp_path_factory.mktemp("odd")), np.random.default_rng(0), 400
    number, town = rng.normal(size=rows), rng.integers(0, 60, rows)
    notes = np.array(["good fast service", "bad slow food", "never again <b>bad</b>"])
    moments = np.datetime64("2024-01-01T00:00:00") + rng.integers(0, 9e6, rows)
    folder = shop.folder / "project"
    folder.mkdir()
    pl.DataFrame(
        {
            IMAGE: number,
            "town": [f"town {i} <br>" for i in town],
            "when": np.datetime_as_string(moments),
            "day": np.datetime_as_string(moments, "D"),
            "note": [f"{word} {i % 97} times" for i, word in enumerate(rng.choice(notes, rows))],
            'a, "b"': rng.random(rows) < 0.5,
            "got": np.where(number + rng.normal(size=rows) / 4 > 0, "<u>yes</u>", "no"),
        }
    ).write_csv(folder / "rows.csv")
    (folder / "assay.toml").write_text(
        f"""[project]\nname = "{ODD}"\n[data]\nsource = "rows.csv"\ntarget = "got"
positive = "no"\ntypes = {{ note = "text", town = "category" }}\n[budget]
iterations = 1\nonly = ["linear_0.5"]\n[[gates]]\nmetric = "roc_auc"\nat_least = 0.5\n"""
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ASSAY_STORE", raising=False)
        shop.assay("run", folder)
    started = launch(shop, ODD, "--workers", "1", "--set", "serve.slo=30s")
    wait_ready(started)
    yield started
    started.close()


def test_every_type_of_column_with_markup_for_a_name(browser: Chromium, odd: Serving) -> None:
    browser.open(odd.url + "/", 390)
    wait(browser, READY)
    assert said(browser, "title") == f"Ask {ODD}"
    kinds = browser.ask(
        "Object.fromEntries([...document.querySelectorAll('[data-column]')]"
        ".map(e => [e.dataset.column, e.type]))"
    )
    assert kinds == {
        IMAGE: "number", "town": "text", "when": "datetime-local", "day": "date",
        "note": "textarea", 'a, "b"': "select-one",
    }  # fmt: skip
    browser.ask("document.querySelector('input[type=number]').value = '2.5'")
    browser.ask("document.querySelector('textarea').value = 'never again <b>bad</b>'")
    browser.ask("document.querySelector('input[type=date]').value = '2024-02-29'")
    browser.ask("document.getElementById('send').click()")
    wait(browser, EXPLAINED)
    assert IMAGE in said(browser, "reasons")
    assert "<u>yes</u>" in said(browser, "result")
    assert "2024-02-29" in said(browser, "reasons")
    assert browser.ask("document.getElementById('warnings').hidden")
    assert browser.ask("document.querySelectorAll('main img, main b, main u, main br').length") == 0
    assert browser.ask(OVERFLOWING) == []
    browser.open(odd.url + "/docs", 390)
    wait(browser, "document.querySelectorAll('#docs section').length > 1")
    browser.ask("document.querySelectorAll('[role=tab]')[0].click()")
    script = browser.ask("document.querySelector('[role=tabpanel]').textContent")
    assert run(["bash", "-c", f"{script} -s"])["model"] == f"{ODD}@1"
    assert browser.ask("document.querySelectorAll('main img, main b, main u, main br').length") == 0
    assert browser.ask(OVERFLOWING) == []
    assert quiet(browser)
