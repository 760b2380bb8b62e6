"""Decision logs of OPA (Open Policy Agent) as events: one a decision.

A decision's `input` may hold secrets, its `result` whatever a policy makes of them. Neither is
kept: of the input only which object an admission review is about, of the result whether it allows,
and the messages of a denial, which are written for whoever is denied. What OPA masks never comes.

OPA sends again until it gets 2xx, and drops its oldest decisions when its buffer is full: what can
never be stored is therefore counted, and not answered with a 400.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ingest.errors import BadRequestError, InvalidEventError, MalformedBodyError
from ingest.events import read_json

MAX_TEXT = 1_024
"""Characters of one attribute: a bundle's revision is a few hundred at most."""

MAX_MESSAGE = 4_096
"""Characters: a denial by many policies at once is still read."""

MAX_ATTRIBUTES = 64
"""Of one sort (labels, bundles, measures): an OPA has a handful of each."""

DENIALS = frozenset({"deny", "denied", "violation", "violations", "block", "blocked", "reject"})
"""Rules that are true, or have members, where something is wrong."""

ALLOWANCES = frozenset({"allow", "allowed", "is_allowed", "authorized"})
"""Rules that are true where nothing is wrong."""


KEPT = ("path", "query", "requested_by", "revision", "trace_id", "span_id", "req_id", "error")
"""Fields of a decision that are attributes of the event, as they are."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a result says.

    Attributes:
        allowed: None = it says something else than yes or no.
        messages: why not.
    """

    allowed: bool | None
    messages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Translation:
    """Decisions as events.

    Attributes:
        events: as `ingest.events` reads them.
        refused: what is wrong with each of the other decisions.
    """

    events: tuple[dict[str, Any], ...]
    refused: tuple[BadRequestError, ...] = ()

    def body(self) -> bytes:
        """The events as a JSON array."""
        return json.dumps(self.events).encode()


def translate(body: bytes, partition: str | None = None) -> Translation:
    """The decisions of a body; one that is not as OPA writes it is left out.

    Args:
        body: a JSON array, unpacked.
        partition: `decision_logs.partition_name` of the sender.

    Raises:
        MalformedBodyError: it is no JSON array.
    """
    decisions = read_json(body)
    if not isinstance(decisions, list):
        raise MalformedBodyError("body is no JSON array, as OPA's decision logs are")
    events, refused = [], []
    for decision in decisions:
        try:
            events.append(_event(decision, partition))
        except BadRequestError as error:
            refused.append(error)
    return Translation(tuple(events), tuple(refused))


def verdict(path: str, result: object) -> Verdict:
    """Whether a decision allows, by what the rule is called and what it gave.

    >>> verdict("http/authz/allow", False).allowed
    False
    >>> verdict("kubernetes/admission/deny", ["container nginx has no limits"])
    Verdict(allowed=False, messages=('container nginx has no limits',))
    >>> verdict("kubernetes/admission/deny", []).allowed
    True
    >>> verdict("net/routes", {"to": "a"}).allowed is None
    True
    """
    if isinstance(result, str) and result in {"true", "false"}:
        result = result == "true"  # OPA's documentation shows it so
    denies = path.rpartition("/")[2] in DENIALS
    if isinstance(result, bool):
        return Verdict(result is not denies)
    if denies and isinstance(result, list | dict):
        return Verdict(not result, tuple(_messages(result)))
    if isinstance(result, Mapping):
        return _of_object(result)
    return Verdict(None)


def _of_object(result: Mapping[str, Any]) -> Verdict:
    response = result.get("response")
    if isinstance(response, Mapping) and isinstance(response.get("allowed"), bool):
        status = response.get("status")
        return Verdict(response["allowed"], tuple(_messages([status] if status else [])))
    found = [result[name] for name in ALLOWANCES if isinstance(result.get(name), bool)]
    denials = [result[name] for name in sorted(DENIALS) if name in result]
    messages = [text for denial in denials for text in _messages(denial)]
    if not found and not denials:
        return Verdict(None)
    return Verdict(all(found) and not any(denials), tuple(messages))


def _messages(members: object) -> Iterator[str]:
    """The texts of a denial: members are texts, or objects that have one (Gatekeeper, status)."""
    if isinstance(members, Mapping):
        # `deny[message]` comes as an array; where it is an object, its keys are the members.
        members = list(members)
    for member in members if isinstance(members, list) else [members]:
        if isinstance(member, str):
            yield member
        elif isinstance(member, Mapping):
            texts = (member.get(name) for name in ("msg", "message", "reason"))
            yield from [text for text in texts if isinstance(text, str)][:1]


