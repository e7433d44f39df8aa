"""What a status page may tell customers: drafts in plain words, and the protocols of the page and of the drafts kept. Pure.

Nothing here publishes. A draft holds declared words only: the name of a vertical of routing.yaml and sentences of this file. No
label, host, tool, person, measurement or word of a model is in it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from pydantic import BaseModel, ConfigDict

from sre_agent.incident.alert import Alert, AlertClass
from sre_agent.routing.file import Routing, StatusAudience
from sre_agent.routing.matcher import all_hold


class StatusPhase(StrEnum):
    """What a page shows of an incident, in Statuspage's own words."""

    INVESTIGATING = "investigating"
    RESOLVED = "resolved"


class StatusDraft(BaseModel):
    """One update for one page. `id` is the same however often it is drafted; `round` counts the incident's reopenings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    incident_id: str
    round: int
    audience: StatusAudience
    phase: StatusPhase
    name: str
    body: str


class DraftState(StrEnum):
    """UNKNOWN: it was sent and no answer came, and nothing sends it again; a person settles it. The last two are final."""

    PENDING = "pending"
    PUBLISHING = "publishing"
    UNKNOWN = "unknown"
    PUBLISHED = "published"
    DISCARDED = "discarded"


class KeptDraft(BaseModel):
    """A draft as it is kept. `by` is who last moved it, `why` what they said; `page_incident` its incident's id at the page."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    draft: StatusDraft
    state: DraftState = DraftState.PENDING
    by: str = ""
    why: str = ""
    page_incident: str = ""
    made_at: datetime
    changed_at: datetime


class StatusDrafts(Protocol):
    """Where drafts are kept. Every method is one transaction; all raise Transient when the database cannot be reached."""

    async def keep(self, drafts: Iterable[StatusDraft], at: datetime) -> tuple[StatusDraft, ...]:
        """Keep those that are not kept yet; returns these. One that is kept stays as it is."""
        ...

    async def get(self, draft_id: str) -> KeptDraft | None:
        """One draft."""
        ...

    async def of_incident(self, incident_id: str) -> tuple[KeptDraft, ...]:
        """All of an incident, oldest first."""
        ...

    async def listed(self, states: frozenset[DraftState], limit: int) -> tuple[KeptDraft, ...]:
        """Those in these states, newest first."""
        ...

    async def move(self, before: KeptDraft, after: KeptDraft) -> None:
        """INVARIANT: compare-and-set on the state and the time of its last change. Conflict when it is not as `before` any more."""
        ...


class StatusPages(Protocol):
    """The pages. Raises Transient (certainly not published), OutcomeUnknown, Permanent, and ConfigurationError (no page for it)."""

    async def publish(self, draft: StatusDraft, page_incident: str) -> str:
        """Open an incident on the audience's page ("" as `page_incident`), or add an update to that one. Returns its id there."""
        ...

    async def look(self, draft: StatusDraft, page_incident: str) -> str | None:
        """The id at the page of an incident that shows this draft; None where none does. Changes nothing."""
        ...


_TROUBLE: Final = {
    AlertClass.INFRA: "It may be slow, or not available for some of you.",
    AlertClass.MODEL: "Its answers may be slower or less accurate than usual.",
    AlertClass.TOOL: "Steps that depend on a connected system may fail.",
    AlertClass.MIXED: "It may not work as usual for some of you.",
    AlertClass.UNKNOWN: "It may not work as usual for some of you.",
}
_OVER: Final = "This problem is over, and everything works as usual again. We are sorry for the inconvenience."
_NEXT: Final = "Our engineers are looking into it, and we will tell you more here."


def draft(
    incident_id: str, alerts: Sequence[Alert], alert_class: AlertClass, routing: Routing, phase: tuple[int, StatusPhase]
) -> tuple[StatusDraft, ...]:
    """One draft for each page whose customers notice; none for an incident that is not customer-facing.

    `phase` is the incident's round and what there is to tell. Which pages: the plans of the alerts that customers notice decide.
    """
    noticed = [alert for alert in alerts if alert.labels_known and is_customer_facing(alert, routing)]
    verticals = sorted({v for a in noticed if (v := a.labels.get("vertical", "")) and routing.verticals.get(v) is not None})
    return tuple(_one(incident_id, (a, verticals), alert_class, phase) for a in _audiences(noticed, routing))


def ended(first: StatusDraft, number: int) -> StatusDraft:
    """What tells a page that an incident is over of which `first` told it, in the incident's round `number`."""
    phase = StatusPhase.RESOLVED
    identity = draft_id(first.incident_id, number, first.audience, phase)
    return first.model_copy(update={"id": identity, "round": number, "phase": phase, "body": _OVER})


def open_at(kept: Iterable[KeptDraft]) -> dict[StatusAudience, KeptDraft]:
    """By page: the published draft of an incident that still stands open there. `kept`: all drafts of one incident."""
    found: dict[StatusAudience, KeptDraft] = {}
    for each in sorted((k for k in kept if k.state is DraftState.PUBLISHED), key=lambda k: k.changed_at):
        if each.draft.phase is StatusPhase.RESOLVED:
            found.pop(each.draft.audience, None)
        else:
            found[each.draft.audience] = each
    return found


def is_customer_facing(alert: Alert, routing: Routing) -> bool:
    """Whether customers notice it, by routing.yaml's `customer_facing`. An empty list of matchers names nothing."""
    return any(matchers and _holds(matchers, alert) for matchers in routing.customer_facing)


def draft_id(incident_id: str, number: int, audience: StatusAudience, phase: StatusPhase) -> str:
    """The draft's id, which people type: incident, round, page, phase."""
    return f"{incident_id}.{number}.{audience.value}.{phase.value}"


def _holds(matchers: tuple[str, ...], alert: Alert) -> bool:
    try:
        return all_hold(matchers, alert.labels)
    except ValueError:
        return False  # SAFETY: what cannot be read tells customers nothing


def _audiences(noticed: Sequence[Alert], routing: Routing) -> tuple[StatusAudience, ...]:
    """Everybody else, and whoever has no plan told, reads the public page."""
    plans = [routing.plans.get(alert.labels.get("plan", "").strip()) for alert in noticed]
    return tuple(sorted({StatusAudience.PUBLIC if plan is None else plan.status_page for plan in plans}))


def _one(
    incident_id: str, told: tuple[StatusAudience, Sequence[str]], alert_class: AlertClass, phase: tuple[int, StatusPhase]
) -> StatusDraft:
    audience, verticals = told
    names = [v.replace("_", " ") for v in verticals]
    if audience is StatusAudience.AGGREGATE:
        # SAFETY: affiliates see aggregates only: no page of theirs says which service or whose.
        what, trouble = "Some of our services are impaired", "They may be slower than usual, or not available."
    elif names:
        what, trouble = f"Problems with {_and(names)}", _TROUBLE[alert_class]
    else:
        what, trouble = "Problems with our service", _TROUBLE[alert_class]
    number, at = phase
    return StatusDraft(
        id=draft_id(incident_id, number, audience, at),
        incident_id=incident_id,
        round=number,
        audience=audience,
        phase=at,
        name=what,
        body=_OVER if at is StatusPhase.RESOLVED else f"{what}. {trouble} {_NEXT}",
    )


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
