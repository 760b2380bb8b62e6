"""OPA and Gatekeeper: decisions, denials, audits.

Source: Gatekeeper's "Metrics & Observability"; OPA's "Monitoring".
"""

from detectors.families.family import Family, ignored

FAMILIES = (
    Family(
        "Gatekeeper: admission denied",
        ("gatekeeper_validation_request_count(_total)?",), (("admission_status", "deny|error"),),
        reading="rate", direction="above", least_absolute=0.02, entity="cluster",
    ),
    Family(
        "Gatekeeper: mutation failed",
        ("gatekeeper_mutation_request_count(_total)?",), (("mutation_status", "error"),),
        reading="rate", direction="above", least_absolute=0.02, entity="cluster",
    ),
    Family(
        "Gatekeeper: requests",
        ("gatekeeper_(validation|mutation)_request_count(_total)?",),
        reading="rate", least_absolute=0.1, least_relative=0.5, entity="cluster",
    ),
    Family(
        "Gatekeeper: violations found by audit",
        ("gatekeeper_violations",),
        reading="level", direction="above", least_absolute=0.5, least_relative=0.05,
        entity="cluster",
    ),
    Family(
        "Gatekeeper: broken constraints",
        ("gatekeeper_(constraints|constraint_templates|mutators)",), (("status", "error"),),
        reading="level", direction="above", least_absolute=0.5, entity="cluster",
    ),
    Family(
        "Gatekeeper: seconds spent, all requests together",
        ("gatekeeper_(validation_request|mutation_request|audit)_duration_seconds_sum",),
        reading="rate", direction="above", least_absolute=0.05, least_relative=0.5,
        entity="cluster",
    ),
    Family(
        "Gatekeeper: seconds since the last audit",
        ("gatekeeper_audit_last_run(_end)?_time",),
        reading="age", direction="above", least_absolute=300.0, entity="cluster",
    ),
    ignored("Gatekeeper: what others tell already", "gatekeeper_.*", entity="cluster"),
    Family(
        "OPA: denied",
        ("opa_decisions_total",), (("result", "deny|denied|false|error"),),
        reading="rate", direction="above", least_absolute=0.02, entity="workload",
    ),
    Family(
        "OPA: decisions",
        ("opa_decisions_total",),
        reading="rate", least_absolute=0.05, least_relative=0.4, entity="workload",
    ),
    Family(
        "OPA: bundles not loaded, decisions not sent",
        ("(opa_)?bundle_failed_load_counter(_total)?",
         "(opa_)?(decision_logs_dropped.*|status_dropped_.*)"),
        reading="rate", direction="above", entity="workload",
    ),
    ignored(
        "OPA: times",
        "(opa_)?(last_success_bundle_(activation|download|request)|last_bundle_request|"
        "bundle_loaded_counter|bundle_loading_duration_ns.*)",
        entity="workload",
    ),
)  # fmt: skip
