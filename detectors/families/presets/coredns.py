"""CoreDNS: questions, failures, what lies behind it.

Source: `plugin/metrics`, `plugin/forward`, `plugin/cache` of coredns/coredns.
"""

from detectors.families.family import Family, ignored

FAMILIES = (
    Family(
        "CoreDNS: failed answers",
        ("coredns_dns_responses_total", "coredns_forward_responses_total"),
        (("rcode", "SERVFAIL|REFUSED|FORMERR|NOTIMP"),),
        reading="rate", direction="above", least_absolute=0.1, least_relative=0.5, entity="pod",
    ),
    Family(
        "CoreDNS: names that do not exist",
        ("coredns_dns_responses_total",), (("rcode", "NXDOMAIN"),),
        reading="rate", direction="above", least_absolute=1.0, least_relative=0.5, entity="pod",
    ),
    Family(
        "CoreDNS: questions",
        ("coredns_dns_requests_total", "coredns_dns_request_count_total"),
        reading="rate", least_absolute=1.0, least_relative=0.5, entity="pod",
    ),
    Family(
        "CoreDNS: seconds spent, all questions together",
        ("coredns_(dns|forward|proxy)_request_duration_seconds_sum",),
        reading="rate", direction="above", least_absolute=0.02, least_relative=0.5, entity="pod",
    ),
    Family(
        "CoreDNS: not found in the cache, forwarded",
        ("coredns_cache_misses_total", "coredns_forward_requests_total"),
        reading="rate", direction="above", least_absolute=1.0, least_relative=0.5, entity="pod",
    ),
    Family(
        "CoreDNS: broken",
        ("coredns_panics_total", "coredns_reload_failed_total",
         "coredns_(forward|proxy)_healthcheck_(failures|broken)_total",
         "coredns_(forward|proxy)_max_concurrent_rejects_total",
         "coredns_health_request_failures_total", "coredns_kubernetes_rest_client_.*errors.*"),
        reading="rate", direction="above", entity="pod",
    ),
    ignored("CoreDNS: what others tell already", "coredns_.*", entity="pod"),
)  # fmt: skip
