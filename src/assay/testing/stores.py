"""What every store must do."""

# ruff: noqa: S101 -- a contract suite asserts

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from assay.errors import StoreError, Tampered
from assay.kernel.store import Store, get_record, put_record
from assay.records.base import digest, digest_of
from assay.records.fitted import Candidate
from assay.records.report import Estimate


class StoreContract:
    """Checks of `kernel.store.Store`; give the fixture `store`, an empty one."""

    @pytest.fixture
    def store(self) -> Store:
        """Return an empty store."""
        raise NotImplementedError("override the fixture `store`")

    @pytest.mark.parametrize(
        "data", [b"", b"text", bytes(range(256)), b"\x00" * 1_000_000], ids=len
    )
    def test_gives_back_what_was_put(self, store: Store, data: bytes) -> None:
        """Bytes of any kind and size come back the same, under their SHA-256."""
        name = store.put(data)
        assert name == digest_of(data)
        assert store.get(name) == data
        assert store.has(name)

    def test_same_bytes_are_one_blob(self, store: Store) -> None:
        """Putting twice changes nothing."""
        assert store.put(b"once") == store.put(b"once")
        assert store.digests() == [digest_of(b"once")]

    def test_lists_digests_in_order(self, store: Store) -> None:
        """Every blob is listed, sorted by digest."""
        assert store.digests() == []
        names = {store.put(b"%d" % i) for i in range(20)}
        assert store.digests() == sorted(names)

    def test_unknown_digest_is_an_error(self, store: Store) -> None:
        """What was never put is not there."""
        missing = digest_of(b"never put")
        assert not store.has(missing)
        with pytest.raises(StoreError) as caught:
            store.get(missing)
        assert caught.value.code == "STORE-NO-BLOB"
        assert caught.value.got == missing

    @pytest.mark.parametrize("name", ["", "..", "../../outside", "a/b", "A" * 64, "0" * 65, "\x00"])
    def test_hostile_names_find_nothing(self, store: Store, name: str) -> None:
        """A digest may come from a damaged record: it never leads out of the store."""
        store.put(b"something")
        assert not store.has(name)
        with pytest.raises(StoreError):
            store.get(name)

    def test_keeps_records(self, store: Store) -> None:
        """A record comes back equal; read as another kind it is Tampered."""
        record = Candidate(name="<b>Größe</b>", kind="tree", params={"depth": 3, "rate": 0.1})
        name = put_record(store, record)
        assert name == digest(record)
        assert get_record(store, name, Candidate) == record
        with pytest.raises(Tampered):
            get_record(store, name, Estimate)

    def test_threads_put_at_once(self, store: Store) -> None:
        """Many threads that put the same and different bytes leave every blob whole."""
        blobs = [b"%d" % (i % 10) * 10_000 for i in range(80)]
        with ThreadPoolExecutor(8) as pool:
            names = list(pool.map(store.put, blobs))
        assert names == [digest_of(blob) for blob in blobs]
        assert [store.get(name) for name in names] == blobs
        assert len(store.digests()) == 10
