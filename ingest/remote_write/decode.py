"""From a request body to samples of known series: what is right goes in, what is wrong is told.

    scan ── keys ── known? ──────────────────► numbers ─┐
                      └─ new: admission ─────► numbers ─┴─ judgement ──► batch, and what was refused

A request of which a part is left out is written again without it, for the log.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ingest.catalogue import Catalogue
from ingest.errors import IngestError, MalformedBodyError, SeriesLimitError
from ingest.families import Metadata
from ingest.outcome import BAD_REQUEST, TOO_MANY, Refusal, Written
from ingest.remote_write import message, scan, scan_v2
from ingest.remote_write.histograms import judge_histograms
from ingest.remote_write.judgement import Judged, judge
from ingest.remote_write.scan import Bytes, Scan
from ingest.remote_write.starts import NO_STARTS, Starts, news_of_starts, zeros_at_starts
from ingest.remote_write.subset import encode_kept
from ingest.rules import EVERYTHING, Rules
from ingest.samples import SampleBatch, joined

STALE_NAN_BITS = 0x7FF0000000000002
"""Prometheus' stale marker: this very NaN says that a series has ended. It is not a value."""

MAX_CLUSTERS = 16
"""For which descriptions are kept apart. A sender is of one; more come from a proxy."""

Mask = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Decoded:
    """What a request holds, by what becomes of it.

    Attributes:
        batch: samples to be stored.
        written: what the sender is told.
        payload: uncompressed request of version 1 with what is stored, where that is not what came.
        refused: samples by (cluster, rule broken).
        deduplicated: samples left to the other replica, by cluster.
        relabelled: samples left out by relabelling.
        cause: where nothing of it can be stored, the first rule broken.
        starts: of counters, noted; to be undone where the rest is not stored.
    """

    batch: SampleBatch
    written: Written
    payload: bytes | None = None
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    deduplicated: Counter[str] = field(default_factory=Counter)
    relabelled: int = 0
    cause: IngestError | None = None
    starts: Starts = NO_STARTS


def decode(
    data: Bytes, catalogue: Catalogue, rules: Rules = EVERYTHING, version: int = 1
) -> Decoded:
    """Decode an uncompressed request.

    Args:
        data: `prometheus.WriteRequest`, or `io.prometheus.write.v2.Request`.
        catalogue: where series get their numbers.
        rules: what is accepted.
        version: 1 or 2, of remote write.

    Raises:
        MalformedBodyError: it is no such message.
        TooManyEntriesError: more series, samples or descriptions than a request may have.
        TooManySeriesError: new series where no more fit; nothing was taken.
    """
    request = _scan(data, rules, version)
    descriptions = message.metadata([data[a:b].tobytes() for a, b in request.metadata.tolist()])
    judged = judge(request, catalogue, rules)
    histograms = judge_histograms(request, catalogue, rules)
    refused = int(judged.refused.sum()) + int(histograms.refused.sum())
    stored, n_histograms = judged.stored, len(request.histograms)
    first = judged.first or histograms.first
    if first is not None and refused == len(request.time_ms) + n_histograms:
        refusals = judged.refusals + histograms.refusals
        return Decoded(joined([]), Written(), refused=refusals, cause=first)
    _describe(judged, descriptions, catalogue, rules)
    starts = news_of_starts(judged, catalogue, rules)
    batches = [
        _batch(judged),
        zeros_at_starts(judged, starts.places) if len(starts.places) else None,
        *(_batch(part) for part in histograms.parts),
    ]
    done = Decoded(
        joined([batch for batch in batches if batch is not None]),
        Written(
            samples=len(stored) - int(judged.refused.sum()),
            histograms=n_histograms - int(histograms.refused.sum()),
            refusal=None if first is None else _refusal(first, refused, len(stored) + n_histograms),
        ),
        refused=judged.refusals + histograms.refusals,
        deduplicated=sum(
            (part.deduplicated for part in histograms.parts), start=judged.deduplicated
        ),
        relabelled=judged.relabelled + sum(part.relabelled for part in histograms.parts),
        starts=starts,
    )
    if len(starts.places) or not (stored.all() and histograms.stored.all()):
        done.payload = encode_kept(request, stored, histograms.stored, starts.places)
    return done


def _scan(data: Bytes, rules: Rules, version: int) -> Scan:
    read = scan_v2.scan if version == 2 else scan.scan
    found = read(data, rules.bounds)
    symbols = 0 if found.symbols is None else len(found.symbols)
    if len(data) and not (len(found) or len(found.metadata) or symbols):
        # To say that all is stored would be true of nothing that the sender meant.
        raise MalformedBodyError(
            f"body holds no field of a request of version {version}: is it of another version "
            "than its Content-Type says?"
        )
    return found


def _refusal(first: IngestError, refused: int, of: int) -> Refusal:
    status = TOO_MANY if isinstance(first, SeriesLimitError) else BAD_REQUEST
    message = f"{refused} of {of} samples refused, the rest is stored: {first}"
    return Refusal(refused, status, message)


def _batch(judged: Judged) -> SampleBatch:
    """What is stored of it, without stale markers."""
    request, stored = judged.request, judged.stored
    stale = request.values.view(np.uint64) == STALE_NAN_BITS
    n_stale = int(np.count_nonzero(stale))
    series = np.repeat(judged.numbers, request.counts)
    if n_stale == 0 and stored.all():
        return SampleBatch(series, request.time_ms, request.values, 0, request.exemplars)
    kept = stored & ~stale
    n_stale = int(np.count_nonzero(stale & stored))
    return SampleBatch(
        series[kept], request.time_ms[kept], request.values[kept], n_stale, request.exemplars
    )


def _describe(
    judged: Judged, descriptions: Sequence[Metadata], catalogue: Catalogue, rules: Rules
) -> None:
    """Take notice of what the request says of its metrics."""
    for cluster, of_cluster in _families(judged, catalogue).items():
        catalogue.describe(of_cluster, [cluster])
    if not descriptions:
        return
    if rules.stated:
        catalogue.describe(descriptions, [rules.sender.cluster])
        return
    numbers = judged.numbers[judged.numbers >= 0]
    found = [cluster for cluster, _ in catalogue.count_by_cluster(numbers)]
    if not found and rules.sender.allowed is not None:
        found = sorted(rules.sender.allowed)
    # Whose they are is not said; a request of descriptions alone has no series to tell by.
    unknown = [None] if rules.sender.allowed is None else []
    catalogue.describe(descriptions, found if 0 < len(found) <= MAX_CLUSTERS else unknown)


def _families(judged: Judged, catalogue: Catalogue) -> dict[str, list[Metadata]]:
    """What version 2 says with each series, for those that are new."""
    request = judged.request
    families, symbols = request.families, request.symbols
    found: dict[str, dict[str, Metadata]] = defaultdict(dict)
    if families is None or symbols is None:
        return {}

    def text(symbol: int) -> str:
        if not 0 <= symbol < len(symbols):
            return ""
        start, end = symbols[symbol]
        return request.body[start:end].tobytes().decode(errors="replace")

    for place in judged.new.tolist():
        number = int(judged.numbers[place])
        kind, help_symbol, unit_symbol = families[place].tolist()
        if number >= 0 and kind:
            metric = catalogue.metric_of(number)
            about = Metadata(metric, kind, text(help_symbol), text(unit_symbol))
            found[catalogue.cluster_of(number)].setdefault(metric, about)
    return {cluster: list(of.values()) for cluster, of in found.items()}
