"""What is found in a lake's events, and what is not."""

import json

import pytest

from ingest import opa
from lake.timerange import DAY
from orchestration.detection_settings import DetectionSettings
from orchestration.event_settings import EventSettings
from orchestration.steps.events import counting
from orchestration.steps.events.finder import EventFinder
from tests.orchestration.events.conftest import MINUTE, at, kubernetes, line, of, plain

BURST = "events:kubernetes:Unhealthy"


def burst(first=1600, minutes=20, each=10, name="cart-7d9f8b6c5-x2x4z"):
    return [
        kubernetes(first + m, "Unhealthy", f"burst-{m}-{i}", name=name, second=i)
        for m in range(minutes)
        for i in range(each)
    ]


def test_nothing_wrong_is_nothing_found(told):
    assert told.find(1440, 1800) == []


def test_an_empty_lake_has_nothing(story):
    assert story.find(0, 60) == []


def test_a_burst_of_warnings_is_found_with_its_object(told):
    told.tell(burst())
    (row,) = told.find(1500, 1800)
    assert (row["detector"], row["metric"]) == ("event_rate", BURST)
    assert (row["cluster"], row["namespace"], row["direction"]) == ("eu-1", "shop", "above")
    assert (row["pod"], row["workload"]) == ("cart-7d9f8b6c5-x2x4z", "cart")
    assert at(1600) <= row["start"] <= at(1606)
    assert at(1620) <= row["end"] <= at(1640)
    assert row["actual"] > row["upper"] > row["expected"] > row["lower"] >= 0
    assert row["expected"] == pytest.approx(0.3, abs=0.05)
    assert row["score"] > 1.5
    assert row["p_value"] < 1e-9
    assert row["state"] == "final"


def test_normal_events_of_a_rollout_are_none(told):
    told.tell(
        kubernetes(1600 + m, reason, f"{reason}-{m}-{i}", kind="Normal", second=i)
        for reason in ("Started", "Killing", "ScalingReplicaSet")
        for m in range(10)
        for i in range(30)
    )
    assert told.find(1500, 1800) == []


def test_of_an_event_that_counts_up_the_increase_counts(told):
    # A thousand in a day's beginning, then one each five minutes: a high count is no burst.
    told.tell(kubernetes(5 * i, "Unhealthy", "old", count=1000 + i) for i in range(360))
    assert told.find(1440, 1800) == []
    told.tell(kubernetes(1700 + m, "Unhealthy", "steep", count=1 + 12 * m) for m in range(15))
    (row,) = told.find(1600, 1800)
    assert row["actual"] > 5


def test_an_event_that_is_first_seen_with_a_high_count_came_again(told):
    told.tell([kubernetes(1600, "FailedMount", "m", count=500)])
    (row,) = told.find(1500, 1800)
    assert (row["detector"], row["actual"]) == ("event_first", 2.0)


def test_an_increase_since_long_ago_is_no_burst(told):
    told.tell([kubernetes(1600, "Unhealthy", "slow", count=1)])
    told.tell([kubernetes(1640, "Unhealthy", "slow", count=161)])
    frame = counting.count(told.lake.snapshot(), told.look(1560, 1680).between, MINUTE, 60).filter(
        key="Unhealthy"
    )
    column = round(at(1640).timestamp() / 60)
    # 160 in forty minutes are twenty in five.
    assert 20 <= frame.filter(column=column)["events"].item() <= 23


def test_the_same_row_again_and_late_is_one_event(told):
    told.tell(burst())
    before = told.find(1500, 1800)
    told.tell(burst())
    told.tell(burst()[::-1])
    assert told.find(1500, 1800) == before


def test_a_reason_never_seen_is_found_once_it_comes_again(told):
    told.tell([kubernetes(1600, "FailedMount", "m", count=1, name="cart-7d9f8b6c5-x2x4z")])
    assert told.find(1500, 1800) == []
    told.tell([kubernetes(1603, "FailedMount", "m", count=2, name="cart-7d9f8b6c5-x2x4z")])
    (row,) = told.find(1500, 1800)
    assert (row["detector"], row["metric"]) == ("event_first", "events:kubernetes:FailedMount")
    assert (row["start"], row["end"], row["score"]) == (at(1603), at(1604), 1.0)
    assert (row["expected"], row["workload"]) == (0.0, "cart")


