import warnings

import numpy as np
import pytest

from detectors.errors import InvalidParameterError
from detectors.novelty import score_online
from detectors.novelty.loudness import MEMORY, MOST_BINS, loudness
from detectors.novelty.onsets import BURN_IN, MOST_PAST, keep_beginnings, keep_going
from detectors.novelty.rarity import (
    LEAST_TAIL,
    about,
    distance_at,
    insert,
    nearest_of,
    rarity,
    thin,
)

TRAIN = 120


def training(values):
    return np.broadcast_to(np.arange(values.shape[1]) < TRAIN, values.shape)


def scores(values):
    values = np.atleast_2d(np.asarray(values, dtype=np.float32))
    return score_online(values, training(values))


def noise(n=900, seed=0):
    return np.random.default_rng(seed).normal(100.0, 5.0, size=n)


# What it says


def test_a_lasting_shift_begins_once_goes_on_and_is_known():
    values = noise()
    values[500:] += 60.0
    score = scores(values).score[0]
    assert score[500] >= 2.0, "it begins in its first row"
    assert (score[501:510] >= 1.0).all(), "and goes on"
    assert (score[501:] < 2.0).all(), "but does not begin again"
    assert (score[700:] < 1.0).all(), "after two hundred rows it is the new normal"


def test_what_comes_back_is_known():
    values = noise()
    values[300:310] = values[600:610] = 200.0 + noise(10, 1) / 100
    score = scores(values).score[0]
    assert score[300:310].max() >= 2.0
    assert score[600:610].max() < score[300:310].max() / 2


@pytest.mark.parametrize("change", ["flat", "rough", "drift"])
def test_sees_what_stays_within_the_range(change):
    values = noise(1200)
    if change == "flat":
        values[:] = 100.0 + 20.0 * np.sin(np.arange(1200) / 3.0) + noise(1200, 2) / 50
        values[800:850] = values[800]
    if change == "rough":
        values[800:830] = np.where(np.arange(30) % 2, 88.0, 112.0)
    if change == "drift":
        values[800:850] = 106.0 + noise(50, 3) / 50
    found = scores(values)
    # The quiet rows just before are in the same state of the memory.
    quiet, change_at = found.score[0, 600:790], found.score[0, 800:850]
    assert change_at.max() > quiet.max()


def test_little_is_said_of_noise():
    values = np.stack([noise(2000, seed) for seed in range(20)])
    score = scores(values).score[:, TRAIN:]
    begins = (score >= 2.0).mean()
    assert begins < 0.005
    assert (score >= 1.0).mean() < 0.02


def test_the_band_ends_where_a_value_begins_something():
    values = noise()
    found = scores(values)
    upper, lower = found.upper[0, 600], found.lower[0, 600]
    assert lower < found.expected[0, 600] < upper
    within = np.linspace(lower, upper, 21)[1:-1]
    for value, novel in (
        (upper + 0.1, True),
        (lower - 0.1, True),
        *((one, False) for one in within),
    ):
        changed = values.copy()
        changed[600] = value
        begins = scores(changed).p_value[0, 600] <= 0.01
        assert begins >= novel, "the mean or the roughness of a value within may be novel, too"
        assert novel or value < 85 or value > 115 or not begins


# What it keeps


def test_no_row_depends_on_a_later_one():
    """Past the points where memories are thinned, bit for bit."""
    values = noise(MOST_PAST + 2500)
    values[3000:3030] += 40.0
    whole = scores(values)
    for end in (400, MEMORY + 200, MOST_PAST + 900):
        part = scores(values[:end])
        for name in ("score", "p_value", "expected", "lower", "upper"):
            assert getattr(whole, name)[:, :end].tobytes() == getattr(part, name).tobytes()


def test_a_row_is_the_same_alone_and_in_another_unit():
    values = np.stack([noise(600, seed) for seed in range(5)]).astype(np.float32)
    together = scores(values).score
    for row, own in zip(values, together, strict=True):
        assert scores(row).score[0].tobytes() == own.tobytes()
    scaled = scores(values * np.float32(1024.0)).score
    np.testing.assert_allclose(scaled, together, rtol=1e-3, atol=1e-3)


def test_gaps_have_no_score_and_hide_nothing():
    values = noise()
    values[400:440] = np.nan
    values[500:510] = 200.0
    values[505] = np.nan
    found = scores(values)
    assert np.isnan(found.score[0, 400:440]).all()
    assert np.isnan(found.score[0, 505])
    assert found.score[0, 500:510][~np.isnan(found.score[0, 500:510])].max() >= 2.0


@pytest.mark.parametrize("level", [50.0, 1e9])
@pytest.mark.parametrize("part", [1e-7, 1e-4, 1e-3])
def test_what_rounding_moves_is_no_news(level, part):
    """A constant series may jitter by a thousandth; no score is beyond what its scale ends at."""
    values = np.full(900, level)
    values[::17] *= 1.0 + part
    values[500] *= 1.0 + part
    assert np.nanmax(scores(values).score) < 1.0
    values[700] *= 2.0
    assert 2.0 <= np.nanmax(scores(values).score) <= 16.0


@pytest.mark.parametrize("hole", [(1, 2), (0, 1), (3,), (2,)])
def test_gaps_that_come_back_spoil_no_memory(hole):
    """Every fourth row or two of four without data: whole windows stand at some rows alone."""
    values = noise(4 * MEMORY + 1500)
    values[np.isin(np.arange(values.size) % 4, hole)] = np.nan
    found = scores(values).score[0]
    known = ~np.isnan(values)
    known[:BURN_IN] = False
    assert np.isfinite(found[known][BURN_IN:]).all()
    late = found[known][-200:]
    assert (late > 0.0).all(), "still compared with what came before"


