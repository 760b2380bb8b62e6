"""The lake that the settings name."""

from pathlib import Path

from lake import Clock, Lake, utc_now
from orchestration.settings import Settings
from orchestration.storage_options import revealed


def open_lake(
    settings: Settings,
    clock: Clock = utc_now,
    *,
    create: bool = True,
    data_dir: Path | None = None,
) -> Lake:
    """Open it, wherever it lies.

    Args:
        settings: say where.
        clock: the time of commits.
        create: make it where it is missing.
        data_dir: the lake of this data folder in place of the settings'.

    Raises:
        LakeError: see `lake.Lake.open`.
    """
    if data_dir is not None:
        return Lake.open(data_dir / "lake", create=create, clock=clock)
    return Lake.open(
        settings.lake_url,
        create=create,
        clock=clock,
        storage_options=revealed(settings.storage_options),
    )
