"""The executor takes nothing but a sealed, fresh, unused permit, and never repeats what may have happened."""

import asyncio
from datetime import UTC, datetime

import pytest

from sre_agent.execution.action import Outcome, Readers
from sre_agent.execution.executor import Executor, Tools
from sre_agent.execution.hands import Hands
from sre_agent.execution.ledger import IntentState, intent_key
from sre_agent.incident.errors import Conflict, OutcomeUnknown, Permanent, Refused, Transient
from sre_agent.incident.target import Target
from sre_agent.policy.permit import Permit, seal
from sre_agent.runbook.proposal import Proposal
from sre_agent.testing.memory_store import MemoryLedger
from sre_agent.testing.rooms import ManualClock, ScriptedAction

START = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
KEY = b"the guard's"
PROPOSAL = Proposal(
    incident_id="Q1", runbook="redis-failover", action="redis_failover", target=Target(kind="RedisMaster", name="cache", uid="r1")
)


def permit(**changed) -> Permit:
    made = Permit(
        id="permit_1",
        proposal=PROPOSAL,
        plan_hash="h1",
        facts_sha256="f",
        bundle_hash="b",
        approvals=2,
        minted_at=START,
        seal="",
    )
    return seal(changed.pop("key", KEY), made.model_copy(update=changed))


class Stage:
    def __init__(self, **action) -> None:
        self.clock = ManualClock(START)
        self.ledger = MemoryLedger()
        self.action = ScriptedAction(**action)
        self.asked = 0
        self.refusal: Refused | None = None

    def executor(self, key: bytes = KEY) -> Executor:
        tools = Tools(Hands(), Readers(), self.clock.sleep)
        return Executor({self.action.name: self.action}, self.ledger, tools, key, self.clock)

    async def still_allowed(self) -> None:
        self.asked += 1
        if self.refusal is not None:
            raise self.refusal

    def run(self, given: Permit) -> Outcome:
        return asyncio.run(self.executor().run(given, "voice", self.still_allowed))

    def row(self):
        return asyncio.run(self.ledger.find(intent_key(PROPOSAL, "h1")))


def test_a_good_permit_is_one_effect_and_one_closed_row() -> None:
    stage = Stage()
    outcome = stage.run(permit())
    assert (outcome.state, stage.action.effects) == (IntentState.DONE, 1)
    row = stage.row()
    assert (row.state, row.precondition, row.permit_id) == (IntentState.DONE, {"uid": "r1"}, "permit_1")
    assert row.steps[0] == "act"


@pytest.mark.parametrize(
    ("rule", "given"),
    {
        "permit-seal": permit(key=b"somebody else's"),
        "permit-expired": permit(minted_at=START.replace(minute=9)),
    }.items(),
)
def test_a_permit_made_elsewhere_or_kept_too_long_opens_nothing(rule, given) -> None:
    stage = Stage()
    with pytest.raises(Refused) as refused:
        stage.run(given)
    assert (refused.value.rule, stage.action.effects, stage.row()) == (rule, 0, None)


@pytest.mark.parametrize("field", ["plan_hash", "approvals", "proposal", "id", "minted_at", "bundle_hash"])
def test_a_permit_that_was_altered_in_any_field_opens_nothing(field) -> None:
    other = {
        "plan_hash": "h2",
        "approvals": 0,
        "proposal": PROPOSAL.model_copy(update={"target": Target(kind="RedisMaster", name="other", uid="r2")}),
        "id": "permit_2",
        "minted_at": START.replace(second=1),
        "bundle_hash": "c",
    }
    stage = Stage()
    with pytest.raises(Refused, match="altered"):
        stage.run(permit().model_copy(update={field: other[field]}))
    assert stage.action.effects == 0


def test_an_action_nobody_registered_is_refused() -> None:
    stage = Stage(name="something_else")
    with pytest.raises(Refused, match="no action called"):
        stage.run(permit())


def test_the_same_permit_twice_is_one_effect_and_the_stored_answer() -> None:
    stage = Stage()
    first, second = stage.run(permit()), stage.run(permit())
    assert (first.state, second.state, second.result) == (IntentState.DONE, IntentState.DONE, first.result)
    assert stage.action.effects == 1


def test_a_permit_that_was_spent_on_one_plan_is_refused_for_another() -> None:
    stage = Stage()
    stage.run(permit())
    with pytest.raises(Refused) as refused:
        stage.run(permit(plan_hash="h2"))
    assert refused.value.rule in ("permit-used", "budget-target", "budget-failover")
    assert stage.action.effects == 1


def test_a_refusal_at_the_last_line_before_the_intent_leaves_no_row() -> None:
    stage = Stage()
    stage.refusal = Refused("halted", "engaged")
    with pytest.raises(Refused):
        stage.run(permit())
    assert (stage.action.effects, stage.row()) == (0, None)


@pytest.mark.parametrize("failure", [OutcomeUnknown("no answer"), Transient("gone"), Permanent("401")])
def test_what_may_have_happened_is_observed_and_never_sent_again(failure) -> None:
    def fail() -> None:
        raise failure

    stage = Stage(on_effect=fail)
    outcome = stage.run(permit())
    assert (outcome.state, stage.action.effects) == (IntentState.DONE, 0)
    assert str(failure) in outcome.result
    assert stage.row().state is IntentState.DONE


def test_an_observation_that_fails_for_good_closes_as_unknown() -> None:
    def fail() -> None:
        raise OutcomeUnknown("no answer")

    stage = Stage(on_effect=fail)

    async def blind(intent, bench):
        raise Permanent("no such host")

    stage.action.recover = blind
    assert stage.run(permit()).state is IntentState.UNKNOWN
    assert stage.row().state is IntentState.UNKNOWN


class Died(BaseException):
    """The process ended here."""


def test_a_crash_leaves_the_intent_and_the_next_process_observes_it() -> None:
    def die() -> None:
        raise Died

    stage = Stage(on_effect=die)
    with pytest.raises(Died):
        stage.run(permit())
    assert stage.row().state is IntentState.INTENT
    stage.clock.advance(3600)
    outcome = asyncio.run(stage.executor(b"another process").resume(stage.row().key, stage.still_allowed))
    assert (outcome.state, outcome.result, stage.action.effects) == (IntentState.DONE, "found done", 0)


def test_an_abandoned_intent_is_unknown_and_blocks_nothing_more() -> None:
    def die() -> None:
        raise Died

    stage = Stage(on_effect=die)
    with pytest.raises(Died):
        stage.run(permit())
    asyncio.run(stage.executor().abandon(stage.row().key, "a defect"))
    assert (stage.row().state, stage.row().result) == (IntentState.UNKNOWN, "a defect")
    assert asyncio.run(stage.ledger.unfinished("Q1")) == ()


def test_a_worker_whose_lock_was_lost_leaves_the_row_to_whoever_took_over() -> None:
    def lose_the_lock() -> None:
        raise Conflict("the lock was lost")

    stage = Stage(on_effect=lose_the_lock)
    with pytest.raises(Conflict):
        stage.run(permit())
    assert stage.row().state is IntentState.INTENT
