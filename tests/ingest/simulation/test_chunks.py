from datetime import timedelta

import numpy as np
import pytest

from ingest.simulation.errors import UnusableRangeError

SPANS = [timedelta(minutes=10), timedelta(minutes=7, seconds=13), timedelta(hours=5)]


@pytest.mark.parametrize("span", SPANS, ids=str)
def test_chunks_hold_each_sample_exactly_once(short, span):
    number, time, value = [], [], []
    for chunk in short.chunks(span):
        number.append(np.repeat(chunk.series, np.diff(chunk.offsets)))
        time.append(chunk.time_ms)
        value.append(chunk.value)
    number, time, value = map(np.concatenate, (number, time, value))
    order = np.lexsort((time, number))

    rows, columns = np.nonzero(~np.isnan(short.values))
    step, origin = 60_000, int(short.start.timestamp()) * 1000
    np.testing.assert_array_equal(number[order], rows)
    np.testing.assert_array_equal(time[order], origin + columns * step + short.scrape_offsets[rows])
    np.testing.assert_array_equal(value[order], short.values[rows, columns])


@pytest.mark.parametrize("span", SPANS, ids=str)
def test_chunks_join_without_gap_and_keep_to_their_time(short, span):
    at = short.start
    for chunk in short.chunks(span):
        assert chunk.start == at
        at = chunk.end
        assert chunk.time_ms.min() >= chunk.start.timestamp() * 1000
        assert chunk.time_ms.max() < chunk.end.timestamp() * 1000
    assert at == short.end


def test_blocks_are_well_formed(short):
    chunk = next(short.chunks())
    assert (chunk.series.dtype, chunk.offsets.dtype) == (np.int32, np.int64)
    assert (chunk.time_ms.dtype, chunk.value.dtype) == (np.int64, np.float64)
    assert chunk.offsets[0] == 0
    assert chunk.offsets[-1] == len(chunk.time_ms) == len(chunk.value)
    assert np.all(np.diff(chunk.offsets) > 0)
    assert np.all(np.diff(chunk.series) > 0)
    for low, high in zip(chunk.offsets[:-1], chunk.offsets[1:], strict=True):
        assert np.all(np.diff(chunk.time_ms[low:high]) > 0)


def test_a_series_without_samples_is_absent(short):
    fault = next(f for f in short.faults if f.kind == "exporter_stopped")
    silent = {i for i, s in enumerate(short.series) if fault.matches(s) and s["__name__"] != "up"}
    middle = fault.start + (fault.end - fault.start) / 2
    chunk = next(c for c in short.chunks() if c.start <= middle < c.end)
    assert silent
    assert not silent & set(chunk.series.tolist())


def test_a_span_must_be_positive(short):
    with pytest.raises(UnusableRangeError):
        next(short.chunks(timedelta(0)))
