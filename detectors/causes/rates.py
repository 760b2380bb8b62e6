"""Things that happen more or less often than they did: log lines of a kind, calls of a caller.

Counts are compared with what the baseline's rate makes of the same opportunities (requests,
callers), and scattered as widely as they were from minute to minute: what varies with the mix of
users is not surprising for varying.
"""

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


def rate_changes(
    counts: Float64,
    chances: Float64,
    new_counts: Float64,
    new_chances: Float64,
    *,
    at_most_once: bool = False,
) -> Float64:
    """How many deviations each count is from what it was to be; negative: less often.

    Args:
        counts: `[n, n_minutes]` of the baseline.
        chances: `[n, n_minutes]`; minutes with none say nothing.
        new_counts: `[n]` of the incident.
        new_chances: `[n]`.
        at_most_once: whether one chance gives at most one count.

    >>> before = np.full((1, 5), 10.0)
    >>> rate_changes(before, before * 10, np.array([0.0]), np.array([100.0])).round(1)
    array([-2.8])
    """
    total, chance = counts.sum(axis=1), chances.sum(axis=1)
    rate = np.divide(total, chance, out=np.zeros_like(total), where=chance > 0)
    alone = np.clip(1.0 - rate, 0.0, 1.0) if at_most_once else np.ones_like(rate)
    expected = rate[:, None] * chances
    variance = expected * alone[:, None]
    minutes = (chances > 0).sum(axis=1)
    seen = np.where(chances > 0, (counts - expected) ** 2 / (variance + 0.5), 0.0).sum(axis=1)
    # Fewer than two minutes cannot say how widely they scatter: then as if by chance.
    wider = np.maximum(seen / np.maximum(minutes - 1, 1), 1.0)
    new_expected = rate * new_chances
    # The rate itself is known the better, the longer the baseline.
    known = 1.0 + np.divide(new_chances, chance, out=np.ones_like(chance), where=chance > 0)
    # One more, so that what is expected next to never is not infinitely odd when it happens.
    spread = np.sqrt(wider * (new_expected * alone + 1.0) * known)
    changes: Float64 = (new_counts - new_expected) / spread
    return changes
