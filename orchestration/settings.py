"""Every setting of fleetlake, once: name, type, default, help.

Read from `fleetlake.yaml`, overridden by `FLEETLAKE_…` variables (nested names joined by `__`,
as in `FLEETLAKE_API__PORT=9000`). Frozen after load and handed in; nothing reads it at import.
"""

import os
import re
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ingest.kubernetes import KubernetesSource
from ingest.pull.source import PrometheusSource
from ingest.scrape.source import ScrapeSource
from ingest.settings import IngestSettings
from orchestration.advice_settings import AdviceSettings
from orchestration.detection_settings import DetectionSettings
from orchestration.errors import SettingsError
from orchestration.forecast_settings import ForecastSettings
from orchestration.incident_settings import IncidentSettings
from orchestration.maintenance_settings import MaintenanceSettings
from orchestration.read_token import ReadToken
from orchestration.storage_options import StorageOptions


class ApiSettings(BaseModel):
    """Where the server listens, and what one SQL query from outside may use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8428, ge=0, le=65535, description="port to listen on; 0 = any free one")
    tokens: tuple[ReadToken, ...] = Field(
        (), description="who may read, and of which clusters; unset = anyone, of all"
    )
    sql_rows: int = Field(100_000, gt=0, description="most rows that a SQL query may give")
    sql_seconds: float = Field(30.0, gt=0, description="longest a SQL query may run")
    sql_memory_mb: int = Field(1024, gt=0, description="memory of one SQL query")
    sql_threads: int = Field(2, gt=0, description="threads of one SQL query")
    sql_pool_mb: int = Field(
        256,
        ge=0,
        description="memory for what range queries read, of some series over some time, which need "
        "no engine; 0 = an engine answers them, too",
    )
    sql_result_mb: int = Field(256, gt=0, description="most that a SQL query may give")
    sql_concurrency: int = Field(2, gt=0, description="SQL queries that run at once; others wait")
    sql_queue_seconds: float = Field(60.0, gt=0, description="longest a SQL query may wait")
    sql_fetch_seconds: float = Field(
        60.0, gt=0, description="longest a client may keep a SQL query waiting to send its rows"
    )


class Settings(BaseSettings):
    """All of it."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="FLEETLAKE_", env_nested_delimiter="__"
    )

    data_dir: Path = Field(Path("fleetlake-data"), description="folder of lake, log and Dagster")
    lake: str | None = Field(
        None,
        description="where the lake is: a folder or `s3://bucket/prefix`; unset = `lake`",
    )
    storage_options: StorageOptions = Field(
        default_factory=dict,
        description="of a lake on s3: `endpoint_url`, `region`, `access_key_id`, "
        "`secret_access_key`, `session_token`, `virtual_hosted_style_request`; "
        "else variables `AWS_…`, else the machine's role",
    )
    first_day: date = Field(
        date(2026, 1, 1), description="first daily partition that Dagster offers for backfills"
    )
    ingest: IngestSettings = Field(default_factory=IngestSettings)
    sources: tuple[PrometheusSource, ...] = Field((), description="Prometheus servers to pull from")
    scrapes: tuple[ScrapeSource, ...] = Field((), description="targets to scrape ourselves")
    kubernetes: tuple[KubernetesSource, ...] = Field(
        (), description="Kubernetes API servers whose Events and objects are watched"
    )
    detection: DetectionSettings = Field(default_factory=DetectionSettings)
    incidents: IncidentSettings = Field(default_factory=IncidentSettings)
    forecasts: ForecastSettings = Field(default_factory=ForecastSettings)
    advice: AdviceSettings = Field(default_factory=AdviceSettings)
    maintenance: MaintenanceSettings = Field(default_factory=MaintenanceSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)

    @property
    def lake_url(self) -> str:
        """Where the lake is."""
        return str((self.data_dir / "lake").resolve()) if self.lake is None else self.lake

    @property
    def receiver_dir(self) -> Path:
        """The receiver's folder: its write-ahead log."""
        return self.data_dir / "receiver"

    @property
    def kubernetes_dir(self) -> Path:
        """The folder of what the watches of clusters remember."""
        return self.data_dir / "kubernetes"

    @property
    def dagster_dir(self) -> Path:
        """Dagster's home."""
        return self.data_dir / "dagster"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables override the file, which comes in as keyword arguments."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _one_source_a_cluster(self) -> Self:
        for found in (self.sources, self.kubernetes):
            clusters = [source.cluster for source in found]
            twice = {cluster for cluster in clusters if clusters.count(cluster) > 1}
            if twice:
                raise ValueError(
                    f"cluster {min(twice)!r} has two sources: their watermarks would mix"
                )
        return self


def load(path: Path | None) -> Settings:
    """Settings from a YAML file (none = defaults) and the environment.

    Raises:
        SettingsError: the file is missing or no YAML mapping, or a value breaks its rule; the
            message names each value.
    """
    values: object = {}
    if path is not None:
        try:
            values = yaml.safe_load(path.read_text("utf-8"))
        except OSError as error:
            raise SettingsError(f"settings file {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"settings file {path} is no YAML: {error}") from error
        except yaml.YAMLError as error:
            # Its text, and it as a cause, show the lines around: there may be a secret in them.
            raise SettingsError(f"settings file {path} is no YAML: {_place(error)}") from None
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise SettingsError(f"settings file {path} holds {type(values).__name__}, not a mapping")
    for name in values:
        if not isinstance(name, str):
            raise SettingsError(f"settings file {path}: {name!r} is no name of a setting")
    try:
        return Settings(**values)
    except ValidationError as error:
        problems = "; ".join(map(_problem, error.errors()))
        # Its cause would print every value that is wrong, secrets too.
        raise SettingsError(f"settings {path or 'from the environment'}: {problems}") from None


SECRET = re.compile(r"token|password|secret|credential|authorization|key", re.IGNORECASE)
"""Names of settings whose values nobody must see; those that end in `_file` are paths."""

SHOWN = (bool, int, float, str, date, timedelta)
"""What a message may repeat: a list or a mapping may hold a secret somewhere."""

HIDDEN = re.compile(r"extra_forbidden|(model|model_attributes|dict|list|tuple|set|frozen_set)_type")
"""Faults whose value is not to be repeated: the name is misspelt, or it stands for a whole."""


def _place(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return type(error).__name__
    mark = error.problem_mark
    return f"{error.problem} in line {mark.line + 1}, column {mark.column + 1}"


def _problem(item: Mapping[str, Any]) -> str:
    """What is wrong with one value, and what it is, unless it is or holds a secret."""
    names = [str(name) for name in item["loc"]]
    said = f"{'.'.join(names) or 'settings'}: {item['msg']}"
    secret = any(SECRET.search(name) and not name.endswith("_file") for name in names)
    secret = secret or HIDDEN.fullmatch(item["type"]) is not None
    if secret or not isinstance(item["input"], SHOWN):
        return said
    return f"{said} (is {str(item['input'])[:60]!r})"


CONFIG_VARIABLE = "FLEETLAKE_CONFIG"
"""Names the settings file for processes that we do not start ourselves, such as `dagster dev`."""


def load_from_environment(named: Path | None = None) -> Settings:
    """Settings of a process.

    Of the file that it is told, else that `FLEETLAKE_CONFIG` names, else `fleetlake.yaml` in the
    working directory if there is one, else defaults.
    """
    variable = os.environ.get(CONFIG_VARIABLE)
    if named is not None or variable:
        return load(named or Path(variable or ""))
    beside = Path("fleetlake.yaml")
    return load(beside if beside.exists() else None)
