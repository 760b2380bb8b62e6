"""Pulling ranges from Prometheus servers, for what was never pushed; see `docs/pull.md`."""

from ingest.pull.puller import PrometheusPuller, Pulled
from ingest.pull.source import PrometheusSource

__all__ = ["PrometheusPuller", "PrometheusSource", "Pulled"]
