"""Metrics that no exporter's table names, by the words that names are made of.

The last family takes whatever is left.
"""

from detectors.families.family import Family, ignored

FAMILIES = (
    Family(
        "target up", ("up", "probe_success"),
        reading="level", direction="below", least_absolute=0.5, ceiling=1.0, entity="instance",
    ),
    ignored("alerts of others", "ALERTS", "ALERTS_FOR_STATE"),
    ignored("what describes", ".*_(info|created|labels|annotations|build_info|version)",
            "target_info"),
    ignored(
        "times, and how long something runs",
        ".*_(timestamp|timestamp_seconds|timestamp_ms|time_seconds_since_epoch|start_time|"
        "start_time_seconds|boot_time_seconds|not_after|not_before|expiry_seconds|"
        "expiration_seconds|uptime|uptime_seconds|uptime_in_seconds)(_total)?",
        ".*_(last|next)_.*_(time|time_seconds|seconds_ago)",
    ),
    Family(
        "errors",
        (".*_(errors?|failures?|failed|rejected|dropped|discarded|timeouts?|timedout|aborted|"
         "panics?|exceptions?|oom|evictions?|retries|violations?|denied)(_total|_count)?",),
        direction="above",
    ),
    Family("failed requests", (".*_(requests|responses|calls)(_total|_count)?",),
           (("code", "5..|5xx|error"),), direction="above", least_absolute=0.02),
    Family("failed requests", (".*_(requests|responses|calls)(_total|_count)?",),
           (("status", "5..|5xx|error"),), direction="above", least_absolute=0.02),
    Family(
        "good news",
        (".*_(up|healthy|ready|success|successful|available)",),
        direction="below",
    ),
    Family(
        "space left", (".*_(free|available|avail|remaining)_bytes",),
        reading="level", direction="below", least_absolute=4096.0, least_relative=0.02,
    ),
    Family(
        "what waits",
        (".*_(queue_length|queue_size|queue_depth|queued|pending|backlog|waiting|lag|"
         "consumergroup_lag|replication_lag_seconds)",),
        direction="above", least_relative=0.2,
    ),
    Family(
        "time spent, all together",
        (".*_(seconds|milliseconds|microseconds|nanoseconds|duration|latency)_sum",),
        reading="rate", direction="above", least_relative=0.2,
    ),
    Family(
        "part of a whole", (".*_(ratio|utilization|utilisation)",),
        reading="level", least_absolute=0.02,
    ),
    Family(
        "percent", (".*_(percent|percentage)",),
        reading="level", least_absolute=2.0,
    ),
    Family(
        "temperature", (".*_celsius",),
        reading="level", direction="above", least_absolute=5.0, floor=None,
    ),
    Family("counters", (".*_(total|count|sum|bucket)",)),
    Family("bytes", (".*_bytes",), least_absolute=4096.0),
    Family("anything else", (".*",), floor=None),
)  # fmt: skip
