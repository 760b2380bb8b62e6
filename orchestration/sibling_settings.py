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

    @field_validator("places", "cut")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        return compiles(pattern)
