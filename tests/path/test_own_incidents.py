"""Incidents that come by doors at which the agent itself pages: held, paged, taken back, and one incident through two doors."""

from datetime import timedelta

import pytest

from sre_agent.evidence.source import Scope
from sre_agent.incident.errors import ConfigurationError, Transient
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.response.own_incident import dedup_key
from sre_agent.response.record import State
from sre_agent.routing.routed import Notify
from sre_agent.runbook.proposal import Investigated
from sre_agent.testing.rooms import ScriptedInvestigator
from sre_agent.testing.walkthrough import START, Walkthrough
from sre_agent.triage.triage import Triage
from tests.path.doors import alert, told
from tests.path.scenes import BUNDLE, DIAGNOSIS, PROPOSAL
from tests.path.scenes import night as plain_night

ROUTING = BUNDLE.declared.ownership
MODEL = {"alertname": "IntentAccuracyDrop", "alert_type": "model", "prompt": "intent-router"}
INFRA = {"alertname": "RedisLatencyHigh", "alert_type": "infra", "redis_master": "cache"}
TOOL = {"alert_type": "tool", "tool_name": "crm"}


def found(scope: Scope, triage: Triage) -> Investigated:
    """The slow Redis, for whatever incident asks."""
    return Investigated(diagnosis=DIAGNOSIS, proposal=PROPOSAL.model_copy(update={"incident_id": scope.incident.id}))


def night(**more: object) -> Walkthrough:
    return plain_night(investigator=ScriptedInvestigator(found), **more)


async def hear(walk: Walkthrough, *alerts, key: str = "") -> str:
    """One delivery about these alerts; the id of the newest incident."""
    await walk.tell(told(alerts, ROUTING, key))
    return (await walk.store.listing(None, 1))[0].id


def kinds(record) -> list[str]:
    return [e.kind for e in record.timeline]


async def test_infra_pages_the_platform_at_once_under_one_key_and_the_walk_goes_on_beside_it() -> None:
    walk = night()
    incident = await hear(walk, alert(INFRA))
    record = await walk.record(incident)
    assert [(p.receiver, p.dedup_key) for p in walk.pager.pages] == [("pd-platform", dedup_key(incident))]
    assert record.state is State.AWAITING_APPROVAL
    assert kinds(record)[:2] == ["investigation_started", "incident_routed"]
    assert "people_paged" in kinds(record)
    assert record.incident is not None
    assert (record.door, record.title, record.incident.id) == ("alertmanager", "RedisLatencyHigh", incident)


async def test_a_model_alert_that_recovers_within_three_minutes_wakes_nobody_and_is_annotated() -> None:
    walk = night()
    incident = await hear(walk, alert(MODEL))
    assert (await walk.record(incident)).state is State.HANDED_BACK
    await walk.pass_time(179)
    walk.clock.advance(1)
    await hear(walk, alert(MODEL, 0, 180))
    await walk.pass_time(600)
    record = await walk.record(incident)
    assert (walk.pager.pages, record.page, record.routed.notify) == ([], None, Notify.NONE)
    assert record.diagnosis is not None


async def test_181_seconds_of_a_model_alert_page_once_and_the_page_is_taken_back_when_it_clears() -> None:
    walk = night()
    incident = await hear(walk, alert(MODEL))
    await walk.pass_time(180)
    assert walk.pager.pages == []
    await walk.pass_time(1)
    assert [p.receiver for p in walk.pager.pages] == ["pd-ai-eng"]
    await hear(walk, alert(MODEL))
    await walk.pass_time(3600, step=60)
    assert len(walk.pager.pages) == 1
    now = (walk.clock.now() - START).total_seconds()
    await hear(walk, alert(MODEL, 0, now))
    record = await walk.record(incident)
    assert walk.pager.resolved == [("pd-ai-eng", dedup_key(incident))]
    assert record.page is not None
    assert record.page.ended_at == walk.clock.now()
    assert kinds(record)[-1] == "page_resolved"


async def test_a_hold_outlives_the_process_that_began_it() -> None:
    walk = night()
    await hear(walk, alert(MODEL))
    heir = night(store=walk.store, told=walk.told, clock=walk.clock, tracker=walk.tracker)
    await heir.pass_time(181)
    assert ([p.receiver for p in heir.pager.pages], walk.pager.pages) == (["pd-ai-eng"], [])


async def test_a_flapping_alert_pages_at_most_once_and_is_marked_and_looked_into_once() -> None:
    walk = night()
    for begins in range(0, 1800, 180):
        incident = await hear(walk, alert(MODEL, begins))
        await walk.pass_time(120, step=10)
        await hear(walk, alert(MODEL, begins, begins + 120))
        await walk.pass_time(60, step=10)
    record = await walk.record(incident)
    assert len(await walk.store.listing(None, 10)) == 1
    assert record.memory.flapping
    assert len(walk.pager.pages) <= 1
    assert record.round <= 3


