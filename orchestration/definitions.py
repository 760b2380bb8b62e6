"""Dagster's view of the work: `dagster dev -m orchestration.definitions`.

Settings come from the file that `FLEETLAKE_CONFIG` names, else from `fleetlake.yaml` here, else
from defaults. Partitions are UTC days with all clusters inside: one dimension stays
small for years.
"""

from orchestration.defs.build import build
from orchestration.settings import load_from_environment

defs = build(load_from_environment())
