"""The champion's members and the best baseline on all training rows, in the form that is served."""

from __future__ import annotations

from assay.kernel.stage import Context, Inputs, take
from assay.lifecycle.material import Material
from assay.lifecycle.search import fit_scope
from assay.lifecycle.shapes import LOOK_LEFT, Scales, choose, cost_gates
from assay.lifecycle.workshop import Part, Workshop
from assay.lifecycle.yard import Yard, trials_of
from assay.metrics import get
from assay.records.fitted import Leaderboard, Member, Members
from assay.records.seal import Seal
from assay.records.snapshot import DataSnapshot
from assay.records.split import Split


def members(inputs: Inputs, context: Context) -> Members:
    """Run the stage: each model is remembered on its own, so none is fitted twice.

    How many models there are was settled by the search, so that a rerun fits the same ones. Under
    a gate on latency the measured one chooses the form.
    """
    material = Material.open(inputs, context.store)
    board, snapshot = take(inputs, "search", Leaderboard), take(inputs, "snapshot", DataSnapshot)
    workshop = Workshop(material, context, fit_scope(inputs), take(inputs, "split", Split).seed)
    models, baseline = fit_all(workshop, board)
    yard = Yard(workshop, board, models, snapshot.columns)
    scales = Scales(material, context, snapshot)
    gates = cost_gates(take(inputs, "seal", Seal).gates)
    form, why = choose(scales, get(board.metric), yard.full, yard.others, gates)
    if len(scales.found) < 2 and context.left() >= LOOK_LEFT:
        scales.look([yard.full, *yard.few()])
    return Members(
        members=form.members,
        baseline=baseline,
        weights=dict(form.weights),
        pool=form.pool,
        shapes=scales.shapes(form, gates),
        student=yard.taught.trial if yard.taught is not None else None,
        why=why,
    )


def fit_all(workshop: Workshop, board: Leaderboard) -> tuple[dict[str, tuple[Member, ...]], Member]:
    """Return the models of each name in `board.weights`, and that of the best baseline."""
    trials = trials_of(board)
    parts = [
        Part.of(trials[name], bag)
        for name in board.weights
        for bag in range(board.bags if trials[name].candidate.varies else 1)
    ]
    *fitted, baseline = workshop.fitted([*parts, Part.of(board.baseline)])
    models = {
        name: tuple(member for member in fitted if member.candidate.name == name)
        for name in board.weights
    }
    return models, baseline
