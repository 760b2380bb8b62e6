"""What is known of the usual exporters' metrics; of families that match, the first counts."""

from detectors.families.family import Family
from detectors.families.presets import (
    batch,
    control_plane,
    coredns,
    general,
    gpu,
    ingress,
    istio,
    kube_state,
    kube_workloads,
    kubelet,
    node,
    opentelemetry,
    policy,
    proxies,
)

PRESETS: tuple[Family, ...] = (
    *kube_state.FAMILIES,
    *kube_workloads.FAMILIES,
    *kubelet.FAMILIES,
    *node.FAMILIES,
    *control_plane.FAMILIES,
    *coredns.FAMILIES,
    *ingress.FAMILIES,
    *proxies.FAMILIES,
    *istio.FAMILIES,
    *policy.FAMILIES,
    *batch.FAMILIES,
    *gpu.FAMILIES,
    *opentelemetry.FAMILIES,
    *general.FAMILIES,
)
"""All presets, in order; the last takes whatever the others leave."""
