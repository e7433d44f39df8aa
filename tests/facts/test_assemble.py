"""Assembling facts: late, failing, overlapping and lying collectors."""

import asyncio
from datetime import UTC, datetime

import pytest

from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.facts.agent import AgentFacts
from sre_agent.facts.assemble import RESTRICTIVE, TARGET_FIELDS, assemble
from sre_agent.facts.breakers import NoHistory
from sre_agent.facts.budgets import BudgetFacts
from sre_agent.facts.incident import IncidentFacts
from sre_agent.facts.modes import FixedMode
from sre_agent.facts.targets import TargetFacts
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.errors import Permanent, Refused, Transient
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.incident.target import Target
from sre_agent.policy.calendar import Freezes
from sre_agent.policy.declarations import Protected
from sre_agent.policy.facts import BOUND, FactContext, Facts, Mode, SpentBudget, TargetDeclaration
from sre_agent.runbook.proposal import Proposal
from sre_agent.triage.triage import Triage

NOW = datetime(2026, 3, 4, 3, 15, tzinfo=UTC)
TARGET = Target(kind="Pod", namespace="a", name="p", uid="u")
CORE = {name: value for name, value in RESTRICTIVE.items() if name not in TARGET_FIELDS}


def context(**declared) -> FactContext:
    infra = AlertClass.INFRA
    return FactContext(
        incident=Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=NOW, service=Reference(id="PSVC1")),
        triage=Triage(labelled=infra, alert_class=infra, owner="platform", receiver="pd-platform"),
        diagnosis=Diagnosis(),
        proposal=Proposal(
            incident_id="Q1", runbook="r", action="restart_pod", target=Target(kind="Pod", namespace="a", name="p", uid="u")
        ),
        declaration=TargetDeclaration(**declared),
        human_acknowledged=False,
        now=NOW,
    )


class Collector:
    def __init__(self, name: str, answer: object = None, raises: BaseException | None = None, wait_s: float = 0) -> None:
        self.name, self._answer, self._raises, self._wait_s = name, answer, raises, wait_s

    async def collect(self, context):
        await asyncio.sleep(self._wait_s)
        if self._raises is not None:
            raise self._raises
        return self._answer


def test_there_is_a_restrictive_value_for_every_fact() -> None:
    assert set(RESTRICTIVE) == set(Facts.model_fields) - {"collector_errors"}


async def test_everything_answered_is_everything_known() -> None:
    facts = await assemble([Collector("core", dict(CORE)), Collector("pod", {"pod_unhealthy": True})], context())
    assert facts.collector_errors == ()
    assert facts.pod_unhealthy
    # Nobody spoke for Redis: nothing that could help is assumed.
    assert (facts.redis_quorum, facts.redis_recent_failover, facts.pods_touched) == (False, True, BOUND)


