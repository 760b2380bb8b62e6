import numpy as np
import pytest

from detectors.causes import Rows, deviations, onset_of

MINUTES, BEFORE = 120, 90


def rows(values, late=0):
    """Series of two hours, the last half an hour of which is the incident, noticed `late`."""
    values = np.asarray(values, float)
    n, width = values.shape
    before = np.tile(np.arange(width) < BEFORE + late, (n, 1)).ravel()
    return Rows(
        np.ascontiguousarray(values.ravel()),
        np.arange(0, n * width + 1, width),
        before,
        np.where(before, 0.0, 1.0),
    )


@pytest.fixture
def quiet(rng):
    return rng.normal(100.0, 1.0, (5, MINUTES))


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def sizes(values, late=0, metric=None):
    metric = np.arange(len(values)) if metric is None else np.asarray(metric)
    return deviations(rows(values, late), metric)


def test_what_moved_is_furthest_and_says_from_where_to_where(quiet):
    quiet[3, BEFORE:] += 50.0
    off = sizes(quiet)
    assert off.size.argmax() == 3
    assert off.size[3] > 5 * np.delete(off.size, 3).max()
    assert off.expected[3] == pytest.approx(100.0, abs=0.5)
    assert off.actual[3] == pytest.approx(150.0, abs=0.5)


def test_noticed_late_it_is_found_all_the_same(quiet):
    """The baseline holds a fifth of the incident: a mean and a standard deviation would not."""
    quiet[3, BEFORE:] += 50.0
    off = sizes(quiet, late=18)
    assert off.size.argmax() == 3
    assert off.size[3] > 3 * np.delete(off.size, 3).max()


def test_what_never_moved_is_not_infinitely_odd(quiet):
    quiet[0] = 50.0
    quiet[0, BEFORE:] = 50.1
    quiet[3, BEFORE:] += 50.0
    off = sizes(quiet)
    assert off.size.argmax() == 3
    assert off.size[0] < 1.0


def test_a_little_beside_what_the_metric_is_elsewhere_is_little(quiet):
    quiet[0] = 0.0
    quiet[0, BEFORE:] = 1.0
    quiet[3, BEFORE:] += 50.0
    alone, beside = sizes(quiet), sizes(quiet, metric=np.zeros(5))
    assert alone.size[0] == pytest.approx(1.0)
    assert beside.size[0] < 0.2
    assert beside.size.argmax() == 3


def test_jumping_now_and_then_is_what_it_does(quiet):
    """Its quartiles are equal, and say nothing of how far it goes."""
    quiet[2] = 10.0
    quiet[2, 4::8] = 200.0
    quiet[3, BEFORE:] += 50.0
    off = sizes(quiet)
    assert off.size.argmax() == 3
    assert off.size[2] < 3.0


def test_what_jumped_for_the_first_time_just_before_has_begun(quiet):
    """It is not what it does: the incident was noticed late."""
    quiet[2] = 100.0
    quiet[2, 4::8] = 130.0
    quiet[3, BEFORE:] += 90.0
    off = sizes(quiet, late=12)
    assert off.size.argmax() == 3
    assert off.size[3] > 5.0


def test_the_larger_of_two_looks_counts(quiet):
    """A short one and one that begins faintly, in hours of which most is after the short one."""
    quiet[2, BEFORE : BEFORE + 2] += 90.0
    quiet[3, BEFORE + 5 :] += 90.0
    given = rows(quiet)
    fading = np.where(given.is_baseline, 0.0, np.exp(BEFORE - np.tile(np.arange(MINUTES), 5)))
    whole = ~given.is_baseline

    def found(weight, rest):
        odd = Rows(given.values, given.starts, given.is_baseline, weight, rest)
        return deviations(odd, np.arange(5))

    at_once, in_the_end = found(fading, None), found(whole.astype(float), None)
    both = found(fading, whole)
    assert at_once.size[3] < 3.0 < at_once.size[2]
    assert in_the_end.size[2] < at_once.size[2]
    assert at_once.size[3] < in_the_end.size[3]
    assert both.size == pytest.approx(np.maximum(at_once.size, in_the_end.size))
    assert both.actual[3] == in_the_end.actual[3]
    assert both.actual[2] == at_once.actual[2]


def test_no_baseline_or_no_incident_says_nothing(quiet):
    given = rows(quiet)
    weight = given.weight.copy()
    weight[MINUTES : 2 * MINUTES] = 0.0
    before = given.is_baseline.copy()
    before[2 * MINUTES : 3 * MINUTES] = False
    before[2 * MINUTES : 2 * MINUTES + 2] = True
    off = deviations(Rows(given.values, given.starts, before, weight), np.arange(5))
    assert off.known.tolist() == [True, False, False, True, True]
    assert not off.size[1:3].any()


def test_each_series_is_judged_by_itself(quiet):
    quiet[3, BEFORE:] += 50.0
    order = np.array([4, 2, 3, 0, 1])
    assert sizes(quiet[order]).size == pytest.approx(sizes(quiet).size[order])


def test_onset_is_where_it_is_clearly_off(quiet):
    quiet[3, BEFORE + 7 :] += 50.0
    off = sizes(quiet)
    assert onset_of(quiet[3, BEFORE:], off.expected[3], off.scale[3]) == 7
    assert onset_of(np.array([]), 0.0, 1.0) is None
    assert onset_of(np.array([1.0]), 1.0, 0.5) is None
