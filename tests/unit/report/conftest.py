from __future__ import annotations

from collections.abc import Callable

import pytest
from report_hostile import VIEWS

from assay.report import RunView, render_html


@pytest.fixture(params=sorted(VIEWS))
def view(request: pytest.FixtureRequest) -> RunView:
    """Each run view in turn."""
    make: Callable[[], RunView] = VIEWS[request.param]
    return make()


@pytest.fixture(scope="session")
def pages() -> dict[str, str]:
    """Every run view as its page."""
    return {name: render_html(make()) for name, make in VIEWS.items()}
