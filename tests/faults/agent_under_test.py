"""`sre-agent serve` with a fuse in it: the same roles through the same wiring, over a store, a ledger and an action that
report each named point to the fuse. Run as `python -m tests.faults.agent_under_test`; settings as for serve.

Points:
- `look:before`                 an execution's job has begun, nothing is decided
- `intent:before`, `:after`     around the ledger row
- `step:X:before`, `:after`     around writing step X; "after" comes before what X does, the next step's "before" behind it
- `glance:X:after`              the topology has been looked at within step X
- `close:before`, `:after`      around closing the ledger row (the effect is over)
- `state:S:before`, `:after`    around the transaction that moves the incident into state S
- `sample:after`                one look of the verification is stored
- `note:before`                 the note is written at PagerDuty, its id not stored
"""

import argparse
import asyncio
import signal
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sre_agent.actions.redis_failover import Procedure, RedisFailover
from sre_agent.adapters.observed_store import ObservedStore, Observer
from sre_agent.adapters.postgres.ledger import PostgresLedger
from sre_agent.cli.serve import stop_on_signals
from sre_agent.evidence.redis.state import RedisState
from sre_agent.evidence.source import RedisReader
from sre_agent.execution.action import Action, Outcome, Workbench
from sre_agent.execution.budget import Limits
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.response.record import IncidentRecord, State, Step
from sre_agent.settings import Settings, load
from sre_agent.wiring import discovery
from sre_agent.wiring.roles import Parts, run_roles
from sre_agent.wiring.state import State as Opened
from sre_agent.wiring.state import opened_state
from tests.faults.fuse import Fuse


class FusedLedger(PostgresLedger):
    """The real ledger; every call is told to the fuse."""

    def __init__(self, opened: Opened, fuse: Fuse) -> None:
        super().__init__(opened.database, Limits())
        self._fuse = fuse

    async def find(self, key: str) -> Intent | None:
        self._fuse.at("look:before")
        return await super().find(key)

    async def open(self, intent: Intent) -> Intent:
        self._fuse.at("intent:before")
        stored = await super().open(intent)
        self._fuse.at("intent:after")
        return stored

    async def step(self, key: str, step: str, scratch: dict[str, Any]) -> Intent:
        self._fuse.at(f"step:{step}:before")
        stored = await super().step(key, step, scratch)
        self._fuse.at(f"step:{step}:after")
        return stored

    async def close(self, key: str, state: IntentState, result: str) -> Intent:
        self._fuse.at("close:before")
        stored = await super().close(key, state, result)
        self._fuse.at("close:after")
        return stored


class FusedStore(ObservedStore):
    """The real store; every step of an incident is told to the fuse."""

    def __init__(self, opened: Opened, fuse: Fuse) -> None:
        super().__init__(opened.store, ())
        self._fuse = fuse

    async def advance(self, record: IncidentRecord, step: Step) -> IncidentRecord:
        moved = step.to is not record.state
        if moved:
            self._fuse.at(f"state:{step.to.value}:before")
        if "note_id" in step.changes:
            self._fuse.at("note:before")
        stored = await super().advance(record, step)
        if moved:
            self._fuse.at(f"state:{step.to.value}:after")
        elif step.to is State.VERIFYING and "samples" in step.changes:
            self._fuse.at("sample:after")
        return stored


class FusedReader:
    """A RedisReader and RedisGlancer that tells the fuse in which step a glance was taken."""

    def __init__(self, reader: RedisReader, fuse: Fuse) -> None:
        self._reader, self._fuse = reader, fuse
        self.step = ""

    async def read(self, master: str) -> RedisState:
        return await self._reader.read(master)

    async def glance(self, master: str, *, skip: Collection[str] = ()) -> RedisState:
        state = await self._reader.glance(master, skip=skip)
        self._fuse.at(f"glance:{self.step}:after")
        return state


class FusedFailover(RedisFailover):
    """The real failover by a chosen procedure, looking through a FusedReader."""

    def __init__(self, procedure: Procedure, fuse: Fuse) -> None:
        super().__init__(procedure)
        self._fuse = fuse

    async def effect(self, intent: Intent, bench: Workbench) -> Outcome:
        reader = FusedReader(bench.readers.redis, self._fuse)

        async def record(step: str, scratch: dict[str, Any]) -> None:
            await bench.record(step, scratch)
            reader.step = step

        return await super().effect(intent, replace(bench, readers=replace(bench.readers, redis=reader), record=record))


def parts(fuse: Fuse, procedure: Procedure) -> Parts:
    """The shipped parts with the fuse in them."""

    @asynccontextmanager
    async def opened(settings: Settings, observers: tuple[Observer, ...] = (), *, migrated: bool = False) -> AsyncIterator[Opened]:
        async with opened_state(settings, observers, migrated=migrated) as state:
            yield replace(state, ledger=FusedLedger(state, fuse), store=FusedStore(state, fuse))

    def actions() -> Mapping[str, Action]:
        return {**discovery.actions(), "redis_failover": FusedFailover(procedure, fuse)}

    return Parts(opened=opened, actions=actions)


async def serve(given: argparse.Namespace) -> None:
    """Run until told to stop, exactly as `sre-agent serve` does."""
    stop = asyncio.Event()
    stop_on_signals(asyncio.get_running_loop(), stop)
    fuse = Fuse(given.point, signal.Signals[given.deed], given.fuse)
    await run_roles(load(), given.role, "127.0.0.1", given.port, stop, parts(fuse, Procedure(given.procedure)))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--role", default="all")
    arguments.add_argument("--point", default="")
    arguments.add_argument("--deed", default="SIGKILL")
    arguments.add_argument("--fuse", type=Path, required=True)
    arguments.add_argument("--procedure", default="fenced")
    asyncio.run(serve(arguments.parse_args()))
