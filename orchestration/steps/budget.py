"""The fleet's budget of false alerts, as each detector's rate of false alarms.

A threshold with a false-alarm rate of one column in a hundred thousand is quiet for a hundred
series and a flood for a million. What an operator can state is how many false alerts a day the
whole fleet may raise: that, over all columns that are scored in a day, is the rate at which a
threshold has to stand. A false interval holds at least one false column, so the expected number of
intervals is at most the budget; most hold several, and a detector's margin comes on top, so it is
fewer in fact.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from detectors import Detector
from lake.snapshot import Snapshot
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.steps.claims import claimed
from orchestration.steps.groups import groups
from orchestration.steps.panels import SeriesInfo, choose_series, count_series

RATE = "false_alarm_rate"


def rates(snapshot: Snapshot, settings: DetectionSettings, until: datetime) -> list[float]:
    """The false-alarm rate that each detector of the settings may have, in their order.

    Args:
        snapshot: of the lake.
        settings: say the budget, and what each detector scores.
        until: the models are fitted on what was before; series that ended by then do not count.
    """
    series = [
        one
        for one in choose_series(snapshot, settings, until)
        # Of a range long past: what has come since was not there to raise an alert.
        if one.first_seen is None or one.first_seen < until
    ]
    counts = [
        things(list(claimed(series, chosen, settings.detectors)), chosen)
        for chosen in settings.detectors
    ]
    found = []
    for chosen in settings.detectors:
        # Those that part the metrics among themselves have one rate: a family of ten series is not
        # to be let ten times as many false alarms as one of a hundred.
        same = [
            count
            for one, count in zip(settings.detectors, counts, strict=True)
            if one.by == chosen.by
        ]
        found.append(rate(settings, -(-sum(same) // _layers(settings.detectors, chosen.by))))
    return found


def rate(settings: DetectionSettings, things: int) -> float:
    """The rate of a detector that scores so many series or entities.

    >>> rate(DetectionSettings(false_alerts_a_day=10.0, also=()), 649) * 650 * 1440
    10.0
    """
    columns = timedelta(days=1) / settings.step
    return share(settings) / (_rounded_up(max(things, 1)) * columns)


def share(settings: DetectionSettings) -> float:
    """False alerts a day that each detector and each finder may raise.

    Detectors that part the metrics of the fleet among themselves count as one.
    """
    return settings.false_alerts_a_day / (layers(settings.detectors) + len(settings.also))


def layers(detectors: Sequence[DetectorSettings]) -> int:
    """How many detectors score one series and its entities.

    >>> rest, some = DetectorSettings(), DetectorSettings(name="online_level", metrics="up")
    >>> layers([some, rest]), layers([rest, DetectorSettings(name="pyod.ECOD")])
    (1, 2)
    """
    return sum(_layers(detectors, by) for by in {one.by for one in detectors})


def _layers(detectors: Sequence[DetectorSettings], by: str | None) -> int:
    """How many of them score one series, or one entity of this kind."""
    return max(sum(one.by == by and one.metrics is None for one in detectors), 1)


def rate_of_series(snapshot: Snapshot, settings: DetectionSettings, until: datetime) -> float:
    """The rate of a detector that scores each series alone, without reading what they are."""
    return rate(settings, count_series(snapshot, settings, until))


def things(series: list[SeriesInfo], chosen: DetectorSettings) -> int:
    """How many rows of scores the detector gives of these series."""
    if chosen.by is None:
        return len(series)
    return sum(1 for _ in groups(series, chosen, len(series)))


def within(detector: Detector, chosen: DetectorSettings, rate: float) -> Detector:
    """The detector at that rate; as it is where its own is lower, or given, or it has none."""
    own = detector.get_params().get(RATE)
    lowered = max(rate, detector.least_rate)
    if own is None or RATE in chosen.parameters or own <= lowered:
        return detector
    return type(detector)(**(detector.get_params() | {RATE: lowered}))


def _rounded_up(number: int) -> int:
    """To two digits: a pod more shall not move all thresholds.

    >>> [_rounded_up(number) for number in (7, 99, 649, 123_456)]
    [7, 99, 650, 130000]
    """
    unit: int = 10 ** max(len(str(number)) - 2, 0)
    return -(-number // unit) * unit
