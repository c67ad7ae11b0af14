"""Boosted trees and forests, best guesses first, sized by rows, classes and columns.

The parameters of LightGBM are those that AutoGluon chose on TabArena's tables for its portfolio
of December 2025 (autogluon/autogluon, `tabular/configs/zeroshot/zeroshot_portfolio_cpu_2025_12_18`,
commit f34ebb4; the number in a comment is its name there), in nearly their order. Learning rates
are ours: theirs, of 0.007 to 0.05, are meant for an hour. What tuning may turn, and how far, is
TabArena's search space for LightGBM (Erickson et al. 2025, "TabArena").
"""

from __future__ import annotations

from typing import Any

from assay.records.fitted import Candidate, Knob, Space
from assay.tasks.tabular.portfolio.facts import Facts

FEW_ROWS = 10_000
MANY_ROWS = 50_000
MANY_CLASSES = 10
"""From so many classes on, boosting is slow: a tree for each class and round."""
MOST_ROUNDS = 2000
BOOSTED_LEAVES = 60_000
"""Leaves of all trees of a booster, about and at most: a package of some 3 MB."""
WEAK_LEAVES = 8
FEWEST_NUMBERS, PAIRED = 3, 6
"""Columns of numbers from which pairs of them are tried, and how many of them are paired."""
LEAVES = 800
"""Leaves of a forest's tree, at most."""
TREES, FEW_TREES = 100, 50
"""Trees of a forest, and with so many classes that each leaf is long."""
LONG_LEAVES = 20
"""Classes from which a forest has few trees."""
FOREST_BYTES = 8_000_000
"""Size of a forest, about and at most."""
NODE_BYTES = 30
"""What a leaf and the split above it take of a file, beside the shares of the classes."""
MOST_LOOKED_AT = 25
"""Columns that a split of a forest looks at, about and at most."""
FOREST_ROWS = 30_000
"""Rows that each tree of a forest is grown on, at most."""
MOST_TAUGHT = 10
"""Classes that a student can learn the probabilities of."""

Params = dict[str, Any]

