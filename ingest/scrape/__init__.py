"""Scraping targets of a cluster that has no Prometheus of its own; see `docs/pull.md`."""
