"""What the same thing does in other clusters: as evidence, as a sentence, and as confidence.

Neither names nor figures of those: who reads the advice may not see them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from detectors.configuration import Backing, backed
from orchestration.steps.advice.advice import Evidence

CONFIDENCE = {Backing.AGREES: 0.8, Backing.NONE: 0.5, Backing.DISAGREES: 0.25}


@dataclass(frozen=True, slots=True)
class Compared:
    """How a setting and its outcome are called.

    Attributes:
        setting, outcome: columns of the frame.
        set_as: the setting for people, as "CPU limit".
        comes: the outcome for people, as "share of time throttled".
        more: whether more of the setting is proposed.
    """

    setting: str
    outcome: str
    set_as: str
    comes: str
    more: bool = True


class Elsewhere:
    """The same things in all clusters, a row each, compared with one another."""

    def __init__(self, rows: pl.DataFrame, by: list[str], compared: Compared) -> None:
        """Compare rows that are the same by some columns and differ in `cluster`."""
        self._compared = compared
        self._setting, self._outcome = (
            rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
            for name in (compared.setting, compared.outcome)
        )
        self._group = rows.select(pl.struct(by).rank("dense").cast(pl.Int64)).to_series().to_numpy()
        told = backed(self._group, self._setting, self._outcome, more=compared.more)
        self._verdict = told.verdict

    def verdict(self, row: int) -> Backing:
        """What other clusters say of one row."""
        return Backing(int(self._verdict[row]))

    def confidence(self, row: int) -> float:
        """The surer, the more they agree."""
        return CONFIDENCE[self.verdict(row)]

    def sentence(self, row: int) -> str:
        """For the reason."""
        verdict = self.verdict(row)
        more = "more" if self._compared.more else "less"
        if verdict == Backing.NONE:
            return f"in no other cluster the {self._compared.set_as} is {more}, so nothing backs it"
        if verdict == Backing.AGREES:
            return (
                f"another cluster, where the {self._compared.set_as} is {more}, backs it: the "
                f"{self._compared.comes} there is better than {self._outcome[row]:.3g}"
            )
        return (
            f"but where in another cluster the {self._compared.set_as} is {more}, the "
            f"{self._compared.comes} is no better"
        )

    def evidence(self, row: int) -> list[Evidence]:
        """How many other clusters it is compared with."""
        same = (self._group == self._group[row]) & ~np.isnan(self._setting)
        others = int(same.sum()) - int(same[row])
        return [Evidence("other clusters that run it and tell how it is set", others, "clusters")]
