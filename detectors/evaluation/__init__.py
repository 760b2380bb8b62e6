"""How good a detector's scores are, given labels."""

from detectors.evaluation.vus import series_period, vus_pr

__all__ = ["series_period", "vus_pr"]