@pytest.mark.parametrize("level", [0.0, 7.0, 1e10])
def test_a_constant_series_is_silent_until_it_moves(level):
    values = np.full(600, level)
    assert np.nanmax(scores(values).score) < 1.0
    values[400:] += max(1.0, level)
    score = scores(values).score[0]
    assert np.nanmax(score[:400]) < 1.0
    assert score[400] >= 2.0
    assert np.isfinite(score[400])


def test_nothing_to_say():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = np.stack([np.full(300, np.nan), noise(300)]).astype(np.float32)
        found = scores(values)
        assert np.isnan(found.score[0]).all()
        assert np.isnan(found.score[1, :BURN_IN]).all()
        assert np.isfinite(found.score[1, BURN_IN:]).all()
        late = score_online(values[1:], np.zeros((1, 300), np.bool_))
        assert np.isnan(late.score).all(), "without training data there is no spread"
        assert scores(noise(3)).score.shape == (1, 3)
        empty = np.empty((0, 10), np.float32)
        assert score_online(empty, np.empty((0, 10), np.bool_)).score.shape == (0, 10)


def test_refuses():
    with pytest.raises(InvalidParameterError, match="training"):
        score_online(np.zeros((2, 3), np.float32), np.zeros((2, 4), np.bool_))


# Its parts, against what they are said to be


def test_rarity_counts_and_goes_on_where_counting_ends():
    rng = np.random.default_rng(0)
    past = np.sort(rng.exponential(size=5000))
    for distance in rng.exponential(size=200):
        if distance <= past[-50]:
            share = ((past >= distance).sum() + 1) / 5001
            assert rarity(past, 5000, distance) == pytest.approx(-np.log10(share))
    # Of an exponential law, what is exceeded once in a million is at -log(1e-6) = 13.8.
    assert rarity(past, 5000, 13.8) == pytest.approx(6.0, abs=1.0)
    assert rarity(past, 5000, 20.0) > rarity(past, 5000, 13.8)
    for least in (2.0, 3.0, 8.0, 15.0):
        assert rarity(past, 5000, distance_at(past, 5000, least) + 1e-9) == pytest.approx(least)
    alike = np.zeros(LEAST_TAIL + 5)
    assert rarity(alike, alike.size, 1.0) == 16.0, "nothing is rarer"


def test_sorted_memory():
    rng = np.random.default_rng(1)
    ordered, count = np.empty(200), 0
    for value in rng.normal(size=200).round(1):
        if count:
            known, place = nearest_of(ordered, count, value)
            assert abs(known - value) == np.abs(ordered[:count] - value).min()
        else:
            place = 0
        insert(ordered, count, place, value)
        count += 1
        assert (np.diff(ordered[:count]) >= 0.0).all()
    greatest = ordered[count - 1]
    kept = thin(ordered, count)
    assert kept == 100
    assert ordered[kept - 1] == greatest


@pytest.mark.parametrize("quiet", [1, 7, 60])
def test_beginnings_exceed_all_of_late(quiet):
    rare = np.random.default_rng(2).exponential(size=400).round(1)
    out = np.empty(400)
    keep_beginnings(rare, quiet, out)
    for t in range(400):
        before = rare[max(0, t - quiet) : t]
        begins = rare[t] > 0 and (not before.size or rare[t] > before.max())
        assert out[t] == (rare[t] if begins else 0.0), t


def test_goes_on_while_loud():
    begins, loud = np.zeros(40), np.full(40, 0.1)
    begins[[20, 30]] = 3.0, 2.0
    loud[20:27] = 2.0, 8.0, 3.0, 1.9, 9.0, 9.0, 9.0
    loud[30:33] = 0.1, 0.2, 5.0
    going = np.empty(40, np.bool_)
    keep_going(begins, loud, 2.0, going)
    assert np.flatnonzero(going).tolist() == [20, 21, 22, 30], "less than a quarter, or as usual"


def test_how_far_one_can_go_among_known_values():
    seen = np.array([0.0, 1.0, 2.0, 6.0, 7.0])
    assert about(seen, 5, 1.4, 0.5) == (1.0, -0.5, 2.5)
    assert about(seen, 5, 6.9, 0.4) == (7.0, 6.6, 7.4)
    assert about(seen, 5, 100.0, 2.0) == (7.0, -2.0, 9.0)
    assert about(seen, 3, -9.0, 0.1) == (0.0, -0.1, 0.1)


@pytest.mark.parametrize("length", [2, 8, 32])
def test_loudness_is_the_distance_to_the_nearest_past_window(length):
    z = np.random.default_rng(3).normal(size=300).astype(np.float32)
    z[100] = np.nan
    found = np.empty_like(z)
    loudness(z, length, found)
    bins = min(length, MOST_BINS)

    def mean(part):
        known = part[~np.isnan(part)]
        return known.mean() if known.size else np.nan

    shapes = {
        end: np.array([mean(part) for part in np.split(z[end - length + 1 : end + 1], bins)])
        for end in range(length - 1, z.size)
    }
    distance = np.zeros(z.size)
    for t, shape in shapes.items():
        known = ~np.isnan(shape)
        past = [own for end, own in shapes.items() if end <= t - length and not np.isnan(own).any()]
        if past and not np.isnan(z[t]) and known.sum() >= 0.75 * bins:
            distance[t] = min(np.sqrt(((shape - own)[known] ** 2).mean()) for own in past)
    wanted = [np.sqrt((distance[t - length + 1 : t + 1] ** 2).mean()) for t in shapes]
    np.testing.assert_allclose(found[list(shapes)], wanted, rtol=1e-4, atol=1e-5)
