"""`fleetlake check-detector`: the verdict of each law on one detector."""

import json
from typing import Annotated

import pyarrow as pa
import typer
from rich.markup import escape

from api.cli.backtest import parsed
from api.cli.lake_report import AsJson, draw
from api.cli.terminal import ConfigFile, err
from detectors.checks import verdicts
from orchestration.settings import load_from_environment
from orchestration.steps.anomaly_rows import label
from orchestration.steps.models import unfitted

UNLAWFUL = 1


def check_detector(
    name: Annotated[
        str,
        typer.Argument(
            help="pyod.KNN, pooled.IForest, 'pyod.ECOD by pod', your own package.module:Class, …; "
            "one of the settings is tried with its parameters."
        ),
    ],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Try a detector by the laws that every detector must obey.

    Exit code 1 if it breaks one.
    """
    known = {label(one): one for one in load_from_environment(config).detection.detectors}
    chosen = known.get(name) or parsed(name)
    found = list(verdicts(lambda: unfitted(chosen)))
    broken = [one for one in found if one.broken is not None]
    if as_json:
        laws = [
            {"law": one.law, "says": one.says, "holds": one.broken is None, "broken": one.broken}
            for one in found
        ]
        typer.echo(json.dumps({"detector": name, "lawful": not broken, "laws": laws}))
    else:
        rows = [
            {"law": one.law, "": "broken" if one in broken else "holds", "says": one.says}
            for one in found
        ]
        draw(f"{name} and the laws", pa.Table.from_pylist(rows))
        for one in broken:
            err.print(f"[red]{one.law}[/red]: {escape(str(one.broken))}", soft_wrap=True)
        err.print(f"{len(found) - len(broken)} of {len(found)} laws hold")
    if broken:
        raise typer.Exit(UNLAWFUL)
