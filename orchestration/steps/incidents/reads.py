"""How an update reads what it rests on beside anomalies: anew, or as a server has kept it."""

from dataclasses import dataclass, field

from orchestration.steps.incidents.topology import ReadTopology, topology
from orchestration.steps.kept_feedback import KeptFeedback, ReadSaid


@dataclass(frozen=True, slots=True)
class Reads:
    """What is read of each.

    Attributes:
        topology: gives what stands next to what; `KeptTopology.at` gives it again.
        said: gives what people said; one that is kept gives it again.
    """

    topology: ReadTopology = topology
    said: ReadSaid = field(default_factory=lambda: KeptFeedback().said)