def _event(decision: object, partition: str | None) -> dict[str, Any]:
    if not isinstance(decision, Mapping):
        raise MalformedBodyError(f"decision of type {type(decision).__name__} is no JSON object")
    path = _text(decision, "path").strip("/")
    found = verdict(path, decision.get("result"))
    about = _object_of(decision.get("input"))
    failed = bool(decision.get("error"))
    event: dict[str, Any] = {
        "source": "opa",
        "type": "Warning" if found.allowed is False or failed else "Normal",
        # A query has no path; neither has the document of all policies.
        "reason": path or ("query" if decision.get("query") else "data"),
        "time": _text(decision, "timestamp"),
        "uid": _text(decision, "decision_id"),
        "message": _message(path, found, about, decision),
        "attributes": dict(_attributes(decision, found, about, partition)),
        **{name: about[name] for name in ("kind", "namespace", "name") if name in about},
    }
    cluster = _members(decision, "labels").get("cluster")
    return event if cluster is None else event | {"cluster": cluster}


def _object_of(review: object) -> dict[str, str]:
    """Kind, namespace, name and operation of the object that an admission review is about."""
    request = review.get("request", review.get("review")) if isinstance(review, Mapping) else None
    if not isinstance(request, Mapping):
        return {}
    kind = request.get("kind")
    found = {
        "kind": kind.get("kind") if isinstance(kind, Mapping) else None,
        "namespace": request.get("namespace"),
        "name": request.get("name") or _name_of(request),
        "operation": request.get("operation"),
    }
    return {name: text for name, text in found.items() if text and isinstance(text, str)}


def _name_of(request: Mapping[str, Any]) -> object:
    """Objects that are being made may have their name in the object alone, or none but a stem."""
    made = request.get("object")
    metadata = made.get("metadata") if isinstance(made, Mapping) else None
    if not isinstance(metadata, Mapping):
        return None
    return metadata.get("name") or metadata.get("generateName")


def _message(
    path: str, found: Verdict, about: Mapping[str, str], decision: Mapping[str, Any]
) -> str:
    policy = path or "a query"
    if decision.get("error"):
        said = f"{policy} failed"
    elif found.allowed is None:
        said = f"{policy} {'decided' if 'result' in decision else 'is undefined'}"
    else:
        said = f"{policy} {'allowed' if found.allowed else 'denied'}"
    if "kind" in about:
        place = "/".join(about[name] for name in ("namespace", "name") if name in about)
        said = " ".join(
            filter(None, [said, about.get("operation", "").lower(), about["kind"], place])
        )
    why = "; ".join(found.messages)
    return f"{said}: {why}"[:MAX_MESSAGE] if why else said[:MAX_MESSAGE]


def _attributes(
    decision: Mapping[str, Any], found: Verdict, about: Mapping[str, str], partition: str | None
) -> Iterator[tuple[str, str]]:
    if found.allowed is not None:
        yield "allowed", str(found.allowed).lower()
    named = {"operation": about.get("operation"), "partition": partition}
    named |= {name: decision.get(name) for name in KEPT}
    for name, value in named.items():
        if value not in (None, ""):
            yield name, _short(value)
    for name in ("erased", "masked"):
        if decision.get(name):
            # How many: their names are paths into the input.
            yield name, str(len(_list(decision, name)))
    yield from _measures(decision)


def _measures(decision: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, bundle in _members(decision, "bundles").items():
        if isinstance(bundle, Mapping):
            yield f"bundle.{name[:MAX_TEXT]}", _short(bundle.get("revision", ""))
    for name, value in _members(decision, "labels").items():
        yield f"label.{name[:MAX_TEXT]}", _short(value)
    for name, value in _members(decision, "metrics").items():
        if isinstance(value, int | float):
            yield name[:MAX_TEXT], _short(value)


def _text(decision: Mapping[str, Any], name: str) -> str:
    value = decision.get(name)
    if value is not None and not isinstance(value, str):
        raise _wrong(decision, name, "a string")
    return value or ""


def _members(decision: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = decision.get(name)
    if value is not None and not isinstance(value, Mapping):
        raise _wrong(decision, name, "an object")
    return dict(list((value or {}).items())[:MAX_ATTRIBUTES])


def _list(decision: Mapping[str, Any], name: str) -> list[Any]:
    value = decision.get(name)
    if not isinstance(value, list):
        raise _wrong(decision, name, "an array")
    return value


def _wrong(decision: Mapping[str, Any], name: str, wanted: str) -> InvalidEventError:
    which, value = _short(decision.get("decision_id")), _short(decision[name])
    return InvalidEventError(f"decision {which[:80]}: {name} is {value[:80]}, not {wanted}")


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:MAX_TEXT]