_BASE: Params = {"num_leaves": 31, "min_data_in_leaf": 20, "feature_fraction": 0.8,
                 "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 1.0}  # fmt: skip
_EXTRA: Params = {"num_leaves": 39, "min_data_in_leaf": 3, "feature_fraction": 0.46,
                  "bagging_fraction": 0.88, "bagging_freq": 1, "lambda_l1": 0.24,
                  "lambda_l2": 0.36, "extra_trees": True, "max_cat_to_onehot": 16,
                  "cat_l2": 0.34, "cat_smooth": 15.4, "min_data_per_group": 9}  # r177 # fmt: skip
_TARGET: Params = {"num_leaves": 64, "min_data_in_leaf": 28, "feature_fraction": 0.55,
                   "bagging_fraction": 0.99, "bagging_freq": 1, "lambda_l1": 0.91,
                   "lambda_l2": 1.9, "extra_trees": True}  # r13 # fmt: skip
_SMALL: Params = {"num_leaves": 8, "min_data_in_leaf": 15, "feature_fraction": 0.42,
                  "bagging_fraction": 0.72, "bagging_freq": 1, "lambda_l1": 0.11,
                  "lambda_l2": 0.26, "extra_trees": True}  # r41 # fmt: skip
_LARGE: Params = {"num_leaves": 84, "min_data_in_leaf": 3, "feature_fraction": 0.53,
                  "bagging_fraction": 0.98, "bagging_freq": 1, "lambda_l1": 0.03,
                  "lambda_l2": 0.84, "max_cat_to_onehot": 42, "cat_l2": 0.16,
                  "cat_smooth": 0.01, "min_data_per_group": 75}  # r163 # fmt: skip
_SIXTEEN: Params = {"num_leaves": 16, "min_data_in_leaf": 1, "feature_fraction": 0.58,
                    "bagging_fraction": 0.96, "bagging_freq": 1, "lambda_l1": 0.94,
                    "lambda_l2": 0.99}  # r31 # fmt: skip
_TWENTY: Params = {"num_leaves": 20, "min_data_in_leaf": 2, "feature_fraction": 0.43,
                   "bagging_fraction": 0.71, "bagging_freq": 1, "lambda_l1": 0.51,
                   "lambda_l2": 0.51, "max_cat_to_onehot": 16, "cat_l2": 0.87,
                   "cat_smooth": 48.7, "min_data_per_group": 32}  # r21 # fmt: skip
_WIDE: Params = {"num_leaves": 180, "min_data_in_leaf": 12, "feature_fraction": 0.40,
                 "bagging_fraction": 0.95, "bagging_freq": 1, "lambda_l1": 0.77, "lambda_l2": 1.6,
                 "extra_trees": True, "max_cat_to_onehot": 11, "cat_l2": 0.22,
                 "cat_smooth": 0.06, "min_data_per_group": 3}  # r72 # fmt: skip
_STUMPS: Params = {"num_leaves": 2, "min_data_in_leaf": 17, "feature_fraction": 0.59,
                   "bagging_fraction": 0.84, "bagging_freq": 1, "lambda_l1": 0.08,
                   "lambda_l2": 0.77}  # r184 # fmt: skip
_ABSOLUTE = frozenset({"mae", "median_ae", "mape"})
"""Headlines that are about medians more than about means."""


def trees(facts: Facts) -> list[Candidate]:
    """Return boosted trees and forests; with many classes, forests first."""
    boosters, (extra, forest), (histogram,) = _boosters(facts), _forests(facts), _histograms(facts)
    if facts.classes >= MANY_CLASSES:
        return [extra, boosters[0], forest, *boosters[1:], histogram]
    order = [*boosters[:2], extra, *boosters[2:4], histogram, *boosters[4:6], forest, *boosters[6:]]
    if facts.rows > FOREST_ROWS:  # what few leaves cannot say of many rows
        order = [*boosters[:4], histogram, *boosters[4:], extra, forest]
    return order


def _boosters(facts: Facts) -> list[Candidate]:
    """Return boosters, those with random thresholds first where rows are few.

    Random thresholds hold a model back from what is chance in few rows, and from what is there in
    many.
    """
    native, target = ("native", "target") if facts.named else ("codes", "codes")
    few = [("boosting_64", _TARGET | {"categories": target}),
           ("boosting_39", _EXTRA | {"categories": native})]  # fmt: skip
    many = [("boosting_84", _LARGE | {"categories": native}),
            ("boosting_16", _SIXTEEN | {"categories": target})]  # fmt: skip
    first, second = (few, many) if facts.rows <= FEW_ROWS else (many, few)
    found = [
        *first,
        ("boosting", _BASE | {"categories": native}),
        *second,
        ("boosting_8", _SMALL | {"categories": target}),
        ("boosting_20", _TWENTY | {"categories": native}),
        ("boosting_180", _WIDE | {"categories": native}),
        ("boosting_2", _STUMPS | {"categories": "codes"}),
    ]
    absolute = facts.primary in _ABSOLUTE
    bend: Params = {"target": "log" if absolute else "log_mean"} if facts.skewed else {}
    if facts.plain >= FEWEST_NUMBERS:
        crossed = _SIXTEEN | {"categories": native, "pairs": PAIRED}
        found.insert(2, ("crossed", crossed | bend))
    if bend:
        found.insert(1, ("boosting_log", _SIXTEEN | {"categories": target} | bend))
        found.insert(4, ("boosting_log_39", _EXTRA | {"categories": native} | bend))
    if absolute:
        found.insert(2, ("boosting_l1", _BASE | {"categories": native, "objective": "l1"} | bend))
    return [_booster(facts, name, params) for name, params in found]


def _booster(facts: Facts, name: str, params: Params) -> Candidate:
    return Candidate(
        name=name,
        kind="crossed" if "pairs" in params else "boosting",
        params=sized(facts, params) | {"text": list(facts.text)},
        stops_early=True,
        varies=True,
    )


def sized(facts: Facts, params: Params) -> Params:
    """Return LightGBM parameters for a table: rate and rounds, and leaves that its rows can fill.

    Trees of few leaves, or of random thresholds, learn less each, and get a higher rate.
    """
    rows, outputs = max(1, facts.rows), max(1, facts.classes if facts.classes > 2 else 1)
    weak = params.get("extra_trees", False) or params["num_leaves"] <= WEAK_LEAVES
    leaves = min(params["num_leaves"], max(4, rows // 20))
    rounds = min(MOST_ROUNDS, BOOSTED_LEAVES // leaves)
    if facts.load > MANY_ROWS:
        rounds = min(rounds, max(200, int(1500 * MANY_ROWS / facts.load)))
    return params | {
        "num_leaves": leaves,
        "min_data_in_leaf": min(params["min_data_in_leaf"], max(2, rows // 100)),
        "learning_rate": round(_rate(facts) * (1.5 if weak else 1.0), 4),
        "rounds": max(100, rounds // outputs),
    }


def _rate(facts: Facts) -> float:
    if facts.classes >= MANY_CLASSES or facts.load > MANY_ROWS:
        return 0.1
    return 0.06 if facts.load > FEW_ROWS or facts.classes > 2 else 0.03


def _forests(facts: Facts) -> list[Candidate]:
    """Return extra trees and a random forest: small enough to serve, as their leaves are few."""
    trees, leaves = TREES, LEAVES
    if facts.classes >= LONG_LEAVES:
        trees = FEW_TREES
        leaves = min(LEAVES, FOREST_BYTES // (trees * (NODE_BYTES + 8 * facts.classes)))
    base: Params = {
        "trees": trees,
        "leaf": 3,
        "leaves": max(2, leaves),
        "rows": FOREST_ROWS,
        "smooth": 1.0,
        "text": list(facts.text),
    }
    extra = {
        "extra": True,
        "features": _share(facts, 0.75),
        "categories": "target" if facts.named else "codes",
    }
    plain = {"extra": False, "features": _share(facts, 0.4)}
    return [
        Candidate(name="extra_trees", kind="forest", params=base | extra),
        Candidate(name="random_forest", kind="forest", params=base | plain),
    ]


def _share(facts: Facts, share: float) -> float:
    """Return the share of columns that a split looks at: less where there are many."""
    return round(max(0.1, min(share, MOST_LOOKED_AT / max(1, facts.columns))), 4)


def _histograms(facts: Facts) -> list[Candidate]:
    size = sized(facts, _BASE)
    params: Params = {
        "max_leaf_nodes": size["num_leaves"],
        "min_samples_leaf": size["min_data_in_leaf"],
        "l2_regularization": 1.0,
        "max_features": 0.7,
        "learning_rate": size["learning_rate"],
        "rounds": size["rounds"] if facts.load > MANY_ROWS else size["rounds"] // 2,
        "categories": "target" if facts.named else "codes",
        "text": list(facts.text),
    }
    return [
        Candidate(name="histogram", kind="histogram", params=params, stops_early=True, varies=True)
    ]


def tree_spaces(facts: Facts) -> list[Space]:
    """Return what tuning may turn."""
    boosting, forest, histogram = (
        {c.name: c for c in found}
        for found in (_boosters(facts), _forests(facts), _histograms(facts))
    )
    rate = _rate(facts)
    most = max(4, min(200, facts.rows // 20))
    return [
        Space(
            candidate=boosting["boosting"],
            knobs=(
                Knob(name="learning_rate", low=rate / 2, high=min(0.2, rate * 2), log=True),
                Knob(name="num_leaves", low=2, high=most, log=True, whole=True),
                Knob(name="min_data_in_leaf", low=1, high=64, log=True, whole=True),
                Knob(name="feature_fraction", low=0.4, high=1.0),
                Knob(name="bagging_fraction", low=0.7, high=1.0),
                Knob(name="lambda_l1", low=0.0, high=1.0),
                Knob(name="lambda_l2", low=0.0, high=2.0),
                Knob(name="extra_trees", choices=(False, True)),
                *(_CATEGORIES if facts.named else ()),
            ),
        ),
        Space(
            candidate=histogram["histogram"],
            knobs=(
                Knob(name="learning_rate", low=rate / 2, high=min(0.2, rate * 2), log=True),
                Knob(name="max_leaf_nodes", low=3, high=most, log=True, whole=True),
                Knob(name="min_samples_leaf", low=2, high=64, log=True, whole=True),
                Knob(name="l2_regularization", low=1e-3, high=10.0, log=True),
                Knob(name="max_features", low=0.3, high=1.0),
            ),
        ),
        Space(
            candidate=forest["extra_trees"],
            knobs=(
                Knob(name="extra", choices=(True, False)),
                Knob(name="leaf", low=1, high=20, log=True, whole=True),
                Knob(name="features", low=0.2, high=1.0),
            ),
        ),
    ]  # fmt: skip


_CATEGORIES = (
    Knob(name="categories", choices=("native", "target", "codes")),
    Knob(name="cat_smooth", low=1e-3, high=100.0, log=True),
    Knob(name="cat_l2", low=5e-3, high=10.0, log=True),
    Knob(name="max_cat_to_onehot", low=4, high=100, log=True, whole=True),
)


def teachable(facts: Facts) -> Candidate | None:
    """Return boosted trees that learn an ensemble's answers; None for text and many classes."""
    if facts.text or facts.classes > MOST_TAUGHT:
        return None
    params = _BASE | {"categories": "codes", "bagging_fraction": 1.0, "feature_fraction": 1.0}
    small = sized(facts, params) | {"learning_rate": 0.1, "rounds": 300, "text": []}
    return Candidate(name="student", kind="boosting", params=small, stops_early=True, varies=True)
