"""The Markdown tables of a summary, and their place in this folder's README.md."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("README.md")


def markdown(said: dict[str, Any]) -> str:
    """Return the tables of one budget for the page."""
    there = said["frameworks"]
    parts = (
        _counts(said, "against_best_peer", "the best peer of a table"),
        _scores(said, there),
        _areas(said, there),
        _costs(said, there),
        _ratios(said),
        _own(said),
        _counts(said, "moonshot", "AutoGluon's best_quality with 600 s"),
        _moonshot(said),
    )
    return "\n\n".join(part for part in parts if part)


def _counts(said: dict[str, Any], key: str, peer: str) -> str:
    """Return in a sentence on how many tables ours is apart from a peer."""
    found = said[key]
    if not found:
        return ""
    words = ("better", "no difference shown", "worse")
    counts = ", ".join(f"{word} on {found.get(word, 0)}" for word in words)
    return (
        f"Assay with {said['seconds']} s beside {peer}: {counts} of {sum(found.values())} tables."
    )


def _rows(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float | None, figures: int = 3) -> str:
    """Return a number in so many figures that count, with commas where it is long."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{figures}g}"


def _scores(said: dict[str, Any], there: list[str]) -> str:
    rows = []
    for name, table in said["tables"].items():
        scores = {f: table["frameworks"].get(f, {}).get("score") for f in there}
        best = min((s for s in scores.values() if s is not None), default=None)
        cells = [
            f"**{_number(s, 5)}**"
            if s is not None and s == best
            else "failed"
            if s is None and f in table["frameworks"]
            else _number(s, 5)
            for f, s in scores.items()
        ]
        rows.append(
            [f"{name} ({table['metric']})", *cells, table.get("best_peer", ""), _gap(table)]
        )
    mean = [f"{said['mean_rank'][f]:.2f}" if f in said["mean_rank"] else "" for f in there]
    rows.append([f"mean rank of {said['tables_ranked']}", *mean, "", ""])
    return _rows(["table", *there, "best peer", "Assay minus the best peer"], rows)


def _areas(said: dict[str, Any], there: list[str]) -> str:
    """Return the areas under the ROC curve, of tables with classes."""
    rows = []
    for name, table in said["tables"].items():
        if table["metric"] == "log_loss":
            lines = [table["frameworks"].get(framework, {}) for framework in there]
            rows.append([name, *(_number(line.get("roc_auc"), 4) for line in lines)])
    return _rows(["ROC-AUC", *there], rows)


def _gap(found: dict[str, Any]) -> str:
    """Return a difference with its interval in words, nothing where there is none."""
    if "difference" not in found:
        return ""
    gap, low, high = found["difference"]
    return f"{gap:+.3g} [{low:+.3g}, {high:+.3g}], {found['says']}"


def _median(said: dict[str, Any], framework: str, read: Callable[[dict[str, Any]], Any]) -> str:
    values = [
        value
        for table in said["tables"].values()
        if (line := table["frameworks"].get(framework)) and (value := read(line)) is not None
    ]
    return _number(statistics.median(values)) if values else ""


def _costs(said: dict[str, Any], there: list[str]) -> str:
    columns: dict[str, Callable[[dict[str, Any]], Any]] = {
        "whole process s": lambda line: line.get("wall_s"),
        "one row ms": lambda line: line.get("row_ms"),
        "10,000 rows ms": lambda line: line.get("rows_10k_ms"),
        "disk MB": lambda line: line["disk_bytes"] / 1e6 if "disk_bytes" in line else None,
        "for deployment MB": lambda line: (
            line["deploy_bytes"] / 1e6 if "deploy_bytes" in line else None
        ),
        "peak memory MB": lambda line: line.get("peak_rss_mb"),
        "others' cores": lambda line: line.get("others"),
    }
    rows = [[f, *(_median(said, f, read) for read in columns.values())] for f in there]
    return _rows(["median of the tables", *columns], rows)


def _ratios(said: dict[str, Any]) -> str:
    found = said["ratios"]
    rows = [[peer, *(_share(found[words].get(peer)) for words in found)] for peer in found["disk"]]
    return _rows(["Assay divided by", *found], rows) if rows else ""


def _share(found: dict[str, float] | None) -> str:
    return f"{found['median']:.2g} ({found['largest']:.2g})" if found else ""


def _own(said: dict[str, Any]) -> str:
    rows = []
    for name, table in said["tables"].items():
        line = table["frameworks"].get("assay", {})
        if line.get("status") == "done":
            parity = line["parity"] or {}
            rows.append(
                [
                    name,
                    line["best"],
                    f"{line['wall_s']:.0f} s",
                    "yes" if line["budget_kept"] else "no",
                    f"{line['not_fitting_share']:.0%}",
                    f"{1000 * line['row_ms']:.0f}",
                    f"{1000 * line['dict_ms']:.0f}",
                    f"{line['disk_bytes'] / 1e6:.2f}",
                    f"{parity.get('label_flips', '')} / {parity.get('max_abs_diff', 0):.0e}",
                ]
            )
    head = ["Assay", "champion", "whole run", "budget kept", "not fitting"]
    head += ["one row in a frame µs", "as a dict µs", "package MB", "parity: flips / largest"]
    return _rows(head, rows) if rows else ""


def _moonshot(said: dict[str, Any]) -> str:
    rows = []
    for name, table in said["tables"].items():
        if found := table.get("moonshot"):
            ours = table["frameworks"]["assay"]["score"]
            rows.append([name, _number(ours, 5), _number(found["score"], 5), _gap(found)])
    head = ["table", f"Assay {said['seconds']} s", "AutoGluon best 600 s", "difference"]
    return _rows(head, rows) if rows else ""


def write_page(seconds: int, text: str) -> None:
    """Put the tables of a budget between their two marks in the page."""
    page = PAGE.read_text()
    start, end = f"<!-- {seconds} s -->", f"<!-- end of {seconds} s -->"
    head, _, rest = page.partition(start)
    tail = rest.partition(end)[2]
    PAGE.write_text(f"{head}{start}\n\n{text}\n\n{end}{tail}")
