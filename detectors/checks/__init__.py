"""The laws every detector obeys, as code.

Each law is a name and a function that takes a `Trial` of a detector and raises `LawBrokenError`
where the law does not hold. A test runs them over the whole catalogue; `require_lawful` over
whatever PyOD's or the user's the settings name, before it is used; `fleetlake check-detector`
prints the verdict of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from detectors.checks import bad_input, promises
from detectors.checks.trial import MINUTE, Factory, Trial, normal_panel
from detectors.errors import DetectorsError, LawBrokenError

__all__ = [
    "MINUTE",
    "Factory",
    "Law",
    "Trial",
    "Verdict",
    "laws",
    "normal_panel",
    "require_lawful",
    "verdicts",
]

Law = Callable[[Trial], None]

LAWS: tuple[Law, ...] = (
    promises.higher_is_more_abnormal,
    promises.scores_are_in_thresholds,
    promises.scoring_keeps_state,
    promises.causal,
    promises.newest_alone,
    promises.no_batch_neighbours,
    promises.same_bytes,
    promises.permutation,
    promises.units,
    promises.clone,
    promises.state_round_trip,
    bad_input.gaps_tolerated,
    bad_input.silence,
    bad_input.constant_series,
    bad_input.one_point,
    bad_input.unknown_series,
    bad_input.huge_values,
    bad_input.other_step,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a law holds.

    Attributes:
        law: its name.
        says: what it asks for.
        broken: how it is broken; None = it holds.
    """

    law: str
    says: str
    broken: str | None


def laws(clock: Callable[[], float] | None = None) -> Iterator[tuple[str, Law]]:
    """Yield (name, law).

    Args:
        clock: seconds that only grow, as `time.process_time`; without it the law of linear
            cost, which alone needs one, is left out.
    """
    for law in LAWS:
        yield law.__name__, law
    if clock is not None:
        timer = clock
        yield "linear_cost", lambda trial: promises.linear_cost(trial, timer)


def verdicts(make: Factory) -> Iterator[Verdict]:
    """Try a detector by each law, one after the other; whatever it raises breaks the law.

    Args:
        make: returns an unfitted detector.

    Raises:
        DetectorsError: none can be made.
    """
    trial = Trial(make)
    for law in LAWS:
        found = _broken(law, trial)
        told = None
        if found is not None:
            told = found.reason if found.law == law.__name__ else str(found)
        yield Verdict(law.__name__, _first_line(law), told)


def require_lawful(make: Factory) -> None:
    """Try a detector by every law, up to the first that it breaks.

    Raises:
        LawBrokenError: it breaks that law.
        DetectorsError: none can be made.
    """
    trial = Trial(make)
    for law in LAWS:
        found = _broken(law, trial)
        if found is not None:
            raise found


def _broken(law: Law, trial: Trial) -> LawBrokenError | None:
    """Return how the law is broken, or the one that the detector itself found broken."""
    try:
        law(trial)
    except LawBrokenError as error:
        return error
    except DetectorsError as error:
        return LawBrokenError(law.__name__, str(error))
    except Exception as error:  # noqa: BLE001 - whatever a detector raises breaks the law
        told = f"{type(error).__name__}: {error}{_place(error)}"
        return LawBrokenError(law.__name__, told)
    return None


def _place(error: BaseException) -> str:
    """Where in whose code something was raised: in what is not ours, if any of it is not."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f" at line {trace.tb_lineno} of {trace.tb_frame.f_code.co_filename}"


def _first_line(law: Law) -> str:
    return (law.__doc__ or "").splitlines()[0]
