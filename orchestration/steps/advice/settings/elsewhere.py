"""What the same thing does in other clusters: as evidence, as a sentence, and as confidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from detectors.configuration import Backing, backed
from orchestration.steps.advice.advice import Evidence

CONFIDENCE = {Backing.AGREES: 0.8, Backing.NONE: 0.5, Backing.DISAGREES: 0.25}

MOST = 20
"""Other clusters that an advice lists."""


@dataclass(frozen=True, slots=True)
class Compared:
    """How a setting and its outcome are called.

    Attributes:
        setting, outcome: columns of the frame.
        set_as: the setting for people, as "CPU limit".
        comes: the outcome for people, as "share of time throttled".
        unit: of the setting.
        outcome_unit: of the outcome.
        more: whether more of the setting is proposed.
    """

    setting: str
    outcome: str
    set_as: str
    comes: str
    unit: str
    outcome_unit: str = "share"
    more: bool = True


class Elsewhere:
    """The same things in all clusters, a row each, compared with one another."""

    def __init__(self, rows: pl.DataFrame, by: list[str], compared: Compared) -> None:
        """Compare rows that are the same by some columns and differ in `cluster`."""
        self._compared = compared
        self._clusters = rows["cluster"].to_list()
        self._setting, self._outcome = (
            rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
            for name in (compared.setting, compared.outcome)
        )
        self._group = rows.select(pl.struct(by).rank("dense").cast(pl.Int64)).to_series().to_numpy()
        told = backed(self._group, self._setting, self._outcome, more=compared.more)
        self._verdict, self._best = told.verdict, told.best

    def verdict(self, row: int) -> Backing:
        """What other clusters say of one row."""
        return Backing(int(self._verdict[row]))

    def confidence(self, row: int) -> float:
        """The surer, the more they agree."""
        return CONFIDENCE[self.verdict(row)]

    def sentence(self, row: int) -> str:
        """For the reason."""
        best, verdict = int(self._best[row]), self.verdict(row)
        if verdict == Backing.NONE:
            more = "more" if self._compared.more else "less"
            return f"in no other cluster the {self._compared.set_as} is {more}, so nothing backs it"
        there = (
            f"in {self._clusters[best]}, where the {self._compared.set_as} is "
            f"{self._setting[best]:.3g}, the {self._compared.comes} is {self._outcome[best]:.3g} "
            f"beside {self._outcome[row]:.3g} here"
        )
        return there if verdict == Backing.AGREES else f"but {there}: no better"

    def evidence(self, row: int) -> list[Evidence]:
        """Setting and outcome in each other cluster that has the same."""
        same = np.flatnonzero(self._group == self._group[row])
        told = []
        for other in [one for one in same if one != row][:MOST]:
            if np.isnan(self._setting[other]):
                continue
            name = self._clusters[other]
            told += [
                Evidence(f"{self._compared.set_as} in {name}", float(self._setting[other]),
                         self._compared.unit),
                Evidence(f"{self._compared.comes} in {name}", float(self._outcome[other]),
                         self._compared.outcome_unit),
            ]  # fmt: skip
        return told or [Evidence("other clusters that run it and tell how it is set", 0)]
