"""Model card (Mitchell et al. 2019) and data card (after Gebru et al. 2021) in Markdown.

The model card is a file of the package, and the package's digest has to come out the same for the
same data and seed. So neither card holds a time, a duration, a run, a path or a count of reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from jinja2 import Environment, PackageLoader, StrictUndefined

from assay.records.decision import Decision
from assay.records.fitted import Field, Fitted
from assay.records.report import Report
from assay.records.spec import GateSpec
from assay.report import described, figures, html, judged, searched, text, words
from assay.report.course import chosen_shape
from assay.report.view import RunView

MOST_INPUTS = 200
ONNX = "model.onnx"
"""A model file under this name takes raw columns and gives the answer."""

_CARDS = Environment(
    loader=PackageLoader("assay.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=text.markdown,
)


def model_card(view: RunView) -> str:
    """Return the model card as Markdown; equal records give equal text."""
    fields = view.fitted.signature.inputs if view.fitted else ()
    settled = replace(view, test_reads=1, leaderboard=None)
    values = {
        "view": view,
        "question": view.seal.question or f"What will “{view.problem.target}” be?",
        "model": _model(view, view.fitted) if view.fitted else [("Model", "none was trained")],
        "inputs": [_input(field) for field in fields[:MOST_INPUTS]],
        "inputs_left": max(len(fields) - MOST_INPUTS, 0),
        "onnx": view.fitted is not None and ONNX in view.fitted.files,
        "words": any(field.type == "text" for field in fields),
        "rows": text.plural(view.report.rows, "test row") if view.report else "",
        "results": _results(view, view.report) if view.report else [],
        "paired": words.paired(view.report.comparison) if view.report else "",
        "gates": _gates(view, view.decision) if view.decision else [],
        "slices": _slices(view, view.report) if view.report else [],
        "primary": figures.title(view.problem.primary),
        "limits": words.limits(settled),
        "split_policy": words.split_policy(view),
        "parts": _parts(view),
    }
    return _render("model_card.md.j2", values)


def data_card(view: RunView) -> str:
    """Return the data card as Markdown; equal records give equal text."""
    snapshot = view.snapshot
    facts = [
        ("Rows", text.count(snapshot.rows)),
        ("Columns", text.count(len(snapshot.columns))),
        ("Target", view.problem.target),
        ("Licence", snapshot.licence or "not stated"),
        ("Citation", snapshot.citation or "not stated"),
        ("Content (SHA-256)", snapshot.content),
        ("Dropped", text.listing(snapshot.dropped) if snapshot.dropped else "nothing"),
    ]
    values = {
        "view": view,
        "source": text.source_name(snapshot.source),
        "facts": facts,
        "columns": described.column_rows(view),
        "columns_left": max(len(snapshot.columns) - described.MOST_COLUMNS, 0),
        "split_policy": words.split_policy(view),
        "parts": _parts(view),
        "audit_sentence": (
            f"{text.plural(len(view.audit.checks), 'check')} ran. {html.audit_sentence(view.audit)}"
        ),
    }
    return _render("data_card.md.j2", values)


def _render(template: str, values: dict[str, object]) -> str:
    return _CARDS.get_template(template).render(values).rstrip() + "\n"


def _model(view: RunView, fitted: Fitted) -> list[tuple[str, str]]:
    signature = fitted.signature
    facts = [("Task", f"{signature.task}, target {text.cut(signature.target)}")]
    if signature.classes:
        facts.append(("Classes", text.listing(text.cut(c, 40) for c in signature.classes[:30])))
    if signature.positive is not None:
        share = words.positive_share(view)
        facts.append(
            ("Positive class", signature.positive + (f" ({share} of the rows)" if share else ""))
        )
    members = ", ".join(_members(fitted))
    if signature.interval is not None:
        low, high = (text.number(end) for end in signature.interval)
        held = text.percent(signature.operating.coverage)
        facts.append((f"{held} prediction interval", f"{low} to {high} around the prediction"))
    return [
        *facts,
        ("Members", members),
        *_pooled(fitted),
        *_size(view),
        ("Baseline", fitted.baseline.candidate.name),
        ("Headline metric", _primary(view)),
    ]


def _members(fitted: Fitted) -> Iterator[str]:
    """Yield each candidate once, with its weight and how many models stand behind it."""
    weights, models = dict[str, float](), Counter[str]()
    for member in fitted.members:
        name = member.candidate.name
        weights[name] = weights.get(name, 0.0) + member.weight
        models[name] += 1
    for name, weight in weights.items():
        several = f", {models[name]} models" if models[name] > 1 else ""
        yield f"{text.cut(name)} ({searched.weight_text(weight, fitted.pool)}{several})"


def _pooled(fitted: Fitted) -> list[tuple[str, str]]:
    """Say how the answers of several models become one."""
    if len(fitted.members) == 1:
        return []
    said = {
        "linear": "the answer is the weighted mean of the members' answers",
        "log": "the logarithms of the members' probabilities are added up, each times its weight, "
        "and made probabilities again",
    }
    seeds = len({m.candidate.name for m in fitted.members}) < len(fitted.members)
    more = "; models of one member differ by their seed and count alike" if seeds else ""
    return [("Together", said[fitted.pool.scale] + more)]


def _size(view: RunView) -> list[tuple[str, str]]:
    """Return the size of the model's files; how fast it is depends on the machine."""
    chosen = chosen_shape(view.members) if view.members else None
    if view.members is None or chosen is None:
        return []
    size = text.size(view.members.shapes[chosen].bytes)
    return [("Size", f"{size}; the run report says how fast it answers, on which machine")]


def _primary(view: RunView) -> str:
    reason = f": {view.problem.reason}" if view.problem.reason else ""
    return f"{figures.title(view.problem.primary)}{reason}"


def _input(field: Field) -> tuple[str, str, str, str]:
    span = ""
    if field.categories:
        more = f" and {len(field.categories) - 6} more" if len(field.categories) > 6 else ""
        span = ", ".join(text.cut(c, 30) for c in field.categories[:6]) + more
    elif field.low is not None and field.high is not None:
        say = text.day if field.type == "datetime" else text.number
        span = f"{say(field.low)} to {say(field.high)}"
    return field.name, field.type, "yes" if field.missing else "no", span


def _results(view: RunView, report: Report) -> list[tuple[str, ...]]:
    return [
        (row.title, *row.champion, *row.baseline)
        for row in judged.metric_rows(report, view.problem.primary)
    ]


def _gates(view: RunView, decision: Decision) -> list[tuple[str, ...]]:
    """Return the gates; what depends on the machine or on what is live is for the report."""
    rows = zip(judged.gate_rows(view), decision.gates, view.seal.gates, strict=True)
    return [_gate(row, gate.metric, asked) for row, gate, asked in rows]


def _gate(row: judged.GateRow, metric: str, asked: GateSpec) -> tuple[str, ...]:
    if figures.on_machine(metric):
        return row.name, "see the run report", "depends on the machine", ""
    if asked.beats == "champion":
        return row.name, "see the run report", "depends on what is live", ""
    return row.name, row.verdict, row.value, row.interval


def _slices(view: RunView, report: Report) -> list[tuple[str, ...]]:
    return [
        (table.column, row.value, row.rows, row.score, row.interval, row.note)
        for table in judged.slice_tables(report, view.problem.primary)
        for row in table.rows
    ]


def _parts(view: RunView) -> str:
    split = view.split
    valid = f", {text.plural(split.valid, 'validation row')}" if split.valid else ""
    return (
        f"{text.plural(split.train, 'training row')}{valid}, {text.plural(split.test, 'test row')}"
    )
