"""Settings of the comparison of clusters: what counts as the same workload elsewhere."""

from pydantic import BaseModel, ConfigDict, Field, field_validator

from orchestration.patterns import compiles

# Names that say where a series is, or which run of a workload it is of, not what it measures.
PLACES = (
    r"(exported_|kubernetes_|k8s_|source_|destination_)?"
    r"(cluster|cluster_?id|cluster_name|cluster_type|managed_cluster|tenant_id|prometheus"
    r"|(prometheus_|__)?replica(__)?|receive|region|zone|availability_zone|cloud|datacenter|dc"
    r"|account|account_id|project|project_id|env|environment|stage"
    r"|pod|pod_name|pod_uid|pod_ip|instance|address|node|nodename|node_name|host|hostname|host_name"
    r"|host_ip|internal_ip|hostIP|Hostname|kubernetes_io_hostname|UUID|provider_id"
    r"|id|uid|container_id|image|image_id|image_spec|version|principal|canonical_revision"
    r"|replicaset|pod_template_hash|controller_revision_hash|template_hash"
    r"|persistentvolume|volumename)"
)


class SiblingsSettings(BaseModel):
    """What is compared across clusters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    places: str = Field(
        PLACES,
        description="regular expression of labels that say where a series is, whole name: series "
        "that differ in these alone are the same elsewhere",
    )
    cut: str = Field(
        "",
        description="regular expression of what to cut out of namespaces and label values before "
        r"they are compared, as `-(prod|eu-1|us-2)$`; empty = nothing",
    )

    quiet: bool = Field(
        True,
        description="whether what a series and its siblings in the other clusters show together "
        "is told once, or not at all if it is more traffic",
    )
    load: str = Field(
        r".*(requests?|connections?|sessions?|queries|messages?|packets|records|rows|decisions"
        r"|lookups|handled|received|sent|transmitted|processed|served|(receive|transmit)_bytes)"
        r"(_total|_count|_per_second|_rate)?",
        description="regular expression of metrics that say how much is asked for, whole name: "
        "when it rises in all clusters, that is traffic and no anomaly",
    )
    failure: str = Field(
        r".*(error|fail|drop|denied|deny|reject|refus|retr(y|ies)|restart|evict|oom|throttl|timeout|"
        r"unavailable|unhealthy|lost|abort|panic|pending|backlog|lag|limit).*",
        description="regular expression of metrics that say that something is wrong, whole name; "
        "it goes before `load`",
    )

    @field_validator("places", "cut", "load", "failure")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        return compiles(pattern)
