"""Dagster assets, checks and schedules: thin wrappers around `orchestration.steps`."""
