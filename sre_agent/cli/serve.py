"""`sre-agent serve`: the agent itself, in one process or with its powers apart."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sre_agent.cli.context import settings_of

if TYPE_CHECKING:
    import asyncio


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on. Only doors and health answer other machines.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8080,
    role: Annotated[
        Literal["all", "web", "worker", "hands"],
        typer.Option(help="web receives, worker investigates and decides, hands alone holds write credentials."),
    ] = "all",
) -> None:
    """Run the agent until it is told to stop.

    SIGTERM and SIGINT drain: work in hand is finished, nothing new is begun. A second signal ends it at once.
    """
    import asyncio

    from sre_agent.wiring.roles import run_roles

    settings = settings_of(context)

    async def until_told() -> None:
        stop = asyncio.Event()
        stop_on_signals(asyncio.get_running_loop(), stop)
        await run_roles(settings, role, host, port, stop)

    asyncio.run(until_told())


def stop_on_signals(loop: "asyncio.AbstractEventLoop", stop: "asyncio.Event") -> None:
    """The first SIGTERM or SIGINT drains; a second one ends the process as it would without us."""
    import signal

    def told(number: signal.Signals) -> None:
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told, number)
