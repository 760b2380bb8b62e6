"""What a stranger's query may have worked out before it runs, outside of its limits."""

from datetime import UTC, date, datetime, timedelta

import pytest

from lake.errors import AsOfError
from lake.files import TableFile
from lake.pruning import constants
from lake.pruning.conditions import ALWAYS, EVER, size
from lake.pruning.constants import MOST_EVALUATIONS, Constants
from lake.pruning.reads import MOST_QUESTIONS, reading
from lake.pruning.scans import MOST_CARRIED, scans
from lake.syntax import evaluate, nodes, parse, parser

DAY = date(2026, 11, 1)


def doubled(query, levels):
    """A query that mentions another 2 ** levels times."""
    tables = "".join(
        f", c{n} AS (FROM c{n - 1} UNION ALL FROM c{n - 1})" for n in range(1, levels + 1)
    )
    return f"WITH c0 AS ({query}){tables} SELECT count(*) FROM c{levels}"


@pytest.fixture
def evaluated(monkeypatch):
    """The expressions that the engine was asked for the values of."""
    found = []

    def counting(connection, expression, *rest):
        found.append(expression)
        return evaluate(connection, expression, *rest)

    monkeypatch.setattr(constants, "evaluate", counting)
    return found


def test_a_constant_is_evaluated_once_for_all_mentions(evaluated):
    times = ", ".join(f"DATE '2026-11-01' + INTERVAL {n} DAY" for n in range(20))
    found = reading(doubled(f"FROM samples WHERE time IN ({times})", 6))
    assert len(found.reads) == 64
    assert len(evaluated) == 20
    assert all(read.condition.days()[0][0] == DAY - timedelta(days=1) for read in found.reads)


def test_beyond_so_many_constants_a_filter_tells_nothing(evaluated):
    times = ", ".join(f"DATE '2026-11-01' + INTERVAL {n} MINUTE" for n in range(400))
    (read,) = reading(f"FROM samples WHERE time IN ({times}) AND cluster = 'eu'").reads
    assert len(evaluated) == MOST_EVALUATIONS
    assert read.condition.days() == [EVER]
    assert read.condition != ALWAYS  # the other filter needs no evaluation


def test_what_a_query_needs_is_computed_whatever_its_filters_took():
    times = ", ".join(f"DATE '2026-11-01' + INTERVAL {n} MINUTE" for n in range(400))
    at = "samples AT (TIMESTAMP => TIMESTAMP '2026-11-01' + INTERVAL 1 HOUR)"
    (read,) = reading(f"FROM {at} WHERE time IN ({times})").reads
    assert read.at == datetime(2026, 11, 1, 1, tzinfo=UTC)


def test_too_many_pasts_that_must_be_computed_are_refused():
    pasts = (
        f"(SELECT count(*) FROM samples AT (TIMESTAMP => DATE '2026-11-01' + INTERVAL {n} MINUTE))"
        for n in range(MOST_EVALUATIONS + 1)
    )
    with pytest.raises(AsOfError, match=r"at most 300 .* name fewer"):
        reading(f"SELECT {', '.join(pasts)}")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("'2026-11-01'", True),
        ("'2026-11-01 05:06'", True),
        ("'2026-11-01 05:06:07'", True),
        ("'2026-11-01T05:06:07.123456'", True),
        ("'2026-11-01T05:06:07.1Z'", True),
        ("DATE '2026-11-01'", True),
        ("TIMESTAMP '2026-11-01 05:06:07'", True),
        ("TIMESTAMPTZ '2026-11-01 05:06:07Z'", True),
        ("'2026-11-01 05:06:07'::TIMESTAMP WITH TIME ZONE", True),
        ("DATE '2026-11-01 05:06:07'", False),
        ("'2026-11-01 05:06:07'::TIMESTAMP_S", False),
        ("'2026-11-01 05:06:07.1234567'", False),
        ("'2026-11-01 05:06:07+02'", False),
        ("'2026-11-01 24:00:00'", False),
        ("'2026-02-29'", False),
        ("'2026-11-01 05'", False),
        ("' 2026-11-01'", False),
        ("'٢٠٢٦-11-01'", False),
        ("20261101", False),
    ],
)
def test_a_plain_time_is_read_as_the_engine_reads_it(evaluated, text, plain):
    with parser() as connection:
        tree = parse(connection, f"SELECT {text}")
        expression = tree["statements"][0]["node"]["select_list"][0]
        mine = Constants(connection, {}).moment(expression)
        assert bool(evaluated) != plain
        try:
            ((said,),) = connection.execute(
                f"SELECT CAST(CAST({text} AS TIMESTAMPTZ) AS VARCHAR)"
            ).fetchall()
        except Exception:  # noqa: BLE001 - what the engine refuses is no time
            said = None
    assert mine == (said and datetime.fromisoformat(said))


