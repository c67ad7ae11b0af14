"""Where a unit stands among the versions: a keyed hash, so that every worker and server agree."""

from __future__ import annotations

from hashlib import blake2b


def share_of(unit: str, salt: str) -> float:
    """Return where `unit` stands in [0, 1): uniform over units, and the same wherever it is asked.

    BLAKE2b keyed with the salt (at most 64 bytes of UTF-8), the first 53 bits of its digest.
    Another salt gives a place independent of this one: it is not always the same units that meet
    what is new. The live version has the places below its share, the new one those above: as the
    new version's share grows, units only move to it, and none moves back.
    """
    key, data = salt.encode(), unit.encode("utf-8", "surrogatepass")
    digest = blake2b(data, digest_size=8, key=key).digest()
    return (int.from_bytes(digest, "big") >> 11) * 2.0**-53
