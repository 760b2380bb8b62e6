"""An incident as Markdown: what a person reads first, then what it rests on."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from orchestration.steps.causes.evidence import compared

Row = dict[str, Any]

MOST_LINES = 40


def markdown(row: Row) -> str:
    """The report of an incident, as `browse.incident` gives it."""
    lines = [
        f"# {row['title']}",
        "",
        f"**{row['severity']}**, {row['state']}, {_span(row['start'], row['end'])} · "
        f"{len(row['anomaly_ids'])} anomalies of {len(row['entities'])} "
        f"in {', '.join(row['clusters'])} · `{row['incident_id']}`",
    ]
    if row["quieted"]:
        lines += ["", f"Quieter than it would be: {row['quieted']}."]
    if row["impact"].get("again"):
        lines += ["", f"Again: see `{row['impact']['again']}`."]
    if row["merged_into"]:
        lines += ["", f"Part of `{row['merged_into']}`."]
    lines += ["", "## Likely causes", "", *_causes(row)]
    lines += ["", "## What it does", "", *_symptoms(row["impact"]["symptoms"])]
    lines += ["", "## Timeline", "", *_timeline(row["timeline"])]
    if row["feedback"]:
        lines += ["", "## What was said", ""]
        lines += [_said(one) for one in row["feedback"]]
    return "\n".join(lines) + "\n"


def _span(start: datetime, end: datetime) -> str:
    minutes = (end - start).total_seconds() / 60
    length = f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC ({length})"


def _causes(row: Row) -> list[str]:
    lines = []
    if row["abstained"]:
        lines += [f"None is named: {row['abstained']}.", ""]
    for one in row["causes"]:
        where = f" in {one['cluster']}" if len(row["clusters"]) > 1 else ""
        lines.append(
            f"{one['rank']}. **{one['entity']}**{where} ({one['confidence']:.0%}): {one['reason']}"
        )
        lines += [
            f"   - {text['kind']}: {text['reason']}" for text in one["evidence"] if text["size"]
        ]
        lines += [f"   - against it: {text}" for text in one["against"]]
    return lines


def _symptoms(symptoms: Sequence[Row]) -> list[str]:
    lines = ["| who | what | metric | actual against expected | score |", "|---|---|---|---|---|"]
    for one in symptoms:
        known = one["actual"] is not None and one["expected"] is not None
        against = compared(one["actual"], one["expected"]) if known else ""
        who = f"{one['entity']} ({one['cluster']})"
        lines.append(
            f"| {who} | {one['what']} | {one['metric'] or ''} | {against} | {one['score']:.1f} |"
        )
    return lines


def _timeline(entries: Sequence[Row]) -> list[str]:
    lines = [f"- {one['time']:%m-%d %H:%M} {one['about']}: {one['what']}" for one in entries]
    more = len(lines) - MOST_LINES
    return lines[:MOST_LINES] + ([f"- … and {more} more"] if more > 0 else [])


def _said(one: Row) -> str:
    by = f" by {one['by']}" if one["by"] else ""
    cause = f", caused by {one['cause']}" if one["cause"] else ""
    note = f": {one['note']}" if one["note"] else ""
    return f"- {one['time']:%Y-%m-%d %H:%M} called {one['verdict']}{by}{cause}{note}"
