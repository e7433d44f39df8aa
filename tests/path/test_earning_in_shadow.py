"""The whole walk earns half of its autonomy by watching: people sign for what they did, and what nobody signed is worth nothing."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sre_agent.audit.record import AuditEntry
from sre_agent.facts.modes import EarnedModes
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.errors import Permanent, Refused
from sre_agent.policy.autonomy import AGREEMENTS, SHADOW_AGREEMENTS, Standing
from sre_agent.policy.bundle import Bundle
from sre_agent.policy.facts import FactContext, Facts, Mode
from sre_agent.policy.modes import ModeEntry, Modes
from sre_agent.policy.people import People
from sre_agent.replay.shadow import Said
from sre_agent.response.record import State
from sre_agent.testing.memory_track_record import MemoryTrackRecord
from sre_agent.testing.rooms import ScriptedAction
from sre_agent.testing.walkthrough import Walkthrough
from sre_agent.verification.probe import Probes
from sre_agent.wiring.shadow import ShadowDesk
from tests.path.scenes import BUNDLE, RUNBOOKS, restart_facts, restart_found
from tests.path.test_earning_autonomy import SERVICE, Pods, ends, happens, of_this_incident

POD = "pod/voice/voice-gateway-7d4b9c6f5-x2x4z"
TOKEN = "ana's own token"
PAIR = ("restart_pod", SERVICE)
SAME = Said(did="restart_pod", target=POD)


class Watching(Walkthrough):
    """A walkthrough that only watches until `overall` says otherwise; the fact `mode` comes from its own audit chain."""

    overall = Mode.OBSERVE

    async def _facts_for(self, context: FactContext) -> Facts:
        mode = await self.modes().mode(context.proposal.action, context.declaration.service, self.clock.now())
        return (await super()._facts_for(context)).model_copy(update={"mode": mode})

    def modes(self) -> EarnedModes:
        listed = Modes(modes=(ModeEntry(action="restart_pod", service=SERVICE, mode=Mode.AUTO),))
        return EarnedModes(self.overall, listed, MemoryTrackRecord(self.store))

    async def earned(self) -> Standing:
        return await self.modes().standing(*PAIR, self.clock.now())


def watching() -> Watching:
    books: Mapping = RUNBOOKS | {"restart-pod": RUNBOOKS["restart-pod"].model_copy(update={"soak_s": 30, "within_s": 60})}
    investigator = of_this_incident(restart_found, generation="rs-uid")
    action = ScriptedAction(name="restart_pod")
    return Watching(BUNDLE, books, investigator, restart_facts, probes=Probes(kubernetes=Pods()), action=action)


def with_tokens() -> Bundle:
    """The bundle, with a token for each of its people."""
    people = BUNDLE.declared.people
    digests = {p.id: hashlib.sha256((TOKEN if p.id == "ana" else p.id).encode()).hexdigest() for p in people.people}
    told = [p.model_copy(update={"cli_token_sha256": digests[p.id]}) for p in people.people]
    declared = replace(BUNDLE.declared, people=People(people=tuple(told), teams=people.teams, admins=people.admins))
    return replace(BUNDLE, declared=declared)


def desk(walk: Watching) -> ShadowDesk:
    return ShadowDesk(walk.store, with_tokens(), walk.clock)


async def watched(walk: Watching, count: int, said: Said = SAME, first: int = 0) -> list[str]:
    """Incidents that the agent only watched, and ana's word about each; why one was not counted, "" when it was."""
    whys = []
    for n in range(first, first + count):
        left = await happens(walk, f"W{n}")
        assert left.state is State.HANDED_BACK
        whys.append((await desk(walk).outcome(f"W{n}", said, "ana", TOKEN)).why)
        walk.clock.advance(3600)
    return whys


async def approve(walk: Watching, count: int, first: int = 0) -> None:
    walk.overall = Mode.AUTO
    for n in range(first, first + count):
        assert (await happens(walk, f"Q{n}")).state is State.AWAITING_APPROVAL
        await walk.answer(f"Q{n}", "ana")
        assert (await ends(walk, f"Q{n}")).state is State.RECOVERED


async def test_ten_in_shadow_and_ten_approved_let_it_act_alone() -> None:
    walk = watching()
    assert await watched(walk, SHADOW_AGREEMENTS) == [""] * SHADOW_AGREEMENTS
    await approve(walk, AGREEMENTS - SHADOW_AGREEMENTS)
    alone = await happens(walk, "QALONE")
    assert (alone.state, alone.approvers) == (State.VERIFYING, ())


