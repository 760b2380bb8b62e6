"""What was acknowledged is replayed under the rules that it was acknowledged under."""

import pytest

from ingest.receiver import Receiver
from ingest.relabel_rule import RelabelRule
from ingest.replicas import HaSettings
from ingest.sender import Sender

UP = [("__name__", "up"), ("cluster", "eu")]
DROP_ALL = RelabelRule(action="drop", source_labels=("__name__",), regex=".*")
RENAME = RelabelRule(source_labels=("job",), target_label="task", regex="(.+)")


def labels(lake):
    rows = lake.sql("SELECT labels FROM series").column("labels").to_pylist(maps_as_pydicts="lossy")
    return [{name: text for name, text in row.items() if name != "__name__"} for row in rows]


def test_a_rule_that_is_added_drops_nothing_that_was_acknowledged(
    open_receiver, abandon, body, now_ms, stored
):
    first = open_receiver()
    first.write_samples(body((UP, [(now_ms, 1.0)]))).result(10)
    abandon(first)
    second = open_receiver(relabel=(DROP_ALL,))
    assert stored() == [1.0], "flushed before anything is judged by the new rules"
    second.write_samples(body((UP, [(now_ms + 1, 2.0)]))).result(10)
    second.flush()
    assert stored() == [1.0]


def test_a_rule_that_is_removed_still_names_what_was_acknowledged(
    open_receiver, abandon, body, now_ms, lake
):
    first = open_receiver(relabel=(RENAME,))
    first.write_samples(body(([*UP, ("job", "a")], [(now_ms, 1.0)]))).result(10)
    abandon(first)
    open_receiver().flush()
    assert labels(lake) == [{"cluster": "eu", "job": "a", "task": "a"}]


@pytest.mark.parametrize("ha", [HaSettings(enabled=False), HaSettings(replica_label="other")])
def test_the_label_of_replicas_stays_off(open_receiver, abandon, body, now_ms, lake, ha):
    first = open_receiver()
    first.write_samples(body(([*UP, ("__replica__", "a")], [(now_ms, 1.0)]))).result(10)
    abandon(first)
    open_receiver(ha=ha).flush()
    assert labels(lake) == [{"cluster": "eu"}]


def test_the_rules_change_once_the_log_is_empty_of_others(
    open_receiver, abandon, body, now_ms, lake
):
    first = open_receiver(default_cluster="a")
    nameless = [("__name__", "up")]
    first.write_samples(body((nameless, [(now_ms, 1.0)]))).result(10)
    abandon(first)
    second = open_receiver(default_cluster="b")
    second.write_samples(body((nameless, [(now_ms + 1, 2.0)])), Sender()).result(10)
    abandon(second)
    open_receiver(default_cluster="b").flush()
    rows = lake.sql("SELECT cluster, value FROM samples ORDER BY value").to_pylist()
    assert [tuple(row.values()) for row in rows] == [("a", 1.0), ("b", 2.0)]


def test_a_start_that_fails_gives_up_the_folder(open_receiver, abandon, body, now_ms, monkeypatch):
    first = open_receiver()
    first.write_samples(body((UP, [(now_ms, 1.0)]))).result(10)
    abandon(first)

    def fail(_):
        raise OSError("no lake")

    with monkeypatch.context() as failing:
        failing.setattr(Receiver, "flush", fail)
        with pytest.raises(OSError, match="no lake"):
            open_receiver(relabel=(DROP_ALL,))
    assert open_receiver(relabel=(DROP_ALL,)).waiting_samples() == 0
