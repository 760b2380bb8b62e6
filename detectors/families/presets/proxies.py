"""Proxies: Envoy and HAProxy.

Envoy's counters have no `_total` in their statistics' names: the reading is said here. Source:
Envoy's "Cluster manager" and "HTTP connection manager" statistics; haproxy/doc/management.txt.
"""

from detectors.families.family import MIB, Family, ignored

FAMILIES = (
    Family(
        "Envoy: failed requests",
        ("envoy_(cluster_upstream|http_downstream)_rq_xx",),
        (("envoy_response_code_class", "5"),),
        reading="rate", direction="above", least_absolute=0.05, entity="workload",
    ),
    Family(
        "Envoy: failed requests, by code",
        ("envoy_(cluster_upstream|http_downstream)_rq",), (("envoy_response_code", "5.."),),
        reading="rate", direction="above", least_absolute=0.05, entity="workload",
    ),
    Family(
        "Envoy: requests given up, connections that fail",
        ("envoy_cluster_upstream_rq_(timeout|per_try_timeout|pending_overflow|"
         "pending_failure_eject|rx_reset|retry|retry_overflow|retry_limit_exceeded|"
         "maintenance_mode)",
         "envoy_cluster_upstream_cx_(connect_fail|connect_timeout|overflow|protocol_error|"
         "destroy_remote_with_active_rq)",
         "envoy_cluster_(ssl_connection_error|ssl_fail_verify_.*|lb_healthy_panic|"
         "outlier_detection_ejections_enforced_total|update_failure|update_rejected)",
         "envoy_listener_(ssl_connection_error|downstream_cx_overflow|"
         "downstream_global_cx_overflow)"),
        reading="rate", direction="above", least_absolute=0.05, least_relative=0.5,
        entity="workload",
    ),
    Family(
        "Envoy: requests",
        ("envoy_(cluster_upstream|http_downstream)_rq(_total|_completed|_xx)?",),
        reading="rate", least_absolute=1.0, least_relative=0.4, entity="workload",
    ),
    Family(
        "Envoy: time spent, all requests together",
        ("envoy_(cluster_upstream|http_downstream)_rq_time_sum",),
        reading="rate", direction="above", least_absolute=50.0, least_relative=0.5,
        entity="workload",
    ),
    Family(
        "Envoy: requests and connections under way",
        ("envoy_(cluster_upstream|http_downstream)_(rq|cx)_(active|pending_active)",),
        reading="level", direction="above", least_absolute=20.0, least_relative=0.5,
        entity="workload",
    ),
    Family(
        "Envoy: healthy hosts",
        ("envoy_cluster_membership_healthy", "envoy_server_live"),
        reading="level", direction="below", least_absolute=0.5, least_relative=0.3,
        entity="workload",
    ),
    Family(
        "Envoy: open circuit breakers",
        ("envoy_cluster_circuit_breakers_.*_open", "envoy_cluster_membership_degraded"),
        reading="level", direction="above", least_absolute=0.5, entity="workload",
    ),
    Family(
        "Envoy: memory in use",
        ("envoy_server_memory_allocated",),
        reading="level", direction="above", least_absolute=32 * MIB, least_relative=0.1,
        entity="pod",
    ),
    ignored("Envoy: settings, times, and what others tell already", "envoy_.*", entity="pod"),
    Family(
        "HAProxy: failed requests",
        ("haproxy_(frontend|backend|server)_http_responses_total",), (("code", "5xx"),),
        reading="rate", direction="above", least_absolute=0.05, entity="service",
    ),
    Family(
        "HAProxy: errors",
        ("haproxy_(backend|server)_(connection_errors|response_errors|retry_warnings|"
         "redispatch_warnings|check_failures|client_aborts|server_aborts)_total",
         "haproxy_frontend_(request_errors|denied_connections)_total"),
        reading="rate", direction="above", least_absolute=0.05, least_relative=0.5,
        entity="service",
    ),
    Family(
        "HAProxy: requests",
        ("haproxy_(frontend|backend|server)_http_(requests|responses)_total",
         "haproxy_(frontend|backend|server)_sessions_total"),
        reading="rate", least_absolute=1.0, least_relative=0.4, entity="service",
    ),
    Family(
        "HAProxy: sessions and queues",
        ("haproxy_(frontend|backend|server)_current_(sessions|queue)",),
        reading="level", direction="above", least_absolute=20.0, least_relative=0.5,
        entity="service",
    ),
    Family(
        "HAProxy: servers up",
        ("haproxy_(backend|server)_up", "haproxy_up", "haproxy_backend_active_servers"),
        reading="level", direction="below", least_absolute=0.5, least_relative=0.3,
        entity="service",
    ),
    Family(
        "HAProxy: servers down",
        ("haproxy_(backend|server)_status",), (("state", "DOWN|MAINT|NOLB"),),
        reading="level", direction="above", least_absolute=0.5, entity="service",
    ),
    ignored("HAProxy: settings, times, and what others tell already", "haproxy_.*", entity="pod"),
)  # fmt: skip
