"""The fact `breakers`: which of them are tripped for this plan, from what the store, the ledger and others know.

A reader that fails raises, and the guard then hands back: what cannot be read is never "not tripped". One exception, to
the safe side as well: an alert query that fails trips the breaker itself.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from sre_agent.evidence.source import KubernetesReader, MetricsReader
from sre_agent.execution.ledger import Intent
from sre_agent.facts.history import NOBODYS, alerting_pods, attempts, existing_pods, identities_of, onsets
from sre_agent.facts.incident import changes
from sre_agent.incident.errors import SreAgentError
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.incident.incident import Incident, OpenIncident
from sre_agent.policy import breakers as rule
from sre_agent.policy.breakers import Breaker
from sre_agent.policy.declarations import Blocking
from sre_agent.policy.facts import FactContext
from sre_agent.response.record import PastIncident
from sre_agent.response.store import IncidentHistory

OPEN_SINCE: Final = timedelta(days=30)
"""How far back an incident may have begun that is still open somewhere."""


class PastActions(Protocol):
    """The ledger, as far as it looks back."""

    async def since(self, moment: datetime) -> tuple[Intent, ...]:
        """Rows opened after `moment`, and all that are open."""
        ...


class Elsewhere(Protocol):
    """The incident tracker, as far as other incidents and people go."""

    async def open_incidents(self, since: datetime) -> tuple[OpenIncident, ...]:
        """Every open incident that began at `since` or later."""
        ...

    async def own_user_id(self) -> str | None:
        """The agent's own user; None when it has none."""
        ...


@dataclass(frozen=True)
class Looks:
    """Where the breakers look. `metrics` and `cluster` are None where there is none."""

    incidents: IncidentHistory
    actions: PastActions
    elsewhere: Elsewhere
    metrics: MetricsReader | None = None
    cluster: KubernetesReader | None = None


@dataclass(frozen=True)
class _Seen:
    """Everything that was read for one decision."""

    context: FactContext
    heard: tuple[IncidentEvent, ...]
    past: tuple[PastIncident, ...]
    intents: tuple[Intent, ...]
    open: tuple[OpenIncident, ...]
    own_user: str | None
    blocked: bool
    crowded: bool


class BreakerFacts:
    """FactCollector of the one fact `breakers`. Raises what its readers raise, but not what the alert query does."""

    name = "breakers"

    def __init__(self, looks: Looks, blocking: Blocking) -> None:
        self._looks = looks
        self._blocking = blocking

    async def collect(self, context: FactContext) -> dict[str, object]:
        """breakers: the ids of those tripped, sorted."""
        now, looks = context.now, self._looks
        heard, intents, listed, own_user, blocked = await asyncio.gather(
            looks.incidents.heard(now - rule.FLAP_WINDOW, rule.MOST_HEARD),
            looks.actions.since(now - rule.LOOP_WINDOW),
            looks.elsewhere.open_incidents(now - OPEN_SINCE),
            self._own_user(),
            self._blocked(now),
        )
        named = tuple(sorted({i.incident_id for i in intents}))
        past = await looks.incidents.past(now - rule.FLAP_WINDOW, named, rule.MOST_HEARD)
        crowded = await self._crowded(context.incident, past, now)
        seen = _Seen(context, heard, past, intents, listed, own_user, blocked, crowded)
        return {"breakers": tuple(sorted({b.value for b in tripped(seen, self._blocking)}))}

    async def _own_user(self) -> str | None:
        try:
            return await self._looks.elsewhere.own_user_id()
        except SreAgentError:
            # SAFETY: not being able to tell ourselves from people means that it was people, who are then asked.
            return None

    async def _blocked(self, now: datetime) -> bool:
        if self._looks.metrics is None or not self._blocking.query:
            return False
        try:
            return bool(await self._looks.metrics.instant(self._blocking.query, now))
        except SreAgentError:
            # SAFETY: whether a blocking alert fires is not known, so it counts as firing (kured does the same).
            return True

    async def _crowded(self, current: Incident, past: tuple[PastIncident, ...], now: datetime) -> bool:
        """More of some workload's pods alert than should. Only where there is a cluster to count them in."""
        others = [p.incident for p in past if p.incident is not None and p.id != current.id]
        places = {k: v for k, v in alerting_pods(current, others, now).items() if len(v) >= rule.STORM_PODS}
        if self._looks.cluster is None or not places:
            return False
        namespaces = sorted({namespace for pods in places.values() for namespace, _ in pods})
        listed = await asyncio.gather(*(self._looks.cluster.objects("Pod", n) for n in namespaces))
        existing: Counter[str] = Counter()
        for namespace, pods in zip(namespaces, listed, strict=True):
            existing.update(existing_pods(namespace, pods))
        return rule.many_pods({place: len(pods) for place, pods in places.items()}, existing)


def tripped(seen: _Seen, blocking: Blocking) -> Iterator[Breaker]:
    """Every breaker that what was seen trips."""
    context, now, plan = seen.context, seen.context.now, seen.context.proposal
    incident, service = context.incident, context.declaration.service or context.incident.service.id
    known = {p.id: p.incident for p in seen.past if p.incident is not None} | {incident.id: incident}
    began = tuple(onsets(seen.heard, known))
    done = attempts(seen.intents, seen.past)
    judged = {
        Breaker.STORM: seen.crowded or len(seen.heard) >= rule.MOST_HEARD or rule.many_services(began, now),
        Breaker.BLOCKING_ALERT: seen.blocked,
        Breaker.MAJOR_INCIDENT: any(o.id != incident.id and blocking.major(o.priority) for o in seen.open),
        Breaker.COOLDOWN: rule.cooling(done, plan, now),
        Breaker.FAILING: rule.failing(done, plan, service, now),
        Breaker.INEFFECTIVE: rule.ineffective(done, plan, now),
        Breaker.RATCHET: rule.ratcheting(done, plan, now),
        Breaker.FLAPPING: rule.flapping(began, identities_of(incident, seen.heard), now),
        Breaker.VERIFYING: rule.verifying(done, service),
        Breaker.HUMAN_ACTIVITY: _people_at_work(seen),
    }
    yield from (b for b in Breaker if judged[b])


def _people_at_work(seen: _Seen) -> bool:
    """A person's hand on this incident, on another open one of its service, or on the service itself."""
    incident, now = seen.context.incident, seen.context.now
    ours = {seen.context.declaration.service, incident.service.id, incident.service.name}
    here = any(
        e.incident_id == incident.id
        and e.kind not in NOBODYS
        and (e.agent_id not in (None, seen.own_user) or e.kind is EventKind.REQUESTED)
        and e.occurred_at > now - rule.PERSON_WITHIN
        for e in seen.heard
    )
    beside = any(o.id != incident.id and o.service.id == incident.service.id and o.acknowledged_by for o in seen.open)
    changed = any(
        c.at > now - rule.CHANGE_WITHIN and (not c.services or not ours.isdisjoint(c.services))
        for c in changes(seen.context.diagnosis)
    )
    return here or beside or changed


class NoHistory:
    """FactCollector for a recorded case: it holds one incident and nothing of what was seen and done before it, so no
    breaker is tripped. (The budgets of a replay are empty for the same reason: see replay.dry_run.)"""

    name = "breakers"

    async def collect(self, context: FactContext) -> dict[str, object]:  # noqa: ARG002
        """None tripped."""
        return {"breakers": ()}
