"""`sre-agent pagerduty`: the webhook subscription that brings incidents here: install, rotate, list, uninstall."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sre_agent.cli.context import settings_of

if TYPE_CHECKING:
    from sre_agent.wiring.extension import Extension
    from sre_agent.wiring.extension_plan import Place

app = typer.Typer(help="The PagerDuty extension: where PagerDuty sends incidents.", no_args_is_help=True)

UNPROVED = 3
"""Exit status when everything was done and the test delivery did not arrive."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options that every changing command takes."""

    url: Annotated[str, typer.Option(help="Where PagerDuty sends: https://HOST/webhooks/pagerduty.")]
    service: Annotated[str, typer.Option(metavar="ID", help="Incidents of this service.")] = ""
    team: Annotated[str, typer.Option(metavar="ID", help="Incidents of this team's services.")] = ""
    account: Annotated[bool, typer.Option("--account", help="Incidents of the whole account.")] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the requests, change nothing.")] = False
    secret_out: Annotated[Path | None, typer.Option(metavar="FILE", help="Keep the secret in this file instead.")] = None


def asking(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of Asked beside its own; it gets them as one value."""
    shared = signature(Asked).parameters.values()
    first, _, *own = signature(command).parameters.values()

    def run(context: typer.Context, **given: Any) -> None:
        command(context, Asked(**{p.name: given.pop(p.name) for p in shared}), **given)

    taken = [first, *shared, *own]
    # What typer reads a command's options from.
    run.__dict__["__signature__"] = Signature(taken)
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {p.name: p.annotation for p in taken}
    return run


@app.command()
@asking
def install(
    context: typer.Context,
    asked: Asked,
    *,
    recreate: Annotated[bool, typer.Option("--recreate", help="Make it anew when its secret is lost.")] = False,
    wait: Annotated[float, typer.Option(min=0, max=600, help="Seconds to wait for the test delivery; 0 sends none.")] = 30.0,
) -> None:
    """Find or create the webhook subscription, keep its secret, prove that a delivery arrives. Exit status 3 when none does."""

    async def run(extension: "Extension", place: "Place") -> bool:
        if asked.dry_run:
            await extension.preview(place, "install", recreate=recreate)
            return True
        return await extension.install(place, recreate=recreate)

    _run(context, asked, run, wait)


@app.command()
@asking
def rotate(
    context: typer.Context,
    asked: Asked,
    *,
    wait: Annotated[float, typer.Option(min=1, max=600, help="Seconds to wait for the test delivery.")] = 30.0,
) -> None:
    """Replace subscription and secret without losing a delivery. Exit status 3 when the new one failed: then nothing changed."""

    async def run(extension: "Extension", place: "Place") -> bool:
        if asked.dry_run:
            await extension.preview(place, "rotate")
            return True
        return await extension.rotate(place)

    _run(context, asked, run, wait)


@app.command()
@asking
def uninstall(context: typer.Context, asked: Asked) -> None:
    """Remove the webhook subscriptions on this URL, and their secrets."""

    async def run(extension: "Extension", place: "Place") -> bool:
        if asked.dry_run:
            await extension.preview(place, "uninstall")
        elif not await extension.uninstall(place):
            typer.echo("there was nothing to remove")
        return True

    _run(context, asked, run, 0)


@app.command("list")
def listed(context: typer.Context) -> None:
    """Show every webhook subscription that the key may see, and whether its secret is held here."""
    import asyncio

    from sre_agent.cli.render import table
    from sre_agent.evidence.redact import redact
    from sre_agent.wiring.extension import open_extension

    async def rows() -> list[tuple[str, ...]]:
        async with open_extension(settings_of(context), typer.echo, wait_s=0, secret_out=None) as extension:
            found = await extension.listed()
        return [
            (
                s.id,
                str(s.scope or "?"),
                "disabled" if s.disabled else "active" if s.active else "inactive",
                "here" if held else "not here",
                redact(s.url),
            )
            for s, held in found
        ]

    table(("id", "for", "state", "secret", "url"), asyncio.run(rows()))


def _run(context: typer.Context, asked: Asked, run: "Callable[[Extension, Place], Awaitable[bool]]", wait: float) -> None:
    """One command over the configured account; exit status UNPROVED, with advice, when `run` says False."""
    import asyncio

    from sre_agent.wiring.extension import open_extension, place_of
    from sre_agent.wiring.extension_plan import no_ping, scope_of

    settings = settings_of(context)
    try:
        scope = scope_of(asked.service, asked.team, account=asked.account)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None
    place, wait = place_of(settings, asked.url, scope), 0 if asked.dry_run else wait

    async def over() -> bool:
        async with open_extension(settings, typer.echo, wait_s=wait, secret_out=asked.secret_out) as extension:
            return await run(extension, place)

    if asyncio.run(over()):
        return
    for line in no_ping(place, wait):
        typer.echo(line, err=True)
    raise typer.Exit(UNPROVED)
