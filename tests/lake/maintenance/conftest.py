"""A lake whose commits are a second apart, and what is stored in it."""

from datetime import UTC, datetime, timedelta

import pytest

from lake import Lake


class Clock:
    """A time that goes on by a second each time it is asked."""

    def __init__(self):
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self):
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lake(tmp_path, clock):
    return Lake.open(tmp_path / "lake", clock=clock)


@pytest.fixture(scope="session")
def stored():
    """All rows of a table as they are stored, as a list of tuples in order."""

    def rows(lake, name="samples"):
        with lake.snapshot().connect() as connection:
            return sorted(connection.execute(f"FROM stored.{name}").fetchall(), key=repr)

    return rows


@pytest.fixture(scope="session")
def later():
    """When every day of the tests is closed."""
    return datetime(2026, 3, 10, tzinfo=UTC)
