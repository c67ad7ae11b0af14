"""The stages of a run, in order: the only place that names them."""

from __future__ import annotations

from assay.data.audit import audit
from assay.data.content import read_table
from assay.data.split import is_ordered, split
from assay.gates.judge import judge
from assay.kernel.plugins import load_family
from assay.kernel.stage import Context, Inputs, Stage, take
from assay.lifecycle.criteria import require_defined, require_slices
from assay.lifecycle.examine import evaluate
from assay.lifecycle.fit import fit
from assay.lifecycle.learning import learning
from assay.lifecycle.material import TEST, read_parts, target_codes, write_parts
from assay.lifecycle.members import members
from assay.lifecycle.operate import group_column, operate, require_classes
from assay.lifecycle.pack import package
from assay.lifecycle.profiling import profile
from assay.lifecycle.search import search
from assay.lifecycle.weigh import weigh
from assay.records.audit import Audit
from assay.records.base import Record, digest
from assay.records.decision import Decision
from assay.records.fitted import Fitted, Leaderboard, Members, Operation, Weighting
from assay.records.package import Package, Profiled
from assay.records.report import Curve, Report
from assay.records.seal import Seal
from assay.records.snapshot import DataSnapshot, Problem
from assay.records.spec import AuditSection, SplitSection
from assay.records.split import Split


def split_stage(inputs: Inputs, context: Context) -> Split:
    """Set the test rows aside."""
    policy = take(inputs, "spec.split", SplitSection)
    problem = take(inputs, "problem", Problem)
    snapshot = take(inputs, "snapshot", DataSnapshot)
    words, parts, note = split(
        policy, problem, read_table(snapshot, context.store), snapshot.test_rows
    )
    fixed = policy.folds == 1
    valid = int((parts == 0).sum()) if fixed else 0
    return Split(
        policy=words,
        seed=policy.seed,
        train=int((parts >= 0).sum()) - valid,
        valid=valid,
        test=int((parts == TEST).sum()),
        folds=policy.folds,
        rows=context.store.put(write_parts(parts)),
        ordered=is_ordered(policy),
        note=note,
    )


def audit_stage(inputs: Inputs, context: Context) -> Audit:
    """Look for what would make the numbers lie."""
    problem = take(inputs, "problem", Problem)
    snapshot = take(inputs, "snapshot", DataSnapshot)
    seal = take(inputs, "seal", Seal)
    table = read_table(snapshot, context.store)
    parts = read_parts(context.store.get(take(inputs, "split", Split).rows))
    require_defined(seal, problem, target_codes(table[problem.target], problem)[parts == TEST])
    require_slices(seal, table.filter(parts == TEST))
    require_classes(seal.answers, seal.fairness, problem)
    group_column(seal.fairness, problem, table)
    return audit(
        problem,
        snapshot,
        table,
        parts,
        seal.split,
        seal.gates,
        take(inputs, "spec.audit", AuditSection).accept,
        load_family(problem.family).profile(problem, snapshot),
    )


def stop_on_errors(record: Record) -> str | None:
    """Return why the audit stops the run, None when it does not."""
    blocking = record.blocking if isinstance(record, Audit) else ()
    if not blocking:
        return None
    named = ", ".join(sorted({f"{f.code} ({f.where})" for f in blocking}))
    return f"the audit found {named}"


def judge_stage(inputs: Inputs, context: Context) -> Decision:  # noqa: ARG001
    """Compare the intervals with the sealed gates."""
    seal = take(inputs, "seal", Seal)
    return judge(seal.gates, take(inputs, "evaluate", Report), digest(seal))


def package_there(record: Record, context: Context) -> bool:
    """Return True when the folder of a finished package is still there."""
    return isinstance(record, Package) and (context.folder / record.path).is_dir()


CHECKS = (
    Stage(
        "split",
        "Split",
        Split,
        ("spec.split", "problem", "snapshot", "engine"),
        split_stage,
    ),
    Stage(
        "audit",
        "Audit",
        Audit,
        ("split", "problem", "snapshot", "seal", "spec.audit", "engine"),
        audit_stage,
        halts=stop_on_errors,
    ),
)
"""What `assay check` runs."""

STAGES = (
    *CHECKS,
    Stage(
        "weigh",
        "Weights of the rows",
        Weighting,
        ("problem", "snapshot", "split", "engine", "spec.fairness"),
        weigh,
    ),
    Stage(
        "search",
        "Baselines and candidates",
        Leaderboard,
        ("problem", "snapshot", "split", "weigh", "engine", "spec.split", "spec.budget"),
        search,
    ),
    Stage(
        "learning",
        "Learning curve",
        Curve,
        ("search", "problem", "snapshot", "split", "weigh", "engine", "spec.budget"),
        learning,
    ),
    Stage(
        "members",
        "Members on all training rows",
        Members,
        ("search", "problem", "snapshot", "split", "weigh", "engine", "seal"),
        members,
    ),
    Stage(
        "operate",
        "Calibration and threshold, out of fold",
        Operation,
        (
            "search",
            "members",
            "problem",
            "snapshot",
            "split",
            "engine",
            "spec.answers",
            "spec.fairness",
        ),
        operate,
    ),
    Stage(
        "fit",
        "Export of the champion",
        Fitted,
        ("members", "operate", "problem", "snapshot", "split", "engine", "spec.data"),
        fit,
    ),
    Stage(
        "evaluate",
        "Evaluation on the test rows",
        Report,
        (
            "search",
            "members",
            "fit",
            "learning",
            "problem",
            "snapshot",
            "split",
            "seal",
            "spec.project",
            "spec.fairness",
        ),
        evaluate,
        version=2,
    ),
    Stage("judge", "Verdict", Decision, ("seal", "evaluate"), judge_stage),
    Stage(
        "profile",
        "Profile for monitoring",
        Profiled,
        ("search", "members", "fit", "evaluate", "problem", "snapshot", "split", "seal", "engine"),
        profile,
    ),
    Stage(
        "package",
        "Package",
        Package,
        (
            "spec",
            "spec.features",
            "snapshot",
            "problem",
            "split",
            "audit",
            "seal",
            "engine",
            "search",
            "members",
            "fit",
            "evaluate",
            "profile",
        ),
        package,
        intact=package_there,
    ),
)
"""A whole run."""
