"""One way for every benchmark to say what it found."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement of ours beside the same measurement of somebody else's.

    Attributes:
        case: what was measured.
        unit: of both figures.
        ours: our figure.
        rival: theirs; None where there is nothing to compare with.
        rival_name: whose it is.
    """

    case: str
    unit: str
    ours: float
    rival: float | None = None
    rival_name: str | None = None

    @property
    def ratio(self) -> float | None:
        """Ours over theirs; None without a rival or with a rival of zero."""
        return self.ours / self.rival if self.rival else None


def emit(cases: Sequence[Case], json: bool) -> None:
    """Print the cases: one JSON list and nothing else, or a table for people."""
    if json:
        print(jsonlib.dumps([asdict(case) | {"ratio": case.ratio} for case in cases], indent=2))
        return
    rows = [("case", "unit", "ours", "rival", "rival name", "ours/rival")]
    for case in cases:
        figures = (_short(case.ours), _short(case.rival))
        rows.append((case.case, case.unit, *figures, case.rival_name or "", _short(case.ratio)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def _short(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.4g}"
