"""`sre-agent autonomy`: what has been earned, and what people did beside what the agent had proposed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre_agent.cli.context import own_token, settings_of

if TYPE_CHECKING:
    from sre_agent.policy.facts import Mode
    from sre_agent.policy.modes import ModeRow
    from sre_agent.replay.shadow import Observation
    from sre_agent.settings import Settings
    from sre_agent.wiring.shadow import Signed

app = typer.Typer(help="What the agent may do alone, and how it earns that.", no_args_is_help=True)


@app.command()
def show(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False
) -> None:
    """Show every action and service with an entry in modes.yaml or a history: agreements, setbacks, what is missing, the mode."""
    import asyncio
    import json

    from sre_agent.cli.render import table
    from sre_agent.wiring.modes import open_modes

    async def run() -> "tuple[Mode, tuple[ModeRow, ...]]":
        async with open_modes(settings_of(context)) as board:
            return board.others, await board.everything()

    others, found = asyncio.run(run())
    rows = [_row(row) for row in found]
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row))
        return
    if rows:
        table(_COLUMNS, [[str(row[name.replace(" ", "_")]) for name in _COLUMNS] for row in rows])
    typer.echo(f"{'everything else' if rows else 'every action'}: {others.value}")


_COLUMNS = ("action", "service", "mode", "agreements", "approved", "shadow", "differed", "until", "last setback", "why not auto")


def _row(row: "ModeRow") -> dict[str, object]:
    from sre_agent.policy.autonomy import AGREEMENTS

    s = row.standing
    setback = s.last_setback
    return {
        "action": row.entry.action,
        "service": row.entry.service,
        "mode": row.mode.value,
        "agreements": f"{s.agreements} of {AGREEMENTS}",
        "approved": s.approved,
        "shadow": s.shadow,
        "differed": s.differed,
        "until": f"{s.until:%Y-%m-%dT%H:%M:%SZ}" if s.until else "",
        "last_setback": f"{setback.at:%Y-%m-%dT%H:%M:%SZ} {setback.incident_id}: {setback.why}" if setback else "",
        "why_not_auto": row.why_not_auto,
        "missing": s.why,
    }


@app.command()
def observe(
    context: typer.Context,
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Cases with an outcome.json; folders, archives, globs.")],
    person: Annotated[str, typer.Option("--as", help="Who you are in teams.yaml.")] = "",
    record: Annotated[bool, typer.Option("--record", help="Answer for it: write one audit entry per case.")] = False,
) -> None:
    """Compare past cases with what people did, by the rules in force. Only what is recorded, by a person's own token, counts."""
    import asyncio

    from sre_agent.wiring.origins import missing
    from sre_agent.wiring.shadow import Signed, open_shadow

    settings = settings_of(context)
    absent = missing(tuple(paths))
    if absent or bool(person) != record:
        typer.echo(f"no such case: {', '.join(absent)}" if absent else "--record and --as go together", err=True)
        raise typer.Exit(2)
    token = own_token() if record else ""
    seen, failed = _observed(settings, tuple(paths))

    async def sign() -> "tuple[Signed, ...]":
        async with open_shadow(settings) as desk:
            return await desk.observed(seen, person, token)

    _tell(asyncio.run(sign()) if record else tuple(Signed(one, "not recorded") for one in seen))
    if failed:
        raise typer.Exit(1)


@app.command()
def outcome(
    context: typer.Context,
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="An incident that the agent left to people.")],
    did: Annotated[str, typer.Option(metavar="ACTION|nothing|other", help="What people did about it.")],
    person: Annotated[str, typer.Option("--as", help="Who you are in teams.yaml.")],
    target: Annotated[str, typer.Option(metavar="KIND/NAME", help="To what: kind/name or kind/namespace/name.")] = "",
    true_class: Annotated[str, typer.Option("--class", help="What it turned out to be: infra, model, tool, mixed.")] = "",
) -> None:
    """Tell what people did about a live incident, proved by your own token. It counts once, for or against the agent."""
    import asyncio

    from sre_agent.incident.alert import AlertClass
    from sre_agent.policy.whitelist import WHITELIST
    from sre_agent.replay.shadow import NOTHING, OTHER, Said
    from sre_agent.wiring.shadow import open_shadow

    known = (*sorted(row.action for row in WHITELIST), NOTHING, OTHER)
    classes = tuple(c.value for c in AlertClass if c is not AlertClass.UNKNOWN)
    if did not in known or (true_class and true_class not in classes):
        typer.echo(f"--did is one of {', '.join(known)}; --class one of {', '.join(classes)}", err=True)
        raise typer.Exit(2)
    found: AlertClass | None = AlertClass(true_class) if true_class else None
    token = own_token()

    async def tell() -> "Signed":
        async with open_shadow(settings_of(context)) as desk:
            return await desk.outcome(incident, Said(did=did, target=target, true_class=found), person, token)

    signed = asyncio.run(tell())
    _tell((signed,))
    if signed.why:
        raise typer.Exit(1)


def _observed(settings: "Settings", paths: tuple[str, ...]) -> "tuple[list[Observation], int]":
    """Every case under the rules in force beside its outcome, and how many failed, which are told at once."""
    import os

    from sre_agent.replay.shadow import of_case
    from sre_agent.settings import Reasoner
    from sre_agent.wiring.clock import SystemClock
    from sre_agent.wiring.origins import from_paths
    from sre_agent.wiring.replaying import Crew, setup_of

    few = len(paths) == 1 and (Path(paths[0]) / "case.json").exists()
    crew = Crew((setup_of(settings.model_copy(update={"reasoner": Reasoner.RULES})),), 1 if few else os.cpu_count() or 1)
    clock, seen, failed = SystemClock(), [], 0
    with from_paths(paths) as cases:
        for (done,) in crew.run(cases.each):
            seen.append(of_case(done, clock.now()))
            if done.error:
                failed += 1
                typer.echo(f"failed: {done.error}", err=True)
    return seen, failed


def _tell(signed: "tuple[Signed, ...]") -> None:
    """One line each, then the sum of every action and service."""
    from collections import Counter

    from sre_agent.cli.render import table

    seen = [(s.observation, _why(s)) for s in signed]
    rows = [(o.case, o.action or "-", o.service or "-", o.words, why) for o, why in seen]
    table(("case", "action", "service", "result", "why"), rows)
    sums: Counter[tuple[str, str, str]] = Counter()
    for s in signed:
        if s.observation.agreed is not None:
            sums[s.observation.action, s.observation.service or "-", s.observation.words] += 1
    for (action, service, words), count in sorted(sums.items()):
        typer.echo(f"{action} on {service}: {count} {words}")
    written = sum(not s.why for s in signed)
    typer.echo(f"{written} of {len(signed)} recorded")


def _why(signed: "Signed") -> str:
    said = signed.observation.why
    return said if signed.why in ("", said) else f"{said}; {signed.why}"
