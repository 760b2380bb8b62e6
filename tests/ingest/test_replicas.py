"""Of two replicas one is stored: at no time both, and never neither for longer than the timeout."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ingest.errors import TooManyClustersError
from ingest.replicas import HaSettings, ReplicaTracker

SECOND = 1_000_000
TIMEOUT = 30 * SECOND


@pytest.fixture
def tracker():
    return ReplicaTracker(HaSettings())


def sends(tracker, *events):
    """What becomes of (second, replica), all of cluster `c`."""
    return [tracker.accept("c", replica, second * SECOND) for second, replica in events]


def test_the_first_is_elected(tracker):
    assert sends(tracker, (0, "a"), (1, "b"), (15, "a"), (16, "b")) == [True, False, True, False]
    assert tracker.statistics()["c"].replica == "a"
    assert tracker.statistics()["c"].changes == 0


def test_another_takes_over_when_the_timeout_is_up_and_not_before(tracker):
    assert sends(tracker, (0, "a"), (29, "b"), (30, "b"), (31, "b")) == [True, False, True, True]
    elected = tracker.statistics()["c"]
    assert (elected.replica, elected.since_us, elected.changes) == ("b", 30 * SECOND, 1)


def test_silence_counts_from_the_last_that_was_sent(tracker):
    assert sends(tracker, (0, "a"), (20, "a"), (49, "b"), (50, "b")) == [True, True, False, True]


def test_what_is_dropped_does_not_keep_its_sender_alive(tracker):
    """Nor does it keep the elected one alive."""
    assert sends(tracker, (0, "a"), *((second, "b") for second in range(1, 31)))[-1]


def test_the_former_does_not_come_back_by_itself(tracker):
    events = ((0, "a"), (40, "b"), (41, "a"), (60, "a"), (69, "b"), (98, "a"), (99, "a"))
    assert sends(tracker, *events) == [True, True, False, False, True, False, True]
    assert tracker.statistics()["c"].changes == 2


def test_the_elected_one_may_be_silent_if_nobody_else_is_there(tracker):
    assert sends(tracker, (0, "a"), (10_000, "a")) == [True, True]
    assert tracker.elections == 1


def test_a_third_replica(tracker):
    events = ((0, "a"), (40, "c"), (40, "b"), (40, "a"))
    assert sends(tracker, *events) == [True, True, False, False]


def test_clusters_have_nothing_to_do_with_each_other(tracker):
    assert tracker.accept("one", "a", 0)
    assert tracker.accept("two", "b", 0)
    assert not tracker.accept("one", "b", 0)
    assert not tracker.accept("two", "a", 0)


def test_the_timeout_is_a_setting():
    tracker = ReplicaTracker(HaSettings(failover_timeout=timedelta(minutes=2)))
    assert sends(tracker, (0, "a"), (119, "b"), (120, "b")) == [True, False, True]


def test_a_clock_that_is_set_back_delays_a_failover_once(tracker):
    events = ((86_400, "a"), (0, "b"), (29, "b"), (30, "b"))
    assert sends(tracker, *events) == [True, False, False, True]


class TestBound:
    def test_clusters_beyond_it_are_refused_while_the_others_live(self):
        tracker = ReplicaTracker(HaSettings(max_clusters=2))
        assert tracker.accept("one", "a", 0)
        assert tracker.accept("two", "a", SECOND)
        with pytest.raises(TooManyClustersError, match="replicas of 2 clusters"):
            tracker.accept("three", "a", 2 * SECOND)
        assert tracker.accept("one", "a", 2 * SECOND), "known ones are taken"
        assert not tracker.accept("two", "b", 2 * SECOND)

    def test_one_that_fell_silent_makes_room(self):
        tracker = ReplicaTracker(HaSettings(max_clusters=2))
        tracker.accept("one", "a", 0)
        tracker.accept("two", "a", 0)
        tracker.accept("one", "a", 20 * SECOND)
        assert tracker.accept("three", "a", TIMEOUT)
        assert set(tracker.statistics()) == {"one", "three"}

    def test_it_holds(self):
        tracker = ReplicaTracker(HaSettings(max_clusters=10))
        for number in range(1_000):
            tracker.accept(f"c{number}", "a", number * 4 * SECOND)
        assert len(tracker.statistics()) == 10


class TestRestart:
    def restarted(self, tracker, now_us, **settings):
        again = ReplicaTracker(HaSettings(**settings))
        assert again.load(tracker.save(), now_us)
        return again

    def test_the_elected_one_stays(self, tracker):
        sends(tracker, (0, "a"), (40, "b"))
        again = self.restarted(tracker, 45 * SECOND)
        assert sends(again, (45, "a"), (46, "b")) == [False, True]
        elected = again.statistics()["c"]
        assert (elected.replica, elected.since_us, elected.changes) == ("b", 40 * SECOND, 1)

    def test_also_after_a_long_time(self, tracker):
        """Both repeat what got no answer: the other's would be stored a second time."""
        sends(tracker, (0, "a"))
        again = self.restarted(tracker, 3600 * SECOND)
        assert sends(again, (3600, "b"), (3604, "a")) == [False, True]

    def test_but_only_until_the_timeout(self, tracker):
        sends(tracker, (0, "a"))
        again = self.restarted(tracker, 3600 * SECOND)
        assert sends(again, (3629, "b"), (3630, "b")) == [False, True]

    def test_save_and_load_are_inverse(self, tracker):
        for number in range(100):
            tracker.accept(f"c{number}", f"r{number % 3}", number)
        assert self.restarted(tracker, 5).save() == tracker.save()

    def test_of_too_many_the_newest_are_kept(self, tracker):
        for number in range(10):
            tracker.accept(f"c{number}", "a", number)
        tracker.accept("c0", "a", 10)
        assert set(self.restarted(tracker, 20, max_clusters=2).statistics()) == {"c9", "c0"}

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "[]",
            "null",
            b"\xff",
            "{}",
            '{"version": 2, "clusters": {}}',
            '{"version": 1, "clusters": []}',
            '{"version": 1, "clusters": {"c": {}}}',
            '{"version": 1, "clusters": {"c": {"replica": 1, "since_us": 0, "changes": 0}}}',
            '{"version": 1, "clusters": {"c": {"replica": "a", "since_us": 0, "changes": -1}}}',
        ],
    )
    def test_what_cannot_be_read_changes_nothing(self, tracker, text):
        sends(tracker, (0, "a"))
        before = tracker.save()
        assert not tracker.load(text, SECOND)
        assert tracker.save() == before

    def test_it_is_small_json(self, tracker):
        sends(tracker, (1, "a"))
        assert json.loads(tracker.save()) == {
            "version": 1,
            "clusters": {"c": {"replica": "a", "since_us": SECOND, "changes": 0}},
        }

    def test_elections_tell_when_to_save(self, tracker):
        seen = []
        for second, replica in ((0, "a"), (1, "b"), (2, "a"), (40, "b")):
            sends(tracker, (second, replica))
            seen.append(tracker.elections)
        assert seen == [1, 1, 1, 2]


