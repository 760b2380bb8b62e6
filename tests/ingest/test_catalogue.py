import threading
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from ingest import families, replica_tags
from ingest.buffer import Buffer, sort
from ingest.catalogue import COLLIDING, OVER_LIMIT, Catalogue
from ingest.errors import InvalidLabelsError, TooManyLabelsError, TooManySeriesError
from ingest.families import Metadata
from ingest.naming import Named
from ingest.samples import SampleBatch
from ingest.series import identify
from lake.schema import EVENTS

DAY = 86_400_000_000


def series(name="up", cluster="eu", **labels):
    return identify([("__name__", name), ("cluster", cluster), *labels.items()])


def ints(*values):
    return np.array(values, np.int64)


def batch(numbers, times, values=None):
    values = np.arange(len(numbers)) if values is None else values
    return SampleBatch(
        np.array(numbers, np.int32), np.array(times, np.int64), np.array(values, np.float64)
    )


@pytest.fixture
def catalogue():
    return Catalogue()


def test_a_series_has_one_number(catalogue):
    assert [catalogue.number(series(x=x)) for x in ("a", "b", "a")] == [0, 1, 0]


def keys_of(catalogue, *texts, context=b""):
    """Keys of bytes by which a sender may name series."""
    ends = np.cumsum([len(text) for text in texts])
    data = np.frombuffer(b"".join(texts), np.uint8)
    starts = ends - [len(text) for text in texts]
    return catalogue.keys.hash(data, starts, ends, context)


def add(catalogue, *named, context=b""):
    """Number series and remember them by a key each."""
    numbers = catalogue.number_all(Named.of([one for _, one in named]), 0)
    keys = keys_of(catalogue, *(key for key, _ in named), context=context)
    catalogue.remember(keys, numbers, np.zeros(len(named), np.int32))
    return numbers.tolist()


def find(catalogue, *texts, context=b""):
    return catalogue.keys.find(keys_of(catalogue, *texts, context=context))[0].tolist()


def test_keys_are_known_per_context(catalogue):
    add(catalogue, (b"key", series(cluster="a")), context=b"a")
    assert find(catalogue, b"key", b"other", context=b"a") == [0, -1]
    assert find(catalogue, b"key", context=b"b") == [-1]


def test_thousands_are_numbered_at_once_and_what_is_gone_gives_its_place(catalogue):
    """More than there is room for at first, with numbers given before, resting and free again."""
    assert add(catalogue, (b"", series(x="first"))) == [0]
    many = [series(x=str(n), cluster=f"c{n % 3}") for n in range(5000)]
    named = Named.of([many[7], *many, many[7]])
    numbers = catalogue.number_all(named, 5)
    assert sorted(numbers[1:-1].tolist()) == list(range(1, 5001))
    assert numbers[0] == numbers[8] == numbers[-1]
    assert [catalogue.name(n) for n in numbers.tolist()] == [
        str(one) for one in (many[7], *many, many[7])
    ]
    assert catalogue.active_by_cluster() == {"eu": 1, "c0": 1667, "c1": 1667, "c2": 1666}

    assert catalogue.forget(5, lambda: 1) == 1
    assert add(catalogue, (b"", series(x="rests"))) == [5001]
    catalogue.release(1)
    later = [series(x=f"later {n}", cluster="c9") for n in range(4000)]
    assert sorted(catalogue.number_all(Named.of(later), 6).tolist()) == [0, *range(5002, 9001)]
    assert catalogue.name(0).startswith('up{cluster="c9"')
    assert catalogue.ledger.due(*np.zeros((3, 9001), np.int64)).all(), "none has been written"


def test_where_memory_runs_out_nothing_is_half_numbered(catalogue, monkeypatch):
    def fail(*_):
        raise MemoryError

    add(catalogue, (b"a", series(x="a")))
    before = catalogue.label_bytes
    many = Named.of([series(x=str(n)) for n in range(3000)])
    for where in ("ingest.ledger.with_room", "ingest.catalogue.with_room"):
        with monkeypatch.context() as full:
            full.setattr(where, fail)
            with pytest.raises(MemoryError):
                catalogue.number_all(many, 0)
        assert (len(catalogue), catalogue.label_bytes) == (1, before)
    assert sorted(catalogue.number_all(many, 0).tolist()) == list(range(1, 3001))


