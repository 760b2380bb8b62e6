"""Several receivers write the same lake at once: all commits go through, nothing is lost."""

from concurrent.futures import ThreadPoolExecutor

from ingest.receiver import Receiver
from ingest.settings import IngestSettings
from lake import Lake

RECEIVERS, ROUNDS = 3, 6


def test_all_that_each_acknowledged_is_there_once(lake, tmp_path, noon, now_ms, body):
    def run(place: int) -> None:
        # Each has its own handle on the tables, as another process has.
        own = Lake.open(tmp_path / "lake")
        receiver = Receiver(own, tmp_path / f"r{place}", IngestSettings(), lambda: noon)
        for turn in range(ROUNDS):
            labels = [("__name__", "up"), ("cluster", f"c{place}"), ("turn", str(turn))]
            value = float(place * ROUNDS + turn)
            receiver.write_samples(body((labels, [(now_ms + turn, value)]))).result(10)
            receiver.flush()
        receiver.close()

    with ThreadPoolExecutor(RECEIVERS) as pool:
        list(pool.map(run, range(RECEIVERS)))
    found = lake.sql("SELECT value FROM samples ORDER BY value").column("value").to_pylist()
    assert found == [float(value) for value in range(RECEIVERS * ROUNDS)]
    named = lake.sql("SELECT DISTINCT cluster, labels['turn'] FROM series").num_rows
    assert named == RECEIVERS * ROUNDS