FAILURES = {
    "transient": Transient("try later"),
    "permanent": Permanent("wrong credentials"),
    "refused": Refused("x", "y"),
    "time-out": TimeoutError(),
    "broken code": AttributeError("'NoneType' object has no attribute 'get'"),
    "broken assumption": AssertionError(),
    "cancelled inside": asyncio.CancelledError(),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_collector_that_raises_is_named_and_answers_restrictively(failure) -> None:
    good = {n: v for n, v in CORE.items() if n != "mode"}
    facts = await assemble([Collector("core", good), Collector("agent", raises=FAILURES[failure])], context())
    assert facts.collector_errors == ("agent",)
    assert facts.mode is Mode.OFF


async def test_a_late_collector_is_named_and_does_not_hold_up_the_rest() -> None:
    facts = await assemble([Collector("core", dict(CORE)), Collector("slow", {}, wait_s=30)], context(), deadline_s=0.05)
    assert facts.collector_errors == ("slow",)


ANSWERS = {
    "a value that is none": {"mode": None},
    "an unknown enum member": {"mode": "yolo"},
    "text for a number": {"facts_age_s": "9"},
    "a negative number": {"facts_age_s": -1},
    "a number beyond the bound": {"facts_age_s": BOUND + 1},
    "NaN": {"facts_age_s": float("nan")},
    "truth as a number": {"halted": 0},
    "a field nobody knows": {"approved": True},
    "the list of failures itself": {"collector_errors": ()},
    "somebody else's field": {"managed": True},
    "no mapping": ["mode"],
    "nothing at all": None,
}


@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_answer_that_is_no_fact_is_a_failure(answer) -> None:
    lies = ANSWERS[answer]
    core = {n: v for n, v in CORE.items() if n == "managed" or not isinstance(lies, dict) or n not in lies}
    facts = await assemble([Collector("core", core), Collector("liar", lies)], context())
    assert "liar" in facts.collector_errors
    assert facts.model_dump(exclude={"collector_errors"}) == dict(RESTRICTIVE)


async def test_a_fact_that_no_collector_answers_is_a_failure() -> None:
    facts = await assemble([Collector("core", {n: v for n, v in CORE.items() if n != "halted"})], context())
    assert facts.collector_errors == ("unanswered:halted",)
    assert facts.halted
    assert len((await assemble([], context())).collector_errors) == len(CORE)


async def test_cancelling_the_caller_cancels_the_collectors() -> None:
    task = asyncio.create_task(assemble([Collector("slow", {}, wait_s=30)], context()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_collectors_run_side_by_side() -> None:
    """Each waits for the other: one after the other they would never end."""
    here, there = asyncio.Event(), asyncio.Event()

    class Meeting:
        def __init__(self, name, mine, other) -> None:
            self.name, self._mine, self._other = name, mine, other

        async def collect(self, context):
            self._mine.set()
            await self._other.wait()
            return {}

    facts = await assemble([Meeting("a", here, there), Meeting("b", there, here), Collector("core", dict(CORE))], context(), 5)
    assert facts.collector_errors == ()


class Switch:
    def __init__(self, answer: bool | Exception) -> None:
        self._answer = answer

    async def halted(self) -> bool:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    ("switch", "halted"),
    [(False, False), (True, True), (Transient("database gone"), True), (Permanent("no table"), True), (OSError("disk"), True)],
)
async def test_a_kill_switch_that_cannot_be_read_is_engaged(switch, halted) -> None:
    found = await AgentFacts(FixedMode(Mode.AUTO), Switch(switch), Freezes()).collect(context())
    assert found == {"mode": Mode.AUTO, "halted": halted, "active_freezes": ()}


async def test_freezes_are_those_in_force_now_for_this_target() -> None:
    window = {"id": "w", "from": "2026-03-04T00:00:00", "to": "2026-03-05T00:00:00", "tz": "UTC", "scope": {"namespace": "a"}}
    freezes = Freezes.model_validate({"windows": [window, {**window, "id": "x", "scope": {"namespace": "b"}}]})
    assert (await AgentFacts(FixedMode(Mode.AUTO), Switch(False), freezes).collect(context()))["active_freezes"] == ("w",)


class Ledger:
    def __init__(self) -> None:
        self.asked: tuple[object, ...] = ()

    async def spent(self, target_key, service, incident_id, now) -> SpentBudget:
        self.asked = (target_key, service, incident_id, now)
        return SpentBudget(
            target_actions_30m=1,
            service_actions_6h=2,
            global_actions_1h=3,
            global_actions_24h=3,
            in_flight_target=4,
            in_flight_global=BOUND * 9,
            incident_failovers=6,
        )


async def test_budgets_are_counted_for_the_place_and_its_service() -> None:
    ledger = Ledger()
    found = await BudgetFacts(ledger).collect(context(service="voice-platform"))
    assert ledger.asked == ("Pod/a/p", "voice-platform", "Q1", NOW)
    assert (found["service_actions_6h"], found["in_flight_global"]) == (2, BOUND)
    await BudgetFacts(ledger).collect(context())
    assert ledger.asked[1] == "PSVC1"


async def test_what_is_declared_about_the_target() -> None:
    found = await TargetFacts(Protected(namespaces=("a",))).collect(context(managed=True, sentinel_aware=True))
    assert found == {"managed": True, "protected": True, "sentinel_aware": True}
    found = await TargetFacts(Protected(namespaces=())).collect(context())
    assert found == {"managed": False, "protected": False, "sentinel_aware": False}


async def test_the_collectors_together_answer_every_fact_that_does_not_depend_on_the_target() -> None:
    collectors = [
        IncidentFacts(),
        AgentFacts(FixedMode(Mode.AUTO), Switch(False), Freezes()),
        BudgetFacts(Ledger()),
        TargetFacts(Protected(namespaces=())),
        NoHistory(),
    ]
    assert (await assemble(collectors, context())).collector_errors == ()
