"""Which distributions `assay serve` needs: all of them, and no more."""

from __future__ import annotations

from collections.abc import Callable

from assay.errors import MissingExtra

SERVING: tuple[str, ...] = (
    "filelock",
    "httptools",
    "msgspec",
    "numpy",
    "onnxruntime",
    "polars",
    "polars-runtime-32",
    "uvloop",
)
"""With Assay itself nine. What ONNX Runtime declares beside numpy (flatbuffers, packaging,
protobuf) is for its tools that convert and train, and is never imported to answer."""

OURS = "assay-ml"


def pinned(installed: Callable[[str], str | None]) -> tuple[str, ...]:
    """Return `name==version` of each, as `installed` tells the version that is there.

    Raises MissingExtra for one that is not installed.
    """
    return tuple(f"{name}=={_version(name, installed(name))}" for name in SERVING)


def _version(name: str, found: str | None) -> str:
    if found is None:
        raise MissingExtra(
            "DEPLOY-REQUIREMENT",
            f"{name} is not installed here, so there is no version of it to serve with",
            got=name,
            allowed=list(SERVING),
            hint=f"pip install {name}",
        )
    return found
