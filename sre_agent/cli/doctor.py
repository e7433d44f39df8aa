"""`sre-agent doctor`: is everything there that the agent needs, and may it do what it has to."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sre_agent.cli.context import settings_of

if TYPE_CHECKING:
    from sre_agent.wiring.doctor.verdict import Report, Result


def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="A connection (pagerduty) or one check (pagerduty.token); repeatable, or with commas.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="What one check may take, in seconds.", min=0.1, max=600)] = 10.0,
    role: Annotated[
        Literal["all", "web", "worker", "hands"],
        typer.Option(help="What runs here, as in `serve`; other needs are not missed."),
    ] = "all",
    call_model: Annotated[bool, typer.Option("--call-model", help="Ask the model for one token; costs next to nothing.")] = False,
) -> None:
    """Check every connection and right, and say what to do. Exit status 1 if something is broken, 2 if settings are wrong.

    Nothing is written to anything that is looked at.
    """
    import asyncio

    from sre_agent.incident.errors import ConfigurationError
    from sre_agent.wiring.doctor.connections import Terms
    from sre_agent.wiring.doctor.report import examined

    names = [name.strip() for given in only or () for name in given.split(",") if name.strip()]

    async def run() -> int:
        report = await examined(lambda: settings_of(context), names, Terms(timeout, call_model, role))
        _show(report, as_json)
        _leave_the_silent(report.exit_status)
        return report.exit_status

    try:
        status = asyncio.run(run())
    except ConfigurationError as unknown:
        raise typer.BadParameter(str(unknown), param_hint="--only") from None
    raise typer.Exit(status)


def _show(report: "Report", as_json: bool) -> None:
    import json

    from sre_agent.cli.render import diagnosis

    if as_json:
        typer.echo(json.dumps(report.document(), indent=2))
        return
    diagnosis([(connection, _rows(results)) for connection, results in report.groups])
    typer.echo(f"\n{_counted(report)}. {report.next_step}")


def _rows(results: "tuple[Result, ...]") -> list[tuple[str, str, str, str]]:
    """One row a check; a connection that is not configured at all is one row."""
    rows = [_row(result) for result in results]
    if len(rows) > 1 and all(result.status.value == "skipped" for result in results):
        return [(rows[0][0], f"all {len(rows)} checks", rows[0][2], rows[0][3])]
    return rows


def _row(result: "Result") -> tuple[str, str, str, str]:
    """(status, check, found, what to do and where)."""
    where = f" ({', '.join(result.where)})" if result.todo and result.where else ""
    return result.status.value, result.check, result.found, f"{result.todo}{where}"


def _counted(report: "Report") -> str:
    counts = report.document()["counts"]
    return ", ".join(f"{number} {status}" for status, number in counts.items() if number)


def _leave_the_silent(status: int) -> None:
    """End here when a thread still waits for a server that says nothing: it cannot be ended, and nobody should wait for it."""
    import os
    import sys

    from sre_agent.wiring.doctor.examine import threads_waiting

    if threads_waiting():
        sys.stdout.flush()
        os._exit(status)
