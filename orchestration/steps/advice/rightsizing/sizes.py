"""What is proposed for each container, all at once: arrays, and why where nothing is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.rightsizing import cpu_requests, memory_limits, rising
from orchestration.rightsizing_settings import RightsizingSettings
from orchestration.steps.advice.rightsizing.facts import Facts
from orchestration.steps.advice.rightsizing.quantities import GIB, MIB, whole_mib, whole_millicores
from orchestration.steps.advice.rightsizing.usage import Used

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

UNRESERVED = 0.1
"""What a limit above the request costs, of what a request costs: it is not kept free for it, but
others may have to give it up."""

WEEK = 7.0
NO_WEEK = 0.7
"""Confidence of a history without a whole week: what happens once in it may be missing."""
_DAYS = 4.0
"""In so many days, most of what a container does has been seen."""
_HARDLY = 0.2
"""Throttled for this part of what counts as throttled, a limit is not lowered."""


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """Requests and limits of one thing, arrays `[n]`; NaN = none.

    Attributes:
        request, limit: proposed.
        now_request, now_limit: set now.
        risk, now_risk: share of the past, 0 to 1: of CPU above the request (what neighbours may
            take; what is above the limit is part of it), of memory above the limit, else request.
        beyond, now_beyond: share above the limit, which would have been throttled or killed.
        chance: of exceeding the limit in as long a time (memory).
        saving: of what is requested, of all pods together; negative = more is needed.
        confidence: 0 to 1.
        rising: which grow and grow (memory).
    """

    request: Float64
    limit: Float64
    now_request: Float64
    now_limit: Float64
    risk: Float64
    now_risk: Float64
    beyond: Float64
    now_beyond: Float64
    chance: Float64
    saving: Float64
    confidence: Float64
    rising: Bool

    def differs(self, share: float) -> Bool:
        """Which proposals differ from what is set by more than a share, or take risk away."""
        apart = _apart(self.request, self.now_request) > share
        apart |= _apart(self.limit, self.now_limit) > share
        result: Bool = apart
        return result


def cpu_sizes(facts: Facts, settings: RightsizingSettings) -> Sizes:
    """CPU: the request holds what the settings ask of ordinary minutes, the limit starts too."""
    of, now, n = facts.cpu, facts.set_now, facts.inventory.containers.height
    wanted = cpu_requests(
        of.steady,
        of.peak,
        now.pods,
        settings.cpu_over,
        settings.cpu_worth,
        settings.cpu_worth_share,
    )
    # Where all that was seen were starts.
    request = np.where(np.isnan(wanted.cores), of.top, wanted.cores)
    scale = facts.hpa_cpu
    if settings.hpa == "retarget":
        # Below what it is held at, it would be above its request all the time.
        request = np.fmax(request, now.cpu_request * scale / 100.0)
    request = np.fmax(request, settings.least_cpu)
    needed = np.fmax(of.top * (1.0 + settings.burst), request)
    share = np.nan_to_num(facts.trouble.throttled)
    bumped = now.cpu_limit * (1.0 + settings.burst)
    needed = np.where(share >= settings.throttled, np.fmax(needed, bumped), needed)
    hardly = share >= settings.throttled * _HARDLY
    needed = np.where(hardly, np.fmax(needed, now.cpu_limit), needed)
    alike = (now.cpu_request == now.cpu_limit) & settings.keep_class
    limit = np.where(alike, needed, _kept(now.cpu_limit, needed, settings.loose))
    limit = np.where(np.isnan(now.cpu_limit), np.nan, limit)
    request = np.where(alike, limit, request)
    request, limit = whole_millicores(request), whole_millicores(limit)
    confidence = _confidence(facts, of) * (1.0 - share)
    unset = np.isnan(now.cpu_request)
    return Sizes(
        request,
        limit,
        now.cpu_request,
        now.cpu_limit,
        of.whole.above(request, of.top),
        # Without a request it is entitled to nothing.
        of.whole.above(np.where(unset, 0.0, now.cpu_request), of.top),
        of.whole.above(limit, of.top),
        np.fmax(of.whole.above(now.cpu_limit, of.top), facts.trouble.throttled),
        np.full(n, np.nan),
        (np.nan_to_num(now.cpu_request) - request) * now.pods,
        np.round(confidence, 2),
        np.zeros(n, dtype=np.bool_),
    )


def memory_sizes(facts: Facts, settings: RightsizingSettings) -> Sizes:
    """Memory: the request holds what was seen of ordinary minutes, the limit all, and a margin."""
    of, now = facts.memory, facts.set_now
    alike = (now.memory_request == now.memory_limit) & settings.keep_class
    pods = np.maximum(now.pods, 1.0)
    reserved = np.where(alike | np.isnan(now.memory_limit), pods, UNRESERVED * pods)
    limits = memory_limits(
        of.blocks, reserved, settings.memory_over, settings.memory_worth_gib * GIB
    )
    bumped = facts.trouble.killed_at * (1.0 + settings.oom_bump)
    needed = np.fmax(np.fmax(limits.bytes, bumped), settings.least_memory_mib * MIB)
    request = np.where(np.isnan(of.peak), of.top, of.peak)
    request = np.fmax(request, settings.least_memory_mib * MIB)
    limit = np.where(alike, needed, _kept(now.memory_limit, needed, settings.loose))
    limit = np.where(np.isnan(now.memory_limit), np.nan, limit)
    # Nothing stops one without a limit: its request has the margin.
    request = np.where(alike | np.isnan(now.memory_limit), needed, request)
    request, limit = whole_mib(request), whole_mib(limit)
    held = np.where(np.isnan(limit), request, limit)
    now_held = np.where(np.isnan(now.memory_limit), now.memory_request, now.memory_limit)
    slots = np.maximum(of.whole.slots, 1)
    now_risk = of.whole.above(np.where(np.isnan(now_held), 0.0, now_held), of.top)
    now_risk = np.fmax(now_risk, np.minimum(facts.trouble.kills / slots, 1.0))
    chance = np.where(held > limits.bytes * 1.001, np.nan, limits.chance)
    return Sizes(
        request,
        limit,
        now.memory_request,
        now.memory_limit,
        of.whole.above(held, of.top),
        now_risk,
        of.whole.above(limit, of.top),
        of.whole.above(now.memory_limit, of.top),
        chance,
        (np.nan_to_num(now.memory_request) - request) * now.pods,
        np.round(_confidence(facts, of), 2),
        rising(of.blocks),
    )


def _kept(limit: Float64, needed: Float64, loose: float) -> Float64:
    """A limit that holds what is needed stays, unless it is far above that."""
    fits = (limit >= needed) & (limit <= loose * needed)
    return np.where(fits, limit, needed)


def _confidence(facts: Facts, of: Used) -> Float64:
    days = facts.days(of)
    grown = 1.0 - np.exp(-days / _DAYS)
    return np.where(days < WEEK, np.minimum(grown, NO_WEEK), grown)


def _apart(one: Float64, other: Float64) -> Float64:
    """Relative difference; 0 where both are none, infinite where one is."""
    neither = np.isnan(one) & np.isnan(other)
    either = np.isnan(one) ^ np.isnan(other)
    largest = np.maximum(np.abs(np.nan_to_num(one)), np.abs(np.nan_to_num(other)))
    gap = np.abs(np.nan_to_num(one) - np.nan_to_num(other))
    relative = np.divide(gap, largest, out=np.zeros_like(gap), where=largest > 0.0)
    return np.where(neither, 0.0, np.where(either, np.inf, relative))
