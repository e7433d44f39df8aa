"""Who hears of an incident, as steps of its record. Pure: the decision is routing's, the sending is paging.py's."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sre_agent.incident.alert import Alert, AlertStatus
from sre_agent.incident.event import EventKind
from sre_agent.incident.timeline import TimelineEntry
from sre_agent.response import lifecycle
from sre_agent.response.record import IncidentRecord, Job, JobKind, SentPage, Step
from sre_agent.routing.decide import decide
from sre_agent.routing.escalate import escalated
from sre_agent.routing.file import Routing
from sre_agent.routing.memory import Memory
from sre_agent.routing.remember import remembered
from sre_agent.routing.routed import Notify, Routed
from sre_agent.routing.signals import signals_of
from sre_agent.triage.classify import LABEL

PAGED_THERE: Final = "paged-elsewhere"
"""Rule id: the system that sent the incident has paged already; what could be held is not, and it is only annotated."""

Look = tuple[datetime, bool]
"""When it is looked, and whether the one who looks carries out what is decided."""

_AFTER: Final = timedelta(seconds=1)
"""A hold is over strictly after its last moment."""

_WORDS: Final = {
    Notify.PAGE: "page {0}",
    Notify.HOLD: "hold the page to {0} until {1}",
    Notify.EMAIL: "e-mail to {0}",
    Notify.DIGEST: "in the digest to {0} at {1}",
    Notify.NONE: "nobody is woken",
}


def routing_now(record: IncidentRecord, alerts: Sequence[Alert], routing: Routing, now: datetime) -> tuple[Routed, Memory]:
    """The decision at this moment, and what is remembered with it."""
    memory = remembered(record.memory, [a for a in alerts if a.labels_known] or alerts, routing, now)
    told = record.page
    if memory.firing_since is None and not memory.flapping and told is not None and (told.mailed or told.by):
        memory = memory.unheard()  # nothing of ours to take back: the next time is told anew
    return decide(alerts, signals_of(alerts, routing), routing, memory, now), memory


def heard_as(record: IncidentRecord, kind: EventKind, firing: bool) -> EventKind:
    """What news of a door that tells alerts means for the incident: such a door knows no incidents, and tells a beginning,
    a repetition and a relapse alike.
    """
    if kind not in (EventKind.TRIGGERED, EventKind.RESOLVED):
        return kind
    if not firing:
        return EventKind.RESOLVED
    relapsed = record.state.final and record.memory.firing_since is None and record.memory.resolved_at is not None
    # A flapping alert is looked into once: its next round would find what the last one found.
    return EventKind.REOPENED if relapsed and not record.memory.flapping else EventKind.TRIGGERED


def nothing_new(record: IncidentRecord, alerts: Sequence[Alert], routing: Routing) -> bool:
    """Whether people know already all that these alerts could wake them for: paged, and more of the same fires. In a storm most
    news is of this kind, and reading a thousand alerts for each would hold up what matters.
    """
    routed = record.routed
    if routed is None or record.memory.paged_at is None or record.memory.firing_since is None or not alerts:
        return False
    same, told = routed.alert_class.value, set(record.memory.told)
    if not all(a.labels_known and a.status is AlertStatus.FIRING and a.labels.get(LABEL) == same for a in alerts):
        return False
    # An incident can become worse after its page. Whom another system's page reached is not ours to add to.
    return not told or {o for to in escalated(alerts, signals_of(alerts, routing), routing).values() for o in to} <= told


def looked_at(record: IncidentRecord, alerts: Sequence[Alert], routing: Routing, look: Look) -> Step | None:
    """The decision as a step: told when it differs from the last one, with the job that carries it out or looks again."""
    now = look[0]
    routed, memory = routing_now(record, alerts, routing, now)
    jobs = _jobs(record, routed, memory, look, timedelta(seconds=routing.flapping.within_s))
    if (
        record.routed is not None
        and memory.paged_at is not None
        and memory.firing_since is not None
        and _same_people(record.routed, routed)
    ):
        # People know already: what they were told stays what is on record.
        return None if memory == record.memory else Step(to=record.state, changes={"memory": memory})
    if record.routed is not None and _key(record.routed) == _key(routed):
        if memory == record.memory and not jobs:
            return None
        return Step(to=record.state, changes={"memory": memory, "routed": routed}, jobs=jobs)
    changes = {"routed": routed, "memory": memory}
    detail = {"routed": routed.model_dump(mode="json", by_alias=True)}
    tell = lifecycle.Narration(record, now)
    return tell.step(record.state, "incident_routed", words(routed), changes=changes, jobs=jobs, detail=detail)


def words(routed: Routed) -> str:
    """The decision for people, with its rules."""
    until = f"{routed.until:%Y-%m-%d %H:%M:%S} UTC" if routed.until else ""
    what = _WORDS[routed.notify].format(routed.receiver, until)
    more = f", and {', '.join(routed.escalate_to)}" if routed.escalate_to else ""
    flags = f" [{', '.join(routed.flags)}]" if routed.flags else ""
    return f"{what}{more}{flags}: {'; '.join(routed.reasons)} ({', '.join(routed.rule_ids)})"


def _same_people(told: Routed, now: Routed) -> bool:
    """Whether a decision that wakes nobody any more is about those who were woken."""
    return now.notify is Notify.NONE and (told.alert_class, told.receiver, told.owner) == (now.alert_class, now.receiver, now.owner)


def _key(routed: Routed) -> tuple[object, ...]:
    """What makes a decision another one."""
    return routed.notify, routed.receiver, routed.owner, routed.until, routed.escalate_to, routed.flags


def _jobs(record: IncidentRecord, routed: Routed, memory: Memory, look: Look, quiet_for: timedelta) -> tuple[Job, ...]:
    """INVARIANT: whoever carries it out puts no second job on for it: each of its own tries would leave one more. What is to be
    waited for is looked at when its time has come, and a moment later where it is over only after that.
    """
    new = record.routed is None or _key(record.routed) != _key(routed)
    page, (now, carrying) = lifecycle.job(JobKind.PAGE, record.id), look
    match routed.notify:
        case Notify.PAGE | Notify.EMAIL:
            return (page,) if new and not carrying else ()
        case Notify.HOLD if routed.until is not None and (new or carrying):
            return (lifecycle.job(JobKind.PAGE, record.id, at=routed.until if routed.until > now else now + _AFTER),)
        case Notify.DIGEST if routed.until is not None and new:
            return (lifecycle.job(JobKind.PAGE, record.id, at=routed.until, digest=routed.receiver),)
        case Notify.NONE if stands(record, memory):
            quiet = quiet_at(memory, quiet_for)
            if quiet is not None and quiet > now:
                return (lifecycle.job(JobKind.PAGE, record.id, at=quiet),) if new or carrying else ()
            return (page,) if not carrying else ()
        case _:
            return ()


def stands(record: IncidentRecord, memory: Memory) -> bool:
    """Whether a page of ours stands whose cause is gone."""
    sent = record.page
    return memory.firing_since is None and sent is not None and sent.ended_at is None and not sent.by and not sent.mailed


def over(record: IncidentRecord, memory: Memory, routing: Routing, now: datetime) -> bool:
    """Whether a page of ours is to be taken back: its cause is gone, and for good where it flapped."""
    quiet = quiet_at(memory, timedelta(seconds=routing.flapping.within_s))
    return stands(record, memory) and (quiet is None or quiet <= now)


def quiet_at(memory: Memory, quiet_for: timedelta) -> datetime | None:
    """When something that flaps has been quiet for long enough; None where it does not flap. Its page stands until then: taken
    back and sent again it would wake people each time.
    """
    if not memory.flapping or memory.resolved_at is None:
        return None
    return memory.resolved_at + quiet_for


def sent(record: IncidentRecord, reached: tuple[str, ...], told: tuple[str, ...], now: datetime) -> Step | None:
    """People were paged: `reached` of the receivers that were to be `told`. None where that is known."""
    before = record.memory
    if before.paged_at is not None and (not before.told or set(told) <= set(before.told)):
        return None
    page = record.page
    earlier = page.receivers if page is not None and before.told and page.ended_at is None else ()
    changes = {
        "memory": before.paged(told, now),
        "page": SentPage(receivers=tuple(dict.fromkeys((*earlier, *reached))), at=page.at if page and earlier else now),
    }
    return lifecycle.Narration(record, now).step(record.state, "people_paged", f"paged {', '.join(reached)}", changes=changes)


def mailed(record: IncidentRecord, receiver: str, now: datetime) -> Step:
    """An e-mail went out."""
    changes = {"memory": record.memory.mailed(now), "page": SentPage(receivers=(receiver,), at=now, mailed=True)}
    return lifecycle.Narration(record, now).step(record.state, "people_mailed", f"e-mail sent to {receiver}", changes=changes)


def paged_elsewhere(record: IncidentRecord, by: str, now: datetime) -> Step | None:
    """Another system has paged for the same incident: the agent does not page once more."""
    if record.page is not None and record.page.ended_at is None and record.memory.paged_at is not None:
        return None
    changes = {
        "memory": record.memory.model_copy(update={"paged_at": now}),
        "page": SentPage(at=now, by=by),
    }
    return lifecycle.Narration(record, now).step(
        record.state, "paged_elsewhere", f"{by} has paged for this incident; the agent does not page again", changes=changes
    )


def taken_back(record: IncidentRecord, now: datetime) -> Step | None:
    """The page's cause is gone."""
    if record.page is None:
        return None
    changes = {
        "page": record.page.model_copy(update={"ended_at": now}),
        "memory": record.memory.unheard(),
    }
    text = f"the page to {', '.join(record.page.receivers)} was resolved: its cause is gone"
    return lifecycle.Narration(record, now).step(record.state, "page_resolved", text, changes=changes)


def annotated(step: Step, alerts: Sequence[Alert], routing: Routing, now: datetime) -> Step:
    """A step of an incident whose sender has paged already, with routing's decision on it: whose it is and what would have been
    held, for people to see. Nobody is notified by it.
    """
    routed = decide(alerts, signals_of(alerts, routing), routing, remembered(Memory(), alerts, routing, now), now)
    reason = "its sender has paged already: it is annotated and handed to its owner"
    would = f"would otherwise be: {_WORDS[routed.notify].format(routed.receiver, _clock(routed))}"
    update: dict[str, Any] = {"rule_ids": (*routed.rule_ids, PAGED_THERE), "reasons": (*routed.reasons, reason, would)}
    update |= {"notify": Notify.NONE, "until": None}
    only = routed.model_copy(update=update)
    entry = TimelineEntry(at=now, kind="incident_routed", text=words(only))
    changes = {**step.changes, "routed": only}
    if step.changes.get("timeline"):
        *before, last = step.changes["timeline"]
        changes["timeline"] = (*before, entry, last)
    return step.model_copy(update={"changes": changes})


def _clock(routed: Routed) -> str:
    return f"{routed.until:%H:%M:%S} UTC" if routed.until else ""