async def test_two_alerts_of_one_tool_are_one_incident_and_another_tool_is_another() -> None:
    walk = night()
    await hear(walk, alert({**TOOL, "alertname": "CrmRateLimited"}))
    await hear(walk, alert({**TOOL, "alertname": "CrmErrors"}))
    await hear(walk, alert({**TOOL, "tool_name": "calendar"}))
    records = await walk.store.listing(None, 10)
    assert sorted(r.routed.owner for r in records if r.routed) == ["calendar", "crm"]
    assert [p.receiver for p in walk.pager.pages] == ["pd-integration-owners"] * 2


async def test_the_incident_that_our_own_page_makes_in_pagerduty_is_this_one() -> None:
    walk = night()
    incident = await hear(walk, alert(INFRA))
    there = Incident(id="Q0OURS00000001", status=IncidentStatus.TRIGGERED, created_at=START, service=Reference(id="PSVC001"))
    walk.tracker.put(there)
    await walk.tell(pagerduty(there.id, EventKind.TRIGGERED, dedup_key(incident)))
    record = await walk.record(incident)
    assert (len(await walk.store.listing(None, 10)), record.linked) == (1, (f"pagerduty:{there.id}",))
    assert record.page is not None
    assert record.page.by == ""
    walk.tracker.put(there.model_copy(update={"status": IncidentStatus.ACKNOWLEDGED}))
    await walk.tell(pagerduty(there.id, EventKind.ACKNOWLEDGED, dedup_key(incident), agent="P00000ANA"))
    assert (await walk.record(incident)).human_acknowledged
    assert there.id in walk.tracker.notes
    await walk.tell(pagerduty(there.id, EventKind.RESOLVED, dedup_key(incident), agent="P00000ANA"))
    assert (await walk.record(incident)).state is State.CANCELLED


@pytest.mark.parametrize("first", ["alertmanager", "pagerduty"])
async def test_an_incident_that_arrives_through_two_doors_is_one_and_pages_once(first: str) -> None:
    walk = night()
    there = Incident(id="Q0BOTH00000001", status=IncidentStatus.TRIGGERED, created_at=START, service=Reference(id="PSVC001"))
    walk.tracker.put(there.model_copy(update={"alerts": (alert(MODEL),)}))
    ours, theirs = told([alert(MODEL)], ROUTING, "abc"), pagerduty(there.id, EventKind.TRIGGERED, "abc")
    for event in (ours, theirs) if first == "alertmanager" else (theirs, ours):
        await walk.tell(event)
    await walk.pass_time(600, step=10)
    (record,) = await walk.store.listing(None, 10)
    assert walk.pager.pages == []  # PagerDuty had paged; a hold that was running is void
    assert record.state is State.HANDED_BACK


async def test_an_alert_that_comes_back_hours_later_is_a_new_incident() -> None:
    walk = night()
    first = await hear(walk, alert(INFRA))
    await walk.pass_time(60, step=10)
    await hear(walk, alert(INFRA, 0, 60))
    await walk.pass_time(7200, step=600)
    second = await hear(walk, alert(INFRA, 7260))
    assert first != second
    assert [p.dedup_key for p in walk.pager.pages] == [dedup_key(first), dedup_key(second)]


async def test_the_end_of_something_that_nobody_heard_begin_makes_no_incident() -> None:
    walk = night()
    await walk.tell(told([alert(INFRA, 0, 10)], ROUTING))
    assert await walk.store.listing(None, 10) == ()


async def test_a_receiver_without_a_key_is_paged_by_the_default_one_and_nothing_is_lost() -> None:
    walk = night()
    walk.pager.missing = {"pd-ai-eng"}
    await hear(walk, alert(MODEL))
    await walk.pass_time(181)
    assert [p.receiver for p in walk.pager.pages] == ["default"]


async def test_a_page_that_nobody_can_be_sent_is_told_and_tried_again_and_ends_nothing() -> None:
    walk = night()
    walk.pager.missing = {"pd-platform", "default"}
    incident = await hear(walk, alert(INFRA))
    record = await walk.record(incident)
    assert record.state is State.AWAITING_APPROVAL
    assert "page_failed" in kinds(record)
    walk.pager.missing = set()
    await walk.pass_time(61)
    assert [p.receiver for p in walk.pager.pages] == ["pd-platform"]


async def test_pagerduty_away_pages_as_soon_as_it_is_back() -> None:
    walk = night()
    walk.pager.failing = [Transient("503"), Transient("503")]
    await hear(walk, alert(INFRA))
    await walk.pass_time(10)
    assert len(walk.pager.pages) == 1


