"""Times without a zone are of UTC, wherever the machine is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ASKED = """
import sys
from datetime import UTC, datetime, timedelta
import pyarrow as pa
from lake import Lake, Limits
from lake.schema import TIMESTAMP
lake = Lake.open(sys.argv[1])
start = datetime(2026, 3, 1, tzinfo=UTC)
for hour in range(24):
    lake.samples.append(pa.table({
        "cluster": ["eu"], "metric": ["up"], "series_id": [1], "value": [1.0],
        "time": pa.array([start + timedelta(hours=hour)], TIMESTAMP),
    }))
for where in (
    "time >= '2026-03-01 00:00' AND time < '2026-03-01 12:00'",
    "time >= date_trunc('day', TIMESTAMPTZ '2026-03-01 05:00Z') AND date < '2026-03-02'",
):
    sql = f"SELECT count(*) AS n FROM samples WHERE {where}"
    for rows in (lake.sql(sql), lake.query_guarded(sql, Limits()).rows):
        print(rows["n"][0], end=" ")
"""


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_the_machines_zone_changes_no_answer(tmp_path, zone):
    told = subprocess.run(
        [sys.executable, "-c", ASKED, str(tmp_path / "lake")],
        env={**os.environ, "TZ": zone},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert told.stdout == "12 12 24 24 ", told.stderr
