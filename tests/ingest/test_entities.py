"""Label sets as exporters and scrapes really write them, and what each series is about."""

import gc
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.entities import ENTITY_LABELS, entity_of, pod_owner
from ingest.exporters import EXPORTERS, SCRAPED
from lake.schema import ENTITY_COLUMNS

OPERATOR_KSM = {
    "job": "kube-state-metrics", "instance": "10.42.0.7:8080", "endpoint": "http",
    "service": "prom-kube-state-metrics", "container": "kube-state-metrics",
    "pod": "prom-kube-state-metrics-6f8d9c7b54-lm2xq", "namespace": "monitoring",
}  # fmt: skip
"""What the Prometheus Operator adds to kube-state-metrics' own labels, which are honoured."""

PLAIN_KSM = {
    "job": "kubernetes-pods", "instance": "10.42.0.7:8080", "namespace": "monitoring",
    "pod": "kube-state-metrics-6f8d9c7b54-lm2xq", "container": "kube-state-metrics",
    "node": "worker-9",
}  # fmt: skip
"""What a scrape of all pods adds; kube-state-metrics' own labels become `exported_…`."""

KSM = {"job": "kube-state-metrics", "instance": "10.42.0.7:8080"}
PODS = {"job": "kubernetes-pods", "instance": "10.42.0.7:8080"}

KUBELET = {
    "job": "kubelet", "instance": "192.168.1.11:10250", "endpoint": "https-metrics",
    "service": "prom-kubelet", "node": "worker-1", "metrics_path": "/metrics/cadvisor",
}  # fmt: skip
ON_NODE = {"job": "kubelet", "instance": "192.168.1.11:10250", "node": "worker-1"}

NODE_EXPORTER = {
    "job": "node-exporter", "instance": "192.168.1.11:9100", "endpoint": "http-metrics",
    "service": "prom-node-exporter", "container": "node-exporter", "namespace": "monitoring",
    "pod": "prom-node-exporter-x2v9k",
}  # fmt: skip
NODE = {"job": "node-exporter", "instance": "192.168.1.11:9100"}

CALL = {
    "source_workload": "cart", "source_workload_namespace": "shop", "source_app": "cart",
    "source_canonical_service": "cart", "source_canonical_revision": "v1",
    "source_cluster": "Kubernetes", "source_principal": "spiffe://cluster.local/ns/shop/sa/cart",
    "destination_workload": "payments-v2", "destination_workload_namespace": "money",
    "destination_service": "payments.money.svc.cluster.local",
    "destination_service_name": "payments", "destination_service_namespace": "money",
    "destination_canonical_service": "payments", "destination_cluster": "Kubernetes",
    "request_protocol": "http", "response_code": "503", "response_flags": "UO",
    "connection_security_policy": "mutual_tls",
}  # fmt: skip
SENT = {
    **CALL, "reporter": "source", "namespace": "shop", "pod": "cart-7c9d8f6b54-x2v9k",
    "container": "istio-proxy", "job": "envoy-stats", "instance": "10.42.1.5:15020",
}  # fmt: skip
GOT = {
    **CALL, "reporter": "destination", "namespace": "money", "job": "envoy-stats",
    "pod": "payments-v2-5b6c7d8f9-q4w8z", "container": "istio-proxy",
    "instance": "10.42.2.6:15020",
}  # fmt: skip
TUNNEL = {
    "namespace": "istio-system", "pod": "ztunnel-b8k2m", "container": "istio-proxy",
    "job": "ztunnel", "instance": "10.42.1.2:15020",
}  # fmt: skip
SIDECARS = {"job": "envoy-stats", "instance": "10.42.1.5:15020"}

DCGM = {
    "gpu": "0", "UUID": "GPU-6f2b", "device": "nvidia0", "modelName": "NVIDIA A100-SXM4-40GB",
    "Hostname": "gpu-3", "job": "nvidia-dcgm-exporter", "instance": "10.42.3.9:9400",
}  # fmt: skip
GPU = {"job": "nvidia-dcgm-exporter", "instance": "10.42.3.9:9400", "node": "gpu-3"}

