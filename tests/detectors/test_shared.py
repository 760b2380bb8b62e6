"""What all clusters show at once, and what one shows alone."""

import numpy as np
import pytest

from detectors.siblings import SHARED_CONTEXT, Candidates, oddness, shared_by

LOOK = 60


def asked(values, expected, own=0, since=0, memory=1, kept=True):
    """Whether the series of the first cluster shares what it shows in the last columns."""
    wanted = np.full((1, LOOK), np.nan, np.float32)
    wanted[0, since:] = np.broadcast_to(np.asarray(expected, np.float32), LOOK)[since:]
    series, one = values[own : own + 1].astype(np.float32), np.ones(1, np.int64)
    odd = oddness(series, wanted)
    columns = ~np.isnan(wanted)
    candidates = Candidates(
        series, odd, columns, columns & kept, memory * one, own * one, 0 * one, len(values) * one
    )
    assert values.shape[1] >= SHARED_CONTEXT + LOOK
    return shared_by(candidates, values.astype(np.float32))[0]


def flat(n_clusters=4, noise=0.03):
    rng = np.random.default_rng(5)
    size = 10.0 ** np.arange(n_clusters)[:, None]
    return size * np.exp(noise * rng.normal(size=(n_clusters, SHARED_CONTEXT + LOOK)))


def test_what_all_show_is_shared_by_all():
    values = flat()
    values[:, -40:] *= 2.0
    shared = asked(values, 1.0, since=20)
    assert (shared[25:] == 4).all()


def test_less_than_expected_is_negative_its_echo_too():
    values = flat()
    values[:, -45:-25] *= 0.3
    shared = asked(values, 1.0, since=15, memory=32)
    assert (shared[20:] == -4).all()


def test_what_one_shows_is_its_own():
    values = flat()
    values[0, -40:] *= 2.0
    assert not asked(values, 1.0, since=20).any()


def test_the_first_to_show_it_is_alone_until_the_others_follow():
    values = flat()
    values[0, -40:] *= 2.0
    values[1:, -20:] *= 2.0
    shared = asked(values, 1.0, since=20)
    assert not shared[:40].any()
    assert (shared[50:] == 4).all()


def test_the_echo_of_what_was_shared_is_shared_and_of_what_was_not_is_not():
    """A window of 32 columns stays abnormal when a peak is over."""
    values = flat()
    values[:, -45:-25] *= 2.0
    shared = asked(values, 1.0, since=15, memory=32)
    assert (shared[20:] == 4).all()
    values = flat()
    values[0, -45:-25] *= 2.0
    assert not asked(values, 1.0, since=15, memory=32).any()


def test_a_cluster_that_stays_ill_is_alone_again():
    values = flat()
    values[:, -50:] *= 2.0
    values[1:, -25:] /= 2.0
    shared = asked(values, 1.0, since=10)
    assert (shared[20:35] == 4).all()
    assert not shared[50:].any()


@pytest.mark.parametrize("others", [1 / 2.0, 1.2])
def test_another_direction_or_size_is_not_shared(others):
    values = flat()
    values[0, -40:] *= 3.0
    values[1:, -40:] *= others
    assert not asked(values, 1.0, since=20).any()


def test_one_in_four_siblings_may_not_show_it():
    values = flat(5)
    values[:4, -40:] *= 2.0
    assert (asked(values, 1.0, since=20)[25:] == 4).all()
    values = flat(4)
    values[:3, -40:] *= 2.0
    assert not asked(values, 1.0, since=20).any()


def test_with_one_sibling_nothing_is_shared():
    values = flat(2)
    values[:, -40:] *= 2.0
    assert not asked(values, 1.0, since=20).any()


def test_what_all_have_shown_for_hours_is_shared_still():
    values = flat()
    values[:, -400:] *= 2.0
    assert (asked(values, 1.0)[10:] == 4).all()


def test_a_rhythm_that_others_have_too_does_not_hide_a_fault():
    """All rise in the morning as they always do; one is twice as high on top of that."""
    values = flat()
    rise = np.linspace(1.0, 3.0, values.shape[1])
    values *= rise
    values[0, -40:] *= 2.0
    assert not asked(values, rise[-LOOK:], since=20).any()


def test_a_fault_of_shape_is_not_shared():
    values = flat()
    assert not asked(values, values[0, -LOOK:]).any()


def test_silent_siblings_share_nothing():
    values = flat()
    values[:, -40:] *= 2.0
    values[2:, -40:] = np.nan
    assert not asked(values, 1.0, since=20).any()


def test_what_is_not_kept_has_no_say_in_what_comes_after():
    values = flat()
    values[0, -20:-10] *= 3.0
    values[:, -10:] *= 3.0
    # Alone at first: nine of ten columns say so for as long as they are kept.
    assert not asked(values, 1.0, since=LOOK - 20)[-8]
    assert asked(values, 1.0, since=LOOK - 20, kept=False)[-8] == 4
