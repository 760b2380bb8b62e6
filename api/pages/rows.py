"""Rows of the lake as rows of the page's tables: a value to sort by, and a text to read."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from api.pages import format as fmt
from detectors.incidents import SEVERITIES
from orchestration.steps.advice.browse import BYTES_A_CORE, GPU_CORES
from orchestration.steps.advice.rightsizing.quantities import bytes_text, cores_text
from orchestration.steps.forecast.listing import is_past
from orchestration.steps.forecast.sentence import does, since, stands, subject
from orchestration.steps.paging import Row

Cells = dict[str, Any]
"""What a table's row holds: `name` sorts, `name_text` is shown."""

ARROWS = {
    "above": "↑ above",
    "below": "↓ below",
    "above everywhere": "↑ above everywhere",
    "below everywhere": "↓ below everywhere",
}
ABSENCE = "absence"
"""The detector whose rows count what reports."""

SOON = timedelta(hours=1)
"""What is due within it is an alarm."""

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""Sorts what nobody knows the time of before all that has one."""

STATES = {"interim": "open", "final": "closed"}


def cluster_row(row: Row) -> Cells:
    """A row of `browse.clusters`.

    >>> from datetime import datetime, UTC
    >>> cells = cluster_row({"cluster": "eu-1", "series": 1200, "workloads": 40, "nodes": 3,
    ...     "freshness_seconds": 300.0, "open_anomalies": 1, "anomalies": 4,
    ...     "last_sample": datetime(2026, 3, 2, tzinfo=UTC)})
    >>> cells["data_text"], cells["level"], cells["series_text"]
    ('late · 5 min', 'late', '1,200')
    """
    age = timedelta(seconds=row["freshness_seconds"])
    level = fmt.freshness(age)
    counts = ("series", "nodes", "workloads", "anomalies", "open_anomalies")
    return {
        "cluster": row["cluster"],
        "data": row["freshness_seconds"],
        "data_text": f"{level} · {fmt.duration(age, rough=True)}",
        "data_hint": f"newest sample {fmt.day_and_time(row['last_sample'])} UTC",
        "level": level,
        **{name: row[name] for name in counts},
        **{f"{name}_text": f"{row[name]:,}" for name in counts},
    }


def anomaly_row(row: Row) -> Cells:
    """A row of `browse.anomalies`; actual and expected in one unit, so that they compare."""
    scale = scale_of(row, (row["actual"], row["expected"]))
    return {
        "id": row["anomaly_id"],
        "start": row["start"].isoformat(),
        "start_text": fmt.day_and_time(row["start"]),
        "length": (row["end"] - row["start"]).total_seconds(),
        "length_text": fmt.duration(row["end"] - row["start"]),
        "cluster": row["cluster"],
        "where": where(row),
        "metric": row["metric"] or fmt.MISSING,
        "score": row["score"],
        "score_text": f"{row['score']:.1f}",
        "actual": row["actual"],
        "actual_text": scale.text(row["actual"]),
        "expected": row["expected"],
        "expected_text": scale.text(row["expected"]),
        "direction": row["direction"] or "",
        "direction_text": ARROWS.get(row["direction"] or "", fmt.MISSING),
        "state": row["state"],
        "state_text": STATES.get(row["state"], row["state"]),
    }


def incident_row(row: Row) -> Cells:
    """A row of `incidents.browse.incidents`."""
    named = row["causes"] and not row["abstained"]
    cause = f"{row['causes'][0]['entity']}: {row['causes'][0]['reason']}" if named else ""
    return {
        "id": row["incident_id"],
        "start": row["start"].isoformat(),
        "start_text": fmt.day_and_time(row["start"]),
        "severity": SEVERITIES.index(row["severity"]),
        "severity_text": row["severity"],
        "title": row["title"],
        "cause": cause or "none stands out",
        "anomalies": len(row["anomaly_ids"]),
        "anomalies_text": f"{len(row['anomaly_ids']):,}",
        "state": row["state"],
        "state_text": row["state"],
    }


def advice_row(row: Row) -> Cells:
    """A row of `advice.browse.listing`."""
    shares = {"now": row["current_risk"], "then": row["risk"], "sure": row["confidence"]}
    return {
        "id": row["advice_id"],
        "title": row["title"],
        "saving": worth(row),
        "saving_text": saving_text(row),
        **{name: -1.0 if share is None else share for name, share in shares.items()},
        **{
            f"{name}_text": fmt.MISSING if share is None else f"{100 * share:.3g} %"
            for name, share in shares.items()
        },
        "state": row["state"],
        "state_text": row["state"],
    }


def forecast_row(row: Row, now: datetime) -> Cells:
    """A row of `forecast.listing.current` that has a time, or is past its threshold."""
    past = is_past(row)
    at = row["eta_upper"] if past else row["eta"]
    left = (at or LONG_AGO) - now
    ends = (None, None) if past else (row["eta_lower"], row["eta_upper"])
    limited = row["value"] is not None and bool(row["capacity"])
    shares = {
        "used": row["value"] / row["capacity"] if limited else None,
        "chance": row["chance"],
        "held": row["coverage"],
    }
    return {
        "id": row["forecast_id"],
        "due": (at or LONG_AGO).isoformat(),
        "due_text": fmt.day_and_time(at) if at else fmt.MISSING,
        "left": left.total_seconds(),
        "left_text": "past" if past else left_text(left),
        "soon": left < SOON,
        "between": (ends[0] or at or LONG_AGO).isoformat(),
        "between_text": between(*ends),
        "what": subject(row),
        "does": f"{stands(row)}{since(row, now)}" if past else does(row),
        **{name: -1.0 if share is None else share for name, share in shares.items()},
        **{
            f"{name}_text": fmt.MISSING if share is None else f"{100 * share:.3g} %"
            for name, share in shares.items()
        },
    }


def left_text(left: timedelta) -> str:
    """How long it is until a time.

    >>> left_text(timedelta(0))
    'any moment'
    """
    return fmt.duration(left) if left > timedelta(0) else "any moment"


def between(lower: datetime | None, upper: datetime | None) -> str:
    """An interval of a forecast.

    >>> between(None, None)
    '–'
    """
    if lower is None:
        return fmt.MISSING
    return fmt.span(lower, upper) if upper else f"not before {fmt.day_and_time(lower)}"


def worth(row: Row) -> float:
    """What an advice saves, to sort by: in cores, as the listing has it."""
    cores, size = row["saving_cpu_cores"] or 0.0, row["saving_memory_bytes"] or 0.0
    return float(cores + size / BYTES_A_CORE + GPU_CORES * (row["saving_gpus"] or 0.0))


def saving_text(row: Row) -> str:
    """What an advice saves; what needs more is negative.

    >>> saving_text({"saving_cpu_cores": 1.5, "saving_memory_bytes": None, "saving_gpus": None})
    '1.5 cores'
    >>> saving_text({"saving_cpu_cores": None, "saving_memory_bytes": None, "saving_gpus": 1.0})
    '1 GPU'
    """
    parts = []
    if row["saving_cpu_cores"] is not None:
        parts.append(cores_text(row["saving_cpu_cores"]))
    if row["saving_memory_bytes"] is not None:
        parts.append(bytes_text(row["saving_memory_bytes"]))
    if row["saving_gpus"] is not None:
        parts.append(f"{row['saving_gpus']:.3g} GPU{'' if row['saving_gpus'] == 1 else 's'}")
    return ", ".join(parts) or fmt.MISSING


def scale_of(row: Row, values: Iterable[float | None]) -> fmt.Scale:
    """The unit of an anomaly's values: its metric's; of an absence they are numbers of series."""
    return fmt.scale_for(None if row["detector"] == ABSENCE else row["metric"], values)


def where(row: Row) -> str:
    """The most telling entity of an anomaly.

    >>> names = ("namespace", "workload", "pod", "node", "service", "instance", "job")
    >>> empty = dict.fromkeys(names)
    >>> where({**empty, "namespace": "shop", "workload": "cart", "pod": "cart-0", "node": "n1"})
    'shop / cart'
    >>> where({**empty, "node": "n1", "instance": "10.0.0.1:9100"})
    'n1'
    """
    if row["namespace"]:
        within = row["workload"] or row["pod"] or row["service"]
        return f"{row['namespace']} / {within}" if within else str(row["namespace"])
    names = ("node", "workload", "service", "instance", "job")
    return next((str(row[name]) for name in names if row[name]), fmt.MISSING)


def sentence(row: Row) -> str:
    """What was seen against what was expected, in words."""
    band = (row["lower"], row["upper"])
    scale = scale_of(row, (row["actual"], row["expected"]))
    at = f"At {fmt.day_and_time(row['peak_time'])} UTC"
    if row["detector"] == ABSENCE:
        counted = "pods" if row["workload"] and row["node"] else "series"
        return f"{at} {row['actual']:,.0f} of {row['expected']:,.0f} {counted} reported."
    if row["actual"] is None:
        return f"{at} its metrics together were furthest from anything in its history."
    text = f"{at} it was {scale.text(row['actual'])}"
    if row["expected"] is None:
        return f"{text}."
    text += f"; expected {scale.text(row['expected'])}"
    if None in band:
        return f"{text}."
    low, high = (fmt.number(edge / scale.divisor) for edge in band)
    return f"{text} (normal: {low} to {high}{' ' + scale.unit if scale.unit else ''})."


def event_row(row: Row) -> Cells:
    """A row of `explain.events_around`."""
    about = "/".join(part for part in (row["kind"], row["name"]) if part)
    return {
        "key": f"{row['uid']}:{row['count']}",
        "time": row["time"].isoformat(),
        "time_text": fmt.day_and_time(row["time"]),
        "level": "normal" if row["type"] in {None, "Normal"} else "warning",
        "type": row["type"] or row["source"],
        "reason": row["reason"] or row["source"],
        "about": f"{row['namespace']} · {about}" if row["namespace"] and about else about,
        "message": row["message"] or "",
        "times": f"×{row['count']}" if row["count"] > 1 else "",
    }
