"""`sre-agent route`: what the routing file in force says of an alert, an incident, or a list of events in time order."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

EVENTS = "an alert, an incident, or a list of events in time order (JSON), or - for standard input"


def route(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help=EVENTS)],
    now: Annotated[
        str | None, typer.Option("--now", metavar="T", help="Decide as of this moment (RFC 3339). Default: now.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: one object, or a list for a list.")] = False,
) -> None:
    """Say who would hear of an alert, and when: page, hold, e-mail, digest or nobody, with the rules that say so.

    Exit status 2 for what cannot be read.
    """
    from sre_agent.incident.errors import ConfigurationError
    from sre_agent.routing.told_file import Untold, events_of, moment_of
    from sre_agent.routing.trial import tried
    from sre_agent.wiring.clock import SystemClock
    from sre_agent.wiring.routing import routing_in_force

    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        events, listed = events_of(text)
        # One alert is looked at as it is now; a list has its own times.
        moment = moment_of(now) if now else (None if listed else SystemClock().now())
        found = tried(events, routing_in_force(), moment)
    except (OSError, UnicodeDecodeError, Untold, ConfigurationError) as wrong:
        typer.echo(f"{file}: {wrong}", err=True)
        raise typer.Exit(2) from wrong
    shown = [line.shown() for line in found]
    text = (
        json.dumps(shown if listed else shown[0], indent=2, ensure_ascii=False) if as_json else "\n".join(f.words() for f in found)
    )
    # Half of a character, which JSON can write and no terminal can show, becomes a question mark.
    typer.echo(text.encode("utf-8", "replace").decode())
