"""`fleetlake families`: how metrics are read and judged, by the presets and the settings."""

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any

import pyarrow as pa
import typer

from api.cli.lake_report import AsJson, draw
from api.cli.terminal import ConfigFile
from api.errors import ApiError
from detectors.families import Family, Lookup, Override, ignored
from orchestration.detection_settings import DetectionSettings
from orchestration.settings import load_from_environment
from orchestration.steps.families import lookup

SELECTOR = re.compile(r"(?P<metric>[a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?P<labels>.*)\})?")
JUDGED = ("reading", "direction", "least_absolute", "least_relative", "entity")

LABEL = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*\"([^\"]*)\"\s*(?:,|$)")


def families(
    metric: Annotated[
        list[str] | None,
        typer.Argument(
            help="A name, or a series: 'up', 'kube_pod_status_phase{phase=\"Failed\"}'. "
            "[default: all families]"
        ),
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what applies to a metric: reading, direction, least deviation, entity."""
    settings = load_from_environment(config).detection
    known = lookup(settings)
    if metric:
        rows = [row for one in metric for row in applying(one, known, settings)]
    else:
        ours = [{"metrics": one.metrics} | said(one) for one in known.overrides]
        rows = ours + [{"metrics": " | ".join(one.metrics)} | shown(one) for one in known.families]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    draw("How metrics are read and judged", pa.Table.from_pylist(rows))


def applying(text: str, known: Lookup, settings: DetectionSettings) -> list[dict[str, Any]]:
    """A row for each family that a metric's series may be of; for the one, where labels are given.

    Raises:
        ApiError: it is no name of a metric with or without labels.
    """
    given = SELECTOR.fullmatch(text.strip())
    if given is None:
        raise ApiError(f'{text!r} is no metric: say up, or up{{job="node"}}')
    metric, labels = given["metric"], given["labels"]
    if not re.fullmatch(settings.include, metric):
        return [{"metric": text} | shown(ignored("not in detection.include"))]
    if re.fullmatch(settings.exclude, metric):
        return [{"metric": text} | shown(ignored("in detection.exclude"))]
    found: Sequence[Family] = known.candidates(metric)
    if labels is not None:
        if LABEL.sub("", labels).strip():
            raise ApiError(f'{text!r}: labels are to be like {{job="node", mode="idle"}}')
        found = [known.of(metric, dict(LABEL.findall(labels)))]
    return [{"metric": text} | shown(one) for one in found]


def said(one: Override) -> dict[str, Any]:
    """What the settings say, as a row; what they do not say is as without them."""
    changes = dict(one.changes)
    scored = changes.pop("scored", None)
    conditions = ", ".join(f'{name}=~"{pattern}"' for name, pattern in one.labels)
    row: dict[str, Any] = {"family": "(settings)", "labels": conditions, "scored": scored}
    return row | dict.fromkeys(JUDGED) | changes


def shown(one: Family) -> dict[str, Any]:
    """A family as a row; what is not scored has nothing else to show."""
    conditions = ", ".join(f'{name}=~"{pattern}"' for name, pattern in one.labels)
    row: dict[str, Any] = {"family": one.name, "labels": conditions, "scored": one.scored}
    if not one.scored:
        return row | dict.fromkeys(JUDGED)
    return (
        row
        | {name: getattr(one, name) or 0.0 for name in JUDGED}
        | {"reading": one.reading or "as declared"}
    )
