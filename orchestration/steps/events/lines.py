"""Lines of logs under their templates: learned from the history, followed as lines come."""

from dataclasses import dataclass, field

import polars as pl
import xxhash

from detectors.events import Templates
from orchestration.steps.events.counting import OTHER
from orchestration.steps.events.view import View, is_line

Fed = list[tuple[int, str]]


@dataclass(slots=True)
class _Mined:
    """Templates of one cluster, and what they were made of."""

    digest: str
    templates: Templates
    fed: Fed = field(default_factory=list)


@dataclass(slots=True)
class Lines:
    """Templates by period and cluster, remembered while what they are made of only grows."""

    _mined: dict[tuple[int, str], _Mined] = field(default_factory=dict)

    def of_period(self, seen: View, begin: int, end: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The counts of lines from a period's history to a column, under the period's templates.

        Args:
            seen: counts by text.
            begin: the column at which the period begins: lines before it are its history.
            end: the column after the last.

        Returns:
            Counts with templates as `key`, and the (cluster, key) of those that the history lacks.
        """
        own = seen.frame.filter(
            is_line() & pl.col("column").is_between(begin - seen.history, end, closed="left")
        )
        self._forget(seen.origin + begin - seen.period)
        names, new = [], []
        for (cluster,), lines in own.group_by("cluster", maintain_order=True):
            mined = self._learned(seen.origin + begin, str(cluster), lines, begin)
            texts = lines["key"].unique().to_list()
            names += [(cluster, text, mined.templates.of(text)) for text in texts]
            new += [(cluster, name) for name in sorted(mined.templates.new) if name != OTHER]
        of_text = pl.DataFrame(names, ["cluster", "key", "template"], orient="row")
        of_text = of_text.cast({"cluster": pl.String, "key": pl.String, "template": pl.String})
        own = own.join(of_text, on=("cluster", "key"), how="left")
        return (
            own.with_columns(key="template").drop("template"),
            pl.DataFrame(new, {"cluster": pl.String, "key": pl.String}, orient="row"),
        )

    def _learned(self, period: int, cluster: str, lines: pl.DataFrame, begin: int) -> _Mined:
        """Templates that know every one of the lines."""
        history = sorted(set(lines.filter(pl.col("column") < begin)["key"].to_list()))
        digest = xxhash.xxh3_128_hexdigest("\n".join(history).encode())
        fresh = lines.filter(pl.col("column") >= begin).group_by("key").agg(pl.col("column").min())
        feed = sorted(zip(fresh["column"].to_list(), fresh["key"].to_list(), strict=True))
        feed = [(column + period - begin, text) for column, text in feed]
        mined = self._mined.get((period, cluster))
        if mined is None or mined.digest != digest or feed[: len(mined.fed)] != mined.fed:
            mined = self._mined[period, cluster] = _Mined(digest, Templates(history))
        for _, text in feed[len(mined.fed) :]:
            mined.templates.of(text)
        mined.fed = feed
        return mined

    def _forget(self, before: int) -> None:
        self._mined = {key: mined for key, mined in self._mined.items() if key[0] >= before}
