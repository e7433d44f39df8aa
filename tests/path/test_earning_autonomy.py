"""The whole walk earns its autonomy, uses it, and loses it: real guard, real policies, real lifecycle."""

from collections.abc import Mapping

from sre_agent.audit.record import AuditEntry
from sre_agent.facts.modes import EarnedModes
from sre_agent.incident.event import EventKind
from sre_agent.policy.autonomy import AGREEMENTS
from sre_agent.policy.facts import FactContext, Facts, Mode
from sre_agent.policy.modes import ModeEntry, Modes
from sre_agent.response.record import IncidentRecord, State
from sre_agent.testing.memory_track_record import MemoryTrackRecord
from sre_agent.testing.rooms import ScriptedAction, ScriptedInvestigator
from sre_agent.testing.walkthrough import Walkthrough
from sre_agent.verification.probe import Probes
from tests.path.scenes import BUNDLE, RUNBOOKS, facts, found, incident, restart_facts, restart_found

SERVICE = "voice-platform"
WEEK = 7 * 24 * 3600.0


class Pods:
    """KubernetesReader: after a restart one pod of the owner, ready or not."""

    def __init__(self) -> None:
        self.ready = True

    async def objects(self, kind: str, namespace: str | None) -> list[dict[str, object]]:
        condition = {"type": "Ready", "status": "True" if self.ready else "False"}
        meta = {"uid": "new-pod", "ownerReferences": [{"uid": "rs-uid", "controller": True}]}
        return [{"metadata": meta, "status": {"conditions": [condition]}}]


class Earning(Walkthrough):
    """A walkthrough in mode auto whose fact `mode` comes from its own audit chain, as in the product."""

    async def _facts_for(self, context: FactContext) -> Facts:
        listed = tuple(ModeEntry(action=a, service=SERVICE, mode=Mode.AUTO) for a in ("restart_pod", "redis_failover"))
        modes = EarnedModes(Mode.AUTO, Modes(modes=listed), MemoryTrackRecord(self.store))
        mode = await modes.mode(context.proposal.action, context.declaration.service, self.clock.now())
        return (await super()._facts_for(context)).model_copy(update={"mode": mode})


def of_this_incident(scripted, **changed: object):
    """What `scripted` finds, for whichever incident is looked at."""

    def answer(scope, triage):
        was = scripted(scope, triage)
        return was.model_copy(update={"proposal": was.proposal.model_copy(update={"incident_id": scope.incident.id, **changed})})

    return ScriptedInvestigator(answer)


def restarts(pods: Pods) -> Earning:
    books: Mapping = RUNBOOKS | {"restart-pod": RUNBOOKS["restart-pod"].model_copy(update={"soak_s": 30, "within_s": 60})}
    return Earning(
        BUNDLE,
        books,
        of_this_incident(restart_found, generation="rs-uid"),
        restart_facts,
        probes=Probes(kubernetes=pods),
        action=ScriptedAction(name="restart_pod"),
    )


async def happens(walk: Earning, name: str) -> IncidentRecord:
    """A fresh incident, days after the one before; where it stands when the agent has planned."""
    await walk.hear(incident(id=name), EventKind.TRIGGERED)
    return await walk.record(name)


async def ends(walk: Earning, name: str) -> IncidentRecord:
    """The alert clears, the verification ends, and a day goes by."""
    walk.tracker.put(incident(id=name, firing=False))
    await walk.pass_time(70, step=5)
    walk.clock.advance(24 * 3600)
    return await walk.record(name)


async def earned(walk: Earning, count: int, first: int = 0) -> None:
    for n in range(first, first + count):
        asked = await happens(walk, f"Q{n}")
        assert (asked.state, asked.decision.approvals_required) == (State.AWAITING_APPROVAL, 1), (n, asked.reason)
        await walk.answer(f"Q{n}", "ana")
        assert (await ends(walk, f"Q{n}")).state is State.RECOVERED


async def test_twenty_agreements_let_it_act_alone_and_the_first_failure_takes_that_back() -> None:
    pods = Pods()
    walk = restarts(pods)
    await earned(walk, AGREEMENTS)
    alone = await happens(walk, "QALONE")
    assert (alone.state, alone.approvers) == (State.VERIFYING, ())
    assert (await ends(walk, "QALONE")).state is State.RECOVERED
    assert (await happens(walk, "QHARM")).state is State.VERIFYING
    pods.ready = False
    assert (await ends(walk, "QHARM")).state is State.HANDED_BACK
    pods.ready = True
    after = await happens(walk, "QAFTER")
    assert after.state is State.AWAITING_APPROVAL
    assert "tier-mode-approve" in after.decision.policy_ids


async def test_it_runs_out_and_one_more_agreement_renews_it() -> None:
    walk = restarts(Pods())
    await earned(walk, AGREEMENTS)
    walk.clock.advance(5 * WEEK)
    asked = await happens(walk, "QLATER")
    assert asked.state is State.AWAITING_APPROVAL
    await walk.answer("QLATER", "ben")
    assert (await ends(walk, "QLATER")).state is State.RECOVERED
    assert (await happens(walk, "QRENEWED")).state is State.VERIFYING


async def test_a_persons_no_starts_the_count_again() -> None:
    walk = restarts(Pods())
    await earned(walk, AGREEMENTS - 1)
    await happens(walk, "QNO")
    assert (await walk.answer("QNO", "ana", approve=False)).state is State.HANDED_BACK
    walk.clock.advance(24 * 3600)
    await earned(walk, 1, AGREEMENTS)  # the twentieth yes
    assert (await happens(walk, "QSTILL")).state is State.AWAITING_APPROVAL


async def test_a_failover_takes_two_people_whatever_was_earned() -> None:
    walk = Earning(BUNDLE, RUNBOOKS, of_this_incident(found), facts)
    request = {"proposal": {"action": "redis_failover"}, "declaration": {"service": SERVICE}}
    for n in range(AGREEMENTS):
        for kind, detail in (("action_permitted", {"request": request, "approvals": 2}), ("recovery_verified", {})):
            entry = {"at": walk.clock.now(), "incident_id": f"Q{n}", "kind": kind, "detail": detail}
            await walk.store.append_audit(AuditEntry.model_validate(entry))
    asked = await happens(walk, "QTWO")
    assert (asked.state, asked.decision.approvals_required) == (State.AWAITING_APPROVAL, 2)
    assert asked.decision.request["facts"]["mode"] == "auto"
