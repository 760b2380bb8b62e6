"""What an advice on a container's size rests on, as facts and as a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestration.steps.advice.advice import Evidence
from orchestration.steps.advice.rightsizing.facts import Facts
from orchestration.steps.advice.rightsizing.inventory import (
    CPU,
    LAST_TERMINATED,
    MEMORY,
    THROTTLED_PERIODS,
)
from orchestration.steps.advice.rightsizing.quantities import bytes_text, cores_text
from orchestration.steps.advice.rightsizing.remembered import KILLED_AT, PEAK, THROTTLED_AT
from orchestration.steps.advice.rightsizing.sidecars import also_of_sidecars
from orchestration.steps.advice.rightsizing.sizes import WEEK, Sizes
from orchestration.steps.advice.rightsizing.usage import Used

_SELDOM = 0.0005


def of(facts: Facts, used: Used, sizes: Sizes, one: int, is_cpu: bool) -> Sequence[Evidence]:
    """Facts about one container."""
    over = f"{facts.days(used)[one]:.3g} days to {facts.between.end:%Y-%m-%dT%H:%MZ}"
    unit, metric = ("cores", CPU) if is_cpu else ("bytes", MEMORY)
    shares = used.whole_quantiles[one]
    found = [
        Evidence(what, _figure(value), unit, over, metric)
        for what, value in (
            ("used half of the time at most of a pod", shares[0]),
            ("used 95 % of the time at most of a pod", shares[1]),
            (PEAK, used.peak[one]),
            ("highest soon after a start of a pod", used.start_peak[one]),
        )
        if not np.isnan(value)
    ]
    pods = facts.set_now.pods[one]
    found.append(Evidence("pods that run", int(pods), "pods"))
    requested = (facts.set_now.cpu_requested if is_cpu else facts.set_now.memory_requested)[one]
    if not np.isclose(requested, pods * np.nan_to_num(sizes.now_request[one])):
        what = "requested by all pods, which are set differently"
        found.append(Evidence(what, _figure(requested), unit))
    found += _release(facts, one)
    sidecar = facts.inventory.containers["sidecar"][one]
    beyond = "would have been throttled" if is_cpu else "would have been killed"
    if not np.isnan(sizes.beyond[one]):
        found.append(
            Evidence(f"{beyond} by the proposed limit", _figure(sizes.beyond[one]), "share", over)
        )
    if not np.isnan(sizes.chance[one]):
        found.append(
            Evidence("chance of exceeding the limit in as long a time", _figure(sizes.chance[one]))
        )
    if not is_cpu and sizes.request[one] < sizes.limit[one]:
        found += _above_request(sizes, one, over)
    happened, at = sizes.happened[one], sizes.happened_at[one]
    if is_cpu and not np.isnan(happened):
        found.append(
            Evidence(
                "throttled as it is set now", _figure(happened), "share", over, THROTTLED_PERIODS
            )
        )
    if not is_cpu and happened > 0:
        found.append(
            Evidence(
                "killed for want of memory",
                _figure(happened),
                "times",
                over,
                also_of_sidecars([LAST_TERMINATED])[-1 if sidecar else 0],
            )
        )
    if not np.isnan(at):
        what = THROTTLED_AT if is_cpu else KILLED_AT
        found.append(Evidence(what, _figure(at), unit, over))
    return found


def reason(facts: Facts, sizes: Sizes, one: int, is_cpu: bool) -> str:
    """Why, in a sentence or three."""
    used = facts.cpu if is_cpu else facts.memory
    text = cores_text if is_cpu else bytes_text
    days = facts.days(used)[one]
    said = [f"in {days:.3g} days it used at most {text(_figure(used.top[one]))} in a pod"]
    if is_cpu:
        said[0] += f", and {text(_figure(used.whole_quantiles[one][1]))} in 95 % of the time"
        said.append(
            f"{_percent(sizes.risk[one])} of its minutes would have been above the request, "
            f"{_percent(sizes.now_risk[one])} are above the one that is set"
        )
        throttled = sizes.happened[one]
        if throttled > 0.01:
            said.append(
                f"it is throttled {_percent(throttled)} of the time by the limit that is set"
            )
    else:
        if used.start_peak[one] > used.peak[one]:
            said[0] += ", soon after a start"
        held = "limit" if not np.isnan(sizes.limit[one]) else "request"
        said.append(f"{_percent(sizes.risk[one])} of its minutes would have been above the {held}")
        if sizes.request[one] < sizes.limit[one]:
            said.append(
                f"{_percent(sizes.above_request[one])} of its minutes were above the request, and "
                f"later ones may be (chance {sizes.request_chance[one]:.0%} in as long a time): "
                "above it, it is evicted first where its node runs short"
            )
        if sizes.happened[one] > 0:
            said.append(f"it was killed for want of memory{_limits(sizes, one)}")
    name = facts.inventory.containers.row(one, named=True)
    if name["before"]:
        released = f"{name['released']:%Y-%m-%d}"
        said.append(
            f"it runs {name['release']} again, first seen on {released}: what it used with other "
            "images does not count"
            if name["returned"]
            else f"what it used before its release on {released} does not count"
        )
    if days < WEEK:
        said.append("a week has not been seen yet: a peak of one day in it may be missing")
    return "; ".join(said)


def _release(facts: Facts, one: int) -> Sequence[Evidence]:
    """Its release, where that is within the time looked at."""
    name = facts.inventory.containers.row(one, named=True)
    if name["released"] is None or name["released"] < facts.between.start:
        return []
    time = f"{name['released']:%Y-%m-%dT%H:%MZ}"
    if name["returned"]:
        what = "release that runs again, and only what it used with it counts"
        if not name["before"]:
            what = "release that others came after; what it used with these counts too"
        return [Evidence(what, name["release"], over=f"first seen {time}")]
    what = "newest release, and only what it used since counts"
    if not name["before"]:
        what = "newest release; what it used before, if it ran, counts too"
    return [Evidence(what, name["release"], over=f"since {time}")]


def _above_request(sizes: Sizes, one: int, over: str) -> Sequence[Evidence]:
    share, chance = _figure(sizes.above_request[one]), _figure(sizes.request_chance[one])
    return [
        Evidence("above the proposed request, evicted first", share, "share", over),
        Evidence("chance of exceeding the request in as long a time", chance),
    ]


def _limits(sizes: Sizes, one: int) -> str:
    lowest, highest = sizes.happened_from[one], sizes.happened_at[one]
    if np.isnan(highest):
        return ""
    if not lowest < highest:
        return f" at {bytes_text(float(highest))}"
    return (
        f" at {bytes_text(float(lowest))} and still at {bytes_text(float(highest))}: "
        "it may take whatever it is given"
    )


def _percent(share: float) -> str:
    """A share for people.

    >>> _percent(0.0), _percent(0.0001), _percent(0.123), _percent(float("nan"))
    ('none', 'under 0.1 %', '12.3 %', 'an unknown part')
    """
    if np.isnan(share):
        return "an unknown part"
    if share == 0.0:
        return "none"
    return "under 0.1 %" if share < _SELDOM else f"{100 * share:.3g} %"


def _figure(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
