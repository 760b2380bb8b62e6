"""Which family a metric is of, by names as the exporters send them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.families import PRESETS, Family, Lookup, Override, read_as

LOOKUP = Lookup(PRESETS)

SCORED = [
    # metric, labels, kind by name, reading, direction
    ("kube_pod_container_status_restarts_total", {}, "counter", "rate", "above"),
    ("kube_pod_container_status_waiting_reason", {"reason": "CrashLoopBackOff"}, "gauge", "level",
     "above"),
    ("kube_pod_status_phase", {"phase": "Failed"}, "gauge", "level", "above"),
    ("kube_pod_status_ready", {"condition": "true"}, "gauge", "level", "below"),
    ("kube_node_status_condition", {"condition": "Ready", "status": "true"}, "gauge", "level",
     "below"),
    ("kube_node_status_condition", {"condition": "DiskPressure", "status": "true"}, "gauge",
     "level", "above"),
    ("kube_node_status_allocatable", {"resource": "nvidia_com_gpu"}, "gauge", "level", "below"),
    ("kube_deployment_status_replicas_unavailable", {}, "gauge", "level", "above"),
    ("kube_deployment_status_replicas_available", {}, "gauge", "level", "below"),
    ("kube_job_status_failed", {}, "gauge", "level", "above"),
    ("kube_resourcequota", {"type": "used", "resource": "limits.cpu"}, "gauge", "level", "above"),
    ("container_cpu_usage_seconds_total", {"container": "app"}, "counter", "rate", "both"),
    ("container_memory_working_set_bytes", {"container": "app"}, "gauge", "level", "above"),
    ("container_oom_events_total", {}, "counter", "rate", "above"),
    ("kubelet_volume_stats_available_bytes", {}, "gauge", "level", "below"),
    ("kubelet_volume_stats_used_bytes", {}, "gauge", "level", "above"),
    ("node_cpu_seconds_total", {"mode": "idle"}, "counter", "rate", "below"),
    ("node_cpu_seconds_total", {"mode": "user"}, "counter", "rate", "above"),
    ("node_memory_MemAvailable_bytes", {}, "gauge", "level", "below"),
    ("node_filesystem_avail_bytes", {"fstype": "ext4"}, "gauge", "level", "below"),
    ("node_load1", {}, "gauge", "level", "above"),
    ("node_netstat_Tcp_RetransSegs", {}, "gauge", "rate", "above"),
    ("node_vmstat_oom_kill", {}, "gauge", "rate", "above"),
    ("node_network_receive_bytes_total", {"device": "eth0"}, "counter", "rate", "both"),
    ("apiserver_request_total", {"code": "500"}, "counter", "rate", "above"),
    ("etcd_server_has_leader", {}, "gauge", "level", "below"),
    ("coredns_dns_responses_total", {"rcode": "SERVFAIL"}, "counter", "rate", "above"),
    ("coredns_dns_requests_total", {}, "counter", "rate", "both"),
    ("nginx_ingress_controller_requests", {"status": "503"}, "gauge", "rate", "above"),
    ("nginx_ingress_controller_requests", {"status": "200"}, "gauge", "rate", "both"),
    ("traefik_service_requests_total", {"code": "500"}, "counter", "rate", "above"),
    ("envoy_cluster_upstream_rq_xx", {"envoy_response_code_class": "5"}, "gauge", "rate", "above"),
    ("envoy_cluster_upstream_cx_connect_fail", {}, "gauge", "rate", "above"),
    ("envoy_cluster_membership_healthy", {}, "gauge", "level", "below"),
    ("haproxy_server_http_responses_total", {"code": "5xx"}, "counter", "rate", "above"),
    ("istio_requests_total", {"response_code": "503", "reporter": "source"}, "counter", "rate",
     "above"),
    ("istio_requests_total", {"response_code": "200", "reporter": "destination"}, "counter",
     "rate", "both"),
    ("gatekeeper_violations", {"enforcement_action": "deny"}, "gauge", "level", "above"),
    ("gatekeeper_validation_request_count", {"admission_status": "deny"}, "counter", "rate",
     "above"),
    ("gatekeeper_audit_last_run_time", {}, "gauge", "age", "above"),
    ("opa_decisions_total", {"result": "deny"}, "counter", "rate", "above"),
    # A gauge that is called as a counter is.
    ("volcano_queue_pod_group_pending_count", {}, "counter", "level", "above"),
    ("volcano_unschedule_task_count", {}, "counter", "level", "above"),
    ("kueue_pending_workloads", {"status": "active"}, "gauge", "level", "above"),
    ("kueue_evicted_workloads_total", {}, "counter", "rate", "above"),
    ("kueue_cluster_queue_status", {"status": "active"}, "gauge", "level", "below"),
    ("DCGM_FI_DEV_XID_ERRORS", {}, "gauge", "level", "above"),
    ("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", {}, "gauge", "rate", "above"),
    ("DCGM_FI_DEV_GPU_TEMP", {}, "gauge", "level", "above"),
    ("k8s_pod_memory_working_set_bytes", {}, "gauge", "level", "above"),
    ("k8s_node_filesystem_available_bytes", {}, "gauge", "level", "below"),
    ("node_total_hourly_cost", {}, "gauge", "level", "above"),
    ("up", {}, "gauge", "level", "below"),
    # Of no exporter that is known.
    ("shop_orders_total", {}, "counter", "rate", "both"),
    ("shop_payment_failures_total", {}, "counter", "rate", "above"),
    ("http_requests_total", {"code": "502"}, "counter", "rate", "above"),
    ("http_requests_total", {"code": "200"}, "counter", "rate", "both"),
    ("kafka_consumergroup_lag", {}, "gauge", "level", "above"),
    ("shop_disk_free_bytes", {}, "gauge", "level", "below"),
    ("shop_temperature", {}, "gauge", "level", "both"),
]  # fmt: skip

IGNORED = [
    ("kube_pod_created", {}),
    ("kube_pod_start_time", {}),
    ("kube_pod_info", {}),
    ("kube_pod_status_phase", {"phase": "Succeeded"}),
    ("kube_pod_container_status_last_terminated_reason", {"reason": "Completed"}),
    ("kube_pod_container_resource_limits", {"resource": "cpu"}),
    ("kube_deployment_spec_replicas", {}),
    ("kube_deployment_status_replicas", {}),
    ("kube_horizontalpodautoscaler_status_current_replicas", {}),
    ("kube_node_status_condition", {"condition": "Ready", "status": "false"}),
    ("kube_node_status_condition", {"condition": "DiskPressure", "status": "false"}),
    ("kube_resourcequota", {"type": "hard"}),
    ("kube_cronjob_next_schedule_time", {}),
    ("container_start_time_seconds", {}),
    ("container_spec_memory_limit_bytes", {}),
    ("container_cpu_usage_seconds_total", {"container": "POD"}),
    ("container_memory_working_set_bytes", {"id": "/kubepods/a", "pod": "a"}),
    ("kubelet_volume_stats_capacity_bytes", {}),
    ("node_boot_time_seconds", {}),
    ("node_time_seconds", {}),
    ("node_memory_MemFree_bytes", {}),
    ("node_network_receive_bytes_total", {"device": "veth12ab"}),
    ("node_filesystem_avail_bytes", {"fstype": "tmpfs"}),
    ("istio_requests_total", {"response_code": "200", "reporter": "source"}),
    ("nginx_ingress_controller_config_hash", {}),
    ("process_start_time_seconds", {}),
    ("cert_expiration_timestamp_seconds", {}),
    ("ALERTS", {}),
    ("DCGM_FI_DEV_FB_FREE", {}),
    ("volcano_queue_weight", {}),
    ("kueue_cluster_queue_nominal_quota", {}),
]


@pytest.mark.parametrize(("metric", "labels", "kind", "reading", "direction"), SCORED)
def test_what_is_scored_is_read_and_judged_so(metric, labels, kind, reading, direction):
    family = LOOKUP.of(metric, labels)
    assert family.scored, family.name
    assert read_as(family, metric, kind) == reading
    assert family.direction == direction


@pytest.mark.parametrize(("metric", "labels"), IGNORED)
def test_what_describes_or_is_set_is_not_scored(metric, labels):
    assert not LOOKUP.of(metric, labels).scored


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz_:0189", min_size=1, max_size=40))
def test_every_metric_has_one_family(metric):
    candidates = LOOKUP.candidates(metric)
    assert not candidates[-1].labels
    assert all(one.labels for one in candidates[:-1])
    assert LOOKUP.of(metric, {}) in candidates


def test_presets_are_well_made():
    for family in PRESETS:
        for pattern in (*family.metrics, *(each for _, each in family.labels)):
            re.compile(pattern)
        assert family.least_absolute >= 0.0
        assert family.least_relative >= 0.0
    assert PRESETS[-1].metrics == (".*",)
    assert PRESETS[-1].scored


def test_what_others_have_taken_is_never_reached():
    """A family behind another of the same patterns and labels could never count."""
    seen = set()
    for family in PRESETS:
        for metric in family.metrics:
            assert (metric, family.labels) not in seen, (family.name, metric)
            seen.add((metric, family.labels))


def test_the_declared_kind_counts_where_a_family_says_nothing():
    family = LOOKUP.of("shop_things_total", {})
    assert read_as(family, "shop_things_total", "gauge") == "level"
    assert read_as(family, "shop_things_total", None) == "rate"
    assert read_as(family, "shop_things", None) == "level"


def test_an_override_changes_what_it_says_and_nothing_else():
    override = Override("node_cpu_.*", (("mode", "idle"),), {"least_absolute": 3.0})
    lookup = Lookup(PRESETS, [override])
    idle = lookup.of("node_cpu_seconds_total", {"mode": "idle"})
    assert (idle.least_absolute, idle.direction, idle.reading) == (3.0, "below", "rate")
    user = lookup.of("node_cpu_seconds_total", {"mode": "user"})
    assert user == LOOKUP.of("node_cpu_seconds_total", {"mode": "user"})


def test_of_two_overrides_the_first_counts():
    first = Override("up", (("job", "a"),), {"scored": False})
    second = Override("u.", (), {"direction": "both"})
    lookup = Lookup(PRESETS, [first, second])
    assert not lookup.of("up", {"job": "a"}).scored
    assert lookup.of("up", {"job": "b"}).direction == "both"
    assert lookup.labelled(["up"]) == ["up"]


def test_a_metric_is_ignored_when_none_of_its_series_can_be_scored():
    metrics = ["kube_pod_info", "kube_pod_status_phase", "up"]
    assert LOOKUP.ignored(metrics) == ["kube_pod_info"]
    assert Lookup(PRESETS, [Override("up", (), {"scored": False})]).ignored(metrics) == [
        "kube_pod_info",
        "up",
    ]
    kept = Override("kube_pod_info", (), {"scored": True})
    assert Lookup(PRESETS, [kept]).ignored(metrics) == []


def test_a_label_that_is_absent_is_empty():
    lookup = Lookup((Family("without", ("x",), (("pod", ""),)), Family("rest", (".*",))))
    assert lookup.of("x", {}).name == "without"
    assert lookup.of("x", {"pod": None}).name == "without"
    assert lookup.of("x", {"pod": "a"}).name == "rest"
