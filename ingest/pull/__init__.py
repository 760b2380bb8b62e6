"""Pulling ranges from Prometheus servers, for what was never pushed; see `docs/pull.md`."""
