"""TSBS' devops workload: what hosts report, and eight questions of it in SQL and MetricsQL.

500 hosts report ten CPU figures each every ten seconds, as random walks between 0 and 100. Samples
lie five seconds off the step, so that no window of either language has one on its border.
https://github.com/timescale/tsbs
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

START = datetime(2026, 3, 1, tzinfo=UTC)
STEP = timedelta(seconds=10)
OFFSET = timedelta(seconds=5)
CLUSTER = "devops"

FIELDS = (
    *("user", "system", "idle", "nice", "iowait"),
    *("irq", "softirq", "steal", "guest", "guest_nice"),
)
METRICS = tuple(f"cpu_usage_{field}" for field in FIELDS)

MINUTE, HOUR = 60, 3600
EIGHT_HOURS = timedelta(hours=8)


@dataclass(frozen=True)
class Workload:
    """So many hosts over so many hours."""

    hosts: int = 500
    hours: int = 12

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return START + timedelta(hours=self.hours)

    def times_ms(self) -> npt.NDArray[np.int64]:
        """When each host reports: int64[n_times]."""
        count = int(timedelta(hours=self.hours) / STEP)
        first = int((START + OFFSET).timestamp() * 1000)
        return first + np.arange(count, dtype=np.int64) * int(STEP.total_seconds() * 1000)

    def values(self, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        """One metric of all hosts: float64[n_hosts, n_times], whole as TSBS'."""
        n_times = len(self.times_ms())
        values = np.empty((self.hosts, n_times))
        level = rng.uniform(0, 100, self.hosts)
        for at in range(n_times):
            level = np.clip(level + rng.normal(0, 1, self.hosts), 0, 100)
            values[:, at] = level
        return np.floor(values)


@dataclass(frozen=True)
class Question:
    """One question, as both are asked it.

    Attributes:
        name: TSBS' name of it.
        sql: for ours; gives rows (time, metric or null, host or null, value).
        metricsql: for VictoriaMetrics.
        clickhouse: for ClickHouse's SQL over `{samples}` and `{series}`, the files of our tables.
        start: of the evaluation, inclusive.
        end: of the evaluation, inclusive.
        step: seconds between evaluations; 0 = one, at `end`.
        served: what serves it here: "rollups" or "samples".
        goal: how many times VictoriaMetrics' time it may take.
    """

    name: str
    sql: str
    metricsql: str
    clickhouse: str
    start: datetime
    end: datetime
    step: int
    served: str
    goal: float


def questions(load: Workload, turn: int = 0) -> list[Question]:
    """The eight questions; each turn asks about other hosts and hours, as TSBS does."""
    rng = np.random.default_rng(turn)
    hosts = [f"host_{number}" for number in rng.choice(load.hosts, 8, replace=False)]
    minutes = int(rng.integers(0, 60 * (load.hours - 1)))
    one_hour = (START + timedelta(minutes=minutes), timedelta(hours=1))
    eight_hours = (START + timedelta(hours=int(rng.integers(0, load.hours - 7))), EIGHT_HOURS)
    whole = (START, timedelta(hours=load.hours))
    return [
        _highest("single-groupby-1-1-1", METRICS[:1], hosts[:1], one_hour, MINUTE),
        _highest("single-groupby-5-8-1", METRICS[:5], hosts, one_hour, MINUTE),
        _highest("cpu-max-all-8", METRICS, hosts, eight_hours, HOUR),
        *(
            _means(f"double-groupby-{name}", METRICS[:count], whole)
            for name, count in (("1", 1), ("5", 5), ("all", 10))
        ),
        _last(load),
        _high(load),
    ]


