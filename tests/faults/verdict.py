"""What must hold after every scenario, whatever was done to the agents."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.incident.errors import SreAgentError
from sre_agent.response.record import IncidentRecord
from sre_agent.testing.redis_trial import count_losses
from tests.faults.theatre import Theatre

STUCK = """
    SELECT task_name, status::text, attempts, args::text FROM procrastinate_jobs
    WHERE status IN ('doing', 'failed') OR (status = 'todo' AND (scheduled_at IS NULL OR scheduled_at < now()))
"""


@dataclass(frozen=True)
class Before:
    """The world when the scenario began."""

    primary: str
    epoch: int
    asked: int


def before(theatre: Theatre) -> Before:
    """Now."""
    t = theatre.topology
    return Before(t.primary(), t.epoch(), t.failovers_asked())


@dataclass(frozen=True)
class Seen:
    """What became of it. `moved`: by how much the epoch grew; `asked`: FAILOVERs any sentinel was told."""

    record: IncidentRecord
    intents: tuple[Intent, ...]
    moved: int
    asked: int
    paused: tuple[str, ...]
    lost: int
    notes: int
    questions: int
    audit_break: int | None
    stuck: tuple[str, ...]

    @property
    def closed_as(self) -> IntentState | None:
        """The state of the only row; None when nothing was begun."""
        return self.intents[0].state if self.intents else None

    def assert_sound(self) -> None:
        """The promises that hold in every scenario."""
        assert self.record.state.final, f"stuck in {self.record.state}"
        assert len(self.intents) <= 1, "more than one row in the ledger"
        assert self.closed_as is not IntentState.INTENT, "the ledger's row was left open"
        assert self.asked <= 1, "FAILOVER was sent twice"
        assert self.moved <= 1, f"the epoch grew by {self.moved}"
        if self.closed_as is IntentState.DONE:
            # asked 0: the request was written and never sent, Sentinel acted by itself, and the ledger cannot tell them apart.
            assert self.moved == 1, "reported as done, but nothing moved"
        if self.closed_as in (None, IntentState.NOT_DONE):
            assert self.moved == self.asked == 0, "reported as not done, but something was done"
        assert not self.paused, f"writes are held back on {self.paused}"
        assert self.lost == 0, f"{self.lost} acknowledged writes were lost"
        assert self.notes == 1, f"{self.notes} notes"
        assert self.questions <= 1, f"people were asked {self.questions} times"
        assert self.audit_break is None, f"the audit chain breaks at {self.audit_break}"
        assert not self.stuck, f"jobs left behind: {self.stuck}"


async def seen(theatre: Theatre, start: Before) -> Seen:
    """Look at everything, once the agents have nothing left to do."""
    theatre.sickness.stop()
    stuck = await _settled(lambda: _stuck(theatre), 25.0)
    topology = theatre.topology
    paused = topology.paused()
    await asyncio.to_thread(topology.heal)
    await asyncio.to_thread(topology.wait_agreed)
    record = await theatre.record()
    assert record is not None
    return Seen(
        record=record,
        intents=await _intents(theatre),
        moved=topology.epoch() - start.epoch,
        asked=topology.failovers_asked() - start.asked,
        paused=tuple(paused),
        lost=await asyncio.to_thread(_lost, theatre, start),
        notes=len(theatre.pagerduty.notes(theatre.incident)),
        questions=len(await theatre.state.store.approvals(pending_only=False)),
        audit_break=await theatre.state.plain_store.audit_break(),
        stuck=stuck,
    )


def _lost(theatre: Theatre, start: Before) -> int:
    if theatre.topology.primary() != start.primary:
        return count_losses(theatre.topology.redis, theatre.writer, start.primary).lost
    theatre.writer.stop()
    return theatre.writer.read_back(start.primary).lost


async def _intents(theatre: Theatre) -> tuple[Intent, ...]:
    rows = await theatre.state.database.rows("SELECT document::text FROM intent")
    return tuple(Intent.model_validate_json(row[0]) for row in rows)


async def _stuck(theatre: Theatre) -> tuple[str, ...]:
    try:
        rows = await theatre.state.database.rows(STUCK)
    except SreAgentError as away:
        return (str(away),)
    return tuple(" ".join(map(str, row)) for row in rows)


async def _settled(look: Callable[[], Awaitable[tuple[str, ...]]], seconds: float) -> tuple[str, ...]:
    """What `look` still finds when time is up; () as soon as it finds nothing."""
    deadline = time.monotonic() + seconds
    while found := await look():
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(0.2)
    return found
