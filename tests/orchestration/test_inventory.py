"""What the lake holds of a day, and the stretches without a sample."""

from datetime import UTC, date, datetime, timedelta

import pytest

from ingest import events as event_wire
from lake import TimeRange
from orchestration.steps.inventory import Gap, Holding, gaps, holdings

DAY = date(2026, 11, 23)
START = datetime(2026, 11, 23, tzinfo=UTC)
LONGEST = timedelta(minutes=10)
NEVER = START + timedelta(days=9)


def ms(minute):
    return round((START + timedelta(minutes=minute)).timestamp() * 1000)


@pytest.fixture
def reported(lake, fill):
    def put(**clusters):
        labels = [{"__name__": "up", "cluster": name} for name in clusters]
        times = [[ms(minute) for minute in minutes] for minutes in clusters.values()]
        fill(lake, labels, times, [[1.0] * len(own) for own in times])
        return lake

    return put


WHOLE = TimeRange.of_day(DAY)


def found(lake, now=NEVER, start=START):
    return [
        (
            gap.cluster,
            (gap.start - START) / timedelta(minutes=1),
            (gap.end - START) / timedelta(minutes=1),
        )
        for gap in gaps(lake, TimeRange(start, min(now, WHOLE.end)), LONGEST)
    ]


FULL = range(0, 1440, 5)
GAPS = {
    "none": (FULL, NEVER, []),
    "in the middle": ([m for m in FULL if not 100 < m < 130], NEVER, [("a", 101, 130)]),
    "just short enough": ([m for m in range(1440) if not 100 < m < 111], NEVER, []),
    "just too long": (
        [m for m in range(1440) if not 100 < m < 112],
        NEVER,
        [("a", 101, 112)],
    ),
    "to the day's end": (range(1400), NEVER, [("a", 1400, 1440)]),
    "up to now": (range(60), START + timedelta(minutes=90), [("a", 60, 90)]),
    "not yet too long": (range(60), START + timedelta(minutes=70), []),
    "a cluster's day begins with its first sample": (range(900, 1440), NEVER, []),
    "two": (
        [m for m in FULL if not 100 < m < 130 and not 200 < m < 230],
        NEVER,
        [("a", 101, 130), ("a", 201, 230)],
    ),
    "a day without samples": ([], NEVER, []),
    "silent all day": ([-700], NEVER, [("a", 0, 1440)]),
    "silent since before, then back": ([-700, *range(90, 1440)], NEVER, [("a", 0, 90)]),
    "silent for two days and retired": ([-1500], NEVER, []),
    "not yet seen": ([1500], NEVER, []),
}


@pytest.mark.parametrize(("minutes", "now", "expected"), GAPS.values(), ids=GAPS)
def test_gaps(reported, minutes, now, expected):
    assert found(reported(a=list(minutes)), now) == expected


def test_days_are_one_axis(reported):
    lake = reported(a=[m for m in range(-1440, 1440) if not -6 < m < 6])
    assert found(lake) == []
    assert found(lake, start=START - timedelta(days=1)) == [("a", -5, 6)]


def test_gaps_are_a_clusters_own(reported):
    lake = reported(a=range(1440), b=[*range(100), *range(200, 1440)])
    assert found(lake) == [("b", 100, 200)]
    gap = gaps(lake, WHOLE, LONGEST)[0]
    assert gap == Gap("b", START + timedelta(minutes=100), START + timedelta(minutes=200))


def test_holdings_are_of_one_day(reported):
    lake = reported(a=[-1, 0, 5, 1439, 1440], b=[7])
    assert holdings(lake, "samples", DAY) == [
        Holding("a", 3, START + timedelta(minutes=1439)),
        Holding("b", 1, START + timedelta(minutes=7)),
    ]
    assert holdings(lake, "samples", date(2026, 11, 20)) == []
    assert holdings(lake, "events", DAY) == []


def test_an_event_that_came_twice_is_held_once(lake):
    body = b'[{"source": "change", "reason": "Deploy", "time": "2026-11-23T08:00:00Z"}]'
    for _ in range(2):
        lake.events.append(event_wire.parse(body, "a", latest=NEVER))
    assert holdings(lake, "events", DAY) == [Holding("a", 1, START + timedelta(hours=8))]