def test_beyond_the_limit_new_series_are_refused_whole_and_known_ones_go_on():
    catalogue = Catalogue(max_series=2)
    add(catalogue, (b"a", series(x="a")))
    with pytest.raises(TooManySeriesError, match=r"2 series are known.*ingest\.max_series"):
        add(catalogue, (b"b", series(x="b")), (b"c", series(x="c")))
    assert len(catalogue) == 1
    assert add(catalogue, (b"b", series(x="b"))) == [1]
    assert add(catalogue, (b"a", series(x="a")), (b"b", series(x="b"))) == [0, 1]


def test_a_cluster_over_its_limit_gets_no_new_series_and_others_do(catalogue):
    catalogue.max_of_cluster = 2
    eu = [series(x=str(i)) for i in range(4)]
    assert catalogue.number_all(Named.of([eu[0]]), 0).tolist() == [0]
    named = Named.of([*eu, series(cluster="us"), eu[3]])
    for _ in range(2):
        numbers = catalogue.number_all(named, 0).tolist()
        assert numbers[0] == 0
        assert sum(number >= 0 for number in numbers[1:4]) == 1
        assert numbers[3] == numbers[5]
        assert numbers[4] > 0
    assert catalogue.active_by_cluster() == {"eu": 2, "us": 1}
    catalogue.max_of_cluster = 3
    numbers = catalogue.number_all(named, 0).tolist()
    assert sorted(numbers[:4])[:2] == [OVER_LIMIT, 0]


def test_one_series_twice_among_new_ones_is_one(catalogue):
    named = Named.of([series("a"), series("b"), series("a")])
    assert catalogue.number_all(named, 0).tolist() in ([0, 1, 0], [1, 0, 1])
    assert len(catalogue) == 2


def test_keys_are_bounded_and_their_series_still_found():
    """A sender that names another default cluster each time, of series that have their own."""
    catalogue = Catalogue(max_series=2)
    for i in range(100):
        assert add(catalogue, (b"key", series()), context=str(i).encode()) == [0]
    assert len(catalogue.keys) == 8
    assert [find(catalogue, b"key", context=str(i).encode()) for i in (7, 8)] == [[0], [-1]]


def test_replicas_have_tags_and_are_bounded(catalogue, monkeypatch):
    monkeypatch.setattr(replica_tags, "MAX_REPLICAS", 2)
    tag = catalogue.replicas.tag
    assert [tag("eu", name) for name in ("a", "b", "a")] == [1, 2, 1]
    with pytest.raises(InvalidLabelsError, match="has 2 replicas already"):
        tag("eu", "c")
    assert tag("us", "c") == 3, "one cluster takes no room of another's"
    assert catalogue.replicas.name(2) == "b"


def test_an_id_that_is_taken_names_no_other_series(catalogue):
    """Ids have 64 bits: who searches finds labels with the id of another cluster's series."""
    victim = series("up", "eu")
    number = catalogue.number(victim)
    thief = replace(series("m", "evil"), series_id=victim.series_id)
    with pytest.raises(InvalidLabelsError, match="another series has its 64-bit id"):
        catalogue.number(thief)
    assert catalogue.number(victim) == number
    both = Named.of([replace(thief, series_id=7), replace(victim, series_id=7)])
    assert sorted(catalogue.number_all(both, 0).tolist()) == [COLLIDING, number + 1]


def test_labels_have_a_ceiling_of_their_own(catalogue):
    catalogue.max_label_bytes = 2_000
    catalogue.number(series(x="v" * 1_500))
    with pytest.raises(TooManyLabelsError, match="max_label_memory_bytes"):
        catalogue.number(series(x="w" * 1_500))
    catalogue.number(series(x="short"))
    catalogue.forget(1, lambda: 1)
    catalogue.release(1)
    assert catalogue.label_bytes == 0


def test_clusters_are_described_apart(catalogue):
    """And the word of one has nothing of another written again."""
    a, b, c = (ints(catalogue.number(series("x", cluster))) for cluster in "abc")
    for _ in range(2):
        catalogue.describe((Metadata("x", 1, "Of a.", ""),), ["a"])
        catalogue.describe((Metadata("x", 2, "Of b.", ""),), ["b"])
    assert catalogue.ledger.changes() == 2
    rows = [catalogue.rows(number, ints(1), ints(2)).to_pylist()[0] for number in (a, b, c)]
    assert [(row["kind"], row["help"]) for row in rows] == [
        ("counter", "Of a."), ("gauge", "Of b."), ("gauge", None),
    ]  # fmt: skip


