"""Scores of series that come without a model: each row against all that came before it."""

from detectors.novelty.scorer import score_online

__all__ = ["score_online"]
