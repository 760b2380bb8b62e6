"""What the imaginary shop runs, and where: three clusters on three clouds, as plain data.

The figures are those of one pod on a busy evening. Everything random (pod names, placement,
noise) is decided elsewhere, so a reader can learn the whole fleet from this page.
"""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024.0**2
GIB = 1024.0**3


@dataclass(frozen=True)
class WorkloadSpec:
    """One Deployment or StatefulSet, the same in every cluster that runs it.

    Attributes:
        name: Name of the workload, and of its container and service.
        namespace: Kubernetes namespace.
        replicas: Pods that should run.
        clusters: Names of the clusters that run it.
        requests: Requests per second of the whole workload at the daily peak of a cluster of
            size 1; 0 for a workload outside the mesh.
        latency: Mean request duration without load, milliseconds.
        cpu_idle: Cores of one pod without load.
        cpu_busy: Further cores of one pod at the peak.
        cpu_limit: Limit in cores; None means no limit, and so no throttling counter.
        memory: Working set after start, bytes.
        garbage: Height of the garbage collector's sawtooth, bytes; 0 for a process without one.
        memory_limit: Limit, bytes.
        burst: Extra cores for some minutes every three hours or so (index merge, compaction).
        nightly: Extra cores during the nightly job.
        disk: Size of each pod's volume, bytes; 0 for none. Such a workload is a StatefulSet.
        version: Image tag that runs when the history starts.
    """

    name: str
    namespace: str
    replicas: int
    clusters: tuple[str, ...] = ("eu-1", "us-2", "ap-3")
    requests: float = 0.0
    latency: float = 0.0
    cpu_idle: float = 0.02
    cpu_busy: float = 0.1
    cpu_limit: float | None = None
    memory: float = 128 * MIB
    garbage: float = 0.0
    memory_limit: float = 512 * MIB
    burst: float = 0.0
    nightly: float = 0.0
    disk: float = 0.0
    version: str = "1.0.0"

    @property
    def kind(self) -> str:
        """Kubernetes kind of the controller."""
        return "StatefulSet" if self.disk else "Deployment"

    @property
    def image(self) -> str:
        """Image reference without its tag."""
        return f"registry.shop.example/{self.namespace}/{self.name}"


@dataclass(frozen=True)
class ClusterSpec:
    """One cluster: where it stands and how much of the shop's traffic it serves.

    Attributes:
        name: Value of the `cluster` label.
        cloud: Value of the `cloud` label.
        region: Value of the `region` label, in the cloud's own words.
        utc_offset: Hours that the customers' clocks are ahead of UTC.
        size: Traffic as a multiple of `WorkloadSpec.requests`.
        nodes: Number of nodes.
        cores: Cores of one node.
        memory: Memory of one node, bytes.
    """

    name: str
    cloud: str
    region: str
    utc_offset: float
    size: float
    nodes: int
    cores: float = 8.0
    memory: float = 32 * GIB


CLUSTERS = (
    ClusterSpec("eu-1", "aws", "eu-central-1", utc_offset=1.0, size=1.0, nodes=5),
    ClusterSpec("us-2", "gcp", "us-east4", utc_offset=-5.0, size=1.2, nodes=4),
    ClusterSpec("ap-3", "azure", "southeastasia", utc_offset=8.0, size=0.7, nodes=3),
)

_WEST = ("eu-1", "us-2")

