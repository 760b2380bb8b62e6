"""Alerts as events: Alertmanager's webhook (version 4), and what a Prometheus sends Alertmanagers.

Each state of an alert, firing and resolved, is one event, at the time at which it began. Its uid is
the alert's: its fingerprint and its start. `count` is 1 for firing, 2 for resolved. So whatever way
it comes, and however often, it is the same row.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import xxhash

from ingest.alert_object import object_of
from ingest.errors import BadRequestError, InvalidEventError, MalformedBodyError
from ingest.events import SURROGATE, read_json
from ingest.rfc3339 import parse_time
from lake.timerange import to_micros

WEBHOOK_VERSION = "4"
MAX_TEXT = 4_096
"""Characters of a label, an annotation or a message: some paste a page into `description`."""

QUIET = frozenset({"info", "none"})
"""Severities that ask for nobody: those of `Watchdog`, `InfoInhibitor` and their like."""

FIRING, RESOLVED = "firing", "resolved"
COUNTS = {FIRING: 1, RESOLVED: 2}
OTHER = {FIRING: RESOLVED, RESOLVED: FIRING}

_FNV_OFFSET, _FNV_PRIME = 14695981039346656037, 1099511628211
_64_BITS = (1 << 64) - 1
_PART_END = b"\xff"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert in one state.

    Attributes:
        labels: never empty; the values neither.
        annotations: what people wrote about it.
        status: firing or resolved.
        starts: when it began; None = its sender does not say.
        time: when its state began: the event's time.
        rest: further attributes.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    status: str
    starts: datetime | None
    time: datetime
    rest: Mapping[str, str]

    @property
    def name(self) -> str:
        """What it is called; a relabelling can take that away."""
        return self.labels.get("alertname", "alert")

    @property
    def uid(self) -> str:
        """Of this time that the alert fires: the same for both of its states."""
        starts = self.starts or self.time
        return f"{self.rest['fingerprint']}-{to_micros(starts)}"

    def state(self, cluster: str, status: str | None = None) -> bytes:
        """A key of this state, or of another one, of this alert."""
        starts = "" if self.starts is None else self.starts.isoformat()
        parts = (self.labels.get("cluster", cluster), self.rest["fingerprint"], starts)
        return xxhash.xxh3_128_digest("\0".join((*parts, status or self.status)).encode())

    def event(self) -> dict[str, Any]:
        """As `ingest.events` reads it."""
        severity = self.labels.get("severity", "").lower()
        loud = self.status == FIRING and severity not in QUIET
        attributes = {**self.rest, "status": self.status, "severity": severity}
        attributes |= {f"label.{name}": text for name, text in self.labels.items()}
        attributes |= {f"annotation.{name}": text for name, text in self.annotations.items()}
        event = {
            "source": "alert",
            "type": "Warning" if loud else "Normal",
            "reason": self.name,
            "time": self.time.isoformat(timespec="microseconds"),
            "uid": self.uid,
            "count": COUNTS[self.status],
            "message": self._message(),
            "attributes": {name: text[:MAX_TEXT] for name, text in attributes.items() if text},
            **object_of(self.labels),
        }
        return event | {"cluster": self.labels["cluster"]} if "cluster" in self.labels else event

    def _message(self) -> str:
        texts = (self.annotations.get(name) for name in ("summary", "description", "message"))
        return next(filter(None, texts), f"{self.name} is {self.status}")[:MAX_TEXT]


@dataclass(frozen=True, slots=True)
class Notification:
    """What a sender tells of.

    Attributes:
        alerts: those that can be read.
        refused: what is wrong with each of the others.
    """

    alerts: tuple[Alert, ...] = ()
    refused: tuple[BadRequestError, ...] = ()


def from_webhook(body: bytes, now: datetime) -> Notification:
    """The alerts of a notification.

    Args:
        body: what Alertmanager posts to a `webhook_configs` receiver.
        now: the time of receipt, for what has none.

    Raises:
        MalformedBodyError: it is no such notification.
        InvalidEventError: what it says of all of its alerts breaks a rule.
    """
    message = read_json(body)
    if not isinstance(message, Mapping) or not isinstance(message.get("alerts"), list):
        raise MalformedBodyError("body is no JSON object with an array `alerts`, as webhooks post")
    if message.get("version") != WEBHOOK_VERSION:
        version = _shown(message.get("version"))
        raise MalformedBodyError(f"webhook version is {version}, accepted: {WEBHOOK_VERSION!r}")
    rest = {
        "receiver": _text(message, "receiver", "notification"),
        "group_key": _text(message, "groupKey", "notification"),
        "external_url": _text(message, "externalURL", "notification"),
        "notification_reason": _text(message, "notification_reason", "notification"),
        "truncated_alerts": str(_truncated(message) or ""),
    }
    return _read(message["alerts"], now, rest)


def from_alerts(body: bytes, now: datetime) -> Notification:
    """The alerts of a `POST /api/v2/alerts`; arguments and errors as `from_webhook`."""
    alerts = read_json(body)
    if not isinstance(alerts, list):
        raise MalformedBodyError("body is no JSON array of alerts")
    return _read(alerts, now, {})


def fingerprint(labels: Mapping[str, str]) -> str:
    """Of an alert, as Alertmanager computes it: FNV-1a over the sorted labels.

    >>> fingerprint({"alertname": "Watchdog"}) == fingerprint({"alertname": "Other"})
    False
    """
    value = _FNV_OFFSET
    for name in sorted(labels):
        for byte in name.encode() + _PART_END + labels[name].encode() + _PART_END:
            value = (value ^ byte) * _FNV_PRIME & _64_BITS
    return f"{value:016x}"


def to_body(alerts: Iterable[Alert]) -> bytes:
    """Their events, as `ingest.events` reads them."""
    return json.dumps([alert.event() for alert in alerts]).encode()


def _read(found: list[Any], now: datetime, rest: Mapping[str, str]) -> Notification:
    alerts, refused = [], []
    for alert in found:
        try:
            if not isinstance(alert, Mapping):
                raise MalformedBodyError(f"alert {_shown(alert)} is no JSON object")
            alerts.append(_alert(alert, now, rest))
        except BadRequestError as error:
            refused.append(error)
    return Notification(tuple(alerts), tuple(refused))


def _alert(alert: Mapping[str, Any], now: datetime, rest: Mapping[str, str]) -> Alert:
    labels = _texts(alert, "labels")
    if not labels:
        raise InvalidEventError(f"alert {_shown(alert)} has no labels: they are what it is")
    name = f"alert {labels.get('alertname', '')!r}"
    starts, ends = _moment(alert, "startsAt", name), _moment(alert, "endsAt", name)
    status = _text(alert, "status", name)
    if not status:
        # Prometheus gives a firing alert an end some minutes ahead, in case it dies.
        status = RESOLVED if ends is not None and ends <= now else FIRING
    if status not in COUNTS:
        raise InvalidEventError(f"{name}: status is {status[:80]!r}, not {FIRING} or {RESOLVED}")
    given = _text(alert, "fingerprint", name)
    told = {**rest, "fingerprint": given or fingerprint(labels)}
    told["generator_url"] = _text(alert, "generatorURL", name)
    if status == RESOLVED:
        told["starts_at"] = starts.isoformat() if starts else ""
    time = (ends if status == RESOLVED else starts) or now
    return Alert(labels, _texts(alert, "annotations"), status, starts, time, told)


def _texts(alert: Mapping[str, Any], name: str) -> dict[str, str]:
    """Labels or annotations; an empty one is none, as in Prometheus."""
    found = alert.get(name) or {}
    if not isinstance(found, Mapping):
        raise InvalidEventError(f"alert {_shown(alert)}: {name} is {_shown(found)}, not an object")
    for key, text in found.items():
        if not isinstance(text, str):
            raise InvalidEventError(f"alert: {name}.{key[:80]} is {_shown(text)}, not a string")
        _check_characters(f"alert: {name}", key + text)
    return {key: text for key, text in found.items() if text}


def _text(source: Mapping[str, Any], name: str, of: str) -> str:
    value = source.get(name) or ""
    if not isinstance(value, str):
        raise InvalidEventError(f"{of}: {name} is {_shown(value)}, not a string")
    _check_characters(f"{of}: {name}", value)
    return value


def _check_characters(what: str, text: str) -> None:
    if SURROGATE.search(text):
        raise InvalidEventError(f"{what} has half a character (U+D800 …)")


def _moment(alert: Mapping[str, Any], name: str, of: str) -> datetime | None:
    """A time; Go writes one that is not set as the first of January of the year 1."""
    text = _text(alert, name, of)
    moment = parse_time(text) if text else None
    return None if moment is None or moment <= datetime.min.replace(tzinfo=UTC) else moment


def _truncated(message: Mapping[str, Any]) -> int:
    count = message.get("truncatedAlerts") or 0
    if not isinstance(count, int):
        raise MalformedBodyError(f"truncatedAlerts is {_shown(count)}, not a number")
    return count


def _shown(value: object) -> str:
    return json.dumps(value)[:120]