async def test_watching_alone_never_does_however_long() -> None:
    walk = watching()
    await watched(walk, AGREEMENTS + 5)
    walk.overall = Mode.AUTO
    assert (await happens(walk, "QASKS")).state is State.AWAITING_APPROVAL
    assert (await walk.earned()).agreements == SHADOW_AGREEMENTS


async def test_one_it_would_have_got_wrong_begins_the_count_anew() -> None:
    walk = watching()
    await watched(walk, SHADOW_AGREEMENTS)
    await approve(walk, AGREEMENTS - SHADOW_AGREEMENTS)
    assert (await walk.earned()).earned
    walk.overall = Mode.OBSERVE
    assert await watched(walk, 1, Said(did="nothing"), first=50) == [""]
    walk.overall = Mode.AUTO
    after = await happens(walk, "QAFTER")
    assert after.state is State.AWAITING_APPROVAL
    assert (await walk.earned()).agreements == 0


@pytest.mark.parametrize(
    ("said", "harm"),
    [
        (Said(did="nothing"), True),
        (Said(did="other"), True),
        (Said(did="scale_up"), True),
        (Said(did="restart_pod", target="pod/voice/another"), True),
        (Said(did="restart_pod", target=POD, true_class=AlertClass.MODEL), True),
        (Said(did="restart_pod"), False),  # to which pod?
    ],
)
async def test_only_the_same_to_the_same_object_agrees(said: Said, harm: bool) -> None:
    walk = watching()
    await watched(walk, 1, said)
    found = await walk.earned()
    assert (found.shadow, found.last_setback is not None) == (0, harm)


async def test_an_incident_counts_once_and_only_for_who_may_say_so() -> None:
    walk = watching()
    await happens(walk, "W0")
    with pytest.raises(Refused, match="shadow-unproved"):
        await desk(walk).outcome("W0", SAME, "ana", "guessed")
    with pytest.raises(Refused, match="shadow-unproved"):
        await desk(walk).outcome("W0", SAME, "nobody", TOKEN)
    with pytest.raises(Permanent, match="no incident"):
        await desk(walk).outcome("W9", SAME, "ana", TOKEN)
    stranger = await desk(walk).outcome("W0", SAME, "dev", "dev")
    assert "not in the team that owns it" in stranger.why
    assert (await walk.earned()).shadow == 0
    assert (await desk(walk).outcome("W0", SAME, "ana", TOKEN)).why == ""
    again = await desk(walk).outcome("W0", Said(did="nothing"), "ana", TOKEN)
    assert "counts once" in again.why
    assert (await walk.earned()).shadow == 1


async def test_what_the_agent_did_itself_is_not_for_people_to_claim() -> None:
    walk = watching()
    await approve(walk, 1)
    said = await desk(walk).outcome("Q0", SAME, "ana", TOKEN)
    assert said.observation.agreed is None
    assert (await walk.earned()).agreements == 1


FORGED: dict[str, Any] = {
    "origin": "replay",
    "action": "restart_pod",
    "service": SERVICE,
    "decision_sha256": "d" * 64,
    "person": "ana",
    "harmful": False,
}


@pytest.mark.parametrize(
    ("changed", "shift"),
    [
        ({"person": "ben"}, timedelta()),  # signed by another than it says
        ({"service": "sales"}, timedelta()),
        ({"content_sha256": "c" * 64}, timedelta()),  # ten times one case: one
        ({}, timedelta(days=400)),  # dated in the future
    ],
)
async def test_forged_duplicated_and_future_entries_earn_nothing(changed: dict[str, Any], shift: timedelta) -> None:
    walk = watching()
    for n in range(SHADOW_AGREEMENTS):
        detail = FORGED | {"content_sha256": f"{n:064x}"} | changed
        entry = {"at": walk.clock.now() + shift, "incident_id": f"F{n}", "kind": "shadow_agreed", "actor": "ana", "detail": detail}
        await walk.store.append_audit(AuditEntry.model_validate(entry))
    await approve(walk, AGREEMENTS - SHADOW_AGREEMENTS)
    assert (await happens(walk, "QSTILL")).state is State.AWAITING_APPROVAL
