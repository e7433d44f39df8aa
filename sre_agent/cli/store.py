"""`sre-agent migrate`, `audit` and the kill switch: what an operator does to the agent's own state."""

from typing import TYPE_CHECKING, Annotated

import typer

from sre_agent.cli.context import own_token, settings_of

if TYPE_CHECKING:
    from sre_agent.policy.facts import Mode
    from sre_agent.policy.halt import HaltState
    from sre_agent.policy.modes import ModeRow
    from sre_agent.settings import Settings

audit = typer.Typer(help="The hash-chained record of everything.", no_args_is_help=True)


def migrate(context: typer.Context) -> None:
    """Bring the database to this version. Safe to run twice and from several machines at once."""
    import asyncio

    from sre_agent.wiring.state import database_url, migrate_database

    async def run() -> tuple[str, ...]:
        async with database_url(settings_of(context)) as url:
            return await migrate_database(url)

    applied = asyncio.run(run())
    typer.echo("\n".join(applied) if applied else "the database is up to date")


@audit.command()
def verify(
    context: typer.Context,
    anchor: Annotated[
        list[str] | None, typer.Option(help="NUMBER:HASH as the last line of a note has it; may be given several times.")
    ] = None,
) -> None:
    """Check the whole chain. Exit status 1 when a record was changed, removed or cut off.

    Whoever owns the database could write a whole new chain; the notes on incidents carry what that one would have to match.
    """
    import asyncio

    from sre_agent.audit.record import AuditRecord, unlike
    from sre_agent.wiring.state import opened_state

    async def run() -> tuple[int | None, tuple[AuditRecord, ...]]:
        async with opened_state(settings_of(context)) as state:
            broken = await state.plain_store.audit_break()
            return broken, () if broken is not None else await state.plain_store.audit(None)

    broken, records = asyncio.run(run())
    if broken is not None:
        typer.echo(f"the audit chain is broken at record {broken}: it was changed, removed or cut off", err=True)
        raise typer.Exit(1)
    for wrong in unlike(records, anchor or ()):
        typer.echo(f"the audit chain is whole, but not the one that was noted: {wrong}", err=True)
        raise typer.Exit(1)
    typer.echo(f"the audit chain is whole: {len(records)} records" + (f", {len(anchor)} as noted" if anchor else ""))


@audit.command()
def show(
    context: typer.Context, incident: Annotated[str | None, typer.Option(help="Only this incident's records.")] = None
) -> None:
    """Print the records, one JSON object per line."""
    import asyncio

    from sre_agent.audit.record import AuditRecord
    from sre_agent.wiring.state import opened_state

    async def run() -> tuple[AuditRecord, ...]:
        async with opened_state(settings_of(context)) as state:
            return await state.plain_store.audit(incident)

    for record in asyncio.run(run()):
        typer.echo(record.model_dump_json())


def halt(
    context: typer.Context,
    by: Annotated[str, typer.Option(help="Who you are.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
) -> None:
    """Engage the kill switch: no effect begins any more, in any process. A begun failover finishes its fence."""
    import asyncio

    from sre_agent.policy.halt import words
    from sre_agent.wiring.switch import open_switch

    async def run() -> "HaltState":
        async with open_switch(settings_of(context)) as desk:
            return await desk.engage(by, reason)

    typer.echo(words(asyncio.run(run())))


def resume(
    context: typer.Context,
    person: Annotated[str, typer.Option("--as", help="Who you are in teams.yaml.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
) -> None:
    """Lift the kill switch, as a person. Your token is read from SRE_AGENT_APPROVER_TOKEN, or asked for."""
    import asyncio

    from sre_agent.policy.halt import words
    from sre_agent.wiring.switch import open_switch

    token = own_token()

    async def run() -> "HaltState":
        async with open_switch(settings_of(context), resuming=True) as desk:
            return await desk.resume(person, token, reason)

    typer.echo(words(asyncio.run(run())))


def status(context: typer.Context) -> None:
    """Show how the kill switch stands, and which mode holds for what: what has been earned, until when, why not auto."""
    import asyncio

    from sre_agent.policy.halt import words
    from sre_agent.wiring.switch import open_switch

    settings = settings_of(context)

    async def run() -> "HaltState":
        async with open_switch(settings) as desk:
            return await desk.state()

    typer.echo(f"mode {settings.mode.value}; {words(asyncio.run(run()))}")
    # Last: how the switch stands is told even when the policies are broken.
    _show_modes(settings)


def _show_modes(settings: "Settings") -> None:
    import asyncio

    from sre_agent.cli.render import table
    from sre_agent.policy.autonomy import AGREEMENTS
    from sre_agent.wiring.modes import open_modes

    async def run() -> "tuple[Mode, tuple[ModeRow, ...]]":
        async with open_modes(settings) as board:
            return board.others, await board.rows()

    others, found = asyncio.run(run())
    columns = ("action", "service", "mode", "agreements", "until", "why not auto")
    rows = [
        (
            row.entry.action,
            row.entry.service,
            row.mode.value,
            f"{row.standing.agreements} of {AGREEMENTS}",
            f"{row.standing.until:%Y-%m-%d %H:%M} UTC" if row.standing.until else "",
            row.why_not_auto,
        )
        for row in found
    ]
    if rows:
        table(columns, rows)
    typer.echo(f"{'everything else' if rows else 'every action'}: {others.value}")
