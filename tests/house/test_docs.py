"""The reference pages say what the code says. `UPDATE_DOCS=1 pytest tests/house` rewrites them."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from api.app import create_app
from lake.schema import SCHEMA_VERSION, TABLES
from lake.views import VIEWS
from orchestration.service import Service
from orchestration.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


def settings_page() -> str:
    lines = [
        "# Settings",
        "",
        "From `fleetlake.yaml` (or `--config FILE`); every one can be overridden by a variable:",
        "`FLEETLAKE_` and the name in capitals, with `__` for the dot (`FLEETLAKE_API__PORT=9000`).",
        "Spans are ISO 8601 (`PT30S`, `P1D`). An unknown name or a wrong value stops the start.",
        "",
        "| name | default | what it is |",
        "|---|---|---|",
    ]
    lines += [f"| `{name}` | {default} | {text} |" for name, default, text in rows(Settings)]
    return "\n".join(lines) + "\n"


def rows(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from rows(inner, f"{prefix}{name}.")
            continue
        many = getattr(inner, "__args__", ())
        entry = next((a for a in many if isinstance(a, type) and issubclass(a, BaseModel)), None)
        yield f"{prefix}{name}", shown(field, entry), field.description
        if entry:
            yield from rows(entry, f"{prefix}{name}[].")


def shown(field: FieldInfo, entry: type[BaseModel] | None) -> str:
    if field.is_required():
        return "required"
    default = to_jsonable_python(field.get_default(call_default_factory=True))
    if entry is not None or default is None:
        return ""
    return f"`{default}`".replace("|", "\\|")


def tables_page() -> str:
    lines = [
        "# Tables",
        "",
        f"Schema version {SCHEMA_VERSION}. Times are UTC microseconds; ranges are half-open. `date` is",
        "the UTC day of the row's time and the only partition column. Filter on it, or on `time` too.",
        "",
        f"Views of the same names, and `{'`, `'.join(sorted(set(VIEWS) - set(TABLES)))}`: samples with"
        " their series' columns.",
    ]
    for spec in TABLES.values():
        lines += ["", f"## {spec.name}", "", "| column | type | |", "|---|---|---|"]
        for field in spec.stored_schema:
            lines.append(
                f"| `{field.name}` | {field.type} | {'' if field.nullable else 'never null'} |"
            )
        lines += ["", f"Sorted within a file by {', '.join(f'`{name}`' for name in spec.sort)}."]
    return "\n".join(lines) + "\n"


def http_page(folder: Path) -> str:
    app = create_app(Service.build(Settings(data_dir=folder)), run_worker=False)
    try:
        schema = app.openapi()
    finally:
        app.state.service.stop()
    lines = [
        "# HTTP",
        "",
        "Every parameter and field is at `/docs` on the running server. Errors are problem documents",
        "(RFC 9457) with `type`, `title`, `status`, `detail`; 503 comes with `Retry-After`.",
        "",
        "| | | |",
        "|---|---|---|",
    ]
    for path, methods in sorted(schema["paths"].items()):
        for method, route in methods.items():
            text = route["description"].splitlines()[0]
            lines.append(f"| {method.upper()} | `{path}` | {text} |")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", ["settings", "tables", "http"])
def test_page_is_true(name, tmp_path):
    made = {
        "settings": settings_page,
        "tables": tables_page,
        "http": lambda: http_page(tmp_path),
    }[name]()
    path = DOCS / f"{name}.md"
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(made)
    assert path.read_text() == made, "run UPDATE_DOCS=1 uv run pytest tests/house/test_docs.py"


PAGES = [*sorted(DOCS.glob("*.md")), DOCS.parent / "README.md"]


def test_examples_have_the_default_port():
    """Of our own address: `fleetlake`, or this machine."""
    port = Settings.model_fields["api"].get_default(call_default_factory=True).port
    found = [
        (page.name, int(given))
        for page in PAGES
        for given in re.findall(r"\b(?:fleetlake|localhost|127\.0\.0\.1):(\d+)", page.read_text())
    ]
    assert len(found) > 5
    assert [(page, given) for page, given in found if given != port] == []