def test_a_description_of_no_cluster_stands_in_and_stays(catalogue):
    a, b = (ints(catalogue.number(series("x", cluster))) for cluster in "ab")
    catalogue.describe((Metadata("x", 1, "Of all.", ""),))
    catalogue.describe((Metadata("x", 2, "Of others.", ""),))
    catalogue.describe((Metadata("x", 2, "Of b.", ""),), ["b"])
    rows = [catalogue.rows(number, ints(1), ints(2)).to_pylist()[0] for number in (a, b)]
    assert [(row["kind"], row["help"]) for row in rows] == [
        ("counter", "Of all."), ("gauge", "Of b."),
    ]  # fmt: skip
    assert catalogue.ledger.changes() == 2


def test_descriptions_are_bounded(catalogue, monkeypatch):
    monkeypatch.setattr(families, "MAX_OF_CLUSTER", 3)
    catalogue.describe([Metadata(str(i), 2, "x" * 5000, "") for i in range(9)], ["a"])
    assert [len(one.help) for one in catalogue._families._known["a"].values()] == [1024] * 3
    catalogue.describe([Metadata("x", 2, "", "")], ["b"])
    assert len(catalogue._families._known["b"]) == 1, "one cluster takes no room of another's"
    catalogue.describe([Metadata("x" * 300, 2, "", ""), Metadata("y", 2, "", "u" * 99)], ["c"])
    assert catalogue._families._known.get("c", {}) == {}


def test_growth_keeps_clusters_apart(catalogue):
    """Past the first allocation of 1,024, and past its doubling."""
    numbers = [catalogue.number(series(cluster=f"c{i % 3}", x=str(i))) for i in range(2500)]
    counts = dict(catalogue.count_by_cluster(np.array(numbers, np.int32)))
    assert counts == {"c0": 834, "c1": 833, "c2": 833}
    columns = catalogue.columns()
    names = columns.clusters.take(pa.array(columns.cluster_code[:2500])).to_pylist()
    assert names == [f"c{i % 3}" for i in range(2500)]


def test_series_added_after_the_columns_were_made(catalogue):
    catalogue.number(series("b"))
    before = catalogue.columns()
    catalogue.number(series("a"))
    after = catalogue.columns()
    assert before.metric_rank.tolist() == [0]
    assert after.metric_rank[after.metric_code[:2]].tolist() == [1, 0]
    assert after.series_id[:2].tolist() == [series("b").series_id, series("a").series_id]
    assert catalogue.ledger.due(ints(0, 1), ints(5, 5), ints(5, 5)).tolist() == [True, True]


