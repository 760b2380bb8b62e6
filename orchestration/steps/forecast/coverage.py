"""What became of earlier forecasts: how often their intervals held, by what came true since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from detectors.forecasting import METHODS
from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from orchestration.forecast_settings import ForecastSettings, ResourceSettings
from orchestration.steps.forecast.resources import resources

LOOK_BACK = timedelta(days=7)
"""Forecasts that are judged: older ones are of a fleet that is no more."""

LEAST = 20
"""Passages by which a share can be told; by fewer it would say next to nothing."""

MOST = 5_000
"""Forecasts that are judged at once, the newest: more would cost, and tell nothing more."""

BY = " by "
"""Between a kind of resource and the heavier model that foretold it; no kind's name has a space."""

STATED = 0.8
"""What intervals claim."""

JUDGED = """
WITH told AS (
    SELECT cluster, forecast_id, resource, series_id, made_at, capacity, threshold,
           CASE WHEN method IS NULL OR list_contains($light, method) THEN ''
                ELSE $by || method END AS heavier,
           eta_lower, eta_upper, made_at + to_seconds(3 * horizon_seconds) AS until
    FROM forecasts
    WHERE date >= $first_day AND made_at >= $start AND made_at < $end
      AND eta IS NOT NULL AND list_contains($resources, resource)
      AND eta_upper <= $end
    ORDER BY made_at DESC, forecast_id LIMIT $most
), kinds AS (
    SELECT unnest($resources) AS resource, unnest($reads) AS reads, unnest($below) AS below
), wanted AS (
    SELECT DISTINCT series_id FROM told
), points AS (
    SELECT series_id, time, sum / "count" AS value FROM buckets(INTERVAL 5 MINUTE)
    WHERE time >= $start AND time < $end AND list_contains($metrics, metric)
      AND series_id IN (SELECT series_id FROM wanted)
), passed AS (
    SELECT t.resource || t.heavier AS resource, t.cluster, t.eta_lower, t.eta_upper,
           min(p.time) AS crossed
    FROM told t JOIN kinds k USING (resource) LEFT JOIN points p
      ON p.series_id = t.series_id AND p.time >= t.made_at AND p.time < t.until
     AND CASE WHEN k.reads = 'free' THEN p.value <= t.capacity - t.threshold
              WHEN k.below THEN p.value <= t.threshold ELSE p.value >= t.threshold END
    GROUP BY t.forecast_id, t.made_at, t.resource, t.heavier, t.cluster, t.eta_lower, t.eta_upper
)
SELECT resource, count(*) AS told, count(crossed) AS came,
       count(*) FILTER (
           crossed >= eta_lower AND crossed + INTERVAL 5 MINUTE <= eta_upper) AS held
FROM passed GROUP BY resource ORDER BY resource
"""

METRICS = """
SELECT DISTINCT metric FROM forecasts
WHERE date >= $first_day AND eta IS NOT NULL AND list_contains($resources, resource)
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of forecasts of one kind.

    Attributes:
        told: forecasts whose interval is over.
        came: of these, the threshold was passed within three horizons.
        held: of these, within the stated interval.
    """

    told: int = 0
    came: int = 0
    held: int = 0

    @property
    def coverage(self) -> float | None:
        """Share of passages within their interval; None = too few came to tell."""
        return self.held / self.came if self.came >= LEAST else None

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(self.told + other.told, self.came + other.came, self.held + other.held)


def judge(snapshot: Snapshot, settings: ForecastSettings, now: datetime) -> Mapping[str, Verdict]:
    """What became of the forecasts of the last week, by kind of resource; see `judged_as`.

    A passage is in the first five minutes whose mean is at the threshold: an interval holds that
    has all of them. What has not come, or not within three horizons, is none: the interval claims
    nothing about it.

    Args:
        snapshot: the forecasts, and what came since.
        settings: what the kinds are.
        now: nothing after it is looked at.
    """
    kinds: Sequence[ResourceSettings] = [one for one in resources(settings) if not one.expires]
    between = TimeRange(now - LOOK_BACK, now)
    params = {
        "first_day": between.start.date(),
        "resources": [kind.name for kind in kinds],
        "light": [*METHODS],
        "by": BY,
    }
    told = {name: params[name] for name in ("first_day", "resources")}
    metrics = run(snapshot, METRICS, told).rows.column("metric").to_pylist()
    if not metrics:
        return {}
    params |= {
        "start": between.start,
        "end": between.end,
        "reads": [kind.reads for kind in kinds],
        "below": [kind.below for kind in kinds],
        "metrics": sorted(metrics),
        "most": MOST,
    }
    rows = run(snapshot, JUDGED, params, between).rows.to_pylist()
    return {row["resource"]: Verdict(row["told"], row["came"], row["held"]) for row in rows}


def judged_as(resource: pl.Expr, method: pl.Expr) -> pl.Expr:
    """What forecasts are judged as: their kind, and by which heavier model they are, if by one."""
    return resource + pl.when(method.is_in(METHODS)).then(pl.lit("")).otherwise(BY + method)


def coverage_of(verdicts: Mapping[str, Verdict], names: Sequence[str]) -> dict[str, float | None]:
    """The coverage of each kind: its own, else, where too few of it came, that of all.

    Of a heavier model, that of all by it: what the light methods' intervals held says nothing here.

    >>> verdicts = {"volume": Verdict(30, 20, 16), "volume by slow": Verdict(9, 9, 9)}
    >>> coverage_of(verdicts, ["filesystem", "volume by slow"])
    {'filesystem': 0.8, 'volume by slow': None}
    """
    of_all: dict[str, Verdict] = {}
    for name, verdict in verdicts.items():
        of_all[_by(name)] = of_all.get(_by(name), Verdict()) + verdict
    return {
        name: of_all.get(_by(name), Verdict()).coverage
        if (own := verdicts.get(name, Verdict()).coverage) is None
        else own
        for name in names
    }


def _by(name: str) -> str:
    return name.partition(BY)[2]