async def test_a_digest_holds_every_cost_alert_of_the_hour_in_one_mail() -> None:
    walk = night()
    for n in range(20):
        labels = {"alertname": f"LLMCostSpike{n}", "alert_type": "model", "prompt": f"p{n}"}
        await hear(walk, alert(labels, n, cost_ratio="4.9"))
    assert (walk.pager.pages, walk.pager.mails) == ([], [])
    await walk.pass_time(3600, step=30)
    (mail,) = walk.pager.mails
    assert (mail.receiver, mail.subject.split(" until")[0]) == ("pd-ai-eng", "[sre-agent] 20 cost alerts")
    assert walk.pager.pages == []
    await walk.pass_time(3600, step=60)
    assert len(walk.pager.mails) == 1


async def test_one_cost_alert_above_five_times_its_baseline_pages_beside_the_digest() -> None:
    walk = night()
    await hear(walk, alert({"alertname": "LLMCostSpike", "alert_type": "model"}, cost_ratio="5.01"))
    assert [p.receiver for p in walk.pager.pages] == ["pd-ai-eng"]


async def test_trial_customers_are_mailed_once() -> None:
    walk = night()
    await hear(walk, alert({**MODEL, "plan": "149"}))
    await walk.pass_time(600, step=10)
    await hear(walk, alert({**MODEL, "plan": "149"}))
    assert ([m.receiver for m in walk.pager.mails], walk.pager.pages) == (["pd-ai-eng"], [])


async def test_an_untagged_alert_goes_to_the_default_receiver_and_is_never_acted_on() -> None:
    walk = night()
    incident = await hear(walk, alert({"alertname": "Something", "redis_master": "cache"}))
    record = await walk.record(incident)
    assert (record.state, record.proposal, walk.action.effects) == (State.HANDED_BACK, None, 0)
    assert [p.receiver for p in walk.pager.pages] == ["default"]
    assert record.routed is not None
    assert not record.routed.may_act


async def test_an_incident_that_another_alert_of_the_group_contradicts_is_never_acted_on() -> None:
    walk = night()
    incident = await hear(walk, alert(INFRA))
    broken = alert(INFRA).model_copy(update={"labels_known": False, "source_id": "other"})
    await walk.tell(told([alert(INFRA), broken], ROUTING))
    for person in ("ana", "ben"):
        await walk.answer(incident, person)
    assert walk.action.effects == 0
    assert (await walk.record(incident)).state is State.HANDED_BACK


async def test_behind_pagerduty_nobody_is_paged_and_the_decision_stands_on_the_timeline() -> None:
    walk = night()
    there = Incident(id="Q0THEIRS000001", status=IncidentStatus.TRIGGERED, created_at=START, service=Reference(id="PSVC001"))
    await walk.hear(there.model_copy(update={"alerts": (alert(MODEL),)}), EventKind.TRIGGERED)
    await walk.pass_time(600, step=10)
    record = await walk.record(there.id)
    assert (walk.pager.pages, record.page) == ([], None)
    assert record.routed is not None
    assert (record.routed.notify, record.routed.rule_ids[-1]) == (Notify.NONE, "paged-elsewhere")
    assert "incident_routed" in kinds(record)


def pagerduty(incident_id: str, kind: EventKind, key: str, agent: str | None = None) -> IncidentEvent:
    """PagerDuty's webhook about an incident with a deduplication key."""
    pagerduty.count = getattr(pagerduty, "count", 0) + 1
    return IncidentEvent(
        door="pagerduty",
        kind=kind,
        type_name=f"incident.{kind.value}",
        event_id=f"P{pagerduty.count}",
        delivery_id=f"P{pagerduty.count}",
        incident_id=incident_id,
        occurred_at=START + timedelta(milliseconds=pagerduty.count),
        agent_id=agent,
        incident_key=key,
        known_as=(f"pagerduty:{incident_id}", f"key:{key}"),
    )


async def test_without_anything_to_page_with_that_is_said() -> None:
    walk = night()
    walk.paging = walk.responder.paging
    with pytest.raises(ConfigurationError, match="PAGERDUTY_ROUTING_KEYS"):
        type(walk.paging)(walk.paging.walk, walk.told, ROUTING, walk.locks.target_lock)._pager()


async def test_what_customers_notice_is_drafted_for_their_page_and_its_end_only_once_the_beginning_was_told() -> None:
    walk = night()
    noticed = {**MODEL, "customer_facing": "true", "plan": "1499", "vertical": "healthcare"}
    incident = await hear(walk, alert(noticed))
    (kept,) = await walk.status_drafts.of_incident(incident)
    assert (kept.draft.audience.value, kept.state.value) == ("private", "pending")
    assert "status_drafted" in kinds(await walk.record(incident))
    walk.clock.advance(60)
    await hear(walk, alert(noticed, 0, 60))
    record = await walk.record(incident)
    assert "incident_over" in kinds(record)
    (kept,) = await walk.status_drafts.of_incident(incident)
    assert kept.state.value == "discarded"  # nobody had published it, so there is nothing to end


async def test_what_customers_do_not_notice_is_drafted_for_nobody() -> None:
    walk = night()
    incident = await hear(walk, alert({**MODEL, "plan": "1499"}))
    assert await walk.status_drafts.of_incident(incident) == ()
