"""Translations are made once, and are bounded."""

from ingest.otlp.kept import Kept
from ingest.otlp.metrics import EMPTY, Translation
from ingest.otlp.refusals import Refusals
from ingest.outcome import Written, pending


def translation(size=100):
    return Translation(b"x" * size, 1, Refusals())


def never():
    raise AssertionError("translated again")


def test_the_same_request_is_translated_once():
    kept, one = Kept(), translation()
    assert kept.once(b"a", lambda: one) is one
    assert kept.once(b"a", never) is one


def test_what_is_stored_gives_up_its_body():
    kept, outcome = Kept(), pending()
    kept.once(b"a", translation)
    kept.release(b"a", outcome)
    outcome.set_result(Written(samples=1))
    assert kept.once(b"a", never).body == EMPTY


def test_what_failed_keeps_it():
    kept, outcome = Kept(), pending()
    kept.once(b"a", translation)
    kept.release(b"a", outcome)
    outcome.set_exception(OSError())
    assert kept.once(b"a", never).body == b"x" * 100


def test_the_oldest_go_by_number_and_by_size():
    few = Kept(most=2)
    for key in (b"a", b"b", b"c"):
        few.once(key, translation)
    assert len(few) == 2
    small = Kept(most_bytes=250)
    for key in (b"a", b"b", b"c"):
        small.once(key, translation)
    assert len(small) == 2
    small.once(b"c", never)
    again = translation()
    assert small.once(b"a", lambda: again) is again


def test_one_that_is_gone_needs_no_release():
    kept, outcome = Kept(most=1), pending()
    kept.once(b"a", translation)
    kept.release(b"a", outcome)
    kept.once(b"b", translation)
    outcome.set_result(Written())
    assert len(kept) == 1
