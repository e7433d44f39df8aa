"""`sre-agent status-page`: read what customers may be told, and publish or discard it, proved by one's own token."""

from typing import TYPE_CHECKING, Annotated

import typer

from sre_agent.cli.context import own_token, settings_of

if TYPE_CHECKING:
    from sre_agent.handback.status_page import KeptDraft

app = typer.Typer(help="Drafts of status page updates.", no_args_is_help=True)

_ID = typer.Argument(metavar="ID", help="The draft, as `list` shows it.")
_AS = typer.Option("--as", help="Who you are in teams.yaml.")


@app.command("list")
def listed(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also what was published or discarded.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Show the drafts that wait for a person, newest first."""
    import asyncio

    from sre_agent.cli.render import table
    from sre_agent.handback.status_page import DraftState
    from sre_agent.wiring.status_page import open_publisher

    states = frozenset(DraftState) if everything else frozenset({DraftState.PENDING, DraftState.PUBLISHING, DraftState.UNKNOWN})

    async def found() -> "tuple[KeptDraft, ...]":
        async with open_publisher(settings_of(context)) as publisher:
            return await publisher.drafts.listed(states, limit)

    drafts = asyncio.run(found())
    if as_json:
        for kept in drafts:
            typer.echo(kept.model_dump_json())
        return
    rows = [
        (k.draft.id, k.draft.audience.value, k.state.value, k.by, f"{k.changed_at:%Y-%m-%d %H:%M} UTC", k.draft.name)
        for k in drafts
    ]
    table(("id", "page", "state", "by", "since", "title"), rows)


@app.command()
def show(context: typer.Context, draft_id: Annotated[str, _ID]) -> None:
    """Show a draft word for word, as customers would read it."""
    import asyncio

    from sre_agent.wiring.status_page import open_publisher

    async def found() -> "KeptDraft":
        async with open_publisher(settings_of(context)) as publisher:
            return await publisher.get(draft_id)

    kept = asyncio.run(found())
    typer.echo(f"{kept.draft.audience.value} page, {kept.draft.phase.value}: {kept.draft.name}\n\n{kept.draft.body}\n")
    _tell(kept)


@app.command()
def publish(context: typer.Context, draft_id: Annotated[str, _ID], person: Annotated[str, _AS]) -> None:
    """Publish a draft. Your token is read from SRE_AGENT_APPROVER_TOKEN, or asked for. Subscribers are not notified."""
    import asyncio

    from sre_agent.wiring.status_page import open_publisher

    settings, token = settings_of(context), own_token()

    async def published() -> "KeptDraft":
        async with open_publisher(settings) as publisher:
            return await publisher.publish(draft_id, person, token)

    _tell(asyncio.run(published()))


@app.command()
def discard(
    context: typer.Context,
    draft_id: Annotated[str, _ID],
    person: Annotated[str, _AS],
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
) -> None:
    """Discard a draft that nobody shall publish. Your token is read from SRE_AGENT_APPROVER_TOKEN, or asked for."""
    import asyncio

    from sre_agent.wiring.status_page import open_publisher

    settings, token = settings_of(context), own_token()

    async def discarded() -> "KeptDraft":
        async with open_publisher(settings) as publisher:
            return await publisher.discard(draft_id, person, token, reason)

    _tell(asyncio.run(discarded()))


def _tell(kept: "KeptDraft") -> None:
    from sre_agent.cli.render import printable

    by = f" by {kept.by}" if kept.by else ""
    typer.echo(printable(f"{kept.draft.id}: {kept.state.value}{by}{f' ({kept.why})' if kept.why else ''}"))
