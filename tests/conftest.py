"""What every test shares: in CI, a test that lacks its data, browser or database fails."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

REQUIRED_IN_CI = ("data", "browser", "postgres")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a test that CI must run into a failure."""
    report = yield
    needs = [name for name in REQUIRED_IN_CI if item.get_closest_marker(name)]
    if report.skipped and needs and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"CI must not skip a test marked {', '.join(needs)}: {report.longrepr}"
    return report
