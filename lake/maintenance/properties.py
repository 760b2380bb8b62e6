"""What Delta Lake is told about each table: how long its log lasts, how often it is summed up."""

from datetime import timedelta

from lake.maintenance.policy import Policy
from lake.schema import SCHEMA_VERSION
from lake.schema_version import SCHEMA_VERSION_PROPERTY
from lake.table import Table

CHECKPOINT_COMMITS = 100
"""Opening a table reads the newest checkpoint and the commits after it. Writing one takes about as
long as a commit, so it costs a writer a hundredth."""


def wanted(grace: timedelta) -> dict[str, str]:
    """The properties of every table.

    Writers do not clean the log up at their checkpoints: maintenance does, off their path. Removed
    files stay named in checkpoints for twice the grace, so that vacuum learns of them from the log.
    """
    seconds = max(1, round(grace.total_seconds()))
    return {
        "delta.checkpointInterval": str(CHECKPOINT_COMMITS),
        "delta.enableExpiredLogCleanup": "false",
        "delta.logRetentionDuration": f"interval {seconds} seconds",
        "delta.deletedFileRetentionDuration": f"interval {2 * seconds} seconds",
        SCHEMA_VERSION_PROPERTY: str(SCHEMA_VERSION),
    }


def settle(table: Table, policy: Policy) -> bool:
    """Give a table its properties where they differ; whether that was needed.

    One commit, which an append that meets it repeats.
    """
    delta = table.delta()
    now = delta.metadata().configuration
    properties = wanted(policy.grace)
    if all(now.get(name) == value for name, value in properties.items()):
        return False
    delta.alter.set_table_properties(properties, raise_if_not_exists=False)
    return True
