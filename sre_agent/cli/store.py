"""`sre-agent migrate`, `audit` and the kill switch: what an operator does to the agent's own state."""

from typing import TYPE_CHECKING, Annotated

import typer

from sre_agent.cli.context import settings_of

if TYPE_CHECKING:
    from sre_agent.policy.halt import HaltState

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
def verify(context: typer.Context) -> None:
    """Check the whole chain. Exit status 1 when a record was changed, removed or cut off."""
    import asyncio

    from sre_agent.wiring.state import opened_state

    async def run() -> tuple[int | None, int]:
        async with opened_state(settings_of(context)) as state:
            broken = await state.plain_store.audit_break()
            return broken, 0 if broken is not None else len(await state.plain_store.audit(None))

    broken, length = asyncio.run(run())
    if broken is not None:
        typer.echo(f"the audit chain is broken at record {broken}: it was changed, removed or cut off", err=True)
        raise typer.Exit(1)
    typer.echo(f"the audit chain is whole: {length} records")


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
    typer.echo(_moved(context, by, reason, engage=True))


def resume(
    context: typer.Context,
    by: Annotated[str, typer.Option(help="Who you are.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
) -> None:
    """Lift the kill switch."""
    typer.echo(_moved(context, by, reason, engage=False))


def status(context: typer.Context) -> None:
    """Show how the kill switch stands, and the mode."""
    import asyncio

    from sre_agent.wiring.state import opened_state

    settings = settings_of(context)

    async def run() -> "HaltState":
        async with opened_state(settings) as state:
            return await state.halt.state()

    typer.echo(f"mode {settings.mode.value}; {_words(asyncio.run(run()))}")


def _moved(context: typer.Context, by: str, reason: str, *, engage: bool) -> str:
    import asyncio

    from sre_agent.wiring.clock import SystemClock
    from sre_agent.wiring.state import opened_state

    async def run() -> "HaltState":
        async with opened_state(settings_of(context)) as state:
            move = state.halt.engage if engage else state.halt.lift
            return await move(by, reason, SystemClock().now())

    return _words(asyncio.run(run()))


def _words(state: "HaltState") -> str:
    position = "HALTED" if state.engaged else "running"
    return f"{position} since {state.at.isoformat()} by {state.by}: {state.reason}"
