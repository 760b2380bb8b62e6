"""OpenTelemetry's protocol over HTTP: metrics become remote-write bodies, logs become events.

    body ── wire.py ──► message ──┬─ metrics.py ──► WriteRequest ──► receiver.write_samples
                                  └─ logs.py ─────► JSON ──────────► receiver.write_events

So the log, the limits and the identity rules are the same as for every other wire. What becomes of
what is in `docs/otlp.md`.
"""
