"""Models that others wrote, PyOD's or a user's, under this package's laws.

`source` says where an unfitted model comes from, `point_model` asks it without trusting it, and the
detectors give it points: `per_row` one model a series or entity, `pooled` one for a whole family.
"""

from detectors.borrowed.per_row import PyODDetector, own_model
from detectors.borrowed.pooled import PooledDetector, own_pooled

__all__ = ["PooledDetector", "PyODDetector", "own_model", "own_pooled"]
