"""Which candidate to keep, and what that costs against the best in hindsight.

Injected faults stand for real ones as far as they go: on labelled data they tell good detectors
from bad, and the best from the second best no better than a coin. So what is in use stays unless
the evidence against it is plain, and found twice: a candidate is *nominated* on faults in one part
of the history, and takes the place only if faults in another, that it was not picked on, *confirm*
it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidParameterError
from detectors.selection.judge import Judged
from detectors.selection.means import kind_means, no_louder, overall_means

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

# The margin, in VUS-PR. A choice is good if it costs no more than this against the best in
# hindsight; so not to change for less costs nothing that counts, and a change for less would swap
# what is known for what is new on the strength of a proxy.
MARGIN = 0.05
# Samples of the bootstrap: the ends of a 90 % interval move by about a hundredth of its width.
SAMPLES = 400
# Part of the samples on each side of an interval.
SIDE = 0.05
# What is this near to the best may be taken in its place.
AS_GOOD = 0.01
# What costs at most this part of the best is taken in its place, where it may be as good.
CHEAPER = 0.5
# Fewer faults than this prove nothing.
LEAST_FAULTS = 6


@dataclass(frozen=True, slots=True)
class Choice:
    """One family's outcome.

    Attributes:
        chosen: a candidate's name.
        incumbent: what it had to beat.
        runner_up: the best of the others that may be used; None = there is none.
        gain: VUS-PR of the chosen one above the incumbent's: low, mean, high of a 90 % interval.
        reason: in words, for people.
    """

    chosen: str
    incumbent: str
    runner_up: str | None
    gain: tuple[float, float, float]
    reason: str

    @property
    def changes(self) -> bool:
        """Whether another one than the incumbent was chosen."""
        return self.chosen != self.incumbent


@dataclass(frozen=True, slots=True, eq=False)
class _Evidence:
    """What speaks for each candidate against the incumbent; arrays `[C]` of one part of history."""

    overall: Float64
    samples: Float64
    gains: Float64
    clear: Bool
    quiet: Bool
    finds: Bool
    even: Bool
    enough: bool

    @property
    def usable(self) -> Bool:
        """Which are no worse than the incumbent at anything that counts."""
        return self.quiet & self.finds & self.even & np.isfinite(self.overall)

    @property
    def better(self) -> Bool:
        """Which may take its place."""
        return self.usable & self.clear & self.enough


def choose(judged: Judged, incumbent: str, seed: int = 0) -> Choice:
    """Nominate a candidate, or keep the incumbent.

    A candidate is measured by its mean VUS-PR over the kinds of faults, each kind counting alike.
    One may be nominated against the incumbent if

    - it is better by `MARGIN` at least, and better at all with 95 % confidence, by a bootstrap
      over series and rounds,
    - it loses less than `MARGIN` at each kind of fault: who gains at shifts shall not miss spikes,
    - of all faults it finds at its threshold fewer by less than `MARGIN`: to rank well is no use to
      people who are told what is above it, and
    - at the threshold of the same budget it raises no more false alarms in the untouched part, and
      none for longer.

    Of these the best is taken, or one that costs half as much and may be as good. To be used it has
    to be confirmed: see `confirm`.

    Raises:
        InvalidParameterError: if the incumbent is no candidate.
    """
    own = _place(judged, incumbent)
    found = _evidence(judged, own, seed)
    chosen = own
    if found.better.any():
        chosen = _best_or_cheaper(found.better, found.overall, found.samples, judged.seconds)
    order = np.argsort(-found.overall, kind="stable")
    others = [one for one in order if found.usable[one] and one != chosen]
    return Choice(
        chosen=judged.candidates[chosen],
        incumbent=incumbent,
        runner_up=judged.candidates[others[0]] if others else None,
        gain=_gain(found, own, chosen),
        reason=_reason(judged, found, own, chosen),
    )


def confirm(nominated: Choice, unseen: Judged, seed: int = 0) -> Choice:
    """Let the nominee take the incumbent's place if faults that it was not picked on say the same.

    It has to pass all that `choose` asks, once more; else the incumbent stays, and the nominee is
    its runner-up. No other is tried: who tries often enough passes by luck. The gain is that of
    these faults: the other one was picked for being great.

    Args:
        nominated: of `choose`.
        unseen: figures of the two, at least, in a part of the history that comes later.
        seed: of the bootstrap.

    Raises:
        InvalidParameterError: if one of the two was not judged.
    """
    if not nominated.changes:
        return nominated
    own = _place(unseen, nominated.incumbent)
    rival = _place(unseen, nominated.chosen)
    found = _evidence(unseen, own, seed)
    gain = _gain(found, own, rival)
    if found.better[rival]:
        return replace(nominated, gain=gain)
    why = _against(found, own, rival)
    return Choice(
        chosen=nominated.incumbent,
        incumbent=nominated.incumbent,
        runner_up=nominated.chosen,
        gain=(0.0, 0.0, 0.0),
        reason=f"{nominated.chosen} was better at first; on later faults it {why}",
    )


def _place(judged: Judged, name: str) -> int:
    if name not in judged.candidates:
        rule = f"must be one of {', '.join(judged.candidates)}"
        raise InvalidParameterError("incumbent", name, rule)
    return judged.candidates.index(name)


def _evidence(judged: Judged, own: int, seed: int) -> _Evidence:
    means = kind_means(judged.vus)
    overall = overall_means(means)
    samples = overall_means(_resampled(judged, seed))
    gains = np.quantile(samples - samples[own], [SIDE, 1.0 - SIDE], axis=1)
    clear = (gains[0] > 0.0) & (overall - overall[own] >= MARGIN)
    clear[own] = False
    recalls = overall_means(kind_means(judged.recall))
    worst = np.where(np.isfinite(means), means - means[own], 0.0).min(axis=1)
    return _Evidence(
        overall=overall,
        samples=samples,
        gains=gains,
        clear=clear,
        quiet=no_louder(judged, own),
        finds=~(recalls <= recalls[own] - MARGIN),
        even=worst > -MARGIN,
        enough=bool(np.isfinite(judged.vus[own]).sum() >= LEAST_FAULTS),
    )


def _gain(found: _Evidence, own: int, chosen: int) -> tuple[float, float, float]:
    mean = found.overall[chosen] - found.overall[own]
    return float(found.gains[0, chosen]), float(mean), float(found.gains[1, chosen])


def _resampled(judged: Judged, seed: int) -> Float64:
    """Return VUS-PR by candidate, kind and sample of the bootstrap.

    Series are drawn with replacement, and of each drawn one its rounds: two rounds of one series
    are not as good as two series, but all there is of a family of one.
    """
    n, rounds = judged.vus.shape[2:]
    rng = np.random.default_rng([seed, n, rounds])
    drawn = rng.integers(0, n, size=(SAMPLES, n, 1))
    turns = rng.integers(0, rounds, size=(SAMPLES, n, rounds))
    weight = np.zeros((SAMPLES, n * rounds))
    np.add.at(weight, (np.arange(SAMPLES)[:, None, None], drawn * rounds + turns), 1.0)
    flat = judged.vus.reshape(*judged.vus.shape[:2], n * rounds)
    has = np.isfinite(flat)
    total = np.where(has, flat, 0.0) @ weight.T
    count = has.astype(np.float64) @ weight.T
    return np.where(count > 0.0, total / np.maximum(count, 1.0), np.nan)


def _best_or_cheaper(better: Bool, overall: Float64, samples: Float64, seconds: Float64) -> int:
    best = int(np.where(better, overall, -np.inf).argmax())
    behind = np.quantile(samples[best] - samples, SIDE, axis=1)
    as_good = better & (behind <= 0.0) & (overall >= overall[best] - AS_GOOD)
    cheap = as_good & (seconds <= CHEAPER * seconds[best])
    return int(np.where(cheap, seconds, np.inf).argmin()) if cheap.any() else best


def _reason(judged: Judged, found: _Evidence, own: int, chosen: int) -> str:
    if not found.enough:
        return "too few faults could be put into this history: the incumbent stays"
    if chosen != own:
        return "finds the faults better, with no more false alarms"
    best = int(np.nan_to_num(found.overall, nan=-np.inf).argmax())
    if best == own:
        return "none is better"
    return f"{judged.candidates[best]} {_against(found, own, best)}"


def _against(found: _Evidence, own: int, rival: int) -> str:
    """Why a rival may not take the incumbent's place."""
    if not found.overall[rival] > found.overall[own]:
        return "is not better"
    if found.overall[rival] - found.overall[own] < MARGIN:
        return f"is better by less than {MARGIN:g}"
    if not found.clear[rival]:
        return "is not better beyond noise"
    if not found.quiet[rival]:
        return "is better, but raises more false alarms"
    if not found.finds[rival]:
        return "ranks better, but finds fewer at its threshold"
    if not found.even[rival]:
        return "is better on the whole, but loses a kind of fault"
    return "meets too few faults to tell"
