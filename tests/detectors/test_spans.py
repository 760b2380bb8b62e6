import numpy as np
import pytest

from detectors.errors import InvalidParameterError
from detectors.memory import EntityMemory
from detectors.memory.spans import over_spans

SPANS = (1, 3, 10)


def by_hand(row, spans):
    out = np.full(row.size, np.nan)
    for t in np.flatnonzero(~np.isnan(row)):
        out[t] = np.mean([np.nanmean(row[max(0, t - span + 1) : t + 1]) for span in spans])
    return out


def test_is_the_mean_of_trailing_means():
    rng = np.random.default_rng(0)
    loudness = rng.exponential(size=(3, 60)).astype("f4")
    loudness[1, ::5] = np.nan
    loudness[2, 10:40] = np.nan
    found = over_spans(loudness, SPANS)
    for row, wanted in zip(found, loudness, strict=True):
        np.testing.assert_allclose(row, by_hand(wanted.astype("f8"), SPANS), rtol=1e-5)


def test_a_column_has_the_same_bytes_in_a_panel_that_begins_later():
    loudness = np.random.default_rng(1).exponential(size=(1, 200)).astype("f4")
    whole = over_spans(loudness, SPANS)[:, 50:]
    late = over_spans(loudness[:, 50 - (SPANS[-1] - 1) :], SPANS)[:, SPANS[-1] - 1 :]
    assert whole.tobytes() == late.tobytes()


def test_a_fault_that_lasts_outranks_a_louder_column():
    lasting, single = np.zeros((1, 60), "f4"), np.zeros((1, 60), "f4")
    lasting[0, 30:45] = 2.0
    single[0, 30] = 4.0
    assert over_spans(lasting, SPANS).max() > over_spans(single, SPANS).max()


@pytest.mark.parametrize("spans", [(), (0, 3), (3, 1), (3, 3), (1.5,), "12"])
def test_refuses(spans):
    with pytest.raises(InvalidParameterError, match="spans"):
        EntityMemory(spans=spans)
