"""What a series is of: the target that sends it, and where that runs.

A series' columns name what it is *about*. Whether that thing is silent is told by what comes from
itself: kube-state-metrics goes on about a node that is dead, and Prometheus about a target that
does not answer (`up`). So what tells of API objects (`kube_…`), what the scraper makes itself, and
targets that tell of several nodes are no sign of life of what they name.
"""

from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from lake.query import run
from lake.snapshot import Snapshot
from orchestration.steps.look import Look

COLUMNS = ("cluster", "metric", "namespace", "workload", "pod", "node", "job", "instance")

SERIES = f"""
SELECT series_id, {", ".join(COLUMNS)},
       regexp_full_match(metric, '(up|scrape_.*)') AS made_by_scraper,
       starts_with(metric, 'kube_') AS of_objects,
       regexp_full_match(metric, $include) AND NOT regexp_full_match(metric, $exclude) AS chosen
FROM series JOIN (SELECT unnest($ids) AS series_id) wanted USING (series_id)
WHERE (len($clusters) = 0 OR list_contains($clusters, cluster))
  AND NOT list_contains($but_not, cluster)
ORDER BY series_id
"""  # noqa: S608 - column names are ours

TARGET = ("cluster", "job", "instance")
POD = ("cluster", "namespace", "pod")
HOST = ("cluster", "host")


def read_series(look: Look, ids: list[int]) -> pl.DataFrame:
    """What the lake knows of these series, by id, of the clusters that are looked at."""
    params = {
        "ids": ids,
        "include": look.settings.include,
        "exclude": look.settings.exclude,
        "clusters": list(look.clusters),
        "but_not": list(look.but_not),
    }
    rows: pa.Table = run(look.snapshot, SERIES, params).rows
    return _frame(rows).unique("series_id", keep="first", maintain_order=True)


def _frame(rows: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - bug: a table is no series
    host = pl.col("instance").str.replace(r":\d+$", "")
    return frame.with_columns(host=host)


@dataclass(frozen=True, slots=True)
class Places:
    """Where things run, as all series together tell: frames to join with."""

    targets: pl.DataFrame
    pods: pl.DataFrame
    hosts: pl.DataFrame

    @classmethod
    def of(cls, series: pl.DataFrame) -> "Places":
        """Learn from the series of a window."""
        own = series.filter(~pl.col("made_by_scraper"))
        targets = own.group_by(TARGET).agg(
            nodes=pl.col("node").drop_nulls().n_unique(),
            namespaces=pl.col("namespace").drop_nulls().n_unique(),
            pods=pl.col("pod").drop_nulls().n_unique(),
            bare=pl.col("pod").is_null().any(),
        )
        named = own.filter(pl.col("node").is_not_null())
        pods = named.filter(pl.col("pod").is_not_null()).group_by(POD).agg(_only("node", "of_pod"))
        alone = named.join(targets.filter(pl.col("nodes") == 1), on=TARGET, nulls_equal=True)
        hosts = (
            alone.filter(pl.col("host").is_not_null()).group_by(HOST).agg(_only("node", "of_host"))
        )
        return cls(targets, pods, hosts)

    def placed(self, series: pl.DataFrame) -> pl.DataFrame:
        """The series, with `on` = the node that they come from, and what their target is.

        `roams`: the target is one pod's, and ends with it. `own`: what the series names moves only
        with the target itself.
        """
        frame = series.join(
            self.targets, on=TARGET, how="left", nulls_equal=True, maintain_order="left"
        )
        frame = frame.join(self.pods, on=POD, how="left", maintain_order="left")
        frame = frame.join(self.hosts, on=HOST, how="left", maintain_order="left")
        several = pl.col("nodes").fill_null(0) > 1
        on = pl.coalesce(pl.col("node"), pl.col("of_pod"), pl.col("of_host"))
        silent_about = pl.col("made_by_scraper") | pl.col("of_objects")
        about_object = pl.col("namespace").is_not_null() & (pl.col("namespaces").fill_null(0) > 1)
        return frame.with_columns(
            on=pl.when(several & pl.col("instance").is_not_null() | silent_about)
            .then(None)
            .otherwise(on),
            roams=((pl.col("pods") == 1) & ~pl.col("bare")).fill_null(value=False),
            own=~about_object & ~pl.col("of_objects"),
        )


def _only(column: str, name: str) -> pl.Expr:
    """The one value of a group; null where there are several."""
    return (
        pl.when(pl.col(column).n_unique() == 1).then(pl.col(column).first()).otherwise(None)
    ).alias(name)


DAEMON_SETS = """
SELECT DISTINCT cluster, namespace, workload FROM series
WHERE starts_with(metric, 'kube_daemonset_') AND workload IS NOT NULL AND first_seen < $until
UNION
SELECT DISTINCT cluster, namespace, name FROM objects WHERE kind = 'DaemonSet' AND time < $until
"""


def read_daemon_sets(snapshot: Snapshot, until: object) -> pl.DataFrame:
    """DaemonSets that kube-state-metrics, or our own watch, has told of."""
    frame = pl.from_arrow(run(snapshot, DAEMON_SETS, {"until": until}).rows)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - bug: a table is no series
    return frame.with_columns(daemon=pl.lit(value=True))
