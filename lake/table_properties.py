"""What Delta Lake is told about each table: how long its log lasts, how often it is summed up."""

from datetime import timedelta

from lake.schema import SCHEMA_VERSION
from lake.schema_version import SCHEMA_VERSION_PROPERTY

CHECKPOINT_COMMITS = 100
"""Opening a table reads the newest checkpoint and the commits after it. Writing one takes about as
long as a commit, so it costs a writer a hundredth."""

GRACE = timedelta(days=1)
"""How long old versions can be read, until maintenance is told otherwise."""


def properties(grace: timedelta) -> dict[str, str]:
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
