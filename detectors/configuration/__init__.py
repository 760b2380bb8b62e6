"""Settings that deserve a look: what history says of limits, autoscalers, replicas and retries.

Each function judges many things at once and gives figures and a verdict; `backing` says whether
what is proposed has done good in another cluster.
"""

from detectors.configuration.autoscaling import Bounds, judge_bounds
from detectors.configuration.backing import Backing, backed
from detectors.configuration.balance import Uneven, uneven
from detectors.configuration.retries import Amplified, amplified
from detectors.configuration.throttling import limit_for, throttled_though_idle

__all__ = [
    "Amplified",
    "Backing",
    "Bounds",
    "Uneven",
    "amplified",
    "backed",
    "judge_bounds",
    "limit_for",
    "throttled_though_idle",
    "uneven",
]