def test_many_threads_number_each_series_once(catalogue):
    def number_all():
        for i in range(300):
            add(catalogue, (str(i).encode(), series(x=str(i))))

    threads = [threading.Thread(target=number_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(catalogue) == 300
    assert sorted(find(catalogue, *(str(i).encode() for i in range(300)))) == list(range(300))


@pytest.fixture
def written(catalogue):
    number = ints(catalogue.number(series()))
    catalogue.columns()
    catalogue.ledger.written(number, ints(3 * DAY), ints(4 * DAY), catalogue.ledger.changes())
    return number


@pytest.mark.parametrize(
    ("first", "last", "due"),
    [
        (3 * DAY, 4 * DAY, False),
        (4 * DAY, 5 * DAY - 1, False),
        (4 * DAY, 5 * DAY, True),
        (3 * DAY - 1, 4 * DAY, True),
    ],
    ids=["as written", "later that day", "another day", "earlier"],
)
def test_what_is_due(catalogue, written, first, last, due):
    assert catalogue.ledger.due(written, ints(first), ints(last)).tolist() == [due]


def due(catalogue, number):
    return catalogue.ledger.due(number, ints(4 * DAY), ints(4 * DAY)).tolist()[0]


def test_a_new_description_is_due_once(catalogue, written):
    catalogue.describe((Metadata("up", 2, "Text.", ""),))
    assert due(catalogue, written)
    catalogue.ledger.written(written, ints(4 * DAY), ints(4 * DAY), catalogue.ledger.changes())
    assert not due(catalogue, written)
    catalogue.describe((Metadata("up", 2, "Text.", ""), Metadata("other", 2, "", "")))
    assert not due(catalogue, written)


def test_a_description_that_comes_while_rows_are_written_is_still_due(catalogue, written):
    described = catalogue.ledger.changes()
    catalogue.describe((Metadata("up", 2, "Text.", ""),))
    catalogue.ledger.written(written, ints(4 * DAY), ints(4 * DAY), described)
    assert due(catalogue, written)


@pytest.mark.parametrize(
    ("metric", "family", "kind", "expected"),
    [
        ("up", "up", 2, "gauge"),
        ("up", "up", 1, "counter"),
        ("x_total", "x", 1, "counter"),
        ("x_bucket", "x", 3, "counter"),
        ("x_sum", "x", 5, "counter"),
        ("x", "x", 5, "gauge"),
        ("x_info", "x_info", 6, "info"),
        ("x_total", "x", 0, "counter"),
        ("x_total", "other", 2, "counter"),
        ("up", "up", 99, "gauge"),
    ],
)
def test_kinds(catalogue, metric, family, kind, expected):
    number = ints(catalogue.number(series(metric)))
    catalogue.describe((Metadata(family, kind, "", ""),))
    rows = catalogue.rows(number, ints(1), ints(2))
    assert rows.column("kind").to_pylist() == [expected]


def test_rows(catalogue):
    number = ints(catalogue.number(series("x_total", pod="cart-7c9d8f6b54-x2v9k")))
    catalogue.describe((Metadata("x", 1, "Text.", "seconds"),))
    (row,) = catalogue.rows(number, ints(1), ints(DAY)).to_pylist()
    assert (row["kind"], row["unit"], row["help"]) == ("counter", "seconds", "Text.")
    assert (row["pod"], row["workload"], row["node"]) == ("cart-7c9d8f6b54-x2v9k", "cart", None)
    assert dict(row["labels"])["__name__"] == "x_total"
    assert row["last_seen"].timestamp() == 86_400


def test_sorting_is_the_lakes_order(catalogue, lake):
    names = [("b", "z"), ("a", "é"), ("a", "z"), ("b", "A"), ("a", "zz")]
    numbers = [catalogue.number(series(metric, cluster)) for metric, cluster in names] * 2
    ordered = sort(batch(numbers, [5] * 5 + [1] * 5), catalogue)
    plain = ordered.samples.cast(lake.samples.spec.schema)
    assert plain.equals(lake.samples.spec.sorted(plain))
    assert sorted(ordered.numbers.tolist()) == [0, 1, 2, 3, 4]
    assert (ordered.first_us.tolist(), ordered.last_us.tolist()) == ([1000] * 5, [5000] * 5)


def test_sorting_nothing(catalogue):
    ordered = sort(batch([], []), catalogue)
    assert (ordered.samples.num_rows, len(ordered.numbers), len(ordered.last_us)) == (0, 0, 0)


@pytest.mark.parametrize("cluster", ["eu\0", "eu\0x", " eu ", "\N{PILE OF POO}", "a" * 5000])
def test_odd_cluster_names_are_the_same_in_samples_and_series(catalogue, lake, cluster):
    catalogue.number(series(cluster="eu"))
    ordered = sort(batch([catalogue.number(series(cluster=cluster))], [1]), catalogue)
    lake.series.append(catalogue.rows(ordered.numbers, ordered.first_us, ordered.last_us))
    lake.samples.append(ordered.samples, ordered=True)
    assert lake.sql("SELECT DISTINCT cluster FROM metrics").to_pylist() == [{"cluster": cluster}]


def test_the_buffer_is_cut_at_its_last_position():
    buffer = Buffer()
    assert buffer.drain() is None
    rows = EVENTS.schema.empty_table()
    buffer.add_samples(4, batch([1], [1]))
    buffer.add_events(5, rows)
    buffer.add_samples(7, batch([2, 3], [2, 3]))
    assert buffer.n_samples() == 3
    cut = buffer.drain()
    assert (cut.position, cut.samples.series.tolist(), len(cut.events)) == (7, [1, 2, 3], 1)
    assert (buffer.n_samples(), buffer.event_bytes(), buffer.drain()) == (0, 0, None)
