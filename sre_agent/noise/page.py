"""One past incident, reduced to what a review of noise wants to know. Everything that cannot be told is None, never a guess."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sre_agent.evidence.redact import redact
from sre_agent.incident.alert import Alert
from sre_agent.intake.alert_details import alerts_from_any
from sre_agent.intake.incident_rest import incident_from_rest
from sre_agent.intake.untrusted import Unreadable, fields, items, moment, text
from sre_agent.replay.history.as_of import kind_of
from sre_agent.replay.history.entry import HistoryEntry
from sre_agent.replay.history.outcome import outcome_of_entry
from sre_agent.triage.classify import triage
from sre_agent.triage.ownership import Ownership
from sre_agent.triage.rightful import Acknowledgement, misplaced, owning_teams

NIGHT = (23, 7)
"""From this hour until before that one, where the people on call live."""
BRUSHED_OFF = timedelta(minutes=2)
"""A page that a person resolved sooner than this, and did nothing else about, was not acted upon."""
LONGEST = 120
LABELS = ("alert_type", "team", "severity", "tool_name")
_PASSIVE = frozenset({"acknowledge", "unacknowledge", "resolve", "notify", "trigger", "reach_ack_limit", "reach_trigger_limit"})
"""What a log tells of people that is no act upon the incident. Kinds that PagerDuty invents later are acts: in doubt, somebody did
something."""
_NOBODY = frozenset({"auto", "timeout", "automatic"})
"""Channels of log entries that nobody made, though they may carry the name of whoever was assigned."""
_OWN_NOTE = "[sre-agent "
"""How the agent's own living note begins (handback.note.marker)."""
_COST = re.compile(r"(?:^|[^a-z])(?:cost|spend|budget|usd|billing)(?:[^a-z]|$)", re.IGNORECASE)
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

Place = Callable[[str], tuple[str, tuple[str, ...]] | None]
"""PagerDuty user id -> (person's id, their teams) where teams.yaml knows both; None for everybody else."""


@dataclass(frozen=True)
class Page:
    """One page. Times are aware; `resolved_at` None: still open. `group`: the sender's own key of what belongs together.

    `by_itself`: resolved by no person; `acted`: a person did more than acknowledge it; `wrong_team`: all who acknowledged it are in
    teams that do not own it; `cost_ratio`: how many times its baseline a cost alert was. None where nobody can say.
    `notified`: how many people were told; 0 where the account does not say.
    """

    id: str
    title: str
    service: str
    rule: str
    group: str
    labels: dict[str, str]
    labels_known: bool
    urgency: str
    created_at: datetime
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    by_itself: bool | None
    acted: bool | None
    wrong_team: bool | None
    night: bool
    notified: int
    cost: bool
    cost_ratio: float | None

    @property
    def key(self) -> tuple[str, str]:
        """(rule, service)."""
        return self.rule, self.service

    def lasted(self) -> timedelta | None:
        """From its beginning to its end; None while it is open. Never negative, whatever the clocks say."""
        return None if self.resolved_at is None else max(timedelta(0), self.resolved_at - self.created_at)


