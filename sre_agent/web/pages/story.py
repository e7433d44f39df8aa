"""One incident's timeline, from the alert and the webhook to the hand-back. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sre_agent.audit.record import AuditRecord
from sre_agent.response.record import IncidentRecord
from sre_agent.web.pages.moments import MOST_CHANGES, changes_of
from sre_agent.web.pages.words import Sign, sign_of

MOST_ROWS = 200
FIRST_ROWS = 20
ROOMY = 40_000
"""Characters of all texts together up to which each may be long."""
LONG, LITTLE = 800, 240
MOST_ALERTS = 5


@dataclass(frozen=True)
class Moment:
    """One line. `actor` is "" for the agent itself; `audit` is the number of its audit record, None where there is none."""

    at: datetime
    sign: Sign
    text: str
    actor: str = ""
    audit: int | None = None


@dataclass(frozen=True)
class Story:
    """The lines, oldest first; `left_out` of them are not shown, from the middle. `most` is how long a text may be shown."""

    moments: tuple[Moment, ...]
    left_out: int
    most: int


def story_of(record: IncidentRecord, trail: Sequence[AuditRecord]) -> Story:
    """Alerts and changes that led there, the webhook, and everything that happened since."""
    by_moment = {(audited.entry.at, audited.entry.kind): audited for audited in trail}
    lines = [*_before(record)]
    for entry in record.timeline:
        audited = by_moment.get((entry.at, entry.kind))
        actor = audited.entry.actor if audited is not None and audited.entry.actor != "sre-agent" else ""
        lines.append(Moment(entry.at, sign_of(entry.kind), entry.text, actor, audited.sequence if audited else None))
    lines.sort(key=lambda m: m.at)
    left_out = max(0, len(lines) - MOST_ROWS)
    kept = (*lines[:FIRST_ROWS], *lines[FIRST_ROWS + left_out :]) if left_out else tuple(lines)
    return Story(kept, left_out, LONG if sum(min(len(m.text), LONG) for m in kept) <= ROOMY else LITTLE)


def _before(record: IncidentRecord) -> list[Moment]:
    """What happened outside: changes, alerts, and the webhook by which it was heard of."""
    heard = Moment(record.received_at, Sign("webhook received", "inbox", "work"), "PagerDuty told of the incident")
    alerts = [a for a in record.incident.alerts if a.starts_at is not None] if record.incident else []
    fired = [Moment(a.starts_at, Sign("alert fired", "bell", "bad"), a.name) for a in alerts[:MOST_ALERTS] if a.starts_at]
    changed = []
    for change in changes_of(record)[-MOST_CHANGES:]:
        versions = " -> ".join(v for v in (change.from_version, change.to_version) if v)
        text = " ".join(part for part in (change.target, versions, change.summary) if part)
        changed.append(Moment(change.at, Sign(f"{change.kind.value} changed", "change", "calm"), text, change.author or ""))
    return [*changed, *fired, heard]
