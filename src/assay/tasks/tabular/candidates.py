"""What the search tries, best guesses first, sized by the number of rows.

The sizes come from `benchmarks/tabular.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay.records.fitted import Candidate, Space

MANY_ROWS = 50_000
ROUNDS = 1500
"""Rounds of boosting at most; early stopping mostly ends it long before."""
_BOOSTING: dict[str, Any] = {
    "bagging_freq": 1,
    "bagging_fraction": 0.8,
}


def candidates(classes: int, rows: int, text: Sequence[str]) -> tuple[Candidate, ...]:
    """Return boosted trees, linear models and forests; `classes` is 0 for a number."""
    words = {"text": list(text)}
    return tuple(
        Candidate(
            name=name,
            kind=kind,
            params=params | words,
            stops_early=kind == "boosting",
            varies=kind == "boosting",
        )
        for name, kind, params in _declared(classes, rows, text=bool(text))
    )


def spaces(classes: int, rows: int, text: Sequence[str]) -> tuple[Space, ...]:  # noqa: ARG001
    """Return what tuning may turn."""
    return ()


def student(classes: int, rows: int, text: Sequence[str]) -> Candidate | None:  # noqa: ARG001
    """Return the single small model that can learn an ensemble's answers."""
    return None


def _declared(classes: int, rows: int, *, text: bool) -> list[tuple[str, str, dict[str, Any]]]:
    linear = [
        (f"linear_{strength:g}", "linear", {"strength": strength})
        for strength in ((2.0, 0.5) if text else (0.3, 0.03))
    ]
    trees = 100
    leaf = max(3, rows // (1_000 if classes else 2_000))
    share = 0.5 if not classes else "sqrt"
    extra = {"extra": True, "trees": trees, "leaf": leaf, "features": share}
    forest = {"extra": False, "trees": trees, "leaf": leaf, "features": share}
    return [
        *(linear[:1] if text else []),
        ("boosting", "boosting", boosting(rows, leaves=31)),
        *([] if text else linear[:1]),
        ("boosting_small", "boosting", boosting(rows, leaves=8, columns=0.5, l2=5.0)),
        ("boosting_large", "boosting", boosting(rows, leaves=95, columns=0.6, l2=2.0)),
        ("extra_trees", "forest", extra),
        ("random_forest", "forest", forest),
        *linear[1:],
    ]


def boosting(
    rows: int, *, leaves: int, columns: float = 0.8, l2: float = 1.0, rate: float = 0.05
) -> dict[str, Any]:
    """Return LightGBM parameters for about `rows` training rows; large tables get fewer rounds."""
    large = rows > MANY_ROWS
    return _BOOSTING | {
        "num_leaves": min(leaves, max(4, rows // 20)),
        "min_data_in_leaf": min(20, max(3, rows // 100)),
        "feature_fraction": columns,
        "lambda_l2": l2,
        "learning_rate": 2 * rate if large else rate,
        "rounds": max(150, ROUNDS * MANY_ROWS // rows) if large else ROUNDS,
    }