@dataclass(frozen=True)
class Reader:
    """Reads entries: `zone` is where people sleep, `own_user` the agent's own user id at the pager."""

    zone: ZoneInfo
    ownership: Ownership = field(default_factory=Ownership)
    place: Place = lambda _: None
    own_user: str | None = None

    def page(self, entry: HistoryEntry) -> Page | None:
        """The page of an entry; None for one without an id or a beginning."""
        # A saved folder does not say who the agent was; the agent's own note does.
        return (self if self.own_user else replace(self, own_user=_own_user(entry)))._page(entry)

    def _page(self, entry: HistoryEntry) -> Page | None:
        alerts = tuple(alert for raw in entry.alerts for alert in alerts_from_any(raw))
        created, identity = moment(entry.incident.get("created_at")), text(entry.incident.get("id"), 40)
        if created is None or not identity:
            return None
        first = next((a for a in alerts if a.labels), None)
        told = outcome_of_entry(entry, self.own_user)
        resolved = moment(told.get("resolved_at"))
        by_itself = None if _timed_out(entry) else told.get("resolved_automatically")
        return Page(
            id=identity,
            title=redact(text(entry.incident.get("title"), 400))[:LONGEST],
            service=redact(_service(entry))[:LONGEST],
            rule=redact(first.name if first is not None else _ruleless(entry))[:LONGEST],
            group=_group(entry),
            labels={name: first.labels[name] for name in LABELS if first is not None and name in first.labels},
            labels_known=first is not None and first.labels_known,
            urgency=text(entry.incident.get("urgency"), 20) or "high",
            created_at=created,
            acknowledged_at=moment(told.get("acknowledged_at")),
            resolved_at=resolved,
            by_itself=by_itself,
            acted=self._acted(entry, created, resolved, by_itself),
            wrong_team=self._wrong_team(entry, alerts),
            night=_night(created.astimezone(self.zone).hour),
            notified=len(_told_of(entry)),
            cost=first is not None and _is_cost(first),
            cost_ratio=None if first is None else _ratio(first),
        )

    def _acted(self, entry: HistoryEntry, created: datetime, resolved: datetime | None, by_itself: bool | None) -> bool | None:
        people = [e for e in entry.log_entries if self._person(fields(e.get("agent"))) and not _nobodys(e)]
        asked = (fields(r).get("requester") for r in items(entry.incident.get("responder_requests")))
        noted = any(self._person(fields(n.get("user"))) and text(n.get("content"), 10).strip() for n in entry.notes)
        if noted or any(self._person(fields(a)) for a in asked) or any(kind_of(e) not in _PASSIVE for e in people):
            return True
        if by_itself is False and resolved is not None and any(kind_of(e) == "resolve" for e in people):
            return resolved - created >= BRUSHED_OFF
        # SAFETY: what could not be read is not known; it is never taken for "nobody did anything".
        unread = not entry.log_entries or any(p.startswith(("log entries", "notes")) for p in entry.problems)
        return None if unread else False

    def _person(self, shape: dict[str, object]) -> bool:
        return text(shape.get("type"), 60).startswith("user") and shape.get("id") != (self.own_user or object())

    def _wrong_team(self, entry: HistoryEntry, alerts: tuple[Alert, ...]) -> bool | None:
        """As the walk judges an acknowledgement; None where nobody acknowledged, or somebody who did is not known."""
        acknowledged = [e for e in entry.log_entries if kind_of(e) == "acknowledge" and self._person(fields(e.get("agent")))]
        placed = [(self.place(text(fields(e.get("agent")).get("id"), 40)), moment(e.get("created_at"))) for e in acknowledged]
        if not placed or any(who is None or at is None for who, at in placed):
            return None
        try:
            seen = incident_from_rest(entry.incident, alerts, own_user_id=self.own_user)
        except Unreadable:
            return None
        owners = owning_teams(triage(seen, self.ownership), self.ownership, seen.label_values("team"))
        known = [(who, at) for who, at in placed if who is not None and at is not None]
        by = [Acknowledgement(person=who[0], name="", teams=who[1], at=at) for who, at in known]
        return all(misplaced(one, owners) for one in by)


def _service(entry: HistoryEntry) -> str:
    service = fields(entry.incident.get("service"))
    return text(service.get("summary"), 200) or text(service.get("id"), 40) or "unknown service"


def _own_user(entry: HistoryEntry) -> str | None:
    """The agent's own user id, by the note that carries this incident's mark."""
    mark = f"{_OWN_NOTE}{text(entry.incident.get('id'), 40)}]"
    own = (fields(n.get("user")).get("id") for n in entry.notes if text(n.get("content"), 200).startswith(mark))
    return next((text(identity, 40) for identity in own if identity), None)


def _nobodys(log_entry: dict[str, object]) -> bool:
    return text(fields(log_entry.get("channel")).get("type"), 40) in _NOBODY


def _timed_out(entry: HistoryEntry) -> bool:
    """Resolved because its time was up: nobody knows whether it was over."""
    last = next((e for e in reversed(entry.log_entries) if kind_of(e) == "resolve"), {})
    return text(fields(last.get("channel")).get("type"), 40) == "timeout"


def _told_of(entry: HistoryEntry) -> set[str]:
    """Ids of the people who were notified, or else (an overview of the log leaves that out) to whom it was given."""
    log = entry.log_entries
    notified = [e.get("user") for e in log if kind_of(e) == "notify"]
    given = [who for e in log if kind_of(e) in ("assign", "escalate", "delegate") for who in items(e.get("assignees"))]
    assigned = [fields(a).get("assignee") for a in items(entry.incident.get("assignments"))]
    return {identity for who in notified or [*given, *assigned] if (identity := text(fields(who).get("id"), 40))}


def _ruleless(entry: HistoryEntry) -> str:
    """Without labels the title is all there is to tell rules apart; numbers in it are its values."""
    return re.sub(r"\d+(?:\.\d+)?", "#", text(entry.incident.get("title"), 300)) or "untitled"


def _group(entry: HistoryEntry) -> str:
    keys = (text(alert.get("alert_key"), 300) for alert in entry.alerts)
    return next((key for key in keys if key), "") or text(entry.incident.get("incident_key"), 300)


def _night(hour: int) -> bool:
    return hour >= NIGHT[0] or hour < NIGHT[1]


def _is_cost(alert: Alert) -> bool:
    """By its name or its category: "LLMCostSpike", category=cost."""
    return bool(_COST.search(_WORDS.sub(" ", alert.name))) or alert.labels.get("category") == "cost"


def _ratio(alert: Alert) -> float | None:
    try:
        return float(alert.labels.get("cost_ratio") or alert.annotations.get("cost_ratio") or "none")
    except ValueError:
        return None
