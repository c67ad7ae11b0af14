"""Assay: from a written question to a judged, packaged, registered model.

>>> import assay
>>> result = assay.run("examples/diagnosis")            # doctest: +SKIP
>>> result.verdict                                      # doctest: +SKIP
'accepted'
>>> assay.load("diagnosis@champion").predict(frame)     # doctest: +SKIP
"""

from __future__ import annotations

from typing import Any

from assay.kernel.loader import load as _load

__version__ = "0.1.0"

_PUBLIC = {
    "run": "assay.lifecycle.run:run",
    "check": "assay.lifecycle.check:check",
    "init": "assay.lifecycle.init:init",
    "load": "assay.lifecycle.predict:load",
    "models": "assay.lifecycle.models:models",
    "promote": "assay.lifecycle.models:promote",
    "rollback": "assay.lifecycle.models:rollback",
    "history": "assay.lifecycle.models:history",
    "verify": "assay.lifecycle.verify:verify",
    "judge": "assay.lifecycle.watching.judge:judge",
    "AssayError": "assay.errors:AssayError",
}
"""Public names, loaded on first use so that `import assay` stays light."""

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'assay' has no attribute {name!r}")
    value = globals()[name] = _load(_PUBLIC[name])
    return value


def __dir__() -> list[str]:
    return __all__
