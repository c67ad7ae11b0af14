"""Names of columns that say which row, not what."""

from __future__ import annotations

import pytest

from assay.records.snapshot import names_an_id


@pytest.mark.parametrize(
    "name", ["id", "ID", "customer_id", "customerID", "userId", "uuid", "order key", "INDEX"]
)
def test_names_of_rows(name):
    assert names_an_id(name)


@pytest.mark.parametrize("name", ["paid", "grid", "monkey", "valid", "price index", "keyboard"])
def test_names_that_only_end_alike(name):
    assert not names_an_id(name)
