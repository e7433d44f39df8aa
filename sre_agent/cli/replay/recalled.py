"""What a replay of a recording tells: decided as then, or where it departs."""

from typing import TYPE_CHECKING

import typer

from sre_agent.cli.render import printable

if TYPE_CHECKING:
    from sre_agent.replay.replayed import Replayed

MOST = 20


def tell(done: "Replayed", *, aside: bool) -> bool:
    """Say how a recorded decision compares; `aside`: on standard error. False when it departs though nothing else changed."""
    recalled = done.told.recalled if done.told is not None else None
    if recalled is None:
        return True
    if not recalled.departures:
        typer.echo(f"{done.case}: decided exactly as recorded (sha256 {recalled.sha256})", err=aside)
    else:
        typer.echo(f"{done.case}: NOT decided as recorded (sha256 {recalled.sha256}):", err=aside)
    said = [*recalled.departures[:MOST]]
    if len(recalled.departures) > MOST:
        said.append(f"and {len(recalled.departures) - MOST} more")
    if recalled.departures and recalled.inexact:
        said.append(f"it cannot be decided exactly again: {recalled.inexact}")
    if recalled.other_books:
        said += ["policies and runbooks are not those it was recorded under:", *recalled.other_books]
    for line in said:
        typer.echo(f"  {printable(line)}", err=aside)
    return not recalled.departures or bool(recalled.other_books) or bool(recalled.inexact)
