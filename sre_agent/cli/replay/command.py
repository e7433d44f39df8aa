"""`sre-agent replay`: what the agent would have seen, decided and said about past incidents. It can do nothing."""

import gc
import signal
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sre_agent.cli.context import past_settings_of
from sre_agent.cli.replay.origin import History, Live, origin_of, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sre_agent.cli.replay.output import Output, Wanted
    from sre_agent.cli.replay.what_if import Differing
    from sre_agent.settings import Settings
    from sre_agent.wiring.journal import Journal
    from sre_agent.wiring.replaying import Crew, Setup


def replay(
    context: typer.Context,
    paths: Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", help="Cases, folders, archives, globs.")] = None,
    pagerduty: Annotated[bool, typer.Option("--pagerduty", help="Replay PagerDuty's own history.")] = False,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="2026-03-04, 2026-03-04T03:11:09Z, 7d; with it.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="As --since; now when left out.")] = None,
    service: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this service; may be repeated.")] = None,
    team: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this team; may be repeated.")] = None,
    save: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep what is fetched there, as cases.")] = None,
    look_after: Annotated[float, typer.Option(help="Seconds after its beginning at which each is looked at.", min=0.0)] = 30.0,
    to_json: Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="One JSON object a line and case.")] = None,
    to_csv: Annotated[str | None, typer.Option("--csv", metavar="FILE|-", help="One line a case, for a spreadsheet.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="The report as one page, with every case worth a look.")] = None,
    notes: Annotated[bool, typer.Option("--notes", help="Print the note of every case.")] = False,
    reasoner: Annotated[Literal["rules", "openai"], typer.Option(help="Who thinks.")] = "rules",
    max_usd: Annotated[float | None, typer.Option(help="The most a model may cost for the whole run.", min=0.0)] = None,
    incident: Annotated[list[str] | None, typer.Option(metavar="ID", help="A recorded incident, judged as recorded.")] = None,
    only: Annotated[int | None, typer.Option("--round", metavar="N", help="Only this round of each --incident.", min=1)] = None,
    as_recorded: Annotated[bool, typer.Option("--as-recorded", help="Judge recordings on the facts they hold.")] = False,
    policy: Annotated[Path | None, typer.Option(help="Compare: these policies instead of those in force.")] = None,
    runbooks: Annotated[Path | None, typer.Option(help="Compare: these runbooks instead.")] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Compare: this model instead.")] = None,
    jobs: Annotated[int, typer.Option(help="Worker processes; 0: one for each processor.", min=0)] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was interrupted.")] = False,
    timings: Annotated[bool, typer.Option("--timings", help="Fill in duration_ms (the output then differs between runs).")] = False,
) -> None:
    """Dry-run past incidents through the live rooms. Exit status 1 when a case could not be processed, 2 for wrong usage.

    With --policy, --runbooks or --model: only what would be judged differently; 3 when anything becomes more permissive.
    """
    with ExitStack() as held:
        held.enter_context(_loading())
        from sre_agent.cli.render import progress
        from sre_agent.cli.replay.output import Wanted, output
        from sre_agent.cli.replay.what_if import differing, rivals

        wanted = Wanted(json=to_json, timings=timings, csv=to_csv, html=html, notes=notes)
        _possible(wanted, (policy, runbooks, model), recorded=as_recorded or bool(incident))
        settings = past_settings_of(context, reasoner)
        history = History(pagerduty, since, until, tuple(service or ()), tuple(team or ()), save, look_after)
        live = Live(tuple(incident or ()), only)
        origin = origin_of(settings, tuple(paths or ()), (history, live), as_recorded=as_recorded)
        setups = rivals(settings, policy, runbooks, model)
        crew = _crew(setups, jobs, max_usd, origin.few)
        journal = _journal(settings, crew, (*origin.named, reasoner, str(max_usd), str(as_recorded)))
    with ExitStack() as held:
        soaks = {name: book.soak_s for name, book in setups[0].books.runbooks.items()}
        out: Output | Differing = (
            held.enter_context(differing(wanted)) if len(setups) > 1 else held.enter_context(output(wanted, soaks))
        )
        cases = held.enter_context(origin.cases)
        tick = held.enter_context(progress("replaying", cases.total))
        held.enter_context(_telling(journal))
        for done in journal.through(crew, cases.each, resume=resume):
            out.add(*done)
            tick()
    journal.finished()
    if out.status:
        raise typer.Exit(out.status)


def _possible(wanted: "Wanted", candidate: tuple[Path | None, Path | None, str | None], *, recorded: bool) -> None:
    if wanted.json == wanted.csv == "-":
        wrong("--json - and --csv - both want standard output: name a file for one of them")
    if candidate[2] is not None and recorded:
        wrong("--model goes neither with --as-recorded nor with --incident: a recording holds what its own model said")
    if candidate != (None, None, None) and (wanted.csv is not None or wanted.html is not None or wanted.notes):
        wrong("--csv, --html and --notes tell of one setup: leave them out with --policy, --runbooks and --model")


@contextmanager
def _loading() -> "Iterator[None]":
    """What is loaded here stays: looking through it for garbage, again and again, would take an eighth of the start."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _crew(setups: "tuple[Setup, ...]", jobs: int, max_usd: float | None, few: bool) -> "Crew":
    import os

    from sre_agent.settings import Reasoner
    from sre_agent.wiring.purse import Purse
    from sre_agent.wiring.replaying import Crew

    purse, settings = None, setups[-1].settings
    if Reasoner.OPENAI in {s.settings.reasoner for s in setups} and max_usd is not None:
        if not (settings.model_usd_per_million_input and settings.model_usd_per_million_output):
            wrong("--max-usd needs the model's price: set SRE_AGENT_MODEL_USD_PER_M_INPUT and SRE_AGENT_MODEL_USD_PER_M_OUTPUT")
        purse = Purse(usd=max_usd, per_case=settings.model_max_usd)
    workers = jobs or (1 if few else os.cpu_count() or 1)
    return Crew(setups, workers, purse)


def _journal(settings: "Settings", crew: "Crew", words: tuple[str, ...]) -> "Journal":
    """Where this run is kept: named by everything that decides its answers."""
    from sre_agent.wiring.journal import Journal, run_name

    run = run_name(crew.setups, words)
    return Journal(settings.data_dir / "replays" / f"{run[:24]}.jsonl", run)


@contextmanager
def _telling(journal: "Journal") -> "Iterator[None]":
    """What people are told who stop the run; a polite end from outside (SIGTERM) is one too, so that nothing is left behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(journal.parting, err=True)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
