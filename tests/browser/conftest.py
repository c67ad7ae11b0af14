from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "report"))
sys.path.insert(0, str(Path(__file__).parents[1] / "serving"))

from chromium import CHROMIUM, Chromium
from shop import Serving, launch, train, wait_ready


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A headless Chromium; a machine without one skips, except in continuous integration."""
    if not CHROMIUM.exists() and "CI" not in os.environ:
        pytest.skip(f"no browser at {CHROMIUM}")
    chromium = Chromium(tmp_path_factory.mktemp("profile"))
    yield chromium
    chromium.close()


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """The real server of two models, which answer with a class and with a number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ASSAY_STORE", raising=False)
        shop = train(tmp_path_factory.mktemp("shop"))
    started = launch(shop, "churny", "pricy", "--workers", "1", "--set", "serve.slo=30s")
    wait_ready(started)
    yield started
    started.close()
