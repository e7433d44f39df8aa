"""`sre-agent demo`: one night on call, on real parts, in about a minute."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sre_agent.testing.night.past import Past
    from sre_agent.testing.night.play import Night


def demo(
    report: Annotated[Path, typer.Option(help="Where the HTML report goes.")] = Path("sre-agent-demo.html"),
) -> None:
    """Play one night on call: a real fenced Redis failover, two refusals, past incidents. Exit status 1 if any promise broke."""
    import time
    from datetime import UTC, datetime

    from sre_agent.cli.render import told
    from sre_agent.settings.shipped import shipped
    from sre_agent.testing.night.past import promises
    from sre_agent.testing.night.play import Night
    from sre_agent.testing.night.report import write_report
    from sre_agent.testing.night.stage import Shortened, Stage

    began, spoken = time.monotonic(), list[tuple[datetime, str, str]]()

    def say(who: str, what: str) -> None:
        spoken.append((datetime.now(UTC), who, what))
        told(time.monotonic() - began, who, what)

    past = _past()
    with Stage(Shortened(), shipped("policies"), shipped("runbooks")) as stage:
        night = Night(stage, say)
        promises(night.checks, past)
        night.play()
        write_report(night, spoken, report)
        shortened = stage.shortened.told(stage.soak_before)
    _summary(night, shortened, report, time.monotonic() - began)
    if not night.checks.all_held:
        raise typer.Exit(1)


def _past() -> "tuple[Past, ...]":
    """The shipped past incidents first: what the agent would have done about each, and what people did."""
    from sre_agent.cli.render import table
    from sre_agent.settings import fixed
    from sre_agent.settings.shipped import shipped
    from sre_agent.testing.night.past import COLUMNS, judged
    from sre_agent.wiring.origins import from_paths
    from sre_agent.wiring.replaying import Crew, setup_of

    settings = fixed({"SRE_AGENT_REASONER": "rules"})
    with from_paths((str(shipped("incidents")),)) as cases:
        found = [case for case in cases.each if case.folder is not None]
        ran = Crew((setup_of(settings),), workers=2).run(found)
        past = tuple(judged(done, case.folder) for (done,), case in zip(ran, found, strict=True) if case.folder is not None)
    typer.echo(f"{len(past)} past incidents, replayed under the shipped policies (mode auto, rules reasoner, dry hands):\n")
    table(COLUMNS, [p.row for p in past])
    typer.echo("\nAnd now one night, live:\n")
    return past


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
