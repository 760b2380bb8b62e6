"""`fleetlake lake compact`, `clean`, `delete-cluster`, `take-out`: maintenance by hand."""

from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.lake_report import AsJson, Directory, DryRun, Yes, bars, existing_lake, report
from api.cli.terminal import ConfigFile, err
from lake import Lake, LakeError, utc_now
from lake.errors import FileUnknownError
from lake.maintenance import Cleaning, Policy, clean_plan
from lake.maintenance.levels import plan
from lake.maintenance.taking_out import find
from orchestration.settings import load_from_environment
from orchestration.steps.maintain import (
    clean_lake,
    compact_lake,
    delete_from_lake,
    take_out_of_lake,
)

FAILED = 2


def compact(
    directory: Directory = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Merge small files of every table now, as maintenance does every few minutes."""
    lake, policy = existing_lake(directory, config), _policy(config)
    if dry_run:
        title = "First merges of each day; what they give may be merged again"
        report(title, _merges(lake, policy), as_json=as_json)
        return
    with bars() as told:
        done = compact_lake(lake, policy, utc_now, told)
    rows = [
        {
            "table_name": name,
            "merges": one.merges,
            "files_in": one.files_in,
            "files_out": one.files_out,
            "bytes_in": one.bytes_in,
            "bytes_out": one.bytes_out,
            "dropped_rows": one.dropped,
        }
        for name, one in done.tables.items()
    ]
    report("Merged", rows, as_json=as_json)
    _fail(done.failures)


def _merges(lake: Lake, policy: Policy) -> list[dict[str, Any]]:
    return [
        {
            "table_name": name,
            "date": merge.day,
            "files": len(merge.files),
            "rows": merge.rows,
            "level": merge.level,
        }
        for name, table in lake.tables.items()
        for merge in plan(table.files()[1], utc_now(), policy.compaction)
    ]


def clean(
    directory: Directory = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Apply retention, delete files nobody needs any more, tidy the logs."""
    lake, policy = existing_lake(directory, config), _policy(config)
    if dry_run:
        planned = clean_plan(lake, policy, utc_now())
        rows = [_cleaning(name, one) for name, one in planned.items()]
        report("To be cleaned", rows, as_json=as_json)
        return
    with bars() as told:
        done = clean_lake(lake, policy, utc_now, told=told)
    rows = [
        {
            "table_name": name,
            "dropped_rows": done.dropped[name].rows if name in done.dropped else 0,
            "deleted_files": len(one.expired) + len(one.orphans),
            "deleted_bytes": one.bytes,
            "foreign_files": len(one.foreign),
        }
        for name, one in done.vacuumed.items()
    ]
    report("Cleaned", rows, as_json=as_json)
    _fail(done.failures)


def _cleaning(name: str, plan: Cleaning) -> dict[str, Any]:
    whole = [drop.file for drop in plan.drops if drop.whole]
    series = plan.series
    return {
        "table_name": name,
        "drop_files": len(whole),
        "drop_rows": sum(file.rows for file in whole) + (series.rows if series else 0),
        # Which of these hold rows to go, and how many, is seen when they are read.
        "look_through_files": len(plan.drops) - len(whole),
        "delete_files": len(plan.vacuum.expired) + len(plan.vacuum.orphans),
        "delete_bytes": plan.vacuum.bytes,
        "foreign_files": len(plan.vacuum.foreign),
        "log_entries": plan.log.entries,
    }


def delete(
    cluster: Annotated[str, typer.Argument(help="Whose data is deleted, from every table.")],
    directory: Directory = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Delete all data of one cluster. Stop its senders first."""
    lake = existing_lake(directory, config)
    if dry_run:
        counts = {name: _rows_of(lake, name, cluster) for name in lake.tables}
        rows = [{"table_name": name, "rows": count} for name, count in counts.items()]
        report("Rows to be deleted", rows, as_json=as_json)
        return
    if not yes:
        typer.confirm(f"Delete all data of cluster {cluster!r}?", abort=True, err=True)
    with bars() as told:
        done = delete_from_lake(lake, cluster, _policy(config), utc_now, told)
    rows = [
        {"table_name": name, "rows": count, "files": done.files[name]}
        for name, count in done.rows.items()
    ]
    report("Deleted", rows, as_json=as_json)
    gone_at = f"{done.gone_at:%Y-%m-%d %H:%M:%S} UTC"
    err.print(f"the last byte is gone with the first `lake clean` after {gone_at}")


def take_out(
    file: Annotated[str, typer.Argument(help="Its path, as the error names it.")],
    directory: Directory = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Give up a file that cannot be read: its rows are lost, all others can be queried again."""
    lake = existing_lake(directory, config)
    found = find(lake, file)
    if found is None:
        raise FileUnknownError(file)
    name, known = found
    row = {"table_name": name, "date": known.day, "rows": known.rows, "bytes": known.size}
    if not dry_run:
        if not yes:
            asked = f"Give up {known.rows:,} rows of table {name!r} in {file!r}?"
            typer.confirm(asked, abort=True, err=True)
        take_out_of_lake(lake, file, utc_now)
    report("To be taken out" if dry_run else "Taken out", [row], as_json=as_json)


def _policy(config: Path | None) -> Policy:
    return load_from_environment(config).maintenance.policy()


def _rows_of(lake: Lake, table: str, cluster: str) -> int:
    # Of the stored rows: a view shows some of them once.
    query = f"SELECT count(*) AS n FROM stored.{table} WHERE cluster = $cluster"  # noqa: S608
    return int(lake.sql(query, {"cluster": cluster})["n"][0].as_py())


def _fail(failures: dict[str, LakeError]) -> None:
    for name, error in failures.items():
        err.print(f"{name}: {error}", soft_wrap=True, markup=False)
    if failures:
        raise typer.Exit(FAILED)
