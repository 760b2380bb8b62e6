import json
from datetime import datetime, timedelta

import pytest

NEEDED = {
    "core": {"apiVersion", "kind", "metadata", "involvedObject", "reason", "message", "source",
             "firstTimestamp", "lastTimestamp", "count", "type", "reportingComponent"},
    "modern": {"apiVersion", "kind", "metadata", "eventTime", "reportingController",
               "reportingInstance", "action", "reason", "regarding", "note", "type"},
    "plain": {"source", "type", "reason", "kind", "namespace", "name", "uid", "message", "time",
              "attributes"},
}  # fmt: skip


def form(body):
    return {"v1": "core", "events.k8s.io/v1": "modern", None: "plain"}[body.get("apiVersion")]


def moment(body):
    return body.get("lastTimestamp") or body.get("eventTime") or body["time"]


def reasons(history, fault, slack=timedelta(minutes=5)):
    return [
        (body["reason"], body)
        for time, cluster, body in history.sim.events
        if cluster == fault.cluster and fault.start - slack <= time <= fault.end + slack
    ]


def test_events_are_sorted_and_inside_the_history(history):
    times = [time for time, _, _ in history.sim.events]
    assert times == sorted(times)
    assert history.sim.start <= times[0]
    assert times[-1] < history.sim.end


def test_uids_are_unique(history):
    uids = [body.get("uid") or body["metadata"]["uid"] for _, _, body in history.sim.events]
    assert len(set(uids)) == len(uids)


def test_every_event_has_the_fields_of_its_form(history):
    seen = set()
    for time, cluster, body in history.sim.events:
        seen.add(form(body))
        assert cluster in {"eu-1", "us-2", "ap-3"}
        assert body.keys() >= NEEDED[form(body)]
        assert body["type"] in {"Normal", "Warning"}
        assert datetime.fromisoformat(moment(body)) == time.replace(
            microsecond=0 if form(body) != "modern" else time.microsecond
        )
        assert json.loads(json.dumps(body)) == body
    assert seen == NEEDED.keys()


def test_one_object_has_one_uid(history):
    uids = {}
    for _, cluster, body in history.sim.events:
        about = body.get("involvedObject") or body.get("regarding")
        if about:
            key = (cluster, about["kind"], about.get("namespace"), about["name"])
            assert uids.setdefault(key, about["uid"]) == about["uid"]


def test_harmless_days_have_events_too(history):
    first = min(fault.start for fault in history.sim.faults) - timedelta(minutes=30)
    calm = {body["reason"] for time, _, body in history.sim.events if time < first}
    assert calm >= {
        "Scheduled", "Pulled", "Created", "Started", "Killing", "ScalingReplicaSet",
        "SuccessfulCreate", "Completed", "BundleActivated", "Unhealthy",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("memory_leak", {"FeatureFlagChanged", "OOMKilling", "BackOff"}),
        ("volume_filling", {"MigrationApplied", "VolumeConditionAbnormal"}),
        ("bad_rollout", {"ScalingReplicaSet", "Unhealthy", "Killing"}),
        ("noisy_neighbour", {"ConfigurationChanged"}),
        ("policy_denials", {"BundleActivated", "FailedCreate"}),
        ("exporter_stopped", {"BackOff", "Started"}),
    ],
)
def test_each_fault_leaves_its_events(history, kind, expected):
    assert expected <= {reason for reason, _ in reasons(history, history.fault(kind))}


def test_the_rollout_scales_up_and_back_as_a_deployment_does(history):
    told = [
        body["message"]
        for reason, body in reasons(history, history.fault("bad_rollout"))
        if reason == "ScalingReplicaSet"
    ]
    assert sum("2.15.0" in message for message in told) == 2
    assert sum("2.14.0" in message for message in told) == 2
    changes = [message.split(" from ")[1].split(" (")[0] for message in told]
    assert changes == [
        "0 to 1", "3 to 2", "1 to 2", "2 to 1",
        "1 to 2", "2 to 1", "2 to 3", "1 to 0",
    ]  # fmt: skip


def test_policy_events_name_the_revision(history):
    for reason, body in reasons(history, history.fault("policy_denials")):
        if reason == "BundleActivated":
            assert body["source"] == "opa"
            assert body["attributes"]["revision"] in body["message"]