def _highest(
    name: str,
    metrics: tuple[str, ...],
    hosts: list[str],
    when: tuple[datetime, timedelta],
    step: int,
) -> Question:
    """The highest value of some hosts per metric and step."""
    start, length = when
    window = f"{step // 60}m"
    if step % 300:
        source, value, bucket = (
            "metrics",
            "value",
            f"time_bucket(INTERVAL {step // 60} MINUTE, m.time)",
        )
        tables = "metrics m"
    else:
        source, value, bucket = "buckets", "m.max", "m.time"
        tables = (
            f"buckets(INTERVAL {step // 3600} HOUR) m "
            "JOIN series USING (cluster, metric, series_id)"
        )
    sql = f"""
SELECT {bucket} AS at, metric, NULL AS host, max({value}) AS value
FROM {tables}
WHERE metric IN ({_listed(metrics)}) AND instance IN ({_listed(hosts)}) AND cluster = '{CLUSTER}'
  AND m.time >= '{start.isoformat()}' AND m.time < '{(start + length).isoformat()}'
GROUP BY 1, 2"""
    metricsql = (
        f"max(max_over_time({{__name__=~'{'|'.join(metrics)}', "
        f"instance=~'{'|'.join(hosts)}'}}[{window}])) by (__name__)"
    )
    clickhouse = f"""
SELECT toUnixTimestamp(toStartOfInterval(time, INTERVAL {step} SECOND)) AS at, metric, NULL AS host,
       max(value) AS value
FROM {{samples}}
WHERE metric IN ({_listed(metrics)}) AND cluster = '{CLUSTER}' AND {_clickhouse_within(*when)}
  AND series_id IN (SELECT series_id FROM {{series}} WHERE instance IN ({_listed(hosts)}))
GROUP BY at, metric"""
    served, goal = ("rollups", 1.0) if source == "buckets" else ("samples", 3.0)
    step_long = timedelta(seconds=step)
    first, last = start + step_long, start + length
    return Question(name, sql, metricsql, clickhouse, first, last, step, served, goal)


def _means(name: str, metrics: tuple[str, ...], when: tuple[datetime, timedelta]) -> Question:
    """The mean per metric, host and hour."""
    start, length = when
    sql = f"""
SELECT m.time AS at, metric, instance AS host, avg AS value
FROM buckets(INTERVAL 1 HOUR) m JOIN series USING (cluster, metric, series_id)
WHERE metric IN ({_listed(metrics)}) AND cluster = '{CLUSTER}'
  AND m.time >= '{start.isoformat()}' AND m.time < '{(start + length).isoformat()}'"""
    metricsql = f"avg_over_time({{__name__=~'{'|'.join(metrics)}'}}[1h]) keep_metric_names"
    clickhouse = f"""
SELECT toUnixTimestamp(toStartOfInterval(m.time, INTERVAL 1 HOUR)) AS at, m.metric AS metric,
       instance AS host, avg(m.value) AS value
FROM {{samples}} m JOIN {{series}} s USING (series_id)
WHERE m.metric IN ({_listed(metrics)}) AND m.cluster = '{CLUSTER}' AND {_clickhouse_within(*when)}
GROUP BY at, metric, host"""
    first, last = start + timedelta(hours=1), start + length
    return Question(name, sql, metricsql, clickhouse, first, last, HOUR, "rollups", 1.0)


def _last(load: Workload) -> Question:
    """The newest value of every metric of every host."""
    sql = f"""
SELECT NULL AS at, metric, instance AS host, arg_max(m.last, m.time) AS value
FROM buckets(INTERVAL 1 HOUR) m JOIN series USING (cluster, metric, series_id)
WHERE cluster = '{CLUSTER}' AND m.time >= '{START.isoformat()}'
GROUP BY metric, instance"""
    metricsql = f"last_over_time({{__name__=~'{'|'.join(METRICS)}'}}[{load.hours}h])"
    clickhouse = f"""
SELECT NULL AS at, m.metric AS metric, instance AS host, argMax(m.value, m.time) AS value
FROM {{samples}} m JOIN {{series}} s USING (series_id)
WHERE m.cluster = '{CLUSTER}'
GROUP BY metric, host"""
    return Question("lastpoint", sql, metricsql, clickhouse, load.end, load.end, 0, "rollups", 1.0)


def _high(load: Workload) -> Question:
    """Every sample above 90 of one metric."""
    sql = f"""
SELECT m.time AS at, metric, instance AS host, value
FROM metrics m
WHERE metric = '{METRICS[0]}' AND cluster = '{CLUSTER}' AND value > 90
  AND m.time >= '{START.isoformat()}' AND m.time < '{load.end.isoformat()}'"""
    first, last = START + OFFSET, load.end - STEP + OFFSET
    metricsql = f"{METRICS[0]} > 90"
    clickhouse = f"""
SELECT toUnixTimestamp(m.time) AS at, m.metric AS metric, instance AS host, m.value AS value
FROM {{samples}} m JOIN {{series}} s USING (series_id)
WHERE m.metric = '{METRICS[0]}' AND m.cluster = '{CLUSTER}' AND m.value > 90"""
    return Question("high-cpu-all", sql, metricsql, clickhouse, first, last, 10, "samples", 1.0)


def _clickhouse_within(start: datetime, length: timedelta) -> str:
    """A condition on `time`."""
    first, end = (f"toDateTime64({at.timestamp():.0f}, 6, 'UTC')" for at in (start, start + length))
    return f"time >= {first} AND time < {end}"


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
