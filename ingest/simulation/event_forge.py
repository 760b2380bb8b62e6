"""Events in the three forms a cluster sends them: core/v1, events.k8s.io/v1 and plain JSON.

Which component uses which form is as in a real cluster: the scheduler speaks the newer API,
kubelets and controllers the older one. Policy engines and people's changes have no form of their
own and come as plain JSON.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from ingest.simulation.fleet import Node, Pod, object_uid

Recorded = tuple[datetime, str, dict[str, Any]]


@dataclass(frozen=True)
class Subject:
    """The object an event is about; `namespace` is empty for a node."""

    kind: str
    namespace: str
    name: str
    api_version: str = "v1"
    field_path: str = ""


def pod_subject(pod: Pod, *, container: bool = False) -> Subject:
    """A pod, or the container in it."""
    path = f"spec.containers{{{pod.spec.name}}}" if container else ""
    return Subject("Pod", pod.spec.namespace, pod.name, field_path=path)


def node_subject(node: Node) -> Subject:
    """A node."""
    return Subject("Node", "", node.name)


@dataclass
class EventForge:
    """Makes the events of one cluster; every call records one with a uid of its own."""

    cluster: str
    rng: np.random.Generator
    recorded: list[Recorded] = field(default_factory=list)

    def core(
        self,
        time: datetime,
        subject: Subject,
        reason: str,
        message: str,
        *,
        component: str,
        host: str = "",
        warning: bool = False,
        count: int = 1,
        first: datetime | None = None,
    ) -> None:
        """A core/v1 Event, as kubelets and controllers write it.

        Args:
            time: When it happened last.
            subject: What it is about.
            reason: CamelCase reason.
            message: Sentence for people.
            component: Reporting component.
            host: Node of the component, if it runs on one.
            warning: Type Warning instead of Normal.
            count: How often it happened since `first`.
            first: When it happened first; `time` if None.
        """
        source = {"component": component} | ({"host": host} if host else {})
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": self._metadata(subject, time),
            "involvedObject": self._reference(subject),
            "reason": reason,
            "message": message,
            "source": source,
            "firstTimestamp": _seconds(first or time),
            "lastTimestamp": _seconds(time),
            "count": count,
            "type": "Warning" if warning else "Normal",
            "reportingComponent": component,
            "reportingInstance": host,
        }
        self.recorded.append((time, self.cluster, body))

    def modern(
        self,
        time: datetime,
        subject: Subject,
        reason: str,
        note: str,
        *,
        controller: str,
        action: str,
        warning: bool = False,
    ) -> None:
        """An events.k8s.io/v1 Event, as the scheduler writes it."""
        body = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": self._metadata(subject, time),
            "eventTime": time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": controller,
            "reportingInstance": f"{controller}-{self.cluster}",
            "action": action,
            "reason": reason,
            "regarding": self._reference(subject),
            "note": note,
            "type": "Warning" if warning else "Normal",
        }
        self.recorded.append((time, self.cluster, body))

    def plain(
        self,
        time: datetime,
        source: str,
        subject: Subject,
        reason: str,
        message: str,
        attributes: dict[str, str],
    ) -> None:
        """A plain JSON event of another source: `opa` or `change`."""
        body = {
            "source": source,
            "type": "Normal",
            "reason": reason,
            "kind": subject.kind,
            "namespace": subject.namespace,
            "name": subject.name,
            "uid": self._uid(),
            "message": message,
            "time": _seconds(time),
            "attributes": attributes,
        }
        self.recorded.append((time, self.cluster, body))

    def pod_started(self, pod: Pod, at: datetime, image: str) -> None:
        """The usual five events of a pod's birth, and nothing else."""
        subject = pod_subject(pod)
        container = pod_subject(pod, container=True)
        self.modern(
            at,
            subject,
            "Scheduled",
            f"Successfully assigned {pod.spec.namespace}/{pod.name} to {pod.node.name}",
            controller="default-scheduler",
            action="Binding",
        )
        took = float(self.rng.uniform(0.8, 3.5))
        for after, reason, message in (
            (1, "Pulling", f'Pulling image "{image}"'),
            (5, "Pulled", f'Successfully pulled image "{image}" in {took:.3f}s'),
            (5, "Created", f"Created container: {pod.spec.name}"),
            (6, "Started", f"Started container {pod.spec.name}"),
        ):
            self.kubelet(at + timedelta(seconds=after), pod.node, container, reason, message)

    def kubelet(
        self,
        time: datetime,
        node: Node,
        subject: Subject,
        reason: str,
        message: str,
        *,
        warning: bool = False,
        count: int = 1,
        first: datetime | None = None,
    ) -> None:
        """A core/v1 Event of the kubelet on `node`; arguments as in `core`."""
        self.core(
            time,
            subject,
            reason,
            message,
            component="kubelet",
            host=node.name,
            warning=warning,
            count=count,
            first=first,
        )

    def _metadata(self, subject: Subject, time: datetime) -> dict[str, str]:
        uid = self._uid()
        return {
            "name": f"{subject.name}.{uid.replace('-', '')[:16]}",
            # Kubernetes keeps events about objects without a namespace in `default`.
            "namespace": subject.namespace or "default",
            "uid": uid,
            "resourceVersion": str(1_000_000 + len(self.recorded)),
            "creationTimestamp": _seconds(time),
        }

    def _reference(self, subject: Subject) -> dict[str, str]:
        uid = object_uid(self.cluster, subject.kind, subject.namespace, subject.name)
        reference = {
            "apiVersion": subject.api_version,
            "kind": subject.kind,
            "namespace": subject.namespace,
            "name": subject.name,
            "uid": uid,
            "fieldPath": subject.field_path,
        }
        return {key: value for key, value in reference.items() if value}

    def _uid(self) -> str:
        return str(uuid.UUID(bytes=self.rng.bytes(16), version=4))


def _seconds(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
