"""Istio: requests of the mesh, and its control plane.

Both ends of a request count it: successes are scored where they arrive, failures at both ends, as
one that never arrives is known to its sender alone. Source: Istio's standard metrics.
"""

from detectors.families.family import Family, ignored

_SENT = ("reporter", "source")

FAMILIES = (
    Family(
        "Istio: failed requests",
        ("istio_requests_total",), (("response_code", "5..|0"),),
        reading="rate", direction="above", least_absolute=0.02, entity="workload",
    ),
    Family(
        "Istio: failed calls",
        ("istio_requests_total",), (("grpc_response_status", "2|4|8|1[0-5]"),),
        reading="rate", direction="above", least_absolute=0.02, entity="workload",
    ),
    ignored("Istio: what the other end counts, too",
            "istio_(requests|request_duration_milliseconds|tcp)_.*", labels=(_SENT,),
            entity="workload"),
    Family(
        "Istio: refused requests",
        ("istio_requests_total",), (("response_code", "4.."),),
        reading="rate", direction="above", least_absolute=0.5, least_relative=0.5,
        entity="workload",
    ),
    Family(
        "Istio: requests",
        ("istio_requests_total",),
        reading="rate", least_absolute=0.5, least_relative=0.3, entity="workload",
    ),
    Family(
        "Istio: milliseconds spent, all requests together",
        ("istio_request_duration_milliseconds_sum",),
        reading="rate", direction="above", least_absolute=20.0, least_relative=0.5,
        entity="workload",
    ),
    Family(
        "Istio: TCP, bytes",
        ("istio_tcp_(sent|received)_bytes_total",),
        reading="rate", least_absolute=10e3, least_relative=0.5, entity="workload",
    ),
    Family(
        "Istio: TCP connections",
        ("istio_tcp_connections_opened_total",),
        reading="rate", least_absolute=1.0, least_relative=0.5, entity="workload",
    ),
    Family(
        "Istio: configuration refused",
        ("pilot_(total_xds_rejects|total_xds_internal_errors|xds_push_timeout|"
         "xds_write_timeout|xds_(cds|eds|lds|rds)_reject|push_errors)",
         "pilot_xds_push_errors", "pilot_xds_push_context_errors",
         "galley_validation_failed", "istio_agent_.*_(failures|errors|failure)(_count|_total)?",
         "citadel_server_.*_(error|failure)_count"),
        reading="rate", direction="above", least_absolute=0.02, entity="cluster",
    ),
    Family(
        "Istio: seconds until proxies have their configuration, together",
        ("pilot_proxy_convergence_time_sum",),
        reading="rate", direction="above", least_absolute=0.5, least_relative=0.5,
        entity="cluster",
    ),
    Family(
        "Istio: proxies connected",
        ("pilot_xds",),
        reading="level", direction="below", least_absolute=3.0, least_relative=0.3,
        entity="cluster",
    ),
    ignored("Istio: what others tell already", "istio_.*", "(pilot|galley|citadel|sidecar)_.*",
            entity="workload"),
)  # fmt: skip
