from __future__ import annotations

import errno
import os
import resource

import pytest

from assay.errors import StoreError, Tampered
from assay.records.base import digest_of
from assay.stores.folder import FolderStore


def files(store_root):
    return sorted(path for path in store_root.rglob("*") if path.is_file())


def test_layout_and_nothing_besides(tmp_path):
    name = FolderStore(tmp_path).put(b"blob")
    assert files(tmp_path) == [tmp_path / "objects" / name[:2] / name[2:]]


@pytest.mark.parametrize("position", [0, 500, 999])
def test_a_flipped_byte_is_tampered_and_names_the_file(tmp_path, position):
    store = FolderStore(tmp_path)
    name = store.put(bytes(1000))
    (path,) = files(tmp_path)
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    with pytest.raises(Tampered) as caught:
        store.get(name)
    assert caught.value.code == "STORE-TAMPERED"
    assert caught.value.where == str(path)
    assert caught.value.exit_code == 5


def test_a_truncated_blob_is_tampered(tmp_path):
    store = FolderStore(tmp_path)
    name = store.put(b"whole")
    files(tmp_path)[0].write_bytes(b"")
    with pytest.raises(Tampered):
        store.get(name)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "STORE-FULL"),
        (errno.EDQUOT, "STORE-FULL"),
        (errno.EROFS, "STORE-READ-ONLY"),
        (errno.EACCES, "STORE-READ-ONLY"),
        (errno.EPERM, "STORE-READ-ONLY"),
        (errno.EIO, "STORE-FAULT"),
    ],
)
@pytest.mark.parametrize("call", ["fsync", "mkdir"])
def test_faults_are_named_and_leave_nothing(tmp_path, monkeypatch, call, number, code):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    store = FolderStore(tmp_path)
    with pytest.raises(StoreError) as caught:
        store.put(b"lost")
    assert caught.value.code == code
    assert caught.value.hint
    assert str(tmp_path) in caught.value.where
    assert files(tmp_path) == []
    assert not store.has(digest_of(b"lost"))


def test_a_limit_on_file_size_is_a_full_store(tmp_path):
    store, old = FolderStore(tmp_path), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, old[1]))
    try:
        with pytest.raises(StoreError) as caught:
            store.put(bytes(200_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert caught.value.code == "STORE-FULL"
    assert files(tmp_path) == []
    assert store.get(store.put(bytes(200_000))) == bytes(200_000)


def test_a_full_disk(small_disk):
    store = FolderStore(small_disk.path)
    first = store.put(b"first")
    small_disk.fill()
    for size in (10, 300_000):
        with pytest.raises(StoreError) as caught:
            store.put(b"x" * size)
        assert caught.value.code == "STORE-FULL"
    assert store.digests() == [first]
    assert store.get(first) == b"first"
    small_disk.free()
    assert [p.name for p in files(small_disk.path)] == [first[2:]]
    assert store.get(store.put(b"x" * 300_000)) == b"x" * 300_000


def test_a_read_only_disk(small_disk):
    store = FolderStore(small_disk.path)
    first = store.put(b"first")
    small_disk.remount("ro")
    with pytest.raises(StoreError) as caught:
        store.put(b"second")
    assert caught.value.code == "STORE-READ-ONLY"
    assert store.put(b"first") == first  # it is there: nothing to write
    assert store.get(first) == b"first"


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "objects").write_text("in the way")
    with pytest.raises(StoreError) as caught:
        FolderStore(tmp_path).put(b"blob")
    assert caught.value.code == "STORE-FAULT"


PUT_FOREVER = """
import sys
from pathlib import Path
from assay.stores.folder import FolderStore
store, n = FolderStore(Path(sys.argv[1])), 0
while True:
    print(store.put(b"%d" % n * 50_000), flush=True)
    n += 1
"""


def test_killed_while_putting(tmp_path, python):
    process = python(PUT_FOREVER, tmp_path)
    acknowledged = [process.stdout.readline().strip() for _ in range(15)]
    process.kill()
    acknowledged += process.communicate()[0].split()
    store = FolderStore(tmp_path)
    for name in store.digests():
        store.get(name)  # whole, or this raises
    assert set(acknowledged) <= {*store.digests(), *(n for n in acknowledged if len(n) < 64)}


def test_what_a_killed_process_left_is_never_read(tmp_path):
    store = FolderStore(tmp_path)
    name = store.put(b"whole")
    (tmp_path / "objects" / name[:2] / ".0f0f.tmp").write_bytes(b"hal")
    (tmp_path / "objects" / ".DS_Store").write_bytes(b"")
    assert store.digests() == [name]
