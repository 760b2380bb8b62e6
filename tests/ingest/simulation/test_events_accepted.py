"""Apart from the other event tests, as it is the only one that needs the lake's schema."""

import json

from ingest.events import parse


def test_our_own_door_accepts_every_event(history):
    for cluster in ("eu-1", "us-2", "ap-3"):
        told = [(time, body) for time, c, body in history.sim.events if c == cluster]
        bodies = json.dumps([body for _, body in told]).encode()
        table = parse(bodies, cluster, latest=history.sim.end)
        whole = [time.replace(microsecond=0) for time, _ in told]
        assert [t.replace(microsecond=0) for t in table["time"].to_pylist()] == whole
        assert set(table["source"].to_pylist()) == {"kubernetes", "opa"} | (
            {"change"} if cluster != "eu-1" else set()
        )
