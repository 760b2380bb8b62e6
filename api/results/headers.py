"""Headers of an answer to SQL: what it was read from."""

SNAPSHOT_HEADER = "X-Fleetlake-Snapshot"
"""The snapshot's id, which `as_of` takes."""

VERSIONS_HEADER = "X-Fleetlake-Versions"
"""As `table=version,…`."""
