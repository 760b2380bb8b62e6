"""Settings of the advice on nodes: how much is to be left, and what a node costs."""

from collections.abc import Mapping
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field


class NodeAdviceSettings(BaseModel):
    """Which nodes could be emptied."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    headroom: float = Field(
        0.1,
        ge=0.0,
        lt=1.0,
        description="share of the CPU and memory of each node that takes pods that is left, of "
        "what is requested and of what is used",
    )
    spare: bool = Field(
        True,
        description="after nodes are emptied, any one node may fail whose pods would have found "
        "room before",
    )
    least: int = Field(2, ge=1, description="nodes of a cluster that are to be left, at least")
    usage: timedelta = Field(
        timedelta(days=1),
        ge=timedelta(hours=1),
        le=timedelta(days=14),
        description="over which time the actual use has to fit, too",
    )
    youngest: timedelta = Field(
        timedelta(hours=1), ge=timedelta(0), description="nodes that are younger are left alone"
    )
    local_storage: str = Field(
        "local.*|.*local-path.*|hostpath.*",
        description="storage classes, a pattern, whose volumes lie on the node",
    )
    price_label: str = Field(
        "node_kubernetes_io_instance_type",
        description="label of `kube_node_labels`, without `label_`, by which a node's price is "
        "looked up",
    )
    prices: Mapping[str, float] = Field(
        default_factory=dict,
        description="value of that label to what such a node costs an hour; else OpenCost's "
        "`node_total_hourly_cost`, else `advice.prices`",
    )
