"""Which anomalies are one incident, and how bad it is.

`grouping` sweeps along time over what anomalies have in common; `severity` weighs how broad, deep
and long an incident is.
"""

from detectors.incidents.grouping import Mentions, Near, group
from detectors.incidents.severity import SEVERITIES, severity

__all__ = ["SEVERITIES", "Mentions", "Near", "group", "severity"]
