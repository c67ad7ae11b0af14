"""Every store and every ledger keeps the contract that ships with the package."""

from __future__ import annotations

import pytest

from assay.stores.folder import FolderStore
from assay.stores.memory import MemoryLedger, MemoryStore
from assay.stores.sqlite import SqliteLedger
from assay.stores.workspace import open_workspace
from assay.testing import LedgerContract, StoreContract


class TestFolderStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        return FolderStore(tmp_path / "with spaces & ümlaut" / "new")


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStore()


class TestStoreOfAWorkspace(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        return open_workspace(f"file://{tmp_path}/store").store


class TestSqliteLedger(LedgerContract):
    @pytest.fixture
    def ledger(self, tmp_path):
        return SqliteLedger(tmp_path / "with ? # % spaces" / "ledger.sqlite")


class TestMemoryLedger(LedgerContract):
    @pytest.fixture
    def ledger(self):
        return MemoryLedger()


class TestLedgerOfAWorkspace(LedgerContract):
    @pytest.fixture
    def ledger(self, tmp_path):
        return open_workspace(tmp_path / "store").ledger