class TestTheLogTells:
    """What a log holds was stored, so its replica was elected then."""

    def elected(self, tracker):
        return {cluster: one.replica for cluster, one in tracker.statistics().items()}

    def test_who_comes_last_is_elected_and_heard_now(self, tracker):
        for sent, replica in enumerate("aabba"):
            tracker.stored("c", replica, sent * SECOND, 99 * SECOND)
        one = tracker.statistics()["c"]
        assert (one.replica, one.since_us, one.changes) == ("a", 4 * SECOND, 2)
        assert sends(tracker, (128, "b"), (129, "b")) == [False, True]

    def test_what_is_older_than_the_election_tells_nothing(self, tracker):
        sends(tracker, (0, "a"), (40, "b"))
        tracker.stored("c", "a", 40 * SECOND - 1, 50 * SECOND)
        assert self.elected(tracker) == {"c": "b"}
        tracker.stored("c", "a", 40 * SECOND, 50 * SECOND)
        assert self.elected(tracker) == {"c": "a"}

    def test_there_is_room_for_so_many(self):
        tracker = ReplicaTracker(HaSettings(max_clusters=2))
        for cluster in "xyz":
            tracker.stored(cluster, "a", 0, 0)
        tracker.stored("x", "b", SECOND, SECOND)
        assert self.elected(tracker) == {"x": "b", "y": "a"}
        assert tracker.elections == 3


