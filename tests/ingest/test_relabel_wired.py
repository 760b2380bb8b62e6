"""Relabelling rules act on every new series, once, and on what is stored alone."""

import pytest

from ingest.errors import ClusterForbiddenError, ClusterMissingError
from ingest.remote_write import admission
from ingest.sender import Sender
from tests.remote_write_2 import Series

UP = [("__name__", "up"), ("cluster", "eu")]


@pytest.fixture
def start(open_receiver):
    return lambda *rules, **settings: open_receiver(relabel=rules, **settings)


@pytest.fixture
def send(body, now_ms):
    def write(receiver, *labels, value=1.0, sender=None):
        series = [(one, [(now_ms, value + i)]) for i, one in enumerate(labels)]
        return receiver.write_samples(body(*series), sender or Sender()).result(10)

    return write


def held(receiver, lake):
    receiver.flush()
    rows = lake.sql("SELECT value, labels FROM samples JOIN series USING (series_id)").to_pylist()
    return {row["value"]: dict(row["labels"]) for row in rows}


DROP = {"action": "drop", "source_labels": ["__name__"], "regex": "go_.*"}


def test_what_is_dropped_is_counted_and_not_stored(start, send, lake):
    receiver = start(DROP)
    go = [("__name__", "go_threads"), ("cluster", "eu")]
    for value in (1.0, 10.0):
        done = send(receiver, go, UP, value=value)
        assert (done.samples, done.refusal) == (2, None)
    assert receiver.statistics.relabelled == 2
    assert len(receiver.catalogue) == 1
    assert send(receiver, go, value=99.0).samples == 1
    assert set(held(receiver, lake)) == {2.0, 11.0}
    assert receiver.log_bytes() == 0, "nothing was logged for what is dropped"


def test_replace_and_labelmap(start, send, lake):
    receiver = start(
        {"source_labels": ["pod"], "regex": "(.+)-[0-9]+", "target_label": "app"},
        {"action": "labelmap", "regex": "meta_(.+)"},
        {"action": "labeldrop", "regex": "meta_.+"},
    )
    send(receiver, sorted([*UP, ("pod", "db-0"), ("meta_zone", "b")]))
    assert held(receiver, lake) == {
        1.0: {"__name__": "up", "app": "db", "cluster": "eu", "pod": "db-0", "zone": "b"}
    }


def test_rules_see_the_cluster_of_the_sender_and_may_change_it(start, send, lake):
    rule = {"source_labels": ["cluster"], "regex": "(.+)-old", "target_label": "cluster"}
    receiver = start(rule)
    send(receiver, [("__name__", "up")], sender=Sender("eu-old"))
    assert held(receiver, lake)[1.0]["cluster"] == "eu"


def test_rules_are_asked_once_a_series(start, send, monkeypatch):
    receiver = start(DROP)
    go = [("__name__", "go_threads"), ("cluster", "eu")]
    send(receiver, UP, go)
    monkeypatch.setattr(admission, "identify", None)
    assert send(receiver, UP, go, value=5.0).samples == 2


def test_rules_cannot_get_around_the_token(start, send, lake):
    """Neither a cluster that was sent nor one that a rule makes may be another's."""
    rule = {"target_label": "cluster", "replacement": "us"}
    sender = Sender("eu", frozenset({"eu"}))
    with pytest.raises(ClusterForbiddenError, match="'us'"):
        send(start(rule), UP, sender=sender)


def test_a_forbidden_cluster_is_not_made_good_by_a_rule(start, send):
    rule = {"target_label": "cluster", "replacement": "eu"}
    us = [("__name__", "up"), ("cluster", "us")]
    with pytest.raises(ClusterForbiddenError, match="'us'"):
        send(start(rule), us, sender=Sender("eu", frozenset({"eu"})))


def test_a_rule_that_takes_the_cluster_away_refuses(start, send):
    with pytest.raises(ClusterMissingError, match="after relabelling"):
        send(start({"action": "labeldrop", "regex": "cluster"}), UP)


def test_both_versions_and_replay(start, send, body_2, now_ms, abandon, lake):
    rules = (DROP, {"target_label": "region", "replacement": "x"})
    receiver = start(*rules)
    go = [("__name__", "go_threads"), ("cluster", "eu")]
    send(receiver, UP, go)
    second = [Series(UP, [(now_ms, 7.0)]), Series(go, [(now_ms, 8.0)])]
    assert receiver.write_samples(body_2(*second), version=2).result(10).samples == 2
    abandon(receiver)
    again = start(*rules)
    assert again.statistics.replayed_records == 2
    found = held(again, lake)
    assert {value: labels["region"] for value, labels in found.items()} == {1.0: "x", 7.0: "x"}
