"""What the files are written from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from assay.deploy.sizing import Sizing

MODEL_FILE = "model.onnx"


@dataclass(frozen=True)
class Tensor:
    """An input or output of the model file: its name, ONNX Runtime's type, and its dimensions.

    A dimension is None where it is the number of rows.
    """

    name: str
    type: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Facts:
    """One version of a model, how it is to be served, and what it takes.

    `requirements` are pinned distributions, `versions` those of others that the files name, `wheel`
    is the file name of Assay itself, `python` the version here. `inputs` and `outputs` are those of
    the model file, where it goes there alone.
    """

    model: str
    version: int
    digest: str
    made_by: str
    port: int
    workers: int
    sizing: Sizing
    requirements: tuple[str, ...]
    versions: Mapping[str, str]
    wheel: str
    python: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def reference(self) -> str:
        """Return `name@version`."""
        return f"{self.model}@{self.version}"

    @property
    def header(self) -> str:
        """Return what made the files, and from what."""
        return f"Written by assay {self.made_by} for {self.reference}, package {self.digest}"

    @property
    def app(self) -> str:
        """Return the model's name as a label of a host, as RFC 1123 has them."""
        return re.sub(r"[^a-z0-9]+", "-", self.model.lower()).strip("-")[:50].strip("-") or "model"

    @property
    def image(self) -> str:
        """Return the image's name and tag."""
        return f"{self.app}:{self.version}"
