"""What requests became is kept, and is bounded."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingest.otlp.accumulator import Accumulator
from ingest.otlp.kept import Handed, Kept
from ingest.otlp.metrics import Translation
from ingest.otlp.refusals import Refusals
from ingest.outcome import Written, pending, settled


def handed(outcome=None):
    made = Translation(None, 1, Refusals(), 1, Accumulator().draft())
    return Handed(made, outcome or settled(Written()))


def never():
    raise AssertionError("handed in again")


def test_the_same_request_is_handed_in_once():
    kept, one = Kept(), handed()
    assert kept.once(b"a", lambda: one) is one
    assert kept.once(b"a", never) is one


def test_what_failed_later_is_tried_again():
    kept, outcome = Kept(), pending()
    kept.once(b"a", lambda: handed(outcome))
    outcome.set_exception(OSError())
    again = handed()
    assert kept.once(b"a", lambda: again) is again


def test_what_failed_at_once_is_tried_again():
    kept, again = Kept(), handed()
    with pytest.raises(AssertionError):
        kept.once(b"a", never)
    assert kept.once(b"a", lambda: again) is again


def test_the_oldest_go():
    few = Kept(most=2)
    for key in (b"a", b"b", b"c"):
        few.once(key, handed)
    assert len(few) == 2
    few.once(b"c", never)
    again = handed()
    assert few.once(b"a", lambda: again) is again


def test_others_do_not_wait():
    kept, go = Kept(), threading.Event()

    def slow():
        assert go.wait(10)
        return handed()

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(kept.once, b"a", slow)
        kept.once(b"b", handed)
        second = threads.submit(kept.once, b"a", never)
        assert not first.done()
        go.set()
        assert first.result() is second.result()
