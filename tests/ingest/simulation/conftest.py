"""One history for all tests of the simulation, and a way to look at it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingest.simulation import Fault, Simulation, simulate


@dataclass(frozen=True)
class History:
    """A simulation with look-ups by labels."""

    sim: Simulation

    def rows(self, name, **labels):
        return [
            i
            for i, series in enumerate(self.sim.series)
            if series["__name__"] == name and labels.items() <= series.items()
        ]

    def values(self, name, **labels):
        (row,) = self.rows(name, **labels)
        return self.sim.values[row]

    def rate(self, name, **labels):
        """Increase per step, NaN at resets, one longer than the differences to keep indices."""
        increase = np.diff(self.values(name, **labels), prepend=np.nan)
        return np.where(increase < 0, np.nan, increase)

    def fault(self, kind) -> Fault:
        (fault,) = [f for f in self.sim.faults if f.kind == kind]
        return fault

    def inside(self, fault, trim=0.15):
        """Column slice of the middle of a fault, where its effect is fully there."""
        length = fault.end - fault.start
        return slice(
            int((fault.start + trim * length - self.sim.start) / self.sim.step),
            int((fault.end - trim * length - self.sim.start) / self.sim.step),
        )

    def day_before(self, fault):
        """The same hours a day earlier, for a fair comparison of anything with a daily rhythm."""
        inside, day = self.inside(fault), timedelta(days=1) // self.sim.step
        return slice(inside.start - day, inside.stop - day)


@pytest.fixture(scope="session")
def end():
    return datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def history(end):
    return History(simulate(end=end))


@pytest.fixture(scope="session")
def short(end):
    """The shortest history, for what does not need two days."""
    return simulate(end=end, duration=timedelta(hours=12), step=timedelta(minutes=1))
