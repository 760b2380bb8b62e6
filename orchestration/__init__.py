"""Where lake, ingest and detectors meet: steps, the resident worker, Dagster definitions."""
