"""Cutoffs, at whatever version of a table."""

from datetime import date

from lake.rollups.progress import EVER, Cutoffs, kept_from, note_cutoffs
from lake.timerange import TimeRange, to_micros

ASKED = [None, "eu", "us"]


def at(day):
    return to_micros(TimeRange.of_day(day).start)


def test_cutoffs_are_those_of_the_version(lake, make_samples):
    table = lake.samples
    first, second, third = (date(2026, 3, day) for day in (1, 2, 3))
    nothing = dict.fromkeys(ASKED, EVER)
    expected = {-1: nothing, table.version(): nothing}

    def note(cutoff, own, wanted):
        note_cutoffs(table, cutoff, own)
        expected[table.version()] = wanted

    note(first, {}, dict.fromkeys(ASKED, at(first)))
    note(second, {"us": first}, {None: at(second), "eu": at(second), "us": at(first)})
    table.append(make_samples())
    expected[table.version()] = expected[table.version() - 1]
    note(third, {"us": first}, {None: at(third), "eu": at(third), "us": at(first)})
    table.append(make_samples())
    expected[table.version()] = expected[table.version() - 1]
    versions = sorted(expected)
    for order in (versions, versions[::-1], versions[2:] + versions[:2]):
        cutoffs = Cutoffs(table)
        for version in (*order, *order):
            assert cutoffs.at(version, ASKED) == expected[version], version
    newest = expected[table.version()]
    assert {cluster: kept_from([table], cluster) for cluster in ASKED} == newest
