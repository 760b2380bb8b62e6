"""Why nothing can be proposed for a container: the first reason that holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from lake.timerange import from_micros
from orchestration.rightsizing_settings import RightsizingSettings
from orchestration.steps.advice.rightsizing.facts import Facts
from orchestration.steps.advice.rightsizing.quantities import bytes_text, cores_text
from orchestration.steps.advice.rightsizing.sizes import Sizes
from orchestration.steps.advice.rightsizing.usage import Used

Float64 = npt.NDArray[np.float64]

Reason = tuple[npt.NDArray[np.bool_], Callable[[int], str]]
"""For which containers it holds, and what it says of one."""

_HOURS = 24.0
_SECONDS = 86_400.0


def cpu_reasons(facts: Facts, sizes: Sizes, settings: RightsizingSettings) -> Sequence[str]:
    """A reason for each container, empty where its CPU can be sized."""
    idle = ~(facts.cpu.top > 0.0), lambda _: "no use of CPU was measured in it, not even a little"
    found = [
        *_common(facts, facts.cpu, settings),
        idle,
        *_against_nodes(sizes, facts.set_now.node_cpu, cores_text),
    ]
    if settings.hpa == "skip":
        found.append(_scaled(facts.scaled.cpu, "CPU"))
    return _first(facts, found)


def memory_reasons(facts: Facts, sizes: Sizes, settings: RightsizingSettings) -> Sequence[str]:
    """As `cpu_reasons`, of memory."""
    held = np.where(np.isnan(sizes.now_limit), sizes.now_request, sizes.now_limit)
    lower = np.where(np.isnan(sizes.limit), sizes.request, sizes.limit) < held
    lower |= sizes.request < sizes.now_request
    found: list[Reason] = [
        *_common(facts, facts.memory, settings),
        (~(facts.memory.top > 0.0), lambda _: "no use of memory was measured in it"),
        *_against_nodes(sizes, facts.set_now.node_memory, bytes_text),
        _scaled(facts.scaled.memory, "memory"),
        (
            facts.remembered.takes_its_part(sizes.now_limit, facts.memory.peak) & lower,
            lambda one: (
                f"it took {bytes_text(facts.remembered.memory_peak[one])} where the limit was "
                f"{bytes_text(facts.remembered.memory_limit[one])}, and takes as large a part of "
                "the smaller one, as a heap that is sized by it: it would go on so"
            ),
        ),
        (
            sizes.rising & lower,
            lambda _: (
                "it takes more memory from day to day, as one that leaks: no smaller size would "
                "hold it for long"
            ),
        ),
    ]
    return _first(facts, found)


def silent(facts: Facts, of: Used) -> npt.NDArray[np.bool_]:
    """Of which nothing can be proposed only because nothing is told of their use now `[n]`."""
    names = facts.inventory.containers
    sized = ~names["init"].to_numpy() & names["kinds"].is_null().to_numpy()
    result: npt.NDArray[np.bool_] = facts.gone(of) & sized
    return result


def _common(facts: Facts, of: Used, settings: RightsizingSettings) -> list[Reason]:
    now = facts.set_now
    days = facts.history_days(of)
    least = settings.least_history.total_seconds() / _SECONDS
    said = (now.cpu_request, now.cpu_limit, now.memory_request, now.memory_limit)
    kinds = facts.inventory.containers["kinds"]
    nothing_set = np.asarray(np.isnan(np.stack(said)).all(axis=0))

    def unseen(one: int) -> str:
        at = int(of.newest[one])
        if not at:
            return "nothing of its use is in the lake"
        return f"it was not seen since {from_micros(at):%Y-%m-%d %H:%M} UTC"

    return [
        (
            facts.inventory.containers["init"].to_numpy(),
            lambda _: (
                "it is an init container, which ends before others begin, or a sidecar of which no "
                "restart_policy is told in kube_pod_init_container_info: they are not sized"
            ),
        ),
        (
            kinds.is_not_null().to_numpy(),
            lambda one: (
                f"workloads of several kinds have this name ({', '.join(kinds[one])}): what each "
                "of them uses is not told apart"
            ),
        ),
        (facts.gone(of), unseen),
        (~now.known, lambda _: "no request or limit of it is known: nothing tells what is set"),
        (
            days < least,
            lambda one: f"{_span(days[one])} of history, at least {_span(least)} are needed",
        ),
        (of.negative > 0, lambda _: "some of its use is told as negative: its metric is wrong"),
        (
            np.array([unit != "" for unit in now.unit]),
            lambda one: f"what is set is told in {now.unit[one]!r}, not in cores and bytes",
        ),
        (now.unsound, lambda _: "what is set is told as no amount: its metric is wrong"),
        (
            nothing_set & settings.keep_class,
            lambda _: (
                "it has no request and no limit (BestEffort), and classes are kept "
                "(`advice.rightsizing.keep_class`)"
            ),
        ),
    ]


def _against_nodes(
    sizes: Sizes, largest: Float64, text: Callable[[float], str]
) -> tuple[Reason, Reason]:
    return (
        (
            sizes.now_request > largest,
            lambda one: (
                f"{text(sizes.now_request[one])} are requested and the largest node has "
                f"{text(largest[one])}: units contradict each other, or it fits nowhere"
            ),
        ),
        (
            sizes.request > largest,
            lambda one: (
                f"it needs {text(sizes.request[one])} and the largest node has {text(largest[one])}"
            ),
        ),
    )


def _scaled(target: Float64, what: str) -> Reason:
    return (
        ~np.isnan(target),
        lambda one: (
            f"an autoscaler holds it at {target[one]:g} % of its request for {what}: another "
            "request would change how many pods there are"
        ),
    )


def _first(facts: Facts, reasons: Sequence[Reason]) -> Sequence[str]:
    out = [""] * facts.inventory.containers.height
    for holds, say in reversed(reasons):
        for one in np.flatnonzero(holds).tolist():
            out[one] = say(one)
    return out


def _span(days: float) -> str:
    """A time as people say it.

    >>> _span(0.1), _span(3.5)
    ('2.4 h', '3.5 days')
    """
    return f"{days * _HOURS:.2g} h" if days < 1.0 else f"{days:.3g} days"
