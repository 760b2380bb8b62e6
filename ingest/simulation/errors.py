"""What can be wrong with the arguments of a simulation.

* IngestError
  * SimulationError
    * UnusableRangeError   the history is too short or too coarse, or its end has no time zone
    * UnknownNameError     a cluster or workload that the fleet does not have
"""

from __future__ import annotations

from ingest.errors import IngestError


class SimulationError(IngestError):
    """Base of every error this package raises."""


class UnusableRangeError(SimulationError):
    """The wanted history cannot hold the script.

    Attributes:
        argument: Name of the argument that is wrong.
        value: Its value as given.
    """

    def __init__(self, argument: str, value: object, rule: str) -> None:
        self.argument = argument
        self.value = value
        super().__init__(f"{argument} {value!s} is unusable: {rule}")


class UnknownNameError(SimulationError):
    """The fleet has nothing of that name.

    Attributes:
        kind: What was looked for, such as `workload`.
        name: The name that was not found.
    """

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name
        super().__init__(f"the fleet has no {kind} {name!r}")
