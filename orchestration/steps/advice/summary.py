"""What is advised, in a few lines: made now and read back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from lake import Lake
from orchestration.advice_settings import AdviceSettings
from orchestration.setting_advice_settings import SettingKind
from orchestration.steps.advice.browse import Total, Wanted, listing, totals
from orchestration.steps.advice.make import make_advice
from orchestration.steps.advice.nodes.told import KIND as NODE
from orchestration.steps.advice.rightsizing.quantities import bytes_text, cores_text

LOOKS: tuple[SettingKind, ...] = get_args(SettingKind)


@dataclass(frozen=True, slots=True)
class Summary:
    """What is advised.

    Attributes:
        count: pieces of advice.
        saving: what they would free of what is requested, in words; empty = nothing.
        best: titles, what is worth most first.
        nodes: titles of nodes that could be emptied.
        looks: titles of settings that deserve a look, what takes most risk away first.
    """

    count: int = 0
    saving: str = ""
    best: Sequence[str] = ()
    nodes: Sequence[str] = ()
    looks: Sequence[str] = ()


def summary(lake: Lake, settings: AdviceSettings, now: datetime, most: int = 5) -> Summary:
    """Make the advice, and sum it up.

    Args:
        lake: what it is about, and where it goes.
        settings: who is asked.
        now: what is later is not looked at.
        most: titles.
    """
    make_advice(lake, settings, now)
    found = totals(lake)
    best, nodes, looks = (
        [row["title"] for row in listing(lake, wanted, most).rows]
        for wanted in (Wanted(), Wanted(kinds=(NODE,)), Wanted(kinds=LOOKS, order="risk"))
    )
    return Summary(sum(one.count for one in found), saving(found), best, nodes, looks)


def saving(found: Sequence[Total]) -> str:
    """What all of it would free of what is requested, in words.

    What a node has that could be emptied is none of that: the requests on it go elsewhere. Nor is
    what a setting would free, of which the advice on the container's size tells as well.

    >>> saving([Total("c1", "container_cpu", 3, 2.5, None)])
    '2.5 cores'
    """
    found = [one for one in found if one.kind != NODE and one.kind not in LOOKS]
    cores = sum(one.saving_cpu_cores or 0.0 for one in found)
    size = sum(one.saving_memory_bytes or 0.0 for one in found)
    told = [cores_text(cores)] if cores > 0.0 else []
    told += [bytes_text(size)] if size > 0.0 else []
    return " and ".join(told)
