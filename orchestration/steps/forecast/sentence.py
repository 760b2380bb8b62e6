"""One forecast as a sentence for people."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from detectors.forecasting import METHODS
from orchestration.steps.forecast.expiry import STATED
from orchestration.steps.forecast.listing import is_past
from orchestration.steps.forecast.objectives import OBJECTIVE
from orchestration.steps.forecast.resources import shown

_UNITS = (
    (timedelta(days=2), timedelta(days=1), "d"),
    (timedelta(hours=1), timedelta(hours=1), "h"),
)
_SMALL = (timedelta(minutes=1), "min")
# From here on no digit after the point is written: 12 h, but 4.1 h.
_WHOLE = 10.0

NOTHING = timedelta(0)
AT_ONCE = "any moment now"


def sentence(row: Mapping[str, Any], now: datetime | None = None) -> str:
    """What a row of `forecasts` says.

    >>> from datetime import UTC
    >>> made = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> ahead = {name: made + timedelta(hours=hours) for name, hours in
    ...          (("eta", 4.1), ("eta_lower", 2.9), ("eta_upper", 6.0))}
    >>> row = {"resource": "filesystem", "subject": "/var", "node": "node-7", "cluster": "eu-1",
    ...        "made_at": made, "capacity": 100.0, "threshold": 80.0, "coverage": 0.79,
    ...        "abstained": False, "reason": None, "method": "sawtooth", **ahead}
    >>> sentence(row)
    '`/var` on node-7 of eu-1 reaches 80 % in 4.1 h (2.9–6.0 h; past 80 % intervals held 79 %)'

    Args:
        row: columns of `forecasts`.
        now: from when on it is counted, None = from when it was made.
    """
    now = row["made_at"] if now is None else now
    what, will = subject(row), does(row)
    if is_past(row):
        return f"{what} {stands(row)}{since(row, now)}"
    if row["eta"] is None:
        if row["abstained"]:
            return f"{what}: it cannot be told when it {will}: {row['reason']}"
        return f"{what} {will}: {row['reason']}"
    left = row["eta"] - now
    unit, name = _unit(left)
    told = f"{what} {will} {f'in {_number(left / unit)} {name}' if left > NOTHING else AT_ONCE}"
    if row["method"] == STATED:
        return told
    by = row["method"]
    heavier = f"by {by}, " if by and by not in METHODS and row["resource"] != OBJECTIVE else ""
    return f"{told} ({heavier}{_interval(row, now, unit, name)}; {_kept(row)})"


def length(span: timedelta) -> str:
    """A length of time in one unit.

    >>> length(timedelta(hours=4)), length(timedelta(days=30)), length(timedelta(minutes=90))
    ('4 h', '30 d', '1.5 h')
    """
    unit, name = _unit(span)
    return f"{span / unit:.3g} {name}"


def subject(row: Mapping[str, Any]) -> str:
    """What it is about: the resource, its place and cluster."""
    name = row.get("subject")
    kind = shown(row["resource"])
    said = f"`{name}`" if name else kind
    if name and row["resource"] != "filesystem":
        said = f"{kind} {said}"
    if row["resource"] == "filesystem" or not (row.get("namespace") or row.get("pod")):
        machine = row.get("node") or row.get("instance")
        place = f" on {machine}" if machine else ""
    else:
        parts = (row.get("namespace"), row.get("pod") or row.get("workload"))
        place = f" in {'/'.join(part for part in parts if part)}"
    return f"{said}{place} of {row['cluster']}"


def does(row: Mapping[str, Any]) -> str:
    """What will become of it: which level it reaches, or that it ends."""
    if row["resource"] == OBJECTIVE:
        return "is spent"
    if row["threshold"] is None:
        return "expires" if row["resource"].startswith("certificate") else "reaches its limit"
    return f"reaches {_level(row)}"


def _level(row: Mapping[str, Any]) -> str:
    if row["capacity"]:
        return f"{100.0 * row['threshold'] / row['capacity']:.3g} %"
    return f"{row['threshold']:g}"


def stands(row: Mapping[str, Any]) -> str:
    """What has become of what is past its threshold."""
    if row["resource"] == OBJECTIVE:
        return "is spent"
    if row["threshold"] is None:
        return "is expired"
    return f"is past {_level(row)}"


def since(row: Mapping[str, Any], now: datetime) -> str:
    """Since when it is, with a space before; empty where nothing tells.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> since({"eta_upper": noon, "threshold": 80.0, "resource": "volume"}, noon)
    ' since 12:00 UTC'
    >>> since({"eta_upper": None, "threshold": 80.0, "resource": "volume"}, noon)
    ' for as long as is looked back'
    """
    if row["resource"] == OBJECTIVE:
        return ""
    at = row["eta_upper"]
    if at is None:
        return "" if row["threshold"] is None else " for as long as is looked back"
    today = at.astimezone(UTC).date() == now.astimezone(UTC).date()
    told = f"{at.astimezone(UTC):{'%H:%M' if today else '%d %b %Y %H:%M'}} UTC"
    return f" since {told}"


def _interval(row: Mapping[str, Any], now: datetime, unit: timedelta, name: str) -> str:
    lower, upper = (
        None if end is None else _number(max(NOTHING, end - now) / unit)
        for end in (row["eta_lower"], row["eta_upper"])
    )
    if lower is None:
        return "no interval"
    return f"not before {lower} {name}" if upper is None else f"{lower}–{upper} {name}"


def _kept(row: Mapping[str, Any]) -> str:
    if row["resource"] == OBJECTIVE:
        return "if errors come as in the last hour"
    if row["coverage"] is None:
        return "too few past intervals to say how many held"
    return f"past 80 % intervals held {100.0 * row['coverage']:.0f} %"


def _unit(span: timedelta) -> tuple[timedelta, str]:
    found = ((unit, name) for least, unit, name in _UNITS if span >= least)
    return next(found, _SMALL)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= _WHOLE else f"{value:.1f}"
