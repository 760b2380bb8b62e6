"""A request of which a part was refused is told the same again, also after a crash."""

import pytest

from ingest.sender import Sender

UP = [("__name__", "up"), ("cluster", "eu")]


@pytest.mark.parametrize("flushed", [False, True], ids=["logged", "flushed"])
def test_a_repeat_after_a_crash_is_not_told_that_all_went_in(
    open_receiver, abandon, body, now_ms, stored, flushed
):
    raw = body((UP, [(now_ms, 1.0)]), ([("cluster", "eu")], [(now_ms, 2.0)] * 3))
    first = open_receiver()
    told = first.write_samples(raw).result(10)
    assert (told.samples, told.refusal.count, told.refusal.status) == (1, 3, 400)
    if flushed:
        first.flush()
    abandon(first)
    second = open_receiver()
    again = second.write_samples(raw).result(10)
    assert (again.samples, again.refusal.count, again.refusal.status) == (1, 3, 400)
    second.flush()
    assert stored() == [1.0]


def test_a_limit_is_told_as_one_after_a_crash(open_receiver, abandon, body, now_ms):
    raw = body((UP, [(now_ms, 1.0)]), ([*UP, ("x", "a")], [(now_ms, 2.0)]))
    first = open_receiver(max_series_per_cluster=1)
    assert first.write_samples(raw).result(10).refusal.status == 429
    abandon(first)
    assert open_receiver().write_samples(raw).result(10).refusal.status == 429


def test_the_same_bytes_under_another_token_are_another_request(open_receiver, body, now_ms):
    receiver = open_receiver()
    raw = body((UP, [(now_ms, 1.0)]), ([*UP[:1], ("cluster", "us")], [(now_ms, 2.0)]))
    one, both = (Sender(None, frozenset(names)) for names in (("eu",), ("eu", "us")))
    assert receiver.write_samples(raw, one).result(10).refusal.count == 1
    assert receiver.write_samples(raw, both).result(10).refusal is None
