"""The open data lake: Delta tables, pinned snapshots, SQL."""
