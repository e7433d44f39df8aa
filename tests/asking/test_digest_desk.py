"""A digest across workers and crashes: the intent to ask in names its incident, and is finished there and nowhere else."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from sre_agent.approval.request import ApprovalRequest
from sre_agent.asking.digest import DigestDesk
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.errors import Transient
from sre_agent.response.fatigue import AskedIn, Digest
from sre_agent.response.record import IncidentRecord, State, Step
from sre_agent.response.walk import Walk
from sre_agent.testing.board import MemoryBoard
from sre_agent.testing.memory_store import MemoryStore
from sre_agent.testing.rooms import ManualClock, MemoryLocks, MemoryTracker
from sre_agent.testing.walkthrough import START
from sre_agent.triage.ownership import Ownership
from sre_agent.triage.triage import Triage

TRIAGE = Triage(labelled=AlertClass.INFRA, alert_class=AlertClass.INFRA, owner="platform", receiver="pd-platform")


@dataclass
class CountingTracker(MemoryTracker):
    """Every call counts, whether it asks anybody or not; `lost` answers of them never arrive."""

    calls: list[tuple[str, str]] = field(default_factory=list)
    lost: int = 0

    async def ask_in(self, incident_id: str, escalation_policy_id: str, message: str) -> bool:
        self.calls.append((incident_id, escalation_policy_id))
        asked = await super().ask_in(incident_id, escalation_policy_id, message)
        if self.lost:
            self.lost -= 1
            raise Transient("no answer")
        return asked


@dataclass
class Desk:
    """One digest desk on doubles; `ask` puts a question of a new incident into the digest."""

    store: MemoryStore = field(default_factory=MemoryStore)
    tracker: CountingTracker = field(default_factory=CountingTracker)
    board: MemoryBoard = field(default_factory=MemoryBoard)
    locks: MemoryLocks = field(default_factory=MemoryLocks)
    policies: dict[str, str] = field(default_factory=lambda: {"pd-platform": "PPLAT01"})

    def __post_init__(self) -> None:
        self.clock = ManualClock(START)
        walk = Walk(self.store, self.clock)
        owned = Ownership(receivers=self.policies)
        self.desk = DigestDesk(walk, self.tracker, owned, self.locks.target_lock, 1, "https://sre.example")

    async def ask(self, name: str, **more: Any) -> tuple[IncidentRecord, ApprovalRequest]:
        now = self.clock.now()
        fields = {"id": f"apr_{name}", "incident_id": name, "plan_hash": "h", "required": 1, "team": "platform", "question": "?"}
        request = ApprovalRequest.model_validate({**fields, "created_at": now, "expires_at": now + timedelta(minutes=10), **more})
        fresh = await self.store.create(IncidentRecord(id=name, received_at=now, updated_at=now, triage=TRIAGE), ())
        step = Step(to=State.AWAITING_APPROVAL, changes={"approval_id": request.id}, approval=request)
        return await self.store.advance(fresh, step), request

    async def join(self, name: str) -> Any:
        return await self.desk.join(self.board, *await self.ask(name))


async def test_an_owner_asked_in_is_not_asked_again_for_the_next_question() -> None:
    desk = Desk()
    for name in ("Q1", "Q2", "Q3"):
        assert (await desk.join(name)).digest == "dig_apr_Q1"
    assert desk.tracker.calls == [("Q1", "PPLAT01")]
    assert [w.approval_id for w in desk.board.digests[0].waiting] == ["apr_Q1", "apr_Q2", "apr_Q3"]
    assert desk.board.digests[0].waiting[0].link == "https://sre.example/incidents/Q1"


async def test_what_a_dead_worker_left_half_asked_is_finished_on_its_own_incident() -> None:
    desk = Desk()
    half = Digest(id="dig_apr_Q1", opened_at=START, questions=("apr_Q1",), asked_in=(AskedIn(policy="PPLAT01", incident_id="Q1"),))
    await desk.ask("Q1")
    await desk.store.put_digest(half)
    await desk.join("Q2")
    assert desk.tracker.calls == [("Q1", "PPLAT01")]
    known = await desk.store.digest(None)
    assert known.asked_in == (AskedIn(policy="PPLAT01", incident_id="Q1", done=True),)


async def test_a_lost_answer_is_told_only_after_the_digest_stands_and_asks_nobody_twice() -> None:
    desk = Desk(tracker=CountingTracker(lost=1))
    record, request = await desk.ask("Q1")
    with pytest.raises(Transient, match="no answer"):
        await desk.desk.join(desk.board, record, request)
    assert len(desk.board.digests) == 1
    await desk.desk.join(desk.board, record, request)
    assert (desk.board.posts, len(desk.tracker.asked_in), len(desk.tracker.calls)) == (1, 1, 2)


async def test_while_another_worker_is_at_the_digest_the_job_comes_back_later() -> None:
    desk = Desk(locks=MemoryLocks(taken={"digest of questions"}))
    with pytest.raises(Transient, match="is held"):
        await desk.join("Q1")
    assert (desk.board.posts, desk.tracker.calls, await desk.store.digest(None)) == (0, [], None)


async def test_without_an_escalation_policy_the_digest_stands_all_the_same() -> None:
    desk = Desk(policies={})
    await desk.join("Q1")
    assert (desk.board.posts, desk.tracker.calls) == (1, [])
