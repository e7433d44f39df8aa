"""`sre-agent replay`: what the agent would have seen, decided and said about past incidents. It can do nothing."""

from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sre_agent.cli.context import settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sre_agent.settings import Settings
    from sre_agent.wiring.replaying import Crew, Found


def replay(
    context: typer.Context,
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH]...", help="Cases, folders or archives of cases, globs.")
    ] = None,
    to_json: Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="One JSON object a line and case.")] = None,
    reasoner: Annotated[Literal["rules", "openai"], typer.Option(help="Who thinks.")] = "rules",
    max_usd: Annotated[float | None, typer.Option(help="The most a model may cost for the whole run.", min=0.0)] = None,
    as_recorded: Annotated[bool, typer.Option("--as-recorded", help="Judge recordings on the facts they hold.")] = False,
    jobs: Annotated[int, typer.Option(help="Worker processes; 0: one for each processor.", min=0)] = 0,
    timings: Annotated[bool, typer.Option("--timings", help="Fill in duration_ms (the output then differs between runs).")] = False,
) -> None:
    """Dry-run past incidents through the live rooms. Exit status 1 when a case could not be processed, 2 for wrong usage."""
    from sre_agent.cli.replay.output import Wanted, output
    from sre_agent.settings import Reasoner

    settings = settings_of(context).model_copy(update={"reasoner": Reasoner(reasoner)})
    origin = _origin(tuple(paths or ()), as_recorded=as_recorded)
    with ExitStack() as held:
        out = held.enter_context(output(Wanted(json=to_json, timings=timings)))
        cases = held.enter_context(origin.cases)
        for (done,) in _crew(settings, jobs, max_usd, origin.few).run(cases):
            out.add(done)
    if out.failed:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Origin:
    """Where the cases come from. `few`: so few that starting workers would cost more than it saves."""

    cases: "AbstractContextManager[Iterator[Found]]"
    few: bool


def _origin(paths: tuple[str, ...], *, as_recorded: bool) -> _Origin:
    from sre_agent.wiring.origins import from_paths, missing

    absent = missing(paths)
    if absent or not paths:
        wrong(f"no such case: {', '.join(absent)}" if absent else "name at least one case, folder or archive of cases")
    few = all((Path(p) / "case.json").exists() for p in paths) and len(paths) < _FEW
    return _Origin(from_paths(paths, as_recorded=as_recorded), few)


_FEW = 8


def _crew(settings: "Settings", jobs: int, max_usd: float | None, few: bool) -> "Crew":
    import os

    from sre_agent.settings import Reasoner
    from sre_agent.wiring.replaying import Crew, Purse, setup_of

    purse = None
    if settings.reasoner is Reasoner.OPENAI and max_usd is not None:
        if not (settings.model_usd_per_million_input and settings.model_usd_per_million_output):
            wrong("--max-usd needs the model's price: see the settings model_usd_per_million_input and _output")
        purse = Purse(usd=max_usd, per_case=settings.model_max_usd)
    workers = jobs or (1 if few else os.cpu_count() or 1)
    return Crew((setup_of(settings),), workers, purse)


def wrong(message: str) -> None:
    """Wrong usage: one line, and exit status 2."""
    typer.echo(message, err=True)
    raise typer.Exit(2)
