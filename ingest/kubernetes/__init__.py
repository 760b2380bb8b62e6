"""Kubernetes as a source: its Events, watched, and its objects, looked at again and again.

`client` alone imports the official client, which is an extra and slow to import.
"""

from ingest.kubernetes.event import MAX_MESSAGE, is_event, row
from ingest.kubernetes.settings import KubernetesSource

__all__ = ["MAX_MESSAGE", "KubernetesSource", "is_event", "row"]
