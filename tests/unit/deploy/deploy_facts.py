"""Facts of a model that nobody trained."""

from __future__ import annotations

from typing import Any

from assay.deploy.facts import Facts, Tensor
from assay.deploy.sizing import Measured, sized

DIGEST = "a86cbcc616959c6d781b081a2408afd46d902efa7de823cf439dbb7c22447591"


def facts(**changed: Any) -> Facts:
    """Return the facts of `Churn EU@3`, load-tested, with what is asked for changed."""
    given: dict[str, Any] = {
        "model": "Churn EU",
        "version": 3,
        "digest": DIGEST,
        "made_by": "0.1.0",
        "port": 8080,
        "workers": 2,
        "sizing": sized(2, 9_000, Measured(workers=2, capacity=5_000, peak_mb=310, slo_ms=50)),
        "requirements": ("numpy==2.4.6", "onnxruntime==1.31.1"),
        "versions": {"numpy": "2.4.6", "onnx": "1.23.2", "onnxruntime": "1.31.1"},
        "wheel": "assay_ml-0.1.0-py3-none-any.whl",
        "python": "3.11.7",
        "inputs": (
            Tensor("tenure", "tensor(double)", (None, 1)),
            Tensor('the "plan"', "tensor(string)", (None, 1)),
            Tensor("since", "tensor(int64)", (None, 1)),
        ),
        "outputs": (
            Tensor("probability", "tensor(double)", (None, 2)),
            Tensor("prediction", "tensor(string)", (None,)),
        ),
    }
    return Facts(**given | changed)
