"""Contract suites for those who write a store, a ledger, a judge or a family of their own.

Inherit one, give its fixture, and pytest runs every check::

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            return MyStore(tmp_path)
"""

import pytest

pytest.register_assert_rewrite(
    "assay.testing.stores", "assay.testing.ledgers", "assay.testing.gates", "assay.testing.families"
)

from assay.testing.families import FamilyContract  # noqa: E402 -- after the rewrite is registered
from assay.testing.gates import GateContract  # noqa: E402
from assay.testing.ledgers import LedgerContract  # noqa: E402
from assay.testing.stores import StoreContract  # noqa: E402

__all__ = ["FamilyContract", "GateContract", "LedgerContract", "StoreContract"]
