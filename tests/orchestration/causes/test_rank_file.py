from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from lake.errors import FileFormatError
from orchestration.errors import CausesError
from orchestration.steps.causes.metric_rows import read_metrics
from orchestration.steps.causes.question import Question
from tests.orchestration.causes.conftest import AT, POD, START, asked, first


def test_metrics_alone_name_who_deviates_most_with_actual_against_expected(shop):
    answer = asked(shop.metrics())
    assert first(answer).entity == "pay"
    assert first(answer).metric in {"latency", "cpu"}
    assert "instead of" in first(answer).reason
    assert first(answer).onset == AT
    assert [one.rank for one in answer.causes] == [1, 2, 3, 4]
    assert answer.abstained is None


def test_a_symptom_is_followed_down_the_graph(shop):
    """`web` waits for `pay`: its own deviation is as odd, and is explained."""
    path = shop.metrics()
    answer = asked(path, symptom="web:latency", graph=shop.graph())
    assert first(answer).entity == "pay"
    kinds = dict(first(answer).evidence)
    assert kinds["flow"].size > 70
    assert "of the symptom that callees do not explain" in kinds["flow"].reason
    assert kinds["flow"].reason in first(answer).reason
    (web,) = [one for one in answer.causes if one.entity == "web"]
    assert web.score < 0.5 * first(answer).score


def test_a_baseline_of_another_time_and_what_was_odd_before_the_symptom(shop, tmp_path):
    """`bank` is as slow in the incident, but was so before: that is not what happened."""
    normal = pl.read_parquet(shop.metrics(broken=False, run="normal"))
    incident = pl.read_parquet(shop.metrics(run="incident"))
    slow = (pl.col("service") == "bank") & (pl.col("metric") == "latency")
    incident = incident.with_columns(
        pl.when(slow).then(0.5).otherwise(pl.col("value")).alias("value"),
        pl.col("timestamp") + timedelta(days=30),
    )
    incident = incident.filter(pl.col("timestamp") >= AT + timedelta(days=30, minutes=-5))
    answer = asked(
        shop.write("incident.parquet", incident),
        at=AT + timedelta(days=30),
        baseline=shop.write("normal.parquet", normal),
        symptom="web:latency",
        graph=shop.graph(),
    )
    shares = {one.entity: dict(one.evidence).get("flow") for one in answer.causes}
    assert first(answer).entity == "pay"
    assert shares["pay"].size > 70


@pytest.mark.parametrize("split", [True, False])
def test_as_much_after_as_before_is_looked_at_whole_however_fine_its_steps(shop, split):
    """What may be of a wrong clock is a share of the rows: of seconds, several."""
    seconds = np.arange(-600, 600 if split else 660)
    times = [AT + timedelta(seconds=int(second)) for second in seconds]
    value = 100.0 + np.random.default_rng(7).normal(0.0, 1.0, len(times))
    frame = pl.DataFrame({"timestamp": times, "value": value, "service": "pay"})
    question = Question([shop.write("fine.parquet", frame)], "service", AT)
    assert (read_metrics(question, print).rows.rest is not None) == split


@pytest.mark.parametrize("rows", [0, 1])
def test_a_baseline_without_a_value_is_refused_by_name(shop, rows):
    nothing = pl.read_parquet(shop.metrics()).with_columns(pl.lit(float("nan")).alias("value"))
    path = shop.write("normal.parquet", nothing.head(rows))
    with pytest.raises(CausesError, match=r"the baseline .*normal\.parquet has no row with"):
        asked(shop.metrics(), baseline=path)


def test_by_pod_all_signals_meet(shop):
    path = shop.metrics(by="pod")
    answer = asked(path, by="pod", traces=shop.spans(), logs=shop.logs(), graph=shop.graph())
    assert first(answer).entity == POD["pay"]
    assert {"metrics", "latency", "logs"} <= {kind for kind, _ in first(answer).evidence}


def test_a_change_just_before_speaks_for_who_was_changed(shop):
    events = shop.events(
        _event(AT - timedelta(minutes=3), "cart", "change", "image shop/cart:1.4 → 1.5"),
        _event(AT - timedelta(hours=3), "bank", "change", "image shop/bank:2 → 3"),
        _event(AT - timedelta(minutes=1), "bank", "Normal", "probe is fine"),
        _event(AT + timedelta(minutes=1), "web", "change", "scaled from 2 to 3"),
    )
    answer = asked(shop.metrics(broken=False), events=events)
    changed = {one.entity for one in answer.causes if "changes" in dict(one.evidence)}
    assert changed == {"cart"}
    assert first(answer).entity == "cart"
    assert "image shop/cart:1.4 → 1.5 3 min before" in first(answer).reason
    assert first(answer).onset is None or first(answer).onset >= AT - timedelta(minutes=1)


def _event(at, name, kind, message):
    return {"timestamp": at, "type": kind, "name": name, "message": message}


def test_an_hour_without_a_fault_is_abstained_from(shop):
    answer = asked(shop.metrics(broken=False), traces=shop.spans("none"), logs=shop.logs(False))
    assert answer.abstained is not None
    assert "nothing stands out" in answer.abstained
    assert len(answer.causes) == 4


def test_noticed_late_it_is_the_same(shop):
    answer = asked(shop.metrics(), at=AT + timedelta(minutes=4))
    assert first(answer).entity == "pay"


