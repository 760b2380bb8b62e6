"""Small JSON files that are there whole or not at all."""

import json
import logging
from pathlib import Path

from ingest.kubernetes.server import Json
from lake.disk import replace_file

logger = logging.getLogger(__name__)


def write(path: Path, document: Json) -> None:
    """Replace the file at once, for good."""
    replace_file(path, json.dumps(document, separators=(",", ":")).encode())


def read(path: Path, version: int) -> Json | None:
    """What `write` left, of this `version`; None = nothing, or nothing that is understood."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        logger.warning("state not read", extra={"path": str(path), "problem": str(error)})
        return None
    if not isinstance(found, dict) or found.get("version") != version:
        logger.warning("state of another version", extra={"path": str(path)})
        return None
    return found
