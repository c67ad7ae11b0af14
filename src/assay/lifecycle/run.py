"""`assay run`: prepare, seal, carry the records through the stages, register, conclude."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from assay.errors import AssayError, UsageError
from assay.kernel import run as loop
from assay.kernel.executor import Executor, LocalProcesses, Serial, cores, peak_rss_mb
from assay.kernel.plugins import load_family
from assay.kernel.stage import Context, Note, take
from assay.kernel.store import get_record, put_record
from assay.lifecycle import history
from assay.lifecycle.project import Prepared, as_overrides, prepare
from assay.lifecycle.quarantine import suspects
from assay.lifecycle.result import RunResult
from assay.lifecycle.search.course import LAG
from assay.lifecycle.search.plan import workers_for
from assay.lifecycle.stages import CHECKS, STAGES, package_there
from assay.records.audit import Audit
from assay.records.base import digest
from assay.records.decision import Decision
from assay.records.package import Package
from assay.records.snapshot import DataSnapshot
from assay.records.spec import Agency, BudgetSection
from assay.registry.change import register
from assay.spec.load import load as load_spec
from assay.spec.toml import render
from assay.stores.workspace import Workspace, default_location, open_workspace

PROCESSES_FROM = 15_000
"""Rows from which worker processes pay for their start-up."""
PROCESSES_SECONDS = 15.0
"""A search among all candidates with so much time pays for them on any table."""

Notify = Callable[[Note], None]


def run(
    project: str | Path = ".",
    *,
    overrides: Sequence[str] = (),
    store: str | Path | None = None,
    notify: Notify = lambda _: None,
    allow_code: bool = True,
    quarantine: bool = False,
    **settings: Any,
) -> RunResult:
    """Carry a project from its file to a judged, packaged, registered model.

    The same project file, data, code and seed are the same run: one that was interrupted resumes
    at the first missing record, and one that is finished is returned as it is.

    Args:
        project: a folder with an `assay.toml`, or that file.
        overrides: `KEY=VALUE` settings in place of the file's.
        store: folder of the store; by default `$ASSAY_STORE`, else the project's `.assay`.
        notify: called with each line of progress.
        allow_code: whether the project's own Python may run.
        quarantine: whether to leave out the columns that the audit would stop at.
        **settings: the same as overrides, by keyword: `seed=3`, `budget="2m"`,
            `metric__primary="recall"`.

    Raises:
        AssayError: what a person has to mend, each with what to try next.
    """
    overrides = (*overrides, *as_overrides(settings))
    workspace, context, file = open_project(
        project, overrides, store, notify, allow_code=allow_code
    )
    lock = f"run-{digest(str(file.resolve()))[:12]}"
    waiting = workspace.lock(lock, lambda text: notify(Note("wait", text)))
    with waiting, workspace.session():
        start = time.monotonic()
        prepared = prepare(file, overrides, context)
        if quarantine:
            prepared = _without_suspects(prepared, file, overrides, context)
        return _carried(prepared, workspace, context, start, by_release=_by_release(prepared))


def run_again(prepared: Prepared, workspace: Workspace, context: Context) -> RunResult:
    """Carry what a retraining prepared to its end, or resume it.

    The model is registered, and never made the champion: how it compares with what is live decides
    that. Raises as `run` does.
    """
    with workspace.session():
        return _carried(prepared, workspace, context, time.monotonic(), by_release=True)


def _carried(
    prepared: Prepared, workspace: Workspace, context: Context, start: float, *, by_release: bool
) -> RunResult:
    """Start, resume, or find a run; `start` is when reading began."""
    context.run = prepared.run
    entry = history.runs(workspace.ledger.read()).get(prepared.run)
    if entry is None or not _whole(entry, context):
        _go(prepared, entry, context, start, by_release=by_release)
        entry = history.runs(workspace.ledger.read())[prepared.run]
    else:
        said = f"{entry.run} is {entry.status} already: nothing has changed"
        context.notify(Note("cached", said))
    return RunResult(workspace, entry, history.view(workspace, entry))


def _without_suspects(
    prepared: Prepared, file: Path, overrides: Sequence[str], context: Context
) -> Prepared:
    """Return the project without the columns that its audit would stop at."""
    records = loop.run(CHECKS, prepared.given(), context).records
    names = suspects(take(records, "audit", Audit), prepared.problem)
    if not names:
        return prepared
    context.notify(Note("audit", f"in quarantine: {', '.join(names)}"))
    dropped = render([*prepared.spec.data.drop, *names])
    return prepare(file, (*overrides, f"data.drop={dropped}"), context)


def _whole(entry: history.RunEntry, context: Context) -> bool:
    """Return True for a run that has ended, and of which nothing was lost since."""
    records = entry.data.get("records", {})
    if entry.status not in ("finished", "stopped") or not all(
        map(context.store.has, records.values())
    ):
        return False
    if "package" not in records:
        return True
    return package_there(get_record(context.store, records["package"], Package), context)


def open_project(
    project: str | Path,
    overrides: Sequence[str],
    store: str | Path | None,
    notify: Notify,
    *,
    allow_code: bool = True,
) -> tuple[Workspace, Context, Path]:
    """Return the store, a context, and the project file for work on a project."""
    file = project_file(project)
    load_spec(file, overrides)  # before the store: a broken file leaves nothing behind
    workspace = open_workspace(store or default_location(file.parent))
    context = Context(
        workspace.store,
        workspace.ledger,
        workspace.root,
        project=file.parent,
        notify=notify,
        allow_code=allow_code,
    )
    return workspace, context, file


def project_file(project: str | Path) -> Path:
    """Return the project file that `project` names; raises UsageError when there is none."""
    path = Path(project).expanduser()
    file = path / "assay.toml" if path.is_dir() else path
    if not file.is_file():
        raise UsageError(
            "PROJECT-NOT-FOUND",
            "there is no project file here",
            where=str(file),
            hint="assay init DIR --data FILE --target COLUMN writes one",
        )
    return file


def choose_executor(snapshot: DataSnapshot, budget: BudgetSection) -> Executor:
    """Return worker processes where they pay, as many as the memory holds, else this process.

    One thread each: on small tables a second one wins little, and LightGBM's threads wait for
    each other in a spin, so that one busy core more makes a fit fifty times slower. A worker can be
    ended in the middle of a fit, which keeps the time of large ones.
    """
    patient = cores() > 1 and not budget.only and (budget.seconds or 0.0) >= PROCESSES_SECONDS
    if snapshot.rows < PROCESSES_FROM and not patient:
        return Serial(threads=1)
    most = min(cores(), LAG)
    workers = workers_for(snapshot.rows, len(snapshot.columns), budget.memory, most)
    return LocalProcesses(workers, threads=1)


def _go(
    prepared: Prepared,
    entry: history.RunEntry | None,
    context: Context,
    start: float,
    *,
    by_release: bool,
) -> None:
    """Start or resume, run the stages, and write how it ended; `start` is when reading began."""
    reading = time.monotonic() - start
    budget = prepared.spec.budget
    if budget.seconds is not None:
        used = history.used(context.ledger.read(), prepared.run)
        context.deadline = start + budget.seconds - used
    context.executor = choose_executor(prepared.snapshot, budget)
    context.executor.warm(load_family(prepared.problem.family).capabilities.trainer)
    given = {name: put_record(context.store, r) for name, r in prepared.given().items()}
    if entry is None:
        write_choices(prepared, context)
        context.append(
            history.STARTED,
            prepared.run,
            project=prepared.spec.project.name,
            folder=str(prepared.folder.resolve()),
            given=given,
            spec=put_record(context.store, prepared.spec),
            parents=tuple(given.values()),
        )
    else:
        context.append(history.RESUMED, prepared.run)
    write_seal(prepared, context)
    try:
        progress = loop.run(STAGES, prepared.given(), context)
    except AssayError as error:
        context.append(
            history.FAILED,
            prepared.run,
            status="failed",
            code=error.code,
            reason=error.message,
            seconds=round(time.monotonic() - start, 3),
        )
        raise
    finally:
        context.executor.stop()
    conclude(progress, context, time.monotonic() - start, reading, by_release=by_release)


def _by_release(prepared: Prepared) -> bool:
    """Return True where the project file says how a new version takes over from the live one."""
    spec = prepared.spec
    chosen = any(c.path.startswith("release.") and c.agency != "default" for c in spec.choices)
    return chosen and spec.release.strategy != "direct"


def conclude(
    progress: loop.Progress,
    context: Context,
    seconds: float,
    reading: float,
    *,
    by_release: bool = False,
) -> None:
    """Register what was packaged, and write the end of the run."""
    decision, package = progress.records.get("judge"), progress.records.get("package")
    verdict = decision.verdict if isinstance(decision, Decision) else ""
    if isinstance(package, Package):
        register(context, package, verdict, by_release=by_release)
    context.append(
        history.FINISHED,
        context.run,
        status="stopped" if progress.halted else "finished",
        verdict=verdict or "rejected",
        halted=progress.halted,
        reason=progress.reason,
        records={name: digest(progress.records[name]) for name in progress.outcomes},
        stages=[["data", round(reading, 3), False], *_times(progress)],
        seconds=round(seconds, 3),
        peak_rss_mb=round(peak_rss_mb() + context.executor.peak_mb(), 1),
    )


def _times(progress: loop.Progress) -> list[list[Any]]:
    """Return name, seconds and whether it was there already, of each stage."""
    done = progress.outcomes.items()
    return [[name, round(outcome.seconds, 3), outcome.cached] for name, outcome in done]


def write_seal(prepared: Prepared, context: Context) -> None:
    """Put the seal into the ledger, before anything is fitted, unless it is there already."""
    name = digest(prepared.seal)
    if not history.sealed_at(context.ledger.read(), name):
        found = put_record(context.store, prepared.seal)
        agency = _most_personal(choice.agency for choice in prepared.spec.choices)
        context.append(history.SEALED, name, agency=agency, parents=(found,), run=prepared.run)


def _most_personal(agencies: Iterable[Agency]) -> Agency:
    """Return user when a person made any of the choices, else the nearest to that."""
    order: tuple[Agency, ...] = ("user", "accepted", "template", "default")
    return min(agencies, key=order.index, default="default")


def write_choices(prepared: Prepared, context: Context) -> None:
    """Write each choice of the project file that is new, with who made it."""
    name = prepared.spec.project.name
    known: dict[str, tuple[Any, str]] = {
        event.data["path"]: (event.data["value"], event.agency)
        for event in context.ledger.read()
        if event.kind == "choice.made" and event.subject == name
    }
    chosen = {choice.path for choice in prepared.spec.choices}
    for path, (value, _) in known.items():
        if path not in chosen and value is not None:
            context.append("choice.made", name, agency="user", path=path, value=None)
    for choice in prepared.spec.choices:
        if known.get(choice.path) != (choice.value, choice.agency):
            context.append(
                "choice.made", name, agency=choice.agency, path=choice.path, value=choice.value
            )
