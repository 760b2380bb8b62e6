"""Which nodes could be emptied: a packing of pods into fewer nodes, with its proof.

Nodes are tried from the emptiest on; a node is emptied if every pod on it that has to live on finds
another node which may take it and has the room. What stands in the way of each other node is told.
"""

from detectors.packing.admission import PodRules, Taint, Toleration, admitted, tolerated
from detectors.packing.blockers import Blocker
from detectors.packing.drain import Plan, empty
from detectors.packing.fleet import NOT_PLACED, Fate, Nodes, Pods
from detectors.packing.packing import Rules

__all__ = [
    "NOT_PLACED",
    "Blocker",
    "Fate",
    "Nodes",
    "Plan",
    "PodRules",
    "Pods",
    "Rules",
    "Taint",
    "Toleration",
    "admitted",
    "empty",
    "tolerated",
]