def test_reasons_of_one_trouble_are_one_finding(told):
    told.tell(
        kubernetes(1600 + i, f"Failed{i:02}", f"u{i}-{j}", second=j)
        for i in range(20)
        for j in range(3)
    )
    assert len(of(told.find(1500, 1800), "event_first")) == 1


def test_nothing_is_new_of_a_new_source_cluster_or_namespace(told, rng):
    told.tell(plain(1600 + i, "scanner", f"CVE-{i}", type="Warning") for i in range(30))
    told.tell(
        [kubernetes(1600 + i, f"Failed{i}", f"n{i}-{j}") for i in range(9) for j in range(4)],
        cluster="us-2",
    )
    told.tell(kubernetes(1600 + i, "Unhealthy", f"x{i}", namespace="new") for i in range(20))
    assert told.find(1500, 1800) == []


def test_a_reason_of_weeks_ago_is_known(told):
    long_ago = -20 * DAY // MINUTE
    told.tell([kubernetes(long_ago, "FailedMount", "old")])
    told.tell(kubernetes(1600 + i, "FailedMount", f"m{i}") for i in range(4))
    assert of(told.find(1500, 1800), "event_first") == []


def test_a_reason_that_other_clusters_know_must_be_louder(told, rng):
    told.tell([kubernetes(100, "FailedMount", "old")], cluster="us-2")
    told.tell(kubernetes(1600 + i, "FailedMount", f"m{i}") for i in range(7))
    assert told.find(1500, 1800) == []
    told.tell([kubernetes(1608, "FailedMount", "m8")])
    assert len(of(told.find(1500, 1800), "event_first")) == 1


def test_an_alert_that_never_fired_is_news_at_once(told):
    told.tell(
        plain(m, "alert", "Watchdog", uid=f"w{m}", type="Normal") for m in range(0, 1800, 100)
    )
    told.tell([plain(1650, "alert", "DiskFull", uid="d", count=1, type="Warning")])
    told.tell([plain(1660, "alert", "DiskFull", uid="d", count=2, type="Normal")])
    (row,) = told.find(1500, 1800)
    assert (row["detector"], row["metric"]) == ("event_first", "events:alert:DiskFull")
    assert (row["start"], row["end"]) == (at(1650), at(1651))


def decisions(minutes, share, rng, start=0, rate=4.0, path="http/authz/allow"):
    """What OPA posts."""
    return [
        {
            "decision_id": f"{path}-{minute}-{i}",
            "path": path,
            "result": bool(rng.random() >= share),
            "timestamp": at(start + minute, rng.uniform(0, 60)).isoformat(),
            "labels": {"id": "opa-1"},
        }
        for minute in range(minutes)
        for i in range(rng.poisson(rate))
    ]


def tell_decisions(story, found):
    story.tell(opa.translate(json.dumps(found).encode()).events)


def test_denials_count_by_their_share(story, rng):
    tell_decisions(story, decisions(1600, 0.02, rng))
    tell_decisions(story, decisions(200, 0.02, rng, start=1600, rate=40.0))
    assert story.find(1500, 1800) == []
    tell_decisions(story, decisions(30, 0.6, rng, start=1700, rate=20.0))
    (row,) = story.find(1500, 1800)
    assert (row["detector"], row["metric"]) == ("event_denials", "denials:http/authz/allow")
    assert row["namespace"] is None
    assert at(1700) <= row["start"] <= at(1715)
    assert row["upper"] < row["actual"] <= 1.0
    assert row["expected"] == pytest.approx(0.02, abs=0.01)


def test_decisions_that_stop_are_found_while_their_cluster_is_there(story, rng, fill):
    tell_decisions(story, decisions(1700, 0.02, rng))
    assert story.find(1600, 1750) == []  # nothing else of the cluster was heard of
    minutes = [round(at(m).timestamp() * 1000) for m in range(2400)]
    labels = [{"__name__": "up", "cluster": "eu-1"}]
    fill(story.lake, labels, [minutes], [[1.0] * len(minutes)])
    (row,) = story.find(1600, 1750)
    assert (row["metric"], row["direction"]) == ("events:opa:http/authz/allow", "below")
    assert at(1700) <= row["start"] <= at(1715)
    assert (row["actual"], row["end"]) == (0.0, at(1750))
    assert len(story.find(1830, 1900)) == 1
    # Once a quarter of the history is silence, silence is usual.
    assert story.find(2200, 2300) == []


