"""What detectors would have raised: history replayed as live detection would have seen it.

The replay *is* live detection: the same ticker, with another clock, on a lake that has the tables
of the real one and anomalies of its own. So warm-up, refits, what is left out of training because
it was flagged, hysteresis, and how intervals grow need no second implementation that could differ.

What was flagged before the range is taken from the lake, for the same detector; one that the lake
does not know has learned faults that it would have flagged. A detector is granted the share of the
budget that each one of the settings has.

What a replay cannot show: late samples are there on time. And a live ticker, which looks at a few
more columns each minute, lets an interval end that has hovered just below the threshold for longer
than it looks back; the replay, which ticks each hour, may let it go on for some minutes more.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from lake import Lake, TimeRange
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.errors import BacktestError
from orchestration.steps import budget
from orchestration.steps.anomaly_rows import LONGEST_INTERVAL, Row, label, table
from orchestration.steps.lawful import require_lawful
from orchestration.steps.panels import align
from orchestration.steps.tick import LONGEST_STEP, Ticker

Progress = Callable[[float], None]

BEFORE = """
SELECT * EXCLUDE (date) FROM anomalies
WHERE list_contains($detectors, detector) AND "end" <= $start AND "end" > $reach
ORDER BY start, anomaly_id
"""

FOUND = """
SELECT * EXCLUDE (date) FROM anomalies
WHERE "end" > $since AND detector = $detector
ORDER BY start, anomaly_id
"""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What one detector would have raised.

    Attributes:
        detector: its name as in `anomalies`.
        rows: of `anomalies`, by start; those that were going on at the beginning are among them.
        series: scored at the end.
        between: the range that was replayed.
        cpu_seconds: of reading, fitting, scoring and writing.
        reason: why nothing could be scored, where nothing could.
    """

    detector: str
    rows: Sequence[Row]
    series: int
    between: TimeRange
    cpu_seconds: float
    reason: str | None

    @property
    def alerts_a_day(self) -> float:
        """Rows per day of the range."""
        return len(self.rows) / ((self.between.end - self.between.start) / timedelta(days=1))


def replay(
    lake: Lake,
    settings: DetectionSettings,
    detectors: Sequence[DetectorSettings],
    between: TimeRange,
    *,
    progress: Progress = lambda _: None,
) -> list[Replayed]:
    """Replay a range of a lake's history once for each detector; the lake is not changed.

    Args:
        lake: in a folder.
        settings: all but the detectors.
        detectors: each is replayed alone, but for those of the settings that have one name: they
            are replayed together, each with its `metrics`.
        between: shortened to whole columns, and to where there is history enough to begin with.
        progress: told the share that is done.

    Raises:
        BacktestError: the lake lies in a bucket, or the range holds no column.
        DetectorsError, SettingsError: a detector cannot be used.
    """
    if lake.store.reader != "file":
        raise BacktestError(
            "a backtest links to the tables of a lake in a folder, and this one lies in a bucket: "
            "copy the days it needs to a folder, or mount the bucket"
        )
    start, end = (align(moment, settings.step) for moment in (between.start, between.end))
    if end <= start:
        raise BacktestError(f"there is no column of {settings.step} from {start} to {end}")
    for chosen in detectors:
        for one in _with_screen(chosen, settings):
            require_lawful(one)
    whole = TimeRange(_warm(lake, settings, start, end), end)
    share = budget.share(settings)
    found = []
    for done, chosen in enumerate(detectors):

        def told(share: float, done: int = done) -> None:
            progress((done + share) / len(detectors))

        with TemporaryDirectory(prefix="fleetlake-backtest-") as folder:
            scratch = _beside(lake, Path(folder) / "lake")
            own = _with_screen(chosen, settings)
            granted = share * budget.layers(own)
            alone = settings.model_copy(
                update={
                    "detectors": own,
                    "also": (),
                    "use_champions": False,
                    "false_alerts_a_day": granted,
                }
            )
            _copy_flagged(lake, scratch, alone, whole.start)
            found.append(_replay_one(scratch, alone, whole, told))
    return found


