"""What people said is read again only of days that have changed, and is all of it."""

from datetime import timedelta

import pytest

from lake import TimeRange
from lake.maintenance import Policy
from lake.prepare import prepare
from orchestration.steps import kept_feedback
from orchestration.steps.feedback_events import feedback_event
from orchestration.steps.kept_feedback import KeptFeedback
from orchestration.steps.maintain import compact_lake

DAY = timedelta(days=1)
DAYS = 30


@pytest.fixture
def opened(monkeypatch):
    """The files of events that queries were given."""
    files, run = [], kept_feedback.run

    def counting(snapshot, sql, params):
        files.extend(prepare(snapshot, sql, params).paths["events"])
        return run(snapshot, sql, params)

    monkeypatch.setattr(kept_feedback, "run", counting)
    return files


@pytest.fixture
def say(lake, noon):
    def one(day, verdict, source="feedback"):
        at = noon + day * DAY
        event = feedback_event("eu", "Incident", "a", at, verdict, None, {"by": "ann"})
        names = event.schema.names
        if source != "feedback":
            event = event.set_column(names.index("source"), "source", [[source]])
        lake.events.append(event.cast(lake.events.spec.schema))

    return one


@pytest.fixture
def said(lake, noon):
    kept, whole = KeptFeedback(), TimeRange(noon, noon + DAYS * DAY)

    def verdicts(between=whole):
        return [row["verdict"] for row in kept.said(lake.snapshot(), between)]

    return verdicts


def test_only_days_that_have_changed_are_read_again(lake, noon, say, said, opened):
    for day in range(DAYS):
        say(day, "confirmed", "kubernetes")
    say(3, "confirmed")
    assert said() == ["confirmed"]
    assert len(opened) == DAYS + 1
    opened.clear()
    assert said() == ["confirmed"]
    assert opened == []
    say(20, "false")
    say(28, "confirmed", "kubernetes")
    assert said() == ["confirmed", "false"]
    assert len(opened) == 4, "the two files of either day"
    opened.clear()
    compact_lake(lake, Policy(), lambda: noon + 2 * DAYS * DAY)
    assert said() == ["confirmed", "false"]
    assert len(opened) == DAYS, "their files are others now"


def test_no_more_is_told_than_is_asked_for(noon, say, said, opened):
    say(3, "confirmed")
    say(4, "false")
    hour = DAY / 24
    assert said(TimeRange(noon + 3 * DAY + hour, noon + 9 * DAY)) == ["false"]
    assert said(TimeRange(noon + 3 * DAY + hour, noon + 4 * DAY)) == []
    # The whole of a day was read with its part.
    opened.clear()
    assert said() == ["confirmed", "false"]
    assert opened == []
