"""Self-contained HTML from templates/: no script, no link to anywhere, everything escaped."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from sre_agent.replay.charts import STYLE

if TYPE_CHECKING:
    from jinja2 import Template

_PIECES = 100
"""Pieces of a page that are put together before they are written."""


def render_page(template: str, values: dict[str, Any]) -> str:
    """The page made of templates/<template>. `chart_style` is always there; undefined names are an error."""
    return _template(template).render(chart_style=STYLE, **values)


def write_page(template: str, values: dict[str, Any], out: TextIO) -> None:
    """The same into a file, piece by piece: a page of many megabytes is never held in memory. Raises OSError."""
    stream = _template(template).stream(chart_style=STYLE, **values)
    stream.enable_buffering(_PIECES)
    for piece in stream:
        out.write(piece)


def _template(name: str) -> "Template":
    # Imported here: only reports need it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent / "templates")
    # SAFETY: telemetry and notes are attacker-controlled text; autoescape is on for every template. Only our own
    # style and the charts (escaped where they are made) are marked safe.
    env = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return env.get_template(name)