def test_filters_are_brought_to_so_many_mentions_and_no_more():
    values = ", ".join(f"'m{n}'" for n in range(2_000))
    sources = ", ".join(f"samples s{n}" for n in range(60))
    with parser() as connection:
        tree = parse(connection, f"SELECT count(*) FROM {sources} WHERE s0.metric IN ({values})")
    found = scans(tree)
    assert len(found) == 60
    brought = sum(1 for scan in found for each in scan.filters for _ in nodes(each.node))
    assert 0 < brought < MOST_CARRIED + len(values)  # the last one may go beyond


def test_a_long_query_that_doubles_is_given_up_soon():
    values = ", ".join(f"'m{n}'" for n in range(5_000))
    assert reading(doubled(f"FROM samples WHERE metric IN ({values})", 7)) is None
    assert reading(doubled(f"FROM samples WHERE metric IN ({values})", 2)) is not None


def test_the_series_are_asked_a_few_questions_and_no_more():
    each = (f"(SELECT count(*) FROM metrics WHERE pod = 'p{n}')" for n in range(30))
    questions = [read.question for read in reading(f"SELECT {', '.join(each)}").reads]
    assert len(questions) == 30
    assert len(set(questions) - {None}) == MOST_QUESTIONS


def test_one_question_of_many_mentions_is_one():
    found = reading(doubled("FROM metrics WHERE pod = 'a'", 4))
    assert len(found.reads) == 16
    assert len({read.question for read in found.reads}) == 1


@pytest.mark.parametrize(
    "step",
    [
        *("INTERVAL 1 HOUR", "'5 minutes'", "INTERVAL 1 MONTH", "INTERVAL 1 YEAR"),
        *("INTERVAL '1 day -30 minutes'", "INTERVAL '1 day -23:55:00'", "INTERVAL '-90 minutes'"),
        *("INTERVAL 1 DAY - INTERVAL 90 MINUTE", "INTERVAL '1.5 seconds'"),
    ],
)
def test_the_step_of_buckets_is_the_one_that_the_engine_takes(step):
    with parser() as connection:
        ((micros,),) = connection.execute(f"SELECT epoch_us(CAST({step} AS INTERVAL))").fetchall()
    (read,) = reading(f"FROM buckets({step}) WHERE time = '2026-11-01 12:00'").reads
    assert read.step == micros
    ((first, last),) = read.condition.days()
    assert first <= DAY
    end = datetime(2026, 11, 1, 12, tzinfo=UTC) + timedelta(microseconds=abs(micros))
    assert last >= end.date()


def test_a_bucket_of_a_month_reaches_over_the_longest():
    ((_, last),) = (
        reading("FROM buckets('1 month') WHERE time = '2026-10-01'").reads[0].condition.days()
    )
    assert last >= date(2026, 11, 1)


@pytest.mark.parametrize(
    ("where", "admitted"),
    [
        ("cluster IN ({})", {"c0100", "c0500"}),
        ("time IN ({})", {"2026-11-01", "2026-11-20"}),
        ("cluster IN ({}) OR metric LIKE 'a%'", {"c0100"}),
    ],
)
def test_a_long_list_counts_as_what_it_spans(where, admitted):
    texts = [f"'c{n:04}'" for n in range(100, 501)]
    if where.startswith("time"):
        texts = [f"'{DAY + timedelta(days=n % 20)} {n // 20:02}:00'" for n in range(400)]
    (read,) = reading(f"FROM samples WHERE {where.format(', '.join(texts))}").reads
    assert size(read.condition) <= 3
    for value in admitted | {"c0099", "c0501", "2026-10-30", "2026-11-23"}:
        day, cluster = (DAY, value) if value[0] == "c" else (date.fromisoformat(value), "c0300")
        one = TableFile("x", day, 1, 1, None, None, 0, (cluster, cluster), ("m", "m"))
        by_time = where.startswith("time")
        if by_time == (value[0] != "c"):
            assert read.condition.admits(one) == (value in admitted)


def test_more_conditions_than_are_worth_it_tell_nothing():
    chains = [
        f"(time > '2026-11-01 {n // 60:02}:{n % 60:02}' AND cluster > 'c{n}' AND metric > 'm{n}')"
        for n in range(290)
    ]
    (read,) = reading(f"FROM samples WHERE {' OR '.join(chains)}").reads
    assert read.condition == ALWAYS
    (read,) = reading(f"FROM samples WHERE {' OR '.join(chains[:100])}").reads
    assert read.condition.days()[0][0] == DAY - timedelta(days=1)
