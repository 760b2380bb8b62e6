"""Which metrics say how much is asked for, and which that something is wrong."""

import re

from orchestration.sibling_settings import SiblingsSettings
from orchestration.steps.siblings.members import Same

_CODE_OF_FAILURE = re.compile(r"[45](\d\d|xx)")
"""HTTP's."""


def is_load(same: Same, settings: SiblingsSettings) -> bool:
    """Whether a metric says how much is asked for, and not that something is wrong."""
    load = re.fullmatch(settings.load, same.metric) is not None
    return load and not says_failure(same, settings)


def says_failure(same: Same, settings: SiblingsSettings) -> bool:
    r"""Whether a metric says that something is wrong, by its name or by the value of a label.

    >>> requests = Same("requests_total", "shop", "cart", ("__name__\x01requests_total",))
    >>> says_failure(requests, SiblingsSettings())
    False
    >>> says_failure(requests._replace(labels=("code\x01503",)), SiblingsSettings())
    True
    """
    values = [label.partition("\x01")[2] for label in same.labels]
    return any(
        re.fullmatch(settings.failure, text.lower()) or _CODE_OF_FAILURE.fullmatch(text)
        for text in (same.metric, *values)
    )
