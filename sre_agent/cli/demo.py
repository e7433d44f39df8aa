"""`sre-agent demo`: one night on call, on real parts, in about a minute."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sre_agent.testing.night.play import Night


def demo(
    report: Annotated[Path, typer.Option(help="Where the HTML report goes.")] = Path("sre-agent-demo.html"),
) -> None:
    """Play one night on call: a real fenced Redis failover, two refusals, a dry run. Exit status 1 if any promise broke."""
    import time
    from datetime import UTC, datetime

    from sre_agent.cli.render import told
    from sre_agent.settings.shipped import shipped
    from sre_agent.testing.night.play import Night
    from sre_agent.testing.night.report import write_report
    from sre_agent.testing.night.stage import Shortened, Stage

    began, spoken = time.monotonic(), list[tuple[datetime, str, str]]()

    def say(who: str, what: str) -> None:
        spoken.append((datetime.now(UTC), who, what))
        told(time.monotonic() - began, who, what)

    with Stage(Shortened(), shipped("policies"), shipped("runbooks")) as stage:
        night = Night(stage, say)
        night.play()
        _dry_run(night)
        write_report(night, spoken, report)
        shortened = stage.shortened.told(stage.soak_before)
    _summary(night, shortened, report, time.monotonic() - began)
    if not night.checks.all_held:
        raise typer.Exit(1)


def _dry_run(night: "Night") -> None:
    """The recorded crash loop, through the same rooms with dry hands."""
    import json

    from sre_agent.settings.shipped import shipped

    ran = night.stage.agent.cli("replay", str(shipped("incidents") / "pod-crash-loop"), "--json", "-")
    found = json.loads(ran.stdout or "{}")
    action = (found.get("proposal") or {}).get("action")
    night.say("dry run", f"recorded pod crash loop: {action}, {found.get('verdict')} ({', '.join(found.get('policy_ids', []))})")
    night.checks.add(
        "A recorded crash loop is judged in dry run", ran.returncode == 0 and action == "restart_pod", found.get("verdict")
    )


def _summary(night: "Night", shortened: tuple[str, ...], report: Path, seconds: float) -> None:
    from sre_agent.cli.render import printable, table

    typer.echo("\nThe Redis incident, as the agent's own record tells it (UTC):")
    for at, text in night.story:
        typer.echo(f"  {at}  {printable(text)}")
    typer.echo("")
    rows = [("yes" if c.held else "NO", c.promise, c.measured) for c in night.checks.checks]
    table(("held", "promise", "measured"), rows)
    typer.echo("")
    for line in shortened:
        typer.echo(f"shortened: {line}")
    held = sum(c.held for c in night.checks.checks)
    typer.echo(f"\n{held} of {len(rows)} promises held in {seconds:.0f} s. Report: {report.resolve()}")
