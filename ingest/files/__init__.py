"""Import of files of samples; see `docs/pull.md`."""

from ingest.files.importer import Imported, import_file

__all__ = ["Imported", "import_file"]
