"""The night as a self-contained page."""

from datetime import UTC, datetime
from pathlib import Path

from sre_agent.replay.charts import Chart, svg
from sre_agent.replay.html import render_page
from sre_agent.testing.night.play import Night
from sre_agent.testing.night.stage import LIMIT_S


def write_report(night: Night, spoken: list[tuple[datetime, str, str]], path: Path) -> None:
    """Write the page to `path`. `spoken` are the progress lines with their times."""
    lead = "A Redis primary fell sick and was failed over behind a fence; two prompt regressions were refused. " + _numbers(night)
    chart = Chart(
        "p99 of a PING to the primary (time-outs count)", "s", night.stage.probe.series(0.99), LIMIT_S, tuple(night.marks)
    )
    titles = {
        "redis": "The note on the Redis incident",
        "model": "The note on the regression labelled model",
        "infra": "The note on the regression labelled infra",
    }
    notes = [{"title": t, "text": "\n\n".join(night.stage.pagerduty.notes(night.incidents[k]))} for k, t in titles.items()]
    page = render_page(
        "night.html.j2",
        {
            "title": "One night on call",
            "lead": lead,
            "checks": night.checks.checks,
            "chart": svg(chart),
            "timeline": [{"at": at.strftime("%H:%M:%S"), "who": who, "text": text} for at, who, text in spoken],
            "notes": notes,
            "shortened": night.stage.shortened.told(night.stage.soak_before),
        },
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def _numbers(night: Night) -> str:
    held = sum(c.held for c in night.checks.checks)
    return f"{held} of {len(night.checks.checks)} promises held, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC."
