"""What detectors would have raised: history replayed as live detection would have seen it.

The replay *is* live detection: the same ticker, with another clock, on a lake that has the tables
of the real one and anomalies of its own. So warm-up, refits, what is left out of training because
it was flagged, hysteresis, and how intervals grow need no second implementation that could differ.

Two things it cannot show. Late samples are there on time. And a live ticker, which looks at a few
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
from orchestration.errors import BacktestError
from orchestration.settings import DetectionSettings, DetectorSettings
from orchestration.steps.anomaly_rows import Row, label
from orchestration.steps.panels import align
from orchestration.steps.tick import LONGEST_STEP, Ticker

Progress = Callable[[float], None]

FOUND = 'SELECT * EXCLUDE (date) FROM anomalies WHERE "end" > $since ORDER BY start, anomaly_id'


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
        detectors: each is replayed alone.
        between: shortened to whole columns.
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
    whole = TimeRange(start, end)
    found = []
    for done, chosen in enumerate(detectors):

        def told(share: float, done: int = done) -> None:
            progress((done + share) / len(detectors))

        with TemporaryDirectory(prefix="fleetlake-backtest-") as folder:
            scratch = _beside(lake, Path(folder) / "lake")
            alone = settings.model_copy(update={"detectors": (chosen,)})
            found.append(_replay_one(scratch, alone, whole, told))
    return found


def _beside(lake: Lake, folder: Path) -> Lake:
    """A lake in the folder whose tables are those of another, all but `anomalies`."""
    folder.mkdir(parents=True)
    for name in lake.tables:
        if name != lake.anomalies.spec.name:
            (folder / name).symlink_to(lake.root / name, target_is_directory=True)
    return Lake.open(folder)


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
    rows = lake.sql(FOUND, {"since": between.start}).to_pylist()
    chosen = settings.detectors[0]
    return Replayed(label(chosen), rows, series, between, spent, None if series else reason)


def closings(between: TimeRange, settings: DetectionSettings) -> list[datetime]:
    """When the replay ticks: every hour, and at each refit and one column before it.

    A live ticker ticks each minute. What it finds does not depend on that (a tick scores all that
    has closed since the last), but a model learns what was scored before the tick that fits it: so
    the column before a refit is scored by a tick of its own.

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
    return sorted(moments)
