"""`sre-agent approvals`: see what waits for people, and answer it, proved by one's own token."""

from typing import TYPE_CHECKING, Annotated

import typer

from sre_agent.cli.context import own_token, settings_of

if TYPE_CHECKING:
    from sre_agent.approval.request import ApprovalRequest

app = typer.Typer(help="Questions that wait for people.", no_args_is_help=True)


@app.command("list")
def listed(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False
) -> None:
    """Show what waits for an answer, newest first."""
    import asyncio

    from sre_agent.cli.render import table
    from sre_agent.wiring.approvals import open_desk

    async def pending() -> "tuple[ApprovalRequest, ...]":
        async with open_desk(settings_of(context)) as desk:
            return await desk.pending()

    questions = asyncio.run(pending())
    if as_json:
        for q in questions:
            typer.echo(q.model_dump_json())
        return
    rows = [
        (q.id, q.incident_id, f"{len(q.approvers)} of {q.required}", q.team, q.expires_at.isoformat(), q.question)
        for q in questions
    ]
    table(("id", "incident", "given", "team", "expires", "question"), rows)


@app.command()
def approve(
    context: typer.Context,
    approval_id: Annotated[str, typer.Argument(metavar="ID", help="The question, as `list` shows it.")],
    person: Annotated[str, typer.Option("--as", help="Who you are in teams.yaml.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
) -> None:
    """Say yes. Your token is read from SRE_AGENT_APPROVER_TOKEN, or asked for."""
    _answer(context, approval_id, person, reason, approve=True)


@app.command()
def deny(
    context: typer.Context,
    approval_id: Annotated[str, typer.Argument(metavar="ID", help="The question, as `list` shows it.")],
    person: Annotated[str, typer.Option("--as", help="Who you are in teams.yaml.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
) -> None:
    """Say no. One no is final for this plan."""
    _answer(context, approval_id, person, reason, approve=False)


def _answer(context: typer.Context, approval_id: str, person: str, reason: str, *, approve: bool) -> None:
    import asyncio

    from sre_agent.wiring.approvals import open_desk

    token = own_token()

    async def answer() -> str:
        async with open_desk(settings_of(context)) as desk:
            record = await desk.answer(approval_id, person, token, approve=approve, reason=reason)
            return f"incident {record.id}: {record.state.value}" + (
                f"; approved by {', '.join(record.approvers)}" if approve else ""
            )

    typer.echo(asyncio.run(answer()))
