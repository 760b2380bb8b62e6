"""API server, etcd, scheduler, controllers.

Source: kubernetes/kubernetes metrics of stability STABLE and BETA; alerts of etcd's and the
Kubernetes mixin.
"""

from detectors.families.family import Family, ignored

FAMILIES = (
    Family(
        "API server: failed requests",
        ("apiserver_request_total", "rest_client_requests_total"), (("code", "5..|<error>"),),
        reading="rate", direction="above", least_absolute=0.05, entity="cluster",
    ),
    ignored("API server: long requests", "apiserver_request_total",
            labels=(("verb", "WATCH|CONNECT"),), entity="cluster"),
    Family(
        "API server: requests",
        ("apiserver_request_total", "rest_client_requests_total"),
        reading="rate", direction="above", least_absolute=1.0, least_relative=0.5,
        entity="cluster",
    ),
    Family(
        "API server: requests in work or refused",
        ("apiserver_current_inflight_requests",
         "apiserver_flowcontrol_current_inqueue_requests"),
        reading="level", direction="above", least_absolute=10.0, least_relative=0.5,
        entity="cluster",
    ),
    Family(
        "API server: requests refused or timed out",
        ("apiserver_(request_terminations|dropped_requests|flowcontrol_rejected_requests|"
         "request_aborts|admission_webhook_rejection_count|"
         "admission_webhook_fail_open_count)(_total)?",),
        reading="rate", direction="above", least_absolute=0.02, entity="cluster",
    ),
    Family(
        "etcd: leader",
        ("etcd_server_has_leader",),
        reading="level", direction="below", least_absolute=0.5, ceiling=1.0, entity="instance",
    ),
    Family(
        "etcd: failures and elections",
        ("etcd_server_(leader_changes_seen|proposals_failed|heartbeat_send_failures|"
         "slow_apply|slow_read_indexes)_total",
         "etcd_network_peer_(sent|received)_failures_total"),
        reading="rate", direction="above", least_absolute=0.02, entity="instance",
    ),
    Family(
        "etcd: seconds waited for the disk",
        ("etcd_disk_(wal_fsync|backend_commit)_duration_seconds_sum",),
        reading="rate", direction="above", least_absolute=0.05, least_relative=0.5,
        entity="instance",
    ),
    Family(
        "etcd: size",
        ("etcd_mvcc_db_total_size_in_(use_in_)?bytes",),
        reading="level", direction="above", least_absolute=64e6, least_relative=0.2,
        entity="instance",
    ),
    Family(
        "scheduler: pods that wait",
        ("scheduler_pending_pods",), (("queue", "unschedulable|backoff"),),
        reading="level", direction="above", least_absolute=2.0, least_relative=0.5,
        entity="cluster",
    ),
    Family(
        "scheduler: attempts without success",
        ("scheduler_schedule_attempts_total",), (("result", "error|unschedulable"),),
        reading="rate", direction="above", least_absolute=0.02, least_relative=0.5,
        entity="cluster",
    ),
    Family(
        "controllers: work that waits",
        ("workqueue_depth", "workqueue_unfinished_work_seconds",
         "workqueue_longest_running_processor_seconds"),
        reading="level", direction="above", least_absolute=10.0, least_relative=0.5,
        entity="cluster",
    ),
    Family(
        "controllers: work tried again",
        ("workqueue_retries_total", "controller_runtime_reconcile_errors_total",
         "node_collector_evictions_total"),
        reading="rate", direction="above", least_absolute=0.1, least_relative=0.5,
        entity="cluster",
    ),
    ignored(
        "control plane: what others tell already",
        "(apiserver|apiextensions|aggregator|authentication|authorization|workqueue|scheduler|"
        "rest_client|leader_election|kube_apiserver|registered_metrics|hidden_metrics|"
        "disabled_metrics|kubernetes_feature|controller_runtime|node_collector|"
        "attachdetach|endpoint_slice_controller|ttl_after_finished|garbagecollector|"
        "kubeproxy|etcd|grpc_server)_.*",
        entity="cluster",
    ),
)  # fmt: skip
