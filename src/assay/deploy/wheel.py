"""Assay as a wheel, made from the files that are installed, so that no index is asked for it."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping

EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of every file, so that the same files are the same wheel."""
_READABLE = 0o644 << 16


def wheel(
    name: str, version: str, files: Mapping[str, bytes], about: Mapping[str, str]
) -> tuple[str, bytes]:
    """Return the name and the bytes of a wheel of pure Python.

    `files` are by their path in it; `about` is what stands beside them: METADATA and the like.

    Source: the binary distribution format (packaging.python.org), wheel 1.0.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    kind = "Wheel-Version: 1.0\nGenerator: assay\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    whole = {
        **dict(sorted(files.items())),
        **{f"{info}/{file}": text.encode() for file, text in about.items()},
        f"{info}/WHEEL": kind.encode(),
    }
    lines = [f"{path},sha256={_hash(data)},{len(data)}" for path, data in whole.items()]
    record = f"{info}/RECORD"
    whole[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in whole.items():
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.external_attr = _READABLE
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return f"{stem}-py3-none-any.whl", buffer.getvalue()


def _hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