def _with_screen(
    chosen: DetectorSettings, settings: DetectionSettings
) -> tuple[DetectorSettings, ...]:
    """A detector, and what finds its candidates."""
    own = _of_one_name(chosen, settings)
    if chosen.candidates is None:
        return own
    of = chosen.candidates.of
    screens = tuple(one for one in settings.detectors if label(one) == of)
    return (*own, *(screens or (DetectorSettings(name=of),)))


def _of_one_name(
    chosen: DetectorSettings, settings: DetectionSettings
) -> tuple[DetectorSettings, ...]:
    """A detector of the settings with those of its name, that part the metrics with it."""
    if chosen not in settings.detectors:
        return (chosen,)
    return tuple(one for one in settings.detectors if label(one) == label(chosen))


def _beside(lake: Lake, folder: Path) -> Lake:
    """A lake in the folder whose tables are those of another, all but `anomalies`."""
    folder.mkdir(parents=True)
    for name in lake.tables:
        if name != lake.anomalies.spec.name:
            (folder / name).symlink_to(lake.root / name, target_is_directory=True)
    return Lake.open(folder)


def _warm(lake: Lake, settings: DetectionSettings, start: datetime, end: datetime) -> datetime:
    """The start, or when there is history enough if that is later; the start if it never is.

    From there on refits come in time: before, the first model would be fitted at some hour.
    """
    files = lake.snapshot().tables["samples"].files
    first = min((file.first for file in files if file.first), default=None)
    if first is None:
        return start
    reach = (settings.min_length + settings.merge_gap + 1) * settings.step
    warm = align(first + settings.least_history + reach, settings.step) + settings.step
    return max(start, warm) if warm < end else start


def _copy_flagged(lake: Lake, scratch: Lake, settings: DetectionSettings, start: datetime) -> None:
    """What live detection has flagged and closed before the range: no model learns it."""
    params = {
        "detectors": [label(one) for one in settings.detectors],
        "start": start,
        "reach": start - settings.history - LONGEST_INTERVAL,
    }
    rows = lake.sql(BEFORE, params).to_pylist()
    if rows:
        scratch.anomalies.append(table(rows))


def _replay_one(
    lake: Lake, settings: DetectionSettings, between: TimeRange, progress: Progress
) -> Replayed:
    ticker = Ticker(lake, settings)
    began = time.process_time()
    series, reason = 0, None
    moments = closings(between, settings)
    for number, closed in enumerate(moments, start=1):
        done = ticker.tick(closed + settings.delay)
        series, reason = max(series, done.series), done.reason
        progress(number / len(moments))
    spent = time.process_time() - began
    name = label(settings.detectors[0])
    rows = lake.sql(FOUND, {"since": between.start, "detector": name}).to_pylist()
    return Replayed(name, rows, series, between, spent, None if series else reason)


def closings(between: TimeRange, settings: DetectionSettings) -> list[datetime]:
    """When the replay ticks: every hour, and at each refit and one column before it.

    A live ticker ticks each minute. A tick scores all that has closed since the last, so that what
    it finds hardly depends on that (`online_level` remembers a little more of what came before a
    longer panel); but a model learns what was scored before the tick that fits it: so the column
    before a refit is scored by a tick of its own.

    >>> from lake.timerange import from_micros
    >>> settings = DetectionSettings(refit_every=timedelta(hours=2))
    >>> day = TimeRange(from_micros(0), from_micros(3 * 3_600_000_000))
    >>> [f"{moment:%H:%M}" for moment in closings(day, settings)]
    ['00:00', '01:00', '01:59', '02:00', '03:00']
    """
    stride = max(LONGEST_STEP, settings.step)
    moments = {between.start, between.end}
    for every, before in ((stride, timedelta(0)), (settings.refit_every, settings.step)):
        at = between.start + every
        while at <= between.end:
            moments |= {at, at - before}
            at += every
    return sorted(moment for moment in moments if moment >= between.start)