def test_statistics_are_of_then(tracker):
    sends(tracker, (0, "a"))
    then = tracker.statistics()
    sends(tracker, (60, "b"))
    assert then["c"].replica == "a"
    with pytest.raises(TypeError):
        then["c"] = None


@pytest.mark.parametrize(
    "fields",
    [
        {"failover_timeout": timedelta(0)},
        {"failover_timeout": timedelta(seconds=-1)},
        {"max_clusters": 0},
        {"replica_label": ""},
        {"replica_label": "a-b"},
        {"timeout": 3},
    ],
)
def test_settings_are_checked(fields):
    with pytest.raises(ValidationError):
        HaSettings(**fields)


def test_many_threads_elect_one(tracker):
    with ThreadPoolExecutor(8) as pool:
        taken = list(
            pool.map(lambda n: (f"r{n % 8}", tracker.accept("c", f"r{n % 8}", n)), range(4_000))
        )
    stored = {replica for replica, was in taken if was}
    assert stored == {tracker.statistics()["c"].replica}
    assert Counter(was for _, was in taken)[True] == 500


# Two replicas that sample each `INTERVAL`; each sample comes late by some time, or not at all.
INTERVAL = 15
SLOTS = 20
LATENESS = st.integers(0, 29)


def interleaving(lateness):
    """Sends as (when, replica, slot), by the receiver's clock; a queue keeps its order."""
    sent = []
    for replica, of_replica in lateness.items():
        clock = 0
        for slot, late in enumerate(of_replica):
            if late is not None:
                clock = max(clock, slot * INTERVAL + late)
                sent.append((clock, replica, slot))
    return sorted(sent)


@given(
    st.fixed_dictionaries(
        {
            replica: st.lists(st.one_of(st.none(), LATENESS), min_size=SLOTS, max_size=SLOTS)
            for replica in "ab"
        }
    )
)
def test_each_interval_is_stored_once_at_most(lateness):
    """As long as samples are late by less than the timeout."""
    tracker = ReplicaTracker(HaSettings())
    sent = interleaving(lateness)
    stored = [event for event in sent if tracker.accept("c", event[1], event[0] * SECOND)]
    slots = Counter(slot for _, _, slot in stored)
    assert all(count == 1 for count in slots.values()), stored
    # Whoever is elected is stored whole until the next is.
    changes = sum(one[1] != two[1] for one, two in pairwise(stored))
    assert tracker.statistics()["c"].changes == changes if stored else not sent


@given(
    st.dictionaries(
        st.sampled_from("ab"),
        st.lists(st.one_of(st.none(), LATENESS), min_size=SLOTS, max_size=SLOTS),
    )
)
def test_no_gap_is_longer_than_the_timeout(lateness):
    """In which somebody sent: what is dropped came within the timeout of something stored."""
    tracker = ReplicaTracker(HaSettings())
    last = None
    for when, replica, _ in interleaving(lateness):
        if tracker.accept("c", replica, when * SECOND):
            last = when
        else:
            assert when - last < 30


@given(
    st.lists(st.tuples(st.integers(-5, 40), st.sampled_from("abc"), st.sampled_from("xyz"))),
    st.integers(1, 3),
)
def test_any_clock_and_any_senders(steps, room):
    """Only typed refusals, the bound holds, and the elected one is always taken."""
    tracker = ReplicaTracker(HaSettings(max_clusters=room))
    now = 0
    for step, replica, cluster in steps:
        now += step * SECOND
        elected = tracker.statistics().get(cluster)
        try:
            taken = tracker.accept(cluster, replica, now)
        except TooManyClustersError:
            assert elected is None
            continue
        assert taken or (elected is not None and elected.replica != replica)
        assert len(tracker.statistics()) <= room
