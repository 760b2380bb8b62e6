import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.series import identify, kind_by_name, series_id

NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,6}", fullmatch=True).filter(
    lambda name: name not in {"__name__", "cluster"}
)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
LABELS = st.dictionaries(NAMES, VALUES, max_size=6)
BASE = [("__name__", "up"), ("cluster", "eu")]


@given(LABELS, st.randoms())
def test_ids_do_not_depend_on_order_or_empty_labels(labels, random):
    pairs = [*BASE, *labels.items()]
    shuffled = random.sample(pairs, len(pairs))
    one, other = identify(pairs), identify(shuffled)
    full = identify([pair for pair in pairs if pair[1]])
    assert one == other == full
    assert one.labels == tuple(sorted(one.labels))
    assert -(2**63) <= one.series_id < 2**63


@given(LABELS, LABELS)
def test_different_labels_give_different_ids(left, right):
    a, b = identify([*BASE, *left.items()]), identify([*BASE, *right.items()])
    assert (a.series_id == b.series_id) == (a.labels == b.labels)


def test_parts_cannot_run_into_each_other():
    splits = [[("a", "bc")], [("ab", "c")], [("a", "b"), ("c", "")]]
    assert len({series_id(pairs) for pairs in splits}) == 3


def test_ids_are_for_ever():
    """The lake holds them: a change here would split every series in two."""
    assert identify([*BASE, ("job", "node")]).series_id == FROZEN_ID
    assert identify([("__name__", "up"), ("job", "node")], "eu").series_id == FROZEN_ID


FROZEN_ID = -4946580168700019602


def test_an_own_cluster_label_wins():
    assert identify(BASE, "other").cluster == "eu"


@pytest.mark.parametrize(
    ("metric", "kind"),
    [
        ("http_requests_total", "counter"),
        ("latency_seconds_bucket", "counter"),
        ("latency_seconds_sum", "counter"),
        ("latency_seconds_count", "counter"),
        ("memory_bytes", "gauge"),
        ("total_memory", "gauge"),
    ],
)
def test_kinds_by_name(metric, kind):
    assert kind_by_name(metric) == kind


def test_a_series_reads_as_a_person_would_write_it():
    assert str(identify([*BASE, ("job", "node")])) == 'up{cluster="eu", job="node"}'
