"""Help for a mistyped detector name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# Three is what fits a line; .5 lets "iforst" find "IForest" but not "KNN".
SHOWN = 3
LIKENESS = 0.5


def close_matches(name: str, known: Iterable[str], prefix: str = "") -> tuple[str, ...]:
    """Return up to three known names spelt like `name`, whatever the case, best first.

    >>> close_matches("iforst", ["KNN", "IForest"], "pyod.")
    ('pyod.IForest',)
    """
    spelt = {entry.lower(): entry for entry in known}
    near = difflib.get_close_matches(name.lower(), spelt, SHOWN, LIKENESS)
    return tuple(prefix + spelt[entry] for entry in near)