def lines(minutes, rng):
    """Lines of a log, each with numbers of its own."""
    for minute in range(minutes):
        for i in range(rng.poisson(0.5)):
            text = f"timeout after {rng.integers(9999)} ms calling 10.0.0.{i}:8080/orders"
            yield line(minute, text, second=rng.uniform(0, 59))


def test_lines_are_streams_by_their_templates(story, rng):
    story.tell(lines(1800, rng))
    assert story.find(1500, 1800) == []
    story.tell(
        line(1600 + m, f"timeout after {7 * m + i} ms calling 10.1.{i}.{m}:8080/orders", second=i)
        for m in range(20)
        for i in range(15)
    )
    (row,) = story.find(1500, 1800)
    assert row["metric"] == "events:log:timeout after <*> ms calling <*>/orders"
    assert (row["detector"], row["namespace"]) == ("event_rate", "shop")


def test_a_new_template_of_an_error_is_news_and_of_a_warning_not(story, rng):
    story.tell(lines(1800, rng))
    story.tell(line(1600 + i, f"deadlock on row {i}", severity="WARN") for i in range(9))
    assert story.find(1500, 1800) == []
    story.tell(line(1650 + i, f"checksum mismatch in block {i} of data file") for i in range(9))
    (row,) = story.find(1500, 1800)
    assert row["detector"] == "event_first"
    assert row["metric"] == "events:log:checksum mismatch in block <*> of data file"


def test_levels_are_read_off_lines_that_come_without(story):
    said = {
        "2022-08-22 05:18:20 ERROR c.Main no route": 2,
        '{"level":"error","message":"no route"}': 2,
        "E0822 05:18:20.1 1 main.go:7] no route": 2,
        "WARN no route": 1,
        "level=warn msg=no": 1,
        "05:18 INFO handled ERROR page": 0,
        "0 errors": 0,
    }
    told = [plain(5, "log", "log", message=text, second=i) for i, text in enumerate(said)]
    story.tell(told)
    frame = counting.count(story.lake.snapshot(), story.look(0, 60).between, MINUTE, 60)
    assert frame["loud"].sum() == sum(level > 0 for level in said.values())
    assert frame["errors"].sum() == sum(level == 2 for level in said.values())
    assert frame["events"].sum() == len(said)
    assert "no route" in frame["key"].to_list()  # of JSON, what it says


def test_too_many_texts_are_one(story, monkeypatch):
    story.tell(line(5, f"word{chr(97 + i)} failed", second=i) for i in range(20))
    monkeypatch.setattr(counting, "COUNTS", counting.COUNTS.replace("<= 2000", "<= 5"))
    frame = counting.count(story.lake.snapshot(), story.look(0, 60).between, MINUTE, 60)
    assert len(frame) == 6
    assert frame.filter(key=counting.OTHER)["events"].item() == 15
    # Those that came first have names of their own.
    assert "worda failed" in frame["key"].to_list()


def test_what_is_not_wanted_is_not_told(told):
    told.tell(burst())
    quiet = DetectionSettings(events=EventSettings(exclude="events:kubernetes:Un.*"))
    assert told.find(1500, 1800, quiet) == []
    assert told.find(1500, 1800, clusters=["us-2"]) == []
    assert told.find(1500, 1800, but_not=["eu-1"]) == []
    assert len(told.find(1500, 1800, clusters=["eu-1"])) == 1


def test_a_wrong_expression_is_refused():
    with pytest.raises(ValueError, match="no regular expression"):
        EventSettings(exclude="(")


def test_what_comes_later_changes_nothing(told):
    told.tell(burst())
    before = told.find(1500, 1610)
    told.tell(burst(first=1611))
    told.tell([kubernetes(1700, "FailedMount", f"m{i}") for i in range(9)])
    assert told.find(1500, 1610) == before
    assert EventFinder().detectors == ("event_rate", "event_denials", "event_first")
