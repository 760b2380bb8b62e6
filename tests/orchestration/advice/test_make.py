"""Advice is written once, kept while it holds, and what people say of it is heard."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.advice_settings import AdviceSettings
from orchestration.errors import FilterError, NotFoundError
from orchestration.failures import Failure
from orchestration.steps.advice.advice import Advice, Evidence, Followed
from orchestration.steps.advice.advisers import Adviser
from orchestration.steps.advice.browse import Wanted, listing, one_advice
from orchestration.steps.advice.feedback import give_feedback
from orchestration.steps.advice.make import make_advice
from orchestration.steps.advice.rows import new_row, table

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

ONE = Advice(
    "c1",
    "container_cpu",
    "shop/cart/app",
    "cart needs half of what it has",
    "it used 1 core at most",
    current={"cpu_request_cores": 4.0, "class": "Burstable"},
    proposed={"cpu_request_cores": 2.0, "class": "Burstable"},
    evidence=[Evidence("most used", float("nan"), "cores", "14 days", "cpu")],
    namespace="shop",
    saving_cpu_cores=2.0,
    risk=0.0,
    current_risk=0.0,
)


class Round:
    """A lake and one adviser that says what it is told to."""

    def __init__(self, lake):
        self.lake, self.says, self.settings = lake, [ONE], AdviceSettings()
        self.became = {}

    def make(self, hours=0, **others):
        own = Adviser(lambda *_: self.says, lambda *_: self.became)
        return make_advice(self.lake, self.settings, NOW + hours * HOUR, {"own": own} | others)

    def row(self):
        (row,) = self.lake.sql("SELECT * FROM advice").to_pylist()
        return one_advice(self.lake, row["advice_id"])

    def proposing(self, cores):
        return replace(ONE, proposed=ONE.proposed | {"cpu_request_cores": cores})


@pytest.fixture
def rounds(lake):
    return Round(lake)


def test_written_once(rounds):
    made = rounds.make()
    assert (dict(made.given), made.written) == ({"container_cpu": 1}, 1)
    assert rounds.make(1).written == 0
    row = rounds.row()
    assert (row["state"], row["since"], row["proposed"]) == ("open", NOW, dict(ONE.proposed))
    assert row["evidence"][0] == {
        "what": "most used",
        "value": None,
        "unit": "cores",
        "over": "14 days",
        "metric": "cpu",
    }


@pytest.mark.parametrize(("cores", "written"), [(2.1, 0), (2.5, 1)])
def test_what_moves_a_little_is_the_same_advice(rounds, cores, written):
    rounds.make()
    rounds.says = [rounds.proposing(cores)]
    assert rounds.make(1).written == written
    assert rounds.row()["since"] == NOW
    assert rounds.row()["revision"] == 1 + written


def test_what_no_longer_holds_is_withdrawn_and_may_come_back(rounds):
    rounds.make()
    rounds.says = []
    assert rounds.make(1).withdrawn == 1
    assert rounds.row()["state"] == "withdrawn"
    assert rounds.make(2).written == 0
    rounds.says = [ONE]
    rounds.make(3)
    assert (rounds.row()["state"], rounds.row()["since"]) == ("open", NOW)


@pytest.mark.parametrize("verdict", ["accepted", "dismissed"])
def test_what_was_said_stays_until_the_proposal_moves_by_much(rounds, verdict):
    rounds.make()
    row = give_feedback(rounds.lake, rounds.row()["advice_id"], verdict, NOW + HOUR, by="ada")
    assert (row["state"], row["feedback"][0]["by"]) == (verdict, "ada")
    rounds.says = [rounds.proposing(1.5)]
    assert rounds.make(2).written == 0
    rounds.says = [rounds.proposing(0.5)]
    rounds.make(3)
    assert rounds.row()["state"] == "open"
    assert [one["verdict"] for one in rounds.row()["feedback"]] == [verdict]


@pytest.mark.parametrize("verdict", ["accepted", "dismissed"])
def test_an_hour_without_its_data_asks_nothing_again(rounds, verdict):
    rounds.make()
    give_feedback(rounds.lake, rounds.row()["advice_id"], verdict, NOW + HOUR)
    rounds.says = [replace(ONE, abstained=True, proposed={}, reason="it was not seen since …")]
    assert rounds.make(2).written == 0
    rounds.says = [ONE]
    assert rounds.make(3).written == 0
    assert rounds.row()["state"] == verdict


def test_why_nothing_can_be_told_is_not_written_each_hour(rounds):
    written = []
    for hours in range(2, 24):
        reason = f"{hours} h of history, at least 1 days are needed"
        rounds.says = [replace(ONE, abstained=True, proposed={}, reason=reason)]
        written.append(rounds.make(hours).written)
    assert sum(written) <= 7
    rounds.says = [replace(rounds.says[0], reason="an autoscaler holds it")]
    assert rounds.make(24).written == 1


def test_what_was_dismissed_is_no_advice(rounds):
    rounds.make()
    give_feedback(rounds.lake, rounds.row()["advice_id"], "dismissed", NOW, note="no")
    assert listing(rounds.lake, Wanted()).rows == []
    assert dict(rounds.make(1).given) == {}


def test_feedback_is_heard_though_its_row_was_overwritten(rounds):
    rounds.make()
    before = rounds.lake.sql("SELECT * EXCLUDE (date) FROM advice")
    row = give_feedback(rounds.lake, rounds.row()["advice_id"], "dismissed", NOW + HOUR)
    # A round that read before it was said, and writes after.
    raced = one_advice(rounds.lake, row["advice_id"]) | {
        "state": "open",
        "feedback": [],
        "revision": before["revision"][0].as_py() + 2,
    }
    rounds.lake.advice.append(table([raced]))
    assert rounds.row()["state"] == "open"
    assert rounds.make(2).written == 1
    assert rounds.row()["state"] == "dismissed"
    assert rounds.make(3).written == 0


def test_what_was_said_before_does_not_undo_what_was_said_after(rounds):
    """Two say something at once, and the row has what was said last alone."""
    rounds.make()
    before = rounds.row()
    give_feedback(rounds.lake, before["advice_id"], "accepted", NOW + HOUR, by="ada")
    later = NOW + HOUR + timedelta(microseconds=1)
    row = give_feedback(rounds.lake, before["advice_id"], "dismissed", later, by="bob")
    raced = row | {"feedback": row["feedback"][1:], "revision": row["revision"] + 1}
    rounds.lake.advice.append(table([raced]))
    rounds.make(2)
    assert [one["by"] for one in rounds.row()["feedback"]] == ["ada", "bob"]
    assert rounds.row()["state"] == "dismissed"


def test_what_two_say_in_the_same_moment_are_two_events(rounds):
    rounds.make()
    for by in ("ada", "bob"):
        give_feedback(rounds.lake, rounds.row()["advice_id"], "accepted", NOW, by=by)
    ids = rounds.lake.sql("SELECT uid FROM events").column("uid").to_pylist()
    assert len(set(ids)) == 2


def test_what_was_applied_tells_its_effect(rounds):
    rounds.make()
    advice_id = rounds.row()["advice_id"]
    rounds.says = []
    rounds.became = {advice_id: Followed(applied=True, effect={"measured": {}})}
    assert rounds.make(1).withdrawn == 0
    rounds.became = {advice_id: Followed(applied=True, effect={"measured": {"risk": 0.1}})}
    rounds.make(2)
    row = rounds.row()
    assert (row["state"], row["effect"]) == ("applied", {"measured": {"risk": 0.1}})
    rounds.says = [rounds.proposing(1.0)]
    rounds.make(3)
    assert (rounds.row()["state"], rounds.row()["effect"]) == ("open", row["effect"])


def test_a_round_that_is_made_again_writes_nothing(rounds):
    """Of the same time, by a server and a schedule: what was followed and could be better yet."""
    rounds.make()
    advice_id = rounds.row()["advice_id"]
    rounds.became = {advice_id: Followed(applied=True, effect={"measured": None})}
    rounds.says = [rounds.proposing(1.0)]
    assert [rounds.make(1).written for _ in range(2)] == [1, 0]
    assert rounds.row()["state"] == "applied"
    rounds.became = {}
    assert [rounds.make(2).written for _ in range(2)] == [1, 0]
    assert rounds.row()["state"] == "open"


def test_an_adviser_that_fails_stops_no_other_and_loses_nothing(rounds):
    rounds.make(other=Adviser(lambda *_: [replace(ONE, kind="node_empty")]))

    def fails(*_):
        raise ZeroDivisionError("of nothing")

    rounds.says = []
    made = rounds.make(1, other=Adviser(fails))
    assert made.failed == {"other": Failure("ZeroDivisionError", "of nothing", made.made_at)}
    (row,) = listing(rounds.lake, Wanted()).rows
    assert row["kind"] == "node_empty"


def test_two_that_say_the_same_thing_are_a_fault(rounds):
    rounds.says = [ONE, ONE]
    assert "bug: two say container_cpu of shop/cart/app" in rounds.make().failed["own"].text


def test_pages_in_order_of_worth(rounds):
    rounds.says = [
        replace(ONE, entity=f"shop/cart/{n}", saving_cpu_cores=float(n % 3)) for n in range(7)
    ]
    rounds.make()
    found, cursor = [], None
    while True:
        page = listing(rounds.lake, Wanted(), 3, cursor)
        found += [(row["saving_cpu_cores"], row["advice_id"]) for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [cores for cores, _ in found] == [2.0, 2.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    assert len(set(found)) == 7
    with pytest.raises(FilterError, match="is not one that a listing gave"):
        listing(rounds.lake, Wanted(), 3, "WyJ4IiwgInkiXQ")


def test_others_advice_is_not_to_be_seen(rounds):
    rounds.make()
    assert listing(rounds.lake, Wanted(visible=["c2"])).rows == []
    assert listing(rounds.lake, Wanted(clusters=["c1"], visible=["c2"])).rows == []
    with pytest.raises(NotFoundError, match="no advice begins"):
        give_feedback(rounds.lake, rounds.row()["advice_id"], "accepted", NOW, visible=["c2"])


def test_others_advice_does_not_hide_ones_own(rounds):
    """Short ids: those of clusters that a reader may not see are not in the way of his."""
    row = new_row(ONE, "own", NOW, 1)
    others = [row | {"advice_id": f"abcdef0{n}", "cluster": f"other{n}"} for n in range(3)]
    rounds.lake.advice.append(table([row | {"advice_id": "abcdef09"}, *others]))
    assert one_advice(rounds.lake, "abcdef", ["c1"])["advice_id"] == "abcdef09"
    with pytest.raises(NotFoundError, match="several pieces"):
        one_advice(rounds.lake, "abcdef")
    with pytest.raises(NotFoundError, match="no advice"):
        one_advice(rounds.lake, "abcdef", [])


def test_what_proposes_nothing_cannot_be_accepted(rounds):
    rounds.says = [replace(ONE, abstained=True, proposed={}, reason="2 h of history")]
    assert rounds.make().abstained == 1
    assert listing(rounds.lake, Wanted()).rows == []
    (row,) = listing(rounds.lake, Wanted(abstained=True)).rows
    with pytest.raises(FilterError, match="proposes nothing: 2 h of history"):
        give_feedback(rounds.lake, row["advice_id"], "accepted", NOW)
    rounds.says = [ONE]
    rounds.make(1)
    assert not rounds.row()["abstained"]


SILENT = replace(
    ONE, abstained=True, proposed={}, reason="it was not seen since 2026-11-23 12:05", silent=True
)


def test_what_is_not_told_for_a_while_stays_what_it_was_and_says_so(rounds):
    rounds.make()
    rounds.says = [SILENT]
    assert rounds.make(2).written == 1
    row = rounds.row()
    assert (row["state"], row["abstained"], row["proposed"]) == ("open", False, ONE.proposed)
    assert row["reason"] == (
        "it used 1 core at most; nothing newer is told: it was not seen since 2026-11-23 12:05"
    )
    assert rounds.make(3).written == 0
    rounds.says = [replace(ONE, risk=0.001)]
    assert rounds.make(4).written == 1
    assert rounds.row()["reason"] == ONE.reason
    # What is known to be otherwise is.
    rounds.says = [replace(SILENT, reason="an autoscaler holds it", silent=False)]
    rounds.make(5)
    assert rounds.row()["abstained"]


def test_what_was_never_said_does_not_stay(rounds):
    rounds.says = [SILENT]
    rounds.make()
    assert (rounds.row()["abstained"], rounds.row()["reason"]) == (True, SILENT.reason)
    # And what nothing is said of any more has been silent for too long.
    rounds.says = []
    rounds.make(24)
    assert rounds.row()["state"] == "withdrawn"


def test_the_effect_of_what_was_followed_is_measured_through_a_silence(rounds):
    rounds.make()
    advice_id = ONE.advice_id
    begun = {"applied_at": (NOW + HOUR).isoformat(), "measured": None}
    rounds.became = {advice_id: Followed(applied=True, effect=begun)}
    rounds.make(1)
    rounds.says = [SILENT]
    rounds.became = {advice_id: Followed(applied=True, effect=begun | {"measured": {"risk": 0.1}})}
    rounds.make(25)
    assert rounds.row()["state"] == "applied"
    assert rounds.row()["effect"]["measured"] == {"risk": 0.1}
