"""What happens to the agents, the database and the incident in the middle of a scenario. Each plot is told the theatre."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

from sre_agent.incident.errors import Conflict, Refused
from sre_agent.response.document import json_text
from sre_agent.response.record import JobKind, State
from tests.faults.theatre import AgentUnderTest, Theatre

Plot = Callable[[Theatre], Awaitable[None]]

BUSY = frozenset({State.RECEIVED, State.INVESTIGATING, State.AWAITING_APPROVAL, State.EXECUTING})


async def nothing(theatre: Theatre) -> None:
    """Nobody is disturbed."""


async def replaced(theatre: Theatre) -> None:
    """The fuse killed an agent; another one is started afterwards."""
    await _buried(await theatre.victim())
    theatre.start_agent()


async def survived(theatre: Theatre) -> None:
    """The fuse killed an agent; the one beside it goes on."""
    await _buried(await theatre.victim())


async def killed_while_gathering(theatre: Theatre) -> None:
    """Killed from outside while a source has not answered yet; another agent is started afterwards."""
    async with asyncio.timeout(60):
        while not theatre.prometheus.asked:
            await asyncio.sleep(0.02)
    (agent,) = theatre.agents
    agent.signal(signal.SIGKILL)
    await _buried(agent)
    theatre.start_agent()


def slept(seconds: float) -> Plot:
    """The fuse stopped an agent; it wakes so many seconds later."""

    async def plot(theatre: Theatre) -> None:
        victim = await theatre.victim()
        await asyncio.sleep(seconds)
        victim.signal(signal.SIGCONT)

    return plot


def slept_until(*states: State) -> Plot:
    """The fuse stopped an agent; it wakes when the other one has brought the incident to one of these states."""

    async def plot(theatre: Theatre) -> None:
        victim = await theatre.victim()
        async with asyncio.timeout(60):
            while (record := await theatre.record()) is None or record.state not in states:
                await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)
        victim.signal(signal.SIGCONT)
        await asyncio.sleep(3.0)  # whatever it still means to do, it does now

    return plot


async def database_restarted(theatre: Theatre) -> None:
    """The database crashes and comes back while an agent stands at the fuse."""
    victim = await theatre.victim()
    await asyncio.to_thread(theatre.server.restart)
    victim.signal(signal.SIGCONT)


async def database_restarted_under_way(theatre: Theatre) -> None:
    """The agent goes on, and the database crashes and comes back under its hands."""
    victim = await theatre.victim()
    restarting = asyncio.create_task(asyncio.to_thread(theatre.server.restart))
    victim.signal(signal.SIGCONT)
    await restarting


async def database_away(theatre: Theatre) -> None:
    """The database is away for eight seconds while the agent goes on."""
    victim = await theatre.victim()
    restarting = asyncio.create_task(asyncio.to_thread(theatre.server.restart, 8.0))
    await asyncio.sleep(0.5)
    victim.signal(signal.SIGCONT)
    await restarting


async def drained(theatre: Theatre) -> None:
    """SIGTERM in the middle of the action: the agent finishes it and leaves with status 0; another one is started then."""
    victim = await theatre.victim()
    victim.signal(signal.SIGTERM)
    victim.signal(signal.SIGCONT)
    await _buried(victim)
    assert victim.status == 0, f"left with {victim.status}"
    record = await theatre.record()
    assert record is not None
    assert record.state is State.VERIFYING, f"left behind: {record.state}"
    theatre.start_agent()


async def halted(theatre: Theatre) -> None:
    """The kill switch is engaged while an agent stands at the fuse."""
    victim = await theatre.victim()
    await theatre.state.halt.engage("ana", "stop everything", theatre.desk.walk.clock.now())
    victim.signal(signal.SIGCONT)


async def resolved_before_the_answer(theatre: Theatre) -> None:
    """A person resolves the incident while the question waits; a late yes then changes nothing."""
    async with asyncio.timeout(60):
        while (record := await theatre.record()) is None or record.state is not State.AWAITING_APPROVAL:
            await asyncio.sleep(0.05)
    theatre.pagerduty.resolve(theatre.incident, theatre.pagerduty.person)
    async with asyncio.timeout(20):
        while (await theatre.record()).state is not State.CANCELLED:
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    try:
        await theatre.approve(record.approval_id)
    except (Conflict, Refused):
        return
    raise AssertionError("a withdrawn plan took an approval")


async def resolved_at_the_fuse(theatre: Theatre) -> None:
    """A person resolves the incident while an agent stands at the fuse, and it goes on before any webhook is heard."""
    victim = await theatre.victim()
    for subscription in theatre.pagerduty.webhooks.subscriptions.values():
        subscription.active = False
    theatre.pagerduty.resolve(theatre.incident, theatre.pagerduty.person)
    victim.signal(signal.SIGCONT)


async def resolved_and_heard_at_the_fuse(theatre: Theatre) -> None:
    """A person resolves the incident while an agent stands at the fuse; the other agent takes the webhook first."""
    victim = await theatre.victim()
    theatre.pagerduty.resolve(theatre.incident, theatre.pagerduty.person)
    async with asyncio.timeout(20):
        while not (await theatre.record()).reason:
            await asyncio.sleep(0.02)
    victim.signal(signal.SIGCONT)


async def raced(theatre: Theatre) -> None:
    """The same execution is put on the queue six more times without the lock that keeps jobs of one incident in turn."""
    async with asyncio.timeout(60):
        while (record := await theatre.record()) is None or record.state is not State.EXECUTING:
            await asyncio.sleep(0.005)
    async with theatre.state.database.transaction() as connection:
        for _ in range(6):
            await connection.execute(
                "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW('hands', %s, 0, NULL, NULL, %s::jsonb, NULL)"
                "::procrastinate_job_to_defer_v1])",
                (JobKind.EXECUTE.value, json_text({"incident_id": theatre.incident})),
            )


async def _buried(agent: AgentUnderTest) -> None:
    """Wait for its end, so that its process id is free."""
    async with asyncio.timeout(60):
        while agent.status is None:
            await asyncio.sleep(0.02)
