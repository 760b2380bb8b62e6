"""Rollups: samples as buckets of five minutes and of an hour, kept up to date and read by SQL."""

from lake.rollups.run import RollupReport, roll_up, rolled_up_to

__all__ = ["RollupReport", "roll_up", "rolled_up_to"]