def test_nothing_before_takes_what_is_after_for_the_baseline(shop):
    """As where normal operation was recorded after the fault."""
    frame = pl.read_parquet(shop.metrics())
    later = frame.filter(pl.col("timestamp") < AT).with_columns(
        pl.col("timestamp") + timedelta(hours=2)
    )
    both = pl.concat([frame.filter(pl.col("timestamp") >= AT), later])
    warned = []
    answer = asked(shop.write("after.parquet", both), warned=warned)
    assert first(answer).entity == "pay"
    assert "is taken for the baseline" in warned[0]


def test_a_column_that_tells_before_from_after_is_no_label(shop):
    frame = pl.read_parquet(shop.metrics())
    phase = pl.when(pl.col("timestamp") < AT).then(pl.lit("normal")).otherwise(pl.lit("fault"))
    path = shop.write("phases.parquet", frame.with_columns(phase=phase))
    for late in (0, 4):
        warned = []
        answer = asked(path, at=AT + timedelta(minutes=late), warned=warned)
        assert first(answer).entity == "pay"
        assert dict(first(answer).evidence)["metrics"].expected == pytest.approx(0.02, abs=0.5)
        assert warned == ["column 'phase' has other values at other times: it is no label"]


def test_rows_in_any_order_in_several_files_of_any_kind_are_the_same(shop):
    frame = pl.read_parquet(shop.metrics())
    whole = asked(shop.write("whole.parquet", frame))
    mixed = frame.sample(fraction=1.0, shuffle=True, seed=7)
    parts = [shop.write("a.parquet", mixed[:500]), shop.write("b.csv", mixed[500:])]
    again = asked(parts)
    assert [one.entity for one in again.causes] == [one.entity for one in whole.causes]
    assert first(again).score == pytest.approx(first(whole).score)


def test_only_so_long_as_it_is_said_to_last(shop):
    frame = pl.read_parquet(shop.metrics(broken=False))
    later = (pl.col("service") == "bank") & (pl.col("timestamp") >= AT + timedelta(minutes=5))
    now = (pl.col("service") == "pay") & (pl.col("timestamp") >= AT)
    value = pl.col("value")
    frame = frame.with_columns(
        pl.when(later).then(50 * value).when(now).then(2 * value).otherwise(value).alias("value")
    )
    path = shop.write("two.parquet", frame)
    assert first(asked(path, lasting=timedelta(minutes=4))).entity == "pay"
    assert first(asked(path, lasting=timedelta(minutes=10))).entity == "bank"


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("baseline", [True, False])
@pytest.mark.parametrize("stray", [None, timedelta(days=3650), timedelta(days=-3650)])
def test_a_file_that_ends_with_the_incident_is_looked_at_whole(shop, baseline, cut, stray):
    """What breaks after twenty minutes is the worst in the end; cut before, who began it."""
    rng = np.random.default_rng(7)
    minutes = 120
    values = {name: 100.0 + rng.normal(0.0, 1.0, minutes) for name in ("early", "late", "well")}
    values["early"][60:65] += 15.0
    values["late"][80:] += 40.0
    times = [START + timedelta(minutes=minute) for minute in range(minutes)]
    frame = pl.concat(
        pl.DataFrame({"timestamp": times, "value": series, "service": name})
        for name, series in values.items()
    )
    at = START + timedelta(minutes=60)
    end = at + timedelta(minutes=15 if cut else 60)
    shown = frame.filter(pl.col("timestamp") < end)
    if stray is not None and not cut:  # a clock that is years off
        shown = pl.concat([shown, shown[-1].with_columns(pl.col("timestamp") + stray)])
    before = pl.col("timestamp") < at
    others = {}
    if baseline:
        others["baseline"] = shop.write("before.parquet", shown.filter(before))
        shown = shown.filter(~before)
    answer = asked(shop.write("all.parquet", shown), at=at, **others)
    assert first(answer).entity == ("early" if cut else "late")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"by": "node"}, "has no column 'node', only"),
        ({"by": "value"}, "'value' of .* names no entity"),
        ({"at": START + timedelta(days=1)}, "there is nothing at or after"),
        ({"symptom": "mail:latency"}, "has no 'mail:latency' for --symptom"),
        ({"symptom": "web:errors"}, "'web' has no metric 'errors'"),
    ],
)
def test_what_is_not_there_is_said(shop, change, said):
    if "symptom" in change:
        change = change | {"graph": shop.graph()}
    with pytest.raises(CausesError, match=said):
        asked(shop.metrics(), **change)


def test_nothing_but_the_incident_asks_for_a_baseline(shop):
    frame = pl.read_parquet(shop.metrics()).filter(pl.col("timestamp") >= AT)
    path = shop.write(
        "short.parquet", frame.filter(pl.col("timestamp") < AT + timedelta(minutes=4))
    )
    with pytest.raises(CausesError, match="give a --baseline"):
        asked(path)


@pytest.mark.parametrize("kind", ["graph", "traces", "logs"])
def test_a_file_that_is_something_else_is_said(shop, kind):
    other = shop.write("other.parquet", pl.DataFrame({"timestamp": [AT], "x": [1]}))
    with pytest.raises((CausesError, FileFormatError), match="has no column"):
        asked(shop.metrics(), **{kind: other})
