"""What of the smooth models is tried on which table."""

from __future__ import annotations

import pytest

from assay.records.base import to_json
from assay.tasks.tabular.models.kind import KINDS
from assay.tasks.tabular.portfolio.facts import Facts
from assay.tasks.tabular.portfolio.smooth import EPOCHS, smooth, smooth_spaces

TABLES = {
    "small": Facts(classes=2, rows=500, plain=5, levels=(3, 8)),
    "number": Facts(classes=0, rows=20_000, plain=8, skewed=True),
    "digits": Facts(classes=10, rows=1_500, plain=64),
    "letters": Facts(classes=26, rows=20_000, plain=16),
    "long": Facts(classes=2, rows=1_000_000, plain=20, levels=(10, 50, 3000)),
    "wide": Facts(classes=0, rows=2_000, plain=2_000),
    "one": Facts(classes=3, rows=40, plain=0, levels=(2,)),
    "words": Facts(classes=4, rows=8_000, plain=2, text=("review",)),
}


@pytest.mark.parametrize("name", TABLES)
def test_candidates_are_named_once_and_of_known_kinds(name: str) -> None:
    found = smooth(TABLES[name])
    assert len({candidate.name for candidate in found}) == len(found) > 1
    for candidate in [*found, *(space.candidate for space in smooth_spaces(TABLES[name]))]:
        assert candidate.kind in KINDS
        assert to_json(candidate)
        assert candidate.params["text"] == list(TABLES[name].text)
        if candidate.kind == "network":
            assert EPOCHS[0] <= candidate.params["epochs"] <= EPOCHS[1]
            assert candidate.varies
            assert candidate.stops_early


@pytest.mark.parametrize("name", TABLES)
def test_knobs_turn_what_the_candidate_has(name: str) -> None:
    for space in smooth_spaces(TABLES[name]):
        for knob in space.knobs:
            value = space.candidate.params[knob.name]
            assert value in knob.choices if knob.choices else knob.low <= value <= knob.high


def kinds(name: str) -> list[str]:
    return [candidate.kind for candidate in smooth(TABLES[name])]


def test_slow_kinds_are_not_tried_where_they_are_silly() -> None:
    assert {"kernel", "neighbours", "bayes", "network", "spline"} <= set(kinds("small"))
    assert not {"kernel", "neighbours"} & set(kinds("long"))
    assert "neighbours" not in kinds("wide")
    assert not {"kernel", "spline", "bayes"} & set(kinds("letters"))
    assert "bayes" not in kinds("number")


def test_words_are_for_linear_models() -> None:
    assert kinds("words") == ["linear", "spline", "linear"]


def test_a_skewed_number_is_learned_on_both_scales() -> None:
    targets = {c.params.get("target", "") for c in smooth(TABLES["number"])}
    assert targets == {"", "log_mean"}
    assert all("target" not in c.params for c in smooth(TABLES["small"]))
