"""What is proposed for each container, all at once: arrays, and why where nothing is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.rightsizing import chance_above, cpu_requests, memory_limits, rising
from orchestration.rightsizing_settings import RightsizingSettings
from orchestration.steps.advice.rightsizing.facts import Facts
from orchestration.steps.advice.rightsizing.quantities import GIB, MIB, whole_mib, whole_millicores
from orchestration.steps.advice.rightsizing.throttling import Throttling
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


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """Requests and limits of one thing, arrays `[n]`; NaN = none.

    Attributes:
        request, limit: proposed.
        now_request, now_limit: set now.
        risk, now_risk: share of the past, 0 to 1: of CPU above the request (what neighbours may
            take; what is above the limit is part of it) or throttled, whichever is more; of memory
            above the limit, else request, or killed.
        beyond, now_beyond: share above the limit, which would have been throttled or killed.
        chance: of exceeding the limit in as long a time (memory).
        above_request, request_chance: share of the past above the request, and the chance that more
            is taken in as long a time: it is not killed, but evicted first (memory).
        saving: of what is requested, of all pods together; negative = more is needed.
        confidence: 0 to 1.
        rising: which grow and grow (memory).
        happened: how it was throttled under what is set, a share, NaN = nothing tells; how often it
            was killed.
        happened_from, happened_at: the lowest limit under which it was killed, and the highest
            under which it was, or was throttled too much, NaN = none.
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
    above_request: Float64
    request_chance: Float64
    saving: Float64
    confidence: Float64
    rising: Bool
    happened: Float64
    happened_from: Float64
    happened_at: Float64

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
    scale = facts.scaled.cpu
    if settings.hpa == "retarget":
        # Below what it is held at, it would be above its request all the time.
        request = np.fmax(request, now.cpu_request * scale / 100.0)
    request = np.fmax(request, settings.least_cpu)
    throttling = Throttling.of(facts)
    needed = throttling.limits(request, settings)
    alike = (now.cpu_request == now.cpu_limit) & settings.keep_class
    limit = np.where(alike, needed, _kept(now.cpu_limit, needed, settings.loose))
    limit = np.where(np.isnan(now.cpu_limit), np.nan, limit)
    request = np.where(alike, limit, request)
    request, limit = whole_millicores(request), whole_millicores(limit)
    happened = facts.trouble.throttled_under(now.cpu_limit)
    confidence = _confidence(facts, of) * (1.0 - np.nan_to_num(happened))
    unset, nothing = np.isnan(now.cpu_request), np.full(n, np.nan)
    beyond = np.fmax(of.whole.above(limit, of.top), throttling.by(limit))
    now_beyond = np.fmax(of.whole.above(now.cpu_limit, of.top), throttling.now)
    return Sizes(
        request,
        limit,
        now.cpu_request,
        now.cpu_limit,
        np.fmax(of.whole.above(request, of.top), beyond),
        # Without a request it is entitled to nothing.
        np.fmax(of.whole.above(np.where(unset, 0.0, now.cpu_request), of.top), now_beyond),
        beyond,
        now_beyond,
        nothing,
        nothing,
        nothing,
        now.cpu_requested - request * now.pods,
        np.round(confidence, 2),
        np.zeros(n, dtype=np.bool_),
        happened,
        nothing,
        throttling.at(settings),
    )


def memory_sizes(facts: Facts, settings: RightsizingSettings) -> Sizes:
    """Memory: the request holds what was seen of ordinary minutes, the limit all, and a margin."""
    of, now, n = facts.memory, facts.set_now, facts.inventory.containers.height
    alike = (now.memory_request == now.memory_limit) & settings.keep_class
    pods = np.maximum(now.pods, 1.0)
    reserved = np.where(alike | np.isnan(now.memory_limit), pods, UNRESERVED * pods)
    limits = memory_limits(
        of.blocks, reserved, settings.memory_over, settings.memory_worth_gib * GIB
    )
    killed_at = np.fmax(facts.trouble.kills.highest(np.zeros(n)), facts.remembered.killed_at)
    bumped = killed_at * (1.0 + settings.oom_bump)
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
    now_risk = of.whole.above(np.where(np.isnan(now_held), 0.0, now_held), of.top)
    chance = np.where(held > limits.bytes * 1.001, np.nan, limits.chance)
    return Sizes(
        request,
        limit,
        now.memory_request,
        now.memory_limit,
        np.fmax(of.whole.above(held, of.top), _killed(facts, limit)),
        np.fmax(now_risk, _killed(facts, now.memory_limit)),
        np.fmax(of.whole.above(limit, of.top), _killed(facts, limit)),
        np.fmax(of.whole.above(now.memory_limit, of.top), _killed(facts, now.memory_limit)),
        chance,
        _above(of, request),
        chance_above(of.blocks, request),
        now.memory_requested - request * now.pods,
        np.round(_confidence(facts, of), 2),
        rising(of.blocks),
        facts.trouble.kills.total,
        facts.trouble.kills.lowest,
        killed_at,
    )


def _above(of: Used, level: Float64) -> Float64:
    """Share of the time above levels, exact where these are the highest outside starts.

    Of a bin that holds a level a part counts; what is not steady is counted as a difference.
    """
    steady = of.steady.slots * np.nan_to_num(of.steady.above(level))
    exactly = of.steady.slots * np.nan_to_num(of.steady.above(level, of.peak))
    above = of.whole.slots * of.whole.above(level) - steady + exactly
    return np.clip(above / np.maximum(of.whole.slots, 1), 0.0, 1.0)


def _killed(facts: Facts, limit: Float64) -> Float64:
    """Share of the past, five minutes each, in which a limit would have killed, at least."""
    slots = np.maximum(facts.memory.whole.slots, 1)
    return np.minimum(facts.trouble.kills.under(limit) / slots, 1.0)


def _kept(limit: Float64, needed: Float64, loose: float) -> Float64:
    """A limit that holds what is needed stays, unless it is far above that."""
    fits = (limit >= needed) & (limit <= loose * needed)
    return np.where(fits, limit, needed)


def _confidence(facts: Facts, of: Used) -> Float64:
    grown = 1.0 - np.exp(-facts.history_days(of) / _DAYS)
    return np.where(facts.days(of) < WEEK, np.minimum(grown, NO_WEEK), grown)


def _apart(one: Float64, other: Float64) -> Float64:
    """Relative difference; 0 where both are none, infinite where one is."""
    neither = np.isnan(one) & np.isnan(other)
    either = np.isnan(one) ^ np.isnan(other)
    largest = np.maximum(np.abs(np.nan_to_num(one)), np.abs(np.nan_to_num(other)))
    gap = np.abs(np.nan_to_num(one) - np.nan_to_num(other))
    relative = np.divide(gap, largest, out=np.zeros_like(gap), where=largest > 0.0)
    return np.where(neither, 0.0, np.where(either, np.inf, relative))
