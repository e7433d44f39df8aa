"""Who may move the kill switch: everybody may stop, a person with a token resumes, nobody else ever."""

import ast
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

import sre_agent
from sre_agent.approval.teams import Teams
from sre_agent.incident.errors import Permanent, Refused, Transient
from sre_agent.policy.halt import HaltCause, HaltState
from sre_agent.policy.people import People, Person
from sre_agent.testing.memory_store import MemoryHalt, MemoryStore
from sre_agent.wiring.clock import SystemClock
from sre_agent.wiring.switch import SwitchDesk

TOKEN = "ana's own long random token"
ANA = Person(id="ana", name="Ana Example", cli_token_sha256=hashlib.sha256(TOKEN.encode()).hexdigest())
BEN = Person(id="ben", name="Ben Example")


def desk(halt: MemoryHalt) -> SwitchDesk:
    return SwitchDesk(halt, SystemClock(), Teams(People(people=(ANA, BEN), teams={"platform": ("ana", "ben")})))


async def test_a_person_resumes_by_their_own_token_and_it_is_on_record() -> None:
    store = MemoryStore()
    state = await desk(MemoryHalt(engaged=True, store=store)).resume("ana", TOKEN, " looked at ")
    assert (state.engaged, state.by, state.reason) == (False, "ana", "looked at")
    (record,) = await store.audit(None)
    assert (record.entry.kind, record.entry.actor) == ("halt_lifted", "ana")


@pytest.mark.parametrize(
    ("person", "token"), [("ana", "guessed"), ("ana", ""), ("ben", TOKEN), ("ben", ""), ("sre-agent", TOKEN), ("", TOKEN)]
)
async def test_nobody_else_resumes(person: str, token: str) -> None:
    halt = MemoryHalt(engaged=True)
    with pytest.raises(Refused, match="token"):
        await desk(halt).resume(person, token, "please")
    assert await halt.halted()


@pytest.mark.parametrize("reason", ["", "   ", "\n"])
async def test_every_move_needs_a_reason(reason: str) -> None:
    halt = MemoryHalt()
    with pytest.raises(Permanent, match="reason"):
        await desk(halt).engage("ana", reason)
    with pytest.raises(Permanent, match="reason"):
        await desk(halt).resume("ana", TOKEN, reason)


async def test_a_switch_that_cannot_be_read_is_told_as_engaged() -> None:
    class Away(MemoryHalt):
        async def state(self) -> HaltState:
            raise Transient("the database is away")

    state = await desk(Away()).state()
    assert (state.engaged, state.cause) == (True, HaltCause.UNREADABLE)
    assert "the database is away" in state.reason
    assert state.at <= datetime.now(UTC)


def test_only_the_switch_desk_lifts() -> None:
    """No role, job or command lifts the switch past the desk, which asks for a person's token."""
    root = Path(sre_agent.__file__).parent
    lifting = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "lift"
    }
    assert lifting == {"wiring/switch.py"}