VOLCANO = {
    "namespace": "volcano-system", "pod": "volcano-scheduler-6d8b5c9f7-z5x4w",
    "container": "volcano-scheduler", "service": "volcano-scheduler-service",
    "job": "volcano-scheduler", "instance": "10.42.0.3:8080",
}  # fmt: skip
SCHEDULER = {"job": "volcano-scheduler", "instance": "10.42.0.3:8080"}

KUEUE = {
    "namespace": "kueue-system", "pod": "kueue-controller-manager-7f9b6d5c48-g7h2j",
    "container": "manager", "service": "kueue-metrics", "job": "kueue",
    "instance": "10.42.0.4:8443",
}  # fmt: skip
MANAGER = {"job": "kueue", "instance": "10.42.0.4:8443"}

FLUID = {
    "namespace": "fluid-system", "pod": "dataset-controller-5d9c8b7f6-k2l4m",
    "container": "manager", "job": "fluid", "instance": "10.42.0.5:8080",
}  # fmt: skip

CASES = {
    # kube-state-metrics, labels honoured
    "ksm deployment": (
        {"__name__": "kube_deployment_status_replicas_available", **OPERATOR_KSM,
         "namespace": "shop", "deployment": "cart"},
        {"namespace": "shop", "workload": "cart", **KSM},
    ),
    "ksm statefulset": (
        {"__name__": "kube_statefulset_status_replicas_ready", **OPERATOR_KSM,
         "namespace": "shop", "statefulset": "postgres"},
        {"namespace": "shop", "workload": "postgres", **KSM},
    ),
    "ksm daemonset": (
        {"__name__": "kube_daemonset_status_number_ready", **OPERATOR_KSM,
         "namespace": "logs", "daemonset": "fluent-bit"},
        {"namespace": "logs", "workload": "fluent-bit", **KSM},
    ),
    "ksm phase of a pod": (
        {"__name__": "kube_pod_status_phase", **OPERATOR_KSM, "namespace": "shop",
         "pod": "cart-7c9d8f6b54-x2v9k", "uid": "0f", "phase": "Running"},
        {"namespace": "shop", "workload": "cart", "pod": "cart-7c9d8f6b54-x2v9k", **KSM},
    ),
    "ksm restarts": (
        {"__name__": "kube_pod_container_status_restarts_total", **OPERATOR_KSM,
         "namespace": "shop", "pod": "cart-7c9d8f6b54-x2v9k", "container": "app", "uid": "0f"},
        {"namespace": "shop", "workload": "cart", "pod": "cart-7c9d8f6b54-x2v9k",
         "container": "app", **KSM},
    ),
    "ksm requests": (
        {"__name__": "kube_pod_container_resource_requests", **OPERATOR_KSM, "namespace": "shop",
         "pod": "postgres-0", "container": "postgres", "node": "worker-1", "resource": "cpu",
         "unit": "core"},
        {"namespace": "shop", "workload": "postgres", "pod": "postgres-0",
         "container": "postgres", "node": "worker-1", **KSM},
    ),
    "ksm info of a pod": (
        {"__name__": "kube_pod_info", **OPERATOR_KSM, "namespace": "shop",
         "pod": "cart-7c9d8f6b54-x2v9k", "node": "worker-1", "host_ip": "192.168.1.11",
         "created_by_kind": "ReplicaSet", "created_by_name": "cart-7c9d8f6b54"},
        {"namespace": "shop", "workload": "cart", "pod": "cart-7c9d8f6b54-x2v9k",
         "node": "worker-1", **KSM},
    ),
    "ksm info of a static pod": (
        {"__name__": "kube_pod_info", **OPERATOR_KSM, "namespace": "kube-system",
         "pod": "kube-apiserver-master-1", "node": "master-1", "created_by_kind": "Node",
         "created_by_name": "master-1"},
        {"namespace": "kube-system", "workload": "kube-apiserver",
         "pod": "kube-apiserver-master-1", "node": "master-1", **KSM},
    ),
    "ksm info of a bare pod": (
        {"__name__": "kube_pod_info", **OPERATOR_KSM, "namespace": "shop", "pod": "debug",
         "created_by_kind": "<none>", "created_by_name": "<none>", "node": "worker-1"},
        {"namespace": "shop", "pod": "debug", "node": "worker-1", **KSM},
    ),
    "ksm owner of a pod": (
        {"__name__": "kube_pod_owner", **OPERATOR_KSM, "namespace": "shop", "pod": "db-main-0",
         "owner_kind": "StatefulSet", "owner_name": "db-main", "owner_is_controller": "true"},
        {"namespace": "shop", "workload": "db-main", "pod": "db-main-0", **KSM},
    ),
    "ksm owner of a replica set": (
        {"__name__": "kube_replicaset_owner", **OPERATOR_KSM, "namespace": "shop",
         "replicaset": "cart-7c9d8f6b54", "owner_kind": "Deployment", "owner_name": "cart"},
        {"namespace": "shop", "workload": "cart", **KSM},
    ),
    "ksm replica set": (
        {"__name__": "kube_replicaset_status_replicas", **OPERATOR_KSM, "namespace": "shop",
         "replicaset": "cart-7c9d8f6b54"},
        {"namespace": "shop", "workload": "cart", **KSM},
    ),
    "ksm job of a cron job": (
        {"__name__": "kube_job_status_failed", **OPERATOR_KSM, "namespace": "shop",
         "job_name": "backup-28391040", "reason": "BackoffLimitExceeded"},
        {"namespace": "shop", "workload": "backup", **KSM},
    ),
    "ksm owner of a job": (
        {"__name__": "kube_job_owner", **OPERATOR_KSM, "namespace": "shop",
         "job_name": "backup-28391040", "owner_kind": "CronJob", "owner_name": "backup"},
        {"namespace": "shop", "workload": "backup", **KSM},
    ),
    "ksm cron job": (
        {"__name__": "kube_cronjob_next_schedule_time", **OPERATOR_KSM, "namespace": "shop",
         "cronjob": "backup"},
        {"namespace": "shop", "workload": "backup", **KSM},
    ),
    "ksm claim": (
        {"__name__": "kube_persistentvolumeclaim_resource_requests_storage_bytes", **OPERATOR_KSM,
         "namespace": "shop", "persistentvolumeclaim": "data-postgres-0"},
        {"namespace": "shop", **KSM},
    ),
    "ksm volume": (
        {"__name__": "kube_persistentvolume_capacity_bytes", **OPERATOR_KSM,
         "persistentvolume": "pvc-1a2b"},
        KSM,
    ),
    "ksm autoscaler": (
        {"__name__": "kube_horizontalpodautoscaler_status_current_replicas", **OPERATOR_KSM,
         "namespace": "shop", "horizontalpodautoscaler": "cart"},
        {"namespace": "shop", "workload": "cart", **KSM},
    ),
    "ksm target of an autoscaler": (
        {"__name__": "kube_horizontalpodautoscaler_info", **OPERATOR_KSM, "namespace": "shop",
         "horizontalpodautoscaler": "cart-hpa", "scaletargetref_kind": "Deployment",
         "scaletargetref_name": "cart"},
        {"namespace": "shop", "workload": "cart", **KSM},
    ),
    "ksm node": (
        {"__name__": "kube_node_status_condition", **OPERATOR_KSM, "node": "worker-1",
         "condition": "Ready", "status": "true"},
        {"node": "worker-1", **KSM},
    ),
    "ksm quota": (
        {"__name__": "kube_resourcequota", **OPERATOR_KSM, "namespace": "shop",
         "resourcequota": "small", "resource": "requests.cpu", "type": "hard"},
        {"namespace": "shop", **KSM},
    ),
    "ksm service": (
        {"__name__": "kube_service_info", **OPERATOR_KSM, "namespace": "shop", "service": "cart",
         "cluster_ip": "10.43.0.9"},
        {"namespace": "shop", "service": "cart", **KSM},
    ),
    "ksm of itself": (
        {"__name__": "kube_state_metrics_list_total", **OPERATOR_KSM, "resource": "*v1.Pod"},
        {"namespace": "monitoring", "workload": "prom-kube-state-metrics",
         "pod": OPERATOR_KSM["pod"], "container": "kube-state-metrics",
         "service": "prom-kube-state-metrics", **KSM},
    ),
    # kube-state-metrics, labels not honoured
    "ksm exported pod": (
        {"__name__": "kube_pod_container_status_restarts_total", **PLAIN_KSM,
         "exported_namespace": "shop", "exported_pod": "cart-7c9d8f6b54-x2v9k",
         "exported_container": "app"},
        {"namespace": "shop", "workload": "cart", "pod": "cart-7c9d8f6b54-x2v9k",
         "container": "app", "node": "worker-9", **PODS},
    ),
    "ksm exported node": (
        {"__name__": "kube_pod_info", **PLAIN_KSM, "exported_namespace": "shop",
         "exported_pod": "cart-0", "exported_node": "worker-1"},
        {"namespace": "shop", "workload": "cart", "pod": "cart-0", "node": "worker-1", **PODS},
    ),
    "ksm exported namespace": (
        {"__name__": "kube_deployment_spec_replicas", **PLAIN_KSM, "exported_namespace": "shop",
         "deployment": "cart"},
        {"namespace": "shop", "workload": "cart", **PODS},
    ),
    "ksm with the chart's old scrape": (
        {"__name__": "kube_deployment_spec_replicas", "namespace": "shop", "deployment": "cart",
         "kubernetes_namespace": "monitoring", "kubernetes_name": "kube-state-metrics",
         "kubernetes_node": "worker-9", "job": "kubernetes-service-endpoints",
         "instance": "10.42.0.7:8080"},
        {"namespace": "shop", "workload": "cart", "job": "kubernetes-service-endpoints",
         "instance": "10.42.0.7:8080"},
    ),
    # cAdvisor and the kubelet
    "cadvisor container": (
        {"__name__": "container_memory_working_set_bytes", **KUBELET, "namespace": "shop",
         "pod": "cart-7c9d8f6b54-x2v9k", "container": "app", "image": "cart:1", "name": "c1",
         "id": "/kubepods/burstable/pod0f/c1"},
        {"namespace": "shop", "workload": "cart", "pod": "cart-7c9d8f6b54-x2v9k",
         "container": "app", **ON_NODE},
    ),
    "cadvisor network of a pod": (
        {"__name__": "container_network_receive_bytes_total", **KUBELET, "namespace": "shop",
         "pod": "fluent-bit-x2v9k", "interface": "eth0", "id": "/kubepods/pod0f"},
        {"namespace": "shop", "workload": "fluent-bit", "pod": "fluent-bit-x2v9k", **ON_NODE},
    ),
    "cadvisor before 1.16": (
        {"__name__": "container_cpu_usage_seconds_total", "namespace": "shop",
         "pod_name": "cart-7c9d8f6b54-x2v9k", "container_name": "app", "cpu": "total",
         "kubernetes_io_hostname": "worker-1", "job": "kubernetes-cadvisor",
         "instance": "worker-1"},
        {"namespace": "shop", "workload": "cart", "pod": "cart-7c9d8f6b54-x2v9k",
         "container": "app", "node": "worker-1", "job": "kubernetes-cadvisor",
         "instance": "worker-1"},
    ),
    "cadvisor of an exporter": (
        {"__name__": "container_cpu_usage_seconds_total", **KUBELET, "namespace": "monitoring",
         "pod": "prom-node-exporter-x2v9k", "container": "node-exporter"},
        {"namespace": "monitoring", "workload": "prom-node-exporter",
         "pod": "prom-node-exporter-x2v9k", "container": "node-exporter", **ON_NODE},
    ),
    "kubelet volume": (
        {"__name__": "kubelet_volume_stats_available_bytes", **KUBELET, "namespace": "shop",
         "persistentvolumeclaim": "data-postgres-0"},
        {"namespace": "shop", **ON_NODE},
    ),
    "recording rule over cadvisor": (
        {"__name__": "node_namespace_pod_container:container_memory_working_set_bytes",
         "namespace": "shop", "pod": "cart-0", "container": "app", "node": "worker-1"},
        {"namespace": "shop", "workload": "cart", "pod": "cart-0", "container": "app",
         "node": "worker-1"},
    ),
    "workload of the mixin": (
        {"__name__": "namespace_workload_pod:kube_pod_owner:relabel", "namespace": "shop",
         "pod": "odd", "workload": "cart", "workload_type": "deployment"},
        {"namespace": "shop", "pod": "odd", "workload": "cart"},
    ),
    # node_exporter
    "node cpu": (
        {"__name__": "node_cpu_seconds_total", **NODE_EXPORTER, "cpu": "0", "mode": "idle"},
        NODE,
    ),
    "node filesystem, scraped with the node's name": (
        {"__name__": "node_filesystem_avail_bytes", **NODE_EXPORTER, "node": "worker-1",
         "device": "/dev/sda1", "fstype": "ext4", "mountpoint": "/"},
        {"node": "worker-1", **NODE},
    ),
    "node uname": (
        {"__name__": "node_uname_info", **NODE_EXPORTER, "nodename": "worker-1",
         "machine": "x86_64", "sysname": "Linux"},
        {"node": "worker-1", **NODE},
    ),
    "an app whose metrics begin with node_": (
        {"__name__": "node_peers", "namespace": "chain", "pod": "geth-0", "container": "geth"},
        {"namespace": "chain", "workload": "geth", "pod": "geth-0", "container": "geth"},
    ),
    # Istio
    "istio as its source saw it": (
        {"__name__": "istio_requests_total", **SENT},
        {"namespace": "shop", "workload": "cart", "service": "cart",
         "pod": "cart-7c9d8f6b54-x2v9k", **SIDECARS},
    ),
    "istio as its destination saw it": (
        {"__name__": "istio_request_duration_milliseconds_bucket", "le": "25", **GOT},
        {"namespace": "money", "workload": "payments-v2", "service": "payments",
         "pod": "payments-v2-5b6c7d8f9-q4w8z", "job": "envoy-stats",
         "instance": "10.42.2.6:15020"},
    ),
    "istio from outside the mesh": (
        {"__name__": "istio_requests_total", **GOT, "source_workload": "unknown",
         "source_workload_namespace": "unknown", "source_canonical_service": "unknown"},
        {"namespace": "money", "workload": "payments-v2", "service": "payments",
         "pod": "payments-v2-5b6c7d8f9-q4w8z", "job": "envoy-stats",
         "instance": "10.42.2.6:15020"},
    ),
    "istio to outside the mesh": (
        {"__name__": "istio_tcp_sent_bytes_total", **SENT, "destination_workload": "unknown",
         "destination_workload_namespace": "unknown",
         "destination_service_name": "PassthroughCluster"},
        {"namespace": "shop", "workload": "cart", "service": "cart",
         "pod": "cart-7c9d8f6b54-x2v9k", **SIDECARS},
    ),
    "istio tunnel of a node": (
        {"__name__": "istio_tcp_connections_opened_total", **CALL, "reporter": "source", **TUNNEL},
        {"namespace": "shop", "workload": "cart", "service": "cart", "job": "ztunnel",
         "instance": "10.42.1.2:15020"},
    ),
    "istio waypoint": (
        {"__name__": "istio_requests_total", **CALL, "reporter": "waypoint", "namespace": "money",
         "pod": "waypoint-6c5d7f8b9-m4n5p", "job": "waypoint", "instance": "10.42.1.3:15020"},
        {"namespace": "money", "workload": "payments-v2", "service": "payments",
         "job": "waypoint", "instance": "10.42.1.3:15020"},
    ),
    "istio added up over both ends": (
        {"__name__": "destination:istio_requests:rate5m", "destination_workload": "payments-v2",
         "destination_workload_namespace": "money", "destination_service_name": "payments"},
        {"namespace": "money", "workload": "payments-v2", "service": "payments"},
    ),
    "istio's control plane": (
        {"__name__": "pilot_xds_pushes", "namespace": "istio-system", "job": "istiod",
         "pod": "istiod-5f6b7c8d9-h4j5k", "service": "istiod", "type": "cds"},
        {"namespace": "istio-system", "workload": "istiod", "pod": "istiod-5f6b7c8d9-h4j5k",
         "service": "istiod", "job": "istiod"},
    ),
    # Gatekeeper and OPA
    "gatekeeper": (
        {"__name__": "gatekeeper_validation_request_count", "admission_status": "deny",
         "admission_dryrun": "false", "namespace": "gatekeeper-system",
         "pod": "gatekeeper-controller-manager-6b7c8d9f5-p4q5r", "container": "manager",
         "job": "gatekeeper"},
        {"namespace": "gatekeeper-system", "workload": "gatekeeper-controller-manager",
         "pod": "gatekeeper-controller-manager-6b7c8d9f5-p4q5r", "container": "manager",
         "job": "gatekeeper"},
    ),
    "opa": (
        {"__name__": "http_request_duration_seconds_count", "handler": "v1/data", "code": "200",
         "method": "post", "namespace": "opa", "pod": "opa-7b8c9d6f5-t4v5w", "service": "opa"},
        {"namespace": "opa", "workload": "opa", "pod": "opa-7b8c9d6f5-t4v5w", "service": "opa"},
    ),
    # Volcano and Kueue
    "volcano job": (
        {"__name__": "volcano_e2e_job_scheduling_duration", **VOLCANO, "job_name": "train",
         "job_namespace": "ml", "queue": "gpu"},
        {"namespace": "ml", "workload": "train", **SCHEDULER},
    ),
    "volcano tasks that wait": (
        {"__name__": "volcano_unschedule_task_count", **VOLCANO, "job_id": "ml/train"},
        {"namespace": "ml", "workload": "train", **SCHEDULER},
    ),
    "volcano queue": (
        {"__name__": "volcano_queue_allocated_milli_cpu", **VOLCANO, "queue_name": "gpu"},
        SCHEDULER,
    ),
    "volcano scheduler": (
        {"__name__": "volcano_schedule_attempts_total", **VOLCANO, "result": "error"},
        {"workload": "volcano-scheduler",
         **{name: VOLCANO[name] for name in ("namespace", "pod", "container", "service")},
         **SCHEDULER},
    ),
    "kueue cluster queue": (
        {"__name__": "kueue_pending_workloads", **KUEUE, "cluster_queue": "gpu",
         "status": "active"},
        MANAGER,
    ),
    "kueue local queue": (
        {"__name__": "kueue_local_queue_pending_workloads", **KUEUE, "exported_namespace": "ml",
         "name": "team-a", "status": "active"},
        {"namespace": "ml", **MANAGER},
    ),
    # Fluid
    "fluid data set": (
        {"__name__": "dataset_ufs_total_size", **FLUID, "dataset": "ml/imagenet"},
        {"namespace": "ml", "workload": "imagenet", "job": "fluid", "instance": "10.42.0.5:8080"},
    ),
    "fluid runtime": (
        {"__name__": "runtime_setup_error_total", **FLUID, "runtime_type": "alluxio",
         "runtime": "ml/imagenet"},
        {"namespace": "ml", "workload": "imagenet", "job": "fluid", "instance": "10.42.0.5:8080"},
    ),
    "fluid's cache": (
        {"__name__": "Cluster_BytesReadLocal", "fluid_runtime": "imagenet", "namespace": "ml",
         "pod": "imagenet-master-0", "job": "fluid-alluxio"},
        {"namespace": "ml", "workload": "imagenet", "pod": "imagenet-master-0",
         "job": "fluid-alluxio"},
    ),
    # DCGM
    "gpu of a pod, labels honoured": (
        {"__name__": "DCGM_FI_DEV_GPU_UTIL", **DCGM, "namespace": "ml", "pod": "train-worker-0",
         "container": "torch", "service": "nvidia-dcgm-exporter"},
        {"namespace": "ml", "workload": "train-worker", "pod": "train-worker-0",
         "container": "torch", **GPU},
    ),
    "gpu of a pod, labels not honoured": (
        {"__name__": "DCGM_FI_DEV_FB_USED", **DCGM, "exported_namespace": "ml",
         "exported_pod": "train-worker-0", "exported_container": "torch",
         "namespace": "gpu-operator", "pod": "nvidia-dcgm-exporter-b8k2m",
         "container": "nvidia-dcgm-exporter", "service": "nvidia-dcgm-exporter"},
        {"namespace": "ml", "workload": "train-worker", "pod": "train-worker-0",
         "container": "torch", **GPU},
    ),
    "gpu without a pod": (
        {"__name__": "DCGM_FI_DEV_GPU_TEMP", **DCGM},
        GPU,
    ),
    # OpenTelemetry, names translated
    "otel pod": (
        {"__name__": "k8s_pod_cpu_usage", "k8s_namespace_name": "shop",
         "k8s_pod_name": "cart-7c9d8f6b54-x2v9k", "k8s_node_name": "worker-1",
         "k8s_deployment_name": "cart"},
        {"namespace": "shop", "workload": "cart", "pod": "cart-7c9d8f6b54-x2v9k",
         "node": "worker-1"},
    ),
    "otel container of a cron job": (
        {"__name__": "k8s_container_restarts", "k8s_namespace_name": "shop",
         "k8s_pod_name": "backup-28391040-x2v9k", "k8s_container_name": "dump",
         "k8s_job_name": "backup-28391040"},
        {"namespace": "shop", "workload": "backup", "pod": "backup-28391040-x2v9k",
         "container": "dump"},
    ),
    "otel application": (
        {"__name__": "http_server_request_duration_seconds_count", "job": "shop/cart",
         "instance": "cart-1", "service_name": "cart", "k8s_statefulset_name": "cart-db"},
        {"workload": "cart-db", "service": "cart", "job": "shop/cart", "instance": "cart-1"},
    ),
    # What applications expose, as the Prometheus Operator scrapes it
    "application": (
        {"__name__": "http_requests_total", "namespace": "shop", "pod": "cart-7c9d8f6b54-x2v9k",
         "container": "app", "service": "cart", "endpoint": "web", "job": "cart",
         "instance": "10.42.1.5:8080", "code": "200"},
        {"namespace": "shop", "workload": "cart", "pod": "cart-7c9d8f6b54-x2v9k",
         "container": "app", "service": "cart", "job": "cart", "instance": "10.42.1.5:8080"},
    ),
    "application, pods by annotation": (
        {"__name__": "http_requests_total", "kubernetes_namespace": "shop",
         "kubernetes_pod_name": "postgres-0", "app": "postgres", "job": "kubernetes-pods"},
        {"namespace": "shop", "workload": "postgres", "pod": "postgres-0",
         "job": "kubernetes-pods"},
    ),
    "certificate, told by its manager": (
        {"__name__": "certmanager_certificate_expiration_timestamp_seconds", "name": "shop-tls",
         "exported_namespace": "shop", "namespace": "cert-manager", "job": "cert-manager",
         "pod": "cert-manager-6b7c8d9f5-v5w6x", "container": "cert-manager-controller"},
        {"namespace": "shop", "job": "cert-manager"},
    ),
    "pushed through a gateway": (
        {"__name__": "backup_last_success_timestamp_seconds", "exported_job": "nightly",
         "job": "pushgateway", "instance": "10.42.0.8:9091"},
        {"job": "nightly", "instance": "10.42.0.8:9091"},
    ),
    "nothing known": ({"__name__": "x", "unrelated": "y"}, {}),
    "a reporter that is no mesh": (
        {"__name__": "bugs_total", "reporter": "source", "namespace": "shop", "pod": "cart-0"},
        {"namespace": "shop", "pod": "cart-0", "workload": "cart"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("labels", "entity"), CASES.values(), ids=CASES)
def test_what_a_series_is_about(labels, entity):
    assert entity_of(labels) == entity
    assert entity_of(dict(reversed(labels.items()))) == entity, "whatever the order of its labels"


@pytest.mark.parametrize(
    ("pod", "workload"),
    [
        ("cart-7c9d8f6b54-x2v9k", "cart"),
        ("my-app-7c9d8f6b54-x2v9k", "my-app"),
        ("postgres-0", "postgres"),
        ("kafka-broker-12", "kafka-broker"),
        ("node-exporter-x2v9k", "node-exporter"),
        ("backup-28391040-x2v9k", "backup"),
        ("backup-1584489600-x2v9k", "backup"),
        ("backup-28391040", None),
        ("standalone", None),
        ("front-end", None),
        ("my-hello", None),
        ("", None),
        ("-0", None),
    ],
)
def test_the_workload_is_read_off_the_pod(pod, workload):
    assert pod_owner(pod) == workload
    assert entity_of({"pod": pod}).get("workload") == workload


def test_static_pods_are_named_after_their_node():
    assert pod_owner("etcd-ip-10-0-1-23.ec2.internal", "ip-10-0-1-23.ec2.internal") == "etcd"
    assert pod_owner("etcd-0", "worker-0") == "etcd"
    assert pod_owner("-n", "n") is None


def test_a_senders_long_texts_are_not_kept():
    """Names of pods and metrics are remembered, so many of them; not however long they are."""
    gc.collect()
    tracemalloc.start()
    for n in range(500):
        entity_of({"__name__": "kube_" + str(n) * 20_000, "pod": f"{n}" * 20_000 + "-0"})
        entity_of({"pod": "a-0", "node": f"{n}" * 20_000})
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1 << 20


def test_the_tables_agree():
    assert tuple(ENTITY_LABELS) == ENTITY_COLUMNS
    names = [name for names in ENTITY_LABELS.values() for name in names]
    assert len(names) == len(set(names)), "a label fills one column"
    assert all(name in ENTITY_LABELS[column] for name, column in SCRAPED.items())
    beginnings = [one for group, _ in EXPORTERS for one in group]
    for place, one in enumerate(beginnings):
        shadowed = [other for other in beginnings[:place] if one.startswith(other)]
        assert not shadowed, f"{one} is never reached"


METRICS = st.sampled_from([one for group, _ in EXPORTERS for one in group] + ["up", "a:b"])
NAMES = st.sampled_from(
    [name for names in ENTITY_LABELS.values() for name in names]
    + ["reporter", "owner_kind", "created_by_kind", "dataset", "runtime", "job_id", "x"]
)
VALUES = st.one_of(
    st.sampled_from(["source", "destination", "Node", "Job", "a/b", "/", "-0", "", "unknown"]),
    st.text(max_size=8),
)


@given(METRICS, st.dictionaries(NAMES, VALUES, max_size=12))
def test_any_labels_give_columns_with_something_in_them(metric, labels):
    entity = entity_of({"__name__": metric, **labels})
    assert set(entity) <= set(ENTITY_COLUMNS)
    assert all(entity.values())
