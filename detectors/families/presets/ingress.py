"""Ingress controllers: ingress-nginx, nginx, Traefik.

Some of their counters have no `_total`: the reading is said here. Source:
`docs/user-guide/monitoring.md` of kubernetes/ingress-nginx, nginx-prometheus-exporter, Traefik.
"""

from detectors.families.family import MIB, Family, ignored

FAMILIES = (
    Family(
        "ingress-nginx: failed requests",
        ("nginx_ingress_controller_requests",), (("status", "5.."),),
        reading="rate", direction="above", least_absolute=0.05, entity="service",
    ),
    Family(
        "ingress-nginx: refused requests",
        ("nginx_ingress_controller_requests",), (("status", "4.."),),
        reading="rate", direction="above", least_absolute=0.5, least_relative=0.5,
        entity="service",
    ),
    Family(
        "ingress-nginx: requests",
        ("nginx_ingress_controller_(nginx_process_)?requests(_total)?",
         "nginx_http_requests_total"),
        reading="rate", least_absolute=0.5, least_relative=0.4, entity="service",
    ),
    Family(
        "ingress-nginx: seconds spent, all requests together",
        ("nginx_ingress_controller_(request|response|connect|header)_duration_seconds_sum",),
        reading="rate", direction="above", least_absolute=0.05, least_relative=0.5,
        entity="service",
    ),
    Family(
        "ingress-nginx: broken configuration",
        ("nginx_ingress_controller_(errors|check_errors)",),
        reading="rate", direction="above", entity="pod",
    ),
    Family(
        "ingress-nginx: configuration read, nginx up",
        ("nginx_ingress_controller_config_last_reload_successful", "nginx_up"),
        reading="level", direction="below", least_absolute=0.5, ceiling=1.0, entity="pod",
    ),
    Family(
        "ingress-nginx: connections",
        ("nginx_ingress_controller_nginx_process_connections", "nginx_connections_active"),
        reading="level", direction="above", least_absolute=50.0, least_relative=0.5, entity="pod",
    ),
    Family(
        "ingress-nginx: memory in use",
        ("nginx_ingress_controller_nginx_process_resident_memory_bytes",),
        reading="level", direction="above", least_absolute=32 * MIB, least_relative=0.1,
        entity="pod",
    ),
    Family(
        "nginx: connections accepted",
        ("nginx_connections_(accepted|handled)",),
        reading="rate", least_absolute=1.0, least_relative=0.5, entity="pod",
    ),
    ignored(
        "ingress-nginx: settings, times, and what others tell already",
        "nginx_ingress_controller_.*", "nginx_connections_(reading|writing|waiting)", entity="pod",
    ),
    Family(
        "Traefik: failed requests",
        ("traefik_(entrypoint|router|service)_requests_total",), (("code", "5..|0"),),
        reading="rate", direction="above", least_absolute=0.05, entity="service",
    ),
    Family(
        "Traefik: refused requests",
        ("traefik_(entrypoint|router|service)_requests_total",), (("code", "4.."),),
        reading="rate", direction="above", least_absolute=0.5, least_relative=0.5,
        entity="service",
    ),
    Family(
        "Traefik: requests",
        ("traefik_(entrypoint|router|service)_requests_total",),
        reading="rate", least_absolute=0.5, least_relative=0.4, entity="service",
    ),
    Family(
        "Traefik: seconds spent, all requests together",
        ("traefik_(entrypoint|router|service)_request_duration_seconds_sum",),
        reading="rate", direction="above", least_absolute=0.05, least_relative=0.5,
        entity="service",
    ),
    Family(
        "Traefik: requests tried again, configuration refused",
        ("traefik_service_retries_total", "traefik_config_reloads_failure_total"),
        reading="rate", direction="above", least_absolute=0.02, entity="service",
    ),
    Family(
        "Traefik: servers up",
        ("traefik_service_server_up",),
        reading="level", direction="below", least_absolute=0.5, ceiling=1.0, entity="service",
    ),
    Family(
        "Traefik: connections",
        ("traefik_open_connections", "traefik_(entrypoint|service)_open_connections"),
        reading="level", direction="above", least_absolute=50.0, least_relative=0.5, entity="pod",
    ),
    ignored("Traefik: settings, times, and what others tell already", "traefik_.*", entity="pod"),
)  # fmt: skip
