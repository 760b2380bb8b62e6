"""What a row is about, as a person would call it: a workload, a node, a target that is scraped."""

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]

NODE = "node "
TARGET = " at "
TARGET_METRICS = frozenset({"up", "scrape_duration_seconds", "scrape_samples_scraped"})
"""About a target, whatever it tells of: a node whose exporter is dead may be in good health."""

UNNAMED = "the cluster itself"


def workload(namespace: str | None, name: str) -> str:
    """A workload's name in its cluster.

    >>> workload("shop", "cart"), workload(None, "cart")
    ('shop/cart', 'cart')
    """
    return f"{namespace}/{name}" if namespace else name


def node(name: str) -> str:
    """A node's name in its cluster.

    >>> node("ip-10-0-0-1")
    'node ip-10-0-0-1'
    """
    return NODE + name


def target(job: str, instance: str) -> str:
    """A scrape target's name in its cluster.

    >>> target("node-exporter", "10.0.0.1:9100")
    'node-exporter at 10.0.0.1:9100'
    """
    return f"{job}{TARGET}{instance}"


def is_target(row: Row) -> bool:
    """Whether a row is about a scrape target alone."""
    named = row.get("workload") or row.get("node") or row.get("pod") or row.get("service")
    return bool(
        row.get("job")
        and row.get("instance")
        and (row.get("metric") in TARGET_METRICS or not named)
    )


def entity_of(row: Row, claimed: str | None = None) -> str:
    """What a row of `anomalies` or `series` is about.

    >>> entity_of({"namespace": "shop", "workload": "cart", "node": "n1"})
    'shop/cart'
    >>> entity_of({"metric": "up", "node": "n1", "job": "node", "instance": "n1:9100"})
    'node at n1:9100'

    Args:
        row: its entity columns, and `metric`.
        claimed: the workload whose volume the row is of, where it is of one.
    """
    if claimed:
        return claimed
    namespace = row.get("namespace")
    for column in ("workload", "service", "pod"):
        # A service has the name of the workload behind it more often than not.
        if row.get(column):
            return workload(namespace, row[column])
    if is_target(row):
        return target(row["job"], row["instance"])
    if row.get("node"):
        return node(row["node"])
    if row.get("instance"):
        return str(row["instance"])
    return f"namespace {namespace}" if namespace else UNNAMED
