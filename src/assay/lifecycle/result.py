"""What a run gives back: the same facts for Python, a notebook, and the JSON envelope."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import msgspec

from assay.lifecycle.history import RunEntry, find, runs, view
from assay.metrics import get
from assay.records.audit import Finding
from assay.records.decision import GateResult
from assay.records.fitted import Trial
from assay.records.report import Estimate, Examination
from assay.report.html import render_html
from assay.report.hypothesis import why
from assay.report.numbers import Text, plain_numbers
from assay.report.plain import render_plain
from assay.report.view import RunView
from assay.stores.faults import explained
from assay.stores.workspace import Workspace, find_workspace

EXIT_CODES = {"accepted": 0, "rejected": 3, "inconclusive": 4}


@dataclass(frozen=True, repr=False)
class RunResult:
    """A finished run, or one that the audit stopped.

    `view` has every record of it. In a notebook the result shows itself as a short table.
    """

    workspace: Workspace
    entry: RunEntry
    view: RunView

    @property
    def run(self) -> str:
        """Return the run's id."""
        return self.view.run

    @property
    def verdict(self) -> str:
        """Return accepted, rejected or inconclusive; a run that the audit stopped is rejected."""
        return self.view.decision.verdict if self.view.decision else "rejected"

    @property
    def exit_code(self) -> int:
        """Return the exit code of the command line."""
        return EXIT_CODES[self.verdict]

    @property
    def metrics(self) -> Mapping[str, Estimate]:
        """Return the champion's metrics on the test rows, empty when it got none."""
        return self.view.report.champion.metrics if self.view.report else {}

    @property
    def package(self) -> Path | None:
        """Return the folder of the package, None when the run made none."""
        return self.workspace.root / self.view.package.path if self.view.package else None

    def report(self, path: str | Path | None = None, *, plain: bool = False) -> Path:
        """Write the HTML report and return where it lies (by default in the store's reports).

        With `plain` it is the page for readers who are not technical. Raises StoreError when there
        is no room or no right to write.
        """
        name = f"{self.run}.plain.html" if plain else f"{self.run}.html"
        target = Path(path) if path else self.workspace.folder("reports") / name
        render = render_plain if plain else render_html
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        with explained(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                draft.write_text(render(self.view), encoding="utf-8")
                draft.replace(target)
            finally:
                draft.unlink(missing_ok=True)
        return target

    def to_dict(self) -> dict[str, Any]:
        """Return the `data` of the JSON envelope."""
        view = self.view
        return {
            "run": view.run,
            "project": view.project.project.name,
            "task": view.problem.task,
            "verdict": self.verdict,
            "stopped_by": view.halted,
            "reason": view.reason or (view.decision.reason if view.decision else ""),
            "seal": {"digest": view.seal_digest, "at": view.sealed_at},
            "split": {
                "policy": view.split.policy,
                "train": view.split.train,
                "valid": view.split.valid,
                "test": view.split.test,
                "seed": view.split.seed,
            },
            "audit": [plain(finding) for finding in view.audit.findings],
            **self._models(),
            **self._searched(),
            "seconds": {
                "total": view.seconds,
                **{stage.name: stage.seconds for stage in view.stages},
            },
            "peak_rss_mb": self.entry.data.get("peak_rss_mb", 0),
            "test_reads": view.test_reads,
            **self._judgement(),
        }

    def _searched(self) -> dict[str, Any]:
        """Return how the search went, and the forms that the champion could take."""
        board, members = self.view.leaderboard, self.view.members
        keys = ("metric", "score", "weights", "pool", "steps", "bags", "iterations", "stopped_by")
        return {
            "search": {key: plain(getattr(board, key)) for key in (*keys, "seconds")}
            if board
            else None,
            "serves": {
                key: plain(getattr(members, key)) for key in ("weights", "pool", "shapes", "why")
            }
            if members
            else None,
        }

    def _judgement(self) -> dict[str, Any]:
        view, explained = self.view, why(self.view)
        return {
            "looks": view.report.looks if view.report else 0,
            "examinations": [_short(e) for e in view.report.examinations] if view.report else [],
            "comparisons": [plain(c) for c in view.report.comparisons] if view.report else [],
            "why": {
                "found": [_said(text) for text in explained.found],
                "hypothesis": [_said(text) for text in explained.guess],
            }
            if explained
            else None,
            "checklist": [vars(line) for line in view.checklist],
            "pitfalls": [vars(line) for line in view.pitfalls],
        }

    def _models(self) -> dict[str, Any]:
        report, package, version = self.view.report, self.view.package, self.view.version
        board, decision = self.view.leaderboard, self.view.decision
        return {
            "baseline": plain(report.baseline) if report else None,
            "champion": plain(report.champion) if report else None,
            "comparison": plain(report.comparison) if report else None,
            "leaderboard": [_entry(t) for t in (*board.trials, *board.baselines)] if board else [],
            "gates": [plain(gate) for gate in decision.gates] if decision else [],
            "parity": plain(report.parity) if report else None,
            "package": {
                "digest": package.digest,
                "path": str(self.package),
                "bytes": package.bytes,
            }
            if package
            else None,
            "model": {
                "name": version.name,
                "version": version.version,
                "alias": version.aliases[0] if version.aliases else None,
            }
            if version
            else None,
        }

    def __repr__(self) -> str:
        said = [self.run, "stopped" if self.view.halted else self.verdict]
        primary = self.view.problem.primary
        if primary in self.metrics:
            said.append(f"{primary} {_estimate(primary, self.metrics[primary])}")
        return f"RunResult({', '.join(said)})"

    def _repr_html_(self) -> str:
        view, verdict = self.view, "stopped" if self.view.halted else self.verdict
        rows = [*self._scores(), *((f"{f.severity}: {f.code}", f.message) for f in self._open())]
        rows.append(("seal", f"{view.seal_digest[:12]}, made {view.sealed_at[:19]} UTC"))
        if self.package:
            rows.append(("package", str(self.package)))
        report = self.workspace.root / "reports" / f"{self.run}.html"
        rows.append(("report", str(report) if report.exists() else "result.report() writes it"))
        body = "".join(
            f'<tr><td style="{_CELL};opacity:.7">{escape(a)}</td>'
            f'<td style="{_CELL}">{escape(b)}</td></tr>'
            for a, b in rows
        )
        return (
            f'<h4 style="margin:0">{escape(self.run)}: {escape(verdict)}</h4>'
            f'<p style="margin:.3em 0">{escape(view.project.project.question)}</p>'
            f"<table>{body}</table>"
        )

    def _scores(self) -> Iterator[tuple[str, str]]:
        """Yield baseline, champion and gates, each number with its interval."""
        report, primary = self.view.report, self.view.problem.primary
        for label in ("baseline", "champion") if report else ():
            scores = getattr(report, label)
            if primary in scores.metrics:
                said = _estimate(primary, scores.metrics[primary])
                yield label, f"{scores.name}: {primary} {said}"
        for gate in self.view.decision.gates if self.view.decision else ():
            yield f"gate {gate.name}", f"{gate.verdict}: {_estimate(gate.metric, gate)}"

    def _open(self) -> tuple[Finding, ...]:
        return self.view.audit.blocking if self.view.halted else ()


_CELL = "text-align:left;padding:.15em .8em .15em 0"


def _estimate(metric: str, found: Estimate | GateResult) -> str:
    show = get(metric).format
    return f"{show(found.value)} [{show(found.low)}, {show(found.high)}]"


def plain(record: Any) -> Any:
    """Return a record as JSON data, without the tags that only storage needs."""
    if isinstance(record, msgspec.Struct):
        return {name: plain(getattr(record, name)) for name in record.__struct_fields__}
    if isinstance(record, dict):
        return {key: plain(item) for key, item in record.items()}
    return [plain(item) for item in record] if isinstance(record, list | tuple) else record


def _entry(trial: Trial) -> dict[str, Any]:
    return {
        "name": trial.candidate.name,
        "kind": trial.candidate.kind,
        "status": trial.status,
        "score": trial.score,
        "low": trial.low,
        "high": trial.high,
        "scores": list(trial.scores),
        "rows": trial.rows,
        "seconds": trial.seconds,
        "at": trial.at,
        "note": trial.note,
    }


def _short(found: Examination) -> dict[str, Any]:
    """Return an examination without its tables and plots, which the report shows."""
    keys = ("name", "title", "concern", "reading", "advice", "numbers")
    return {key: plain(getattr(found, key)) for key in keys}


def _said(text: Text) -> dict[str, Any]:
    return {"text": str(text), "numbers": plain_numbers(text)}


def open_run(reference: str = "last", store: str | Path | None = None) -> RunResult:
    """Return a run of a store by its id, a part of it, or `last`; raises UsageError."""
    workspace = find_workspace(store)
    entry = find(runs(workspace.ledger.read()), reference)
    return RunResult(workspace, entry, view(workspace, entry))


def list_runs(store: str | Path | None = None) -> list[RunEntry]:
    """Return every run of a store, oldest first."""
    workspace = find_workspace(store)
    return list(runs(workspace.ledger.read()).values())
