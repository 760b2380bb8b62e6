"""Decisions as OPA writes them, and what a reader of events sees of them."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import events, opa
from ingest.errors import BadRequestError, InvalidEventError, MalformedBodyError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

DECISION = {
    "labels": {"id": "1780d507", "version": "1.4.2", "app": "gate", "cluster": "eu-1"},
    "decision_id": "4ca636c1-55e4-417a-b1d8-4aceb67960d1",
    "bundles": {"authz": {"revision": "W3sibCI6"}, "data": {}},
    "path": "http/example/authz/allow",
    "input": {"method": "GET", "password": "hunter2"},
    "result": True,
    "requested_by": "[::1]:59943",
    "timestamp": "2026-03-01T11:59:58.123456789Z",
    "metrics": {"timer_rego_query_eval_ns": 182000, "timer_server_handler_ns": 400000},
    "erased": ["/input/token"],
    "masked": ["/input/a", "/input/b"],
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "span_id": "00f067aa0ba902b7",
    "req_id": 7,
    "nd_builtin_cache": {"http.send": {"secret": 1}},
}


def review(operation="CREATE", name="cart-1", **request):
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u",
            "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
            "namespace": "shop",
            "name": name,
            "operation": operation,
            "userInfo": {"username": "jo"},
            "object": {"metadata": {"name": "cart-1"}, "spec": {"secret": "hunter2"}},
            **request,
        },
    }


def denial(*messages):
    return DECISION | {
        "path": "/kubernetes/admission/deny",
        "input": review(),
        "result": list(messages),
    }


def all_of(translation):
    """Its body, where all is right; else what is wrong first."""
    for error in translation.refused:
        raise error
    return translation.body()


def rows(*decisions, partition=None):
    body = all_of(opa.translate(json.dumps(decisions).encode(), partition))
    return events.parse(body, "default", latest=NOON).to_pylist()


def test_a_decision_as_a_row():
    (row,) = rows(DECISION, partition="blue")
    attributes = dict(row.pop("attributes"))
    assert row == {
        "time": datetime(2026, 3, 1, 11, 59, 58, 123456, tzinfo=UTC), "cluster": "eu-1",
        "source": "opa", "type": "Normal", "reason": "http/example/authz/allow", "kind": None,
        "namespace": None, "name": None, "uid": DECISION["decision_id"], "count": 1,
        "message": "http/example/authz/allow allowed",
    }  # fmt: skip
    assert attributes == {
        "allowed": "true", "partition": "blue", "path": "http/example/authz/allow",
        "requested_by": "[::1]:59943", "trace_id": DECISION["trace_id"],
        "span_id": DECISION["span_id"], "req_id": "7", "erased": "1", "masked": "2",
        "bundle.authz": "W3sibCI6", "bundle.data": "", "label.id": "1780d507",
        "label.version": "1.4.2", "label.app": "gate", "label.cluster": "eu-1",
        "timer_rego_query_eval_ns": "182000", "timer_server_handler_ns": "400000",
    }  # fmt: skip


def test_a_denial_of_an_admission_says_what_and_why():
    (row,) = rows(denial("container nginx has no limits", "image has no digest"))
    assert (row["type"], row["kind"], row["namespace"], row["name"]) == (
        "Warning", "Deployment", "shop", "cart-1",
    )  # fmt: skip
    assert row["reason"] == "kubernetes/admission/deny"
    assert row["message"] == (
        "kubernetes/admission/deny denied create Deployment shop/cart-1: "
        "container nginx has no limits; image has no digest"
    )
    assert dict(row["attributes"])["operation"] == "CREATE"


def test_neither_input_nor_result_are_kept():
    decision = denial() | {"result": {"token": "hunter2"}}
    for given_ in (DECISION, denial("no"), decision):
        assert "hunter2" not in all_of(opa.translate(json.dumps([given_]).encode())).decode()


DENIED = {
    "false": ("authz/allow", False),
    "false, as a text": ("authz/allow", "false"),
    "deny is true": ("authz/deny", True),
    "deny has members": ("authz/deny", ["no"]),
    "deny has keys": ("authz/deny", {"no": True}),
    "violations of Gatekeeper": ("gatekeeper/violation", [{"msg": "no", "details": {}}]),
    "allow within": ("authz", {"allow": False, "roles": []}),
    "allowed within": ("authz/result", {"allowed": False, "http_status": 403}),
    "deny within": ("authz", {"allow": True, "deny": ["no"]}),
    "a review": ("system/main", {"response": {"allowed": False, "status": {"message": "no"}}}),
    "a review of old": ("main", {"response": {"allowed": False, "status": {"reason": "no"}}}),
}
ALLOWED = {
    "true": ("authz/allow", True),
    "deny is false": ("authz/deny", False),
    "deny is empty": ("authz/deny", []),
    "allow within": ("authz", {"allow": True}),
    "deny within is empty": ("authz", {"deny": [], "violation": []}),
    "a review": ("system/main", {"response": {"allowed": True, "uid": "u"}}),
}
NEITHER = {
    "a number": ("limits/cpu", 4),
    "a text": ("routes/to", "a"),
    "an object": ("routes", {"to": "a"}),
    "null": ("authz/allow", None),
    "a set": ("roles", ["admin"]),
    "a response that does not say": ("main", {"response": {"allowed": "no"}}),
}


@pytest.mark.parametrize(
    ("path", "result", "allowed"),
    [
        pytest.param(*case, allowed, id=f"{allowed} {name}")
        for allowed, cases in ((False, DENIED), (True, ALLOWED), (None, NEITHER))
        for name, case in cases.items()
    ],
)
def test_verdicts(path, result, allowed):
    assert opa.verdict(path, result).allowed is allowed
    (row,) = rows(DECISION | {"path": path, "result": result})
    assert row["type"] == ("Warning" if allowed is False else "Normal")
    told = {True: "true", False: "false", None: None}[allowed]
    assert dict(row["attributes"]).get("allowed") == told
    if ": " in row["message"]:
        assert row["message"].endswith(": no")


def test_an_undefined_decision_is_none():
    undefined = {name: value for name, value in DECISION.items() if name != "result"}
    (row,) = rows(undefined)
    assert (row["type"], row["message"]) == ("Normal", "http/example/authz/allow is undefined")


def test_an_error_is_a_warning():
    error = {"code": "internal_error", "message": "eval_conflict"}
    (row,) = rows(DECISION | {"error": error})
    assert (row["type"], row["message"]) == ("Warning", "http/example/authz/allow failed")
    assert json.loads(dict(row["attributes"])["error"]) == error


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"path": "/a/b/"}, "a/b"),
        ({"path": "", "query": "data.a == 1"}, "query"),
        ({"path": None, "query": "data.a == 1"}, "query"),
        ({"path": ""}, "data"),
    ],
)
def test_reasons(changes, reason):
    (row,) = rows(DECISION | changes)
    assert row["reason"] == reason


@pytest.mark.parametrize(
    ("given_", "about"),
    [
        (review(), ("Deployment", "shop", "cart-1")),
        (review(name=""), ("Deployment", "shop", "cart-1")),
        (review(name=None, object={"metadata": {"generateName": "cart-"}}),
         ("Deployment", "shop", "cart-")),
        (review(name=None, object=None), ("Deployment", "shop", None)),
        (review(kind={"kind": "Namespace"}, namespace="", name="x"), ("Namespace", None, "x")),
        (review(kind={"kind": "Event"}), ("Event", "shop", "cart-1")),
        ({"review": {"kind": {"kind": "Pod"}, "name": "p"}}, ("Pod", None, "p")),
        (review(kind="Pod", namespace=7, name=["x"], object=[1]), (None, None, None)),
        ({"request": "GET /"}, (None, None, None)),
        ([1, 2], (None, None, None)),
        (None, (None, None, None)),
    ],
)  # fmt: skip
def test_the_object_of_a_review(given_, about):
    (row,) = rows(DECISION | {"input": given_})
    assert (row["kind"], row["namespace"], row["name"]) == about
    assert row["source"] == "opa"


def test_the_cluster_is_the_labels_else_the_senders():
    of_sender = DECISION | {"labels": {"id": "x"}}
    assert [row["cluster"] for row in rows(DECISION, of_sender)] == ["eu-1", "default"]


def test_texts_are_bounded():
    long = "x" * 100_000
    many = {f"timer_{i}_ns": i for i in range(1000)}
    (row,) = rows(denial(long) | {"query": long, "metrics": many, "labels": {"id": long}})
    assert len(row["message"]) == opa.MAX_MESSAGE
    assert max(len(text) for _, text in row["attributes"]) == opa.MAX_TEXT
    assert len(row["attributes"]) < 100


def test_nothing_is_nothing():
    assert rows() == []


@pytest.mark.parametrize(
    ("body", "error", "rule"),
    [
        (b"", MalformedBodyError, "no JSON"),
        (b"{}", MalformedBodyError, "no JSON array"),
        (b"[1]", MalformedBodyError, "decision of type int is no JSON object"),
        (b"[[]]", MalformedBodyError, "decision of type list"),
        (b"[" * 1000 + b"]" * 1000, MalformedBodyError, "nested too deeply"),
        *[
            (json.dumps([DECISION | {name: value}]).encode(), InvalidEventError, rule)
            for name, value, rule in [
                ("path", 5, "decision 4ca636c1.*: path is 5, not a string"),
                ("timestamp", 5, "timestamp is 5, not a string"),
                ("timestamp", "soon", "time 'soon' is not RFC 3339"),
                ("timestamp", None, "time '' is not RFC 3339"),
                ("timestamp", "2027-01-01T00:00:00Z", "the latest accepted"),
                ("decision_id", {}, "decision_id is {}, not a string"),
                ("labels", [], r"labels is \[\], not an object"),
                ("labels", {"cluster": 5}, "cluster is 5, not a string"),
                ("bundles", "x", "bundles is x, not an object"),
                ("metrics", 5, "metrics is 5, not an object"),
                ("erased", "x", "erased is x, not an array"),
                ("masked", {"a": 1}, "masked is .*, not an array"),
                ("query", "\ud800", "half a character"),
            ]
        ],
    ],
)
def test_what_is_refused(body, error, rule):
    with pytest.raises(error, match=rule):
        events.parse(all_of(opa.translate(body)), "default", latest=NOON)


def test_a_wrong_decision_takes_no_other_with_it():
    body = json.dumps([5, DECISION, DECISION | {"path": 5}]).encode()
    translation = opa.translate(body)
    assert [event["uid"] for event in translation.events] == [DECISION["decision_id"]]
    assert [error.reason for error in translation.refused] == ["malformed", "event"]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
NAMES = st.sampled_from(
    [*DECISION, "request", "review", "kind", "object", "metadata", "name", "namespace", "response",
     "allowed", "allow", "deny", "status", "message", "cluster", "revision", "error", "query"]
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, JSON, max_size=8), st.booleans())
def test_any_json_is_taken_or_refused_by_a_rule(garbage, whole):
    decision = garbage if whole else DECISION | garbage
    try:
        found = rows(decision)
    except BadRequestError:
        return
    assert len(found) == 1


@given(JSON)
def test_any_document_is_taken_or_refused_by_a_rule(document):
    try:
        body = all_of(opa.translate(json.dumps(document).encode()))
        events.parse(body, "default", latest=NOON)
    except BadRequestError:
        return


@given(st.binary(max_size=60))
def test_any_bytes_are_taken_or_refused_by_a_rule(body):
    try:
        opa.translate(body)
    except BadRequestError:
        return
