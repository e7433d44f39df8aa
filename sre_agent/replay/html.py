"""Self-contained HTML from templates/: no script, no link to anywhere, everything escaped."""

from pathlib import Path
from typing import Any

from sre_agent.replay.charts import STYLE


def render_page(template: str, values: dict[str, Any]) -> str:
    """The page made of templates/<template>. `chart_style` is always there; undefined names are an error."""
    # Imported here: only reports need it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent / "templates")
    # SAFETY: telemetry and notes are attacker-controlled text; autoescape is on for every template. Only our own
    # style and the charts (escaped where they are made) are marked safe.
    env = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return env.get_template(template).render(chart_style=STYLE, **values)