WORKLOADS = (
    WorkloadSpec(
        "frontend", "shop", 3, requests=120, latency=38, cpu_busy=0.42, cpu_limit=1.0,
        memory=210 * MIB, garbage=60 * MIB, memory_limit=512 * MIB, version="5.8.1",
    ),
    WorkloadSpec(
        "checkout", "shop", 3, requests=18, latency=85, cpu_busy=0.24, cpu_limit=0.6,
        memory=340 * MIB, garbage=110 * MIB, memory_limit=768 * MIB, version="2.14.0",
    ),
    WorkloadSpec(
        "cart", "shop", 2, requests=44, latency=12, cpu_busy=0.21, cpu_limit=0.5,
        memory=150 * MIB, garbage=35 * MIB, memory_limit=384 * MIB, version="3.2.7",
    ),
    WorkloadSpec(
        "payment", "shop", 2, requests=14, latency=140, cpu_busy=0.15, cpu_limit=0.5,
        memory=380 * MIB, garbage=120 * MIB, memory_limit=768 * MIB, version="1.19.4",
    ),
    WorkloadSpec(
        "catalogue", "shop", 2, requests=90, latency=16, cpu_busy=0.33, cpu_limit=0.8,
        memory=260 * MIB, garbage=50 * MIB, memory_limit=512 * MIB, version="4.0.2",
    ),
    WorkloadSpec(
        "search", "shop", 2, requests=36, latency=55, cpu_busy=0.55, cpu_limit=1.5,
        memory=900 * MIB, garbage=260 * MIB, memory_limit=2048 * MIB, burst=0.35, version="2.7.0",
    ),
    WorkloadSpec(
        "recommendations", "shop", 2, _WEST, requests=30, latency=62, cpu_busy=0.48,
        cpu_limit=1.2, memory=410 * MIB, garbage=90 * MIB, memory_limit=1024 * MIB,
        version="0.31.5",
    ),
    WorkloadSpec(
        "shipping", "shop", 1, requests=9, latency=48, cpu_busy=0.12, cpu_limit=0.4,
        memory=120 * MIB, memory_limit=256 * MIB, version="1.6.3",
    ),
    WorkloadSpec(
        "inventory", "shop", 2, ("eu-1", "ap-3"), requests=26, latency=21, cpu_busy=0.17,
        cpu_limit=0.5, memory=230 * MIB, garbage=70 * MIB, memory_limit=512 * MIB,
        version="2.2.9",
    ),
    WorkloadSpec(
        "report-worker", "data", 1, ("eu-1", "ap-3"), cpu_idle=0.05, cpu_busy=0.06,
        memory=420 * MIB, memory_limit=4096 * MIB, burst=0.4, nightly=1.4, version="1.3.1",
    ),
    WorkloadSpec(
        "postgres", "data", 1, cpu_idle=0.12, cpu_busy=0.9, memory=3200 * MIB,
        memory_limit=6144 * MIB, nightly=0.8, disk=200 * GIB, version="16.4",
    ),
    WorkloadSpec(
        "kafka", "data", 2, cpu_idle=0.15, cpu_busy=0.4, memory=2100 * MIB, garbage=380 * MIB,
        memory_limit=4096 * MIB, burst=0.15, disk=100 * GIB, version="3.8.0",
    ),
    WorkloadSpec(
        "istio-ingressgateway", "platform", 2, requests=130, latency=41, cpu_busy=0.28,
        cpu_limit=1.0, memory=95 * MIB, memory_limit=512 * MIB, version="1.24.1",
    ),
    WorkloadSpec(
        "coredns", "platform", 2, cpu_idle=0.01, cpu_busy=0.06, memory=42 * MIB,
        garbage=9 * MIB, memory_limit=170 * MIB, version="1.11.3",
    ),
    WorkloadSpec(
        "opa", "platform", 1, cpu_idle=0.02, cpu_busy=0.14, cpu_limit=0.5, memory=110 * MIB,
        garbage=25 * MIB, memory_limit=256 * MIB, version="0.70.0",
    ),
    WorkloadSpec(
        "gatekeeper-controller-manager", "platform", 1, cpu_idle=0.03, cpu_busy=0.05,
        cpu_limit=1.0, memory=170 * MIB, garbage=40 * MIB, memory_limit=512 * MIB,
        version="3.17.1",
    ),
)  # fmt: skip

CPU_LIMITS = {("us-2", "shipping"): 0.32}
"""Where a workload's limit is another than elsewhere: it is throttled, though it uses little."""
