"""The incident tracker: what the agent reads from PagerDuty, and the few things it may write there."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from sre_agent.adapters.pagerduty.changes import change_from_event
from sre_agent.adapters.pagerduty.failure import NotAvailable, NotFound
from sre_agent.adapters.pagerduty.gateway import Gateway, Patience
from sre_agent.adapters.pagerduty.history import History
from sre_agent.adapters.pagerduty.marks import Marks
from sre_agent.adapters.pagerduty.notes import Notes
from sre_agent.adapters.pagerduty.pace import Pace
from sre_agent.adapters.pagerduty.transport import Credentials, PdpyrasTransport
from sre_agent.evidence.change import Change
from sre_agent.evidence.past_incident import PastIncident
from sre_agent.incident.errors import ConfigurationError, Conflict, OutcomeUnknown, Permanent, Transient
from sre_agent.incident.incident import Incident, OpenIncident
from sre_agent.intake.alert_details import alerts_from_rest
from sre_agent.intake.incident_rest import incident_from_rest, open_incident_from_rest
from sre_agent.intake.untrusted import fields, items, pagerduty_id, text

_INCIDENT: Final[dict[str, str | list[str]]] = {"include[]": ["services"]}


class PagerDuty:
    """handback.tracker.IncidentTracker over PagerDuty's REST API."""

    def __init__(self, gateway: Gateway, from_email: str) -> None:
        self.gateway = self._gateway = gateway
        self._from_email = from_email.strip()
        self._notes, self._history, self._marks = Notes(gateway), History(gateway), Marks(gateway)
        self._own_user: str | None = None
        self._own_user_known = False

    async def aclose(self) -> None:
        """Close threads and connections."""
        await self._gateway.aclose()

    async def fetch(self, incident_id: str) -> Incident:
        """The incident with all its alerts, every page, firing and resolved. Its status is read last, so freshest."""
        incident = _checked(incident_id, "incident")
        own = await self._own_user_or_nobody()
        # Sorted, so that an alert arriving while pages are read joins at the end and shifts none.
        raw = await self._gateway.pages(f"/incidents/{incident}/alerts", "alerts", {"sort_by": "created_at:asc"})
        alerts = [alert for shape in raw for alert in alerts_from_rest(shape)]
        return incident_from_rest(await self._incident(incident), alerts, own)

    async def changes(self, incident_id: str, service_id: str, since: datetime, until: datetime) -> tuple[Change, ...]:
        """Change events of the service, and those PagerDuty relates to the incident, within [since, until], oldest first.

        Relating them is a paid feature, left out where it is missing. A service's own feed that may not be read
        raises NotAvailable: "no changes" would be a lie that the guard relies on.
        """
        incident = _checked(incident_id, "incident")
        found = await self._feed(service_id, since, until)
        try:
            related = await self._gateway.pages(f"/incidents/{incident}/related_change_events", "change_events")
        except (NotFound, NotAvailable):
            related = []
        return _changes([*found, *related], since, until)

    async def service_changes(self, service_id: str, since: datetime, until: datetime) -> tuple[Change, ...]:
        """Change events of a service within [since, until], oldest first: for an incident that PagerDuty does not have."""
        return _changes(await self._feed(service_id, since, until), since, until)

    async def _feed(self, service_id: str, since: datetime, until: datetime) -> list[object]:
        span: dict[str, str | list[str]] = {"since": _stamp(since), "until": _stamp(until)}
        service = _checked(service_id, "service")
        return list(await self._gateway.pages(f"/services/{service}/change_events", "change_events", span))

    async def similar(self, incident_id: str) -> tuple[PastIncident, ...] | None:
        """Incidents like this one, with people's notes; None where the account does not have this. See history.py."""
        incident = _checked(incident_id, "incident")
        return await self._history.similar(incident, await self._own_user_or_nobody())

    async def write_note(self, incident_id: str, marker: str, text: str, note_id: str | None) -> str:
        """Create or update the one living note that carries `marker`; returns its id. See notes.py for the protocol."""
        self._require_sender()
        note = None if note_id is None else _checked(note_id, "note")
        return await self._notes.write(_checked(incident_id, "incident"), marker, text, note)

    async def assign_policy(self, incident_id: str, escalation_policy_id: str, *, again: bool = False) -> bool:
        """Hand the incident to an escalation policy. False: it was there already, and (`again`) nobody holds it there.

        Raises Conflict when the incident is resolved meanwhile.
        """
        self._require_sender()
        incident, policy = _checked(incident_id, "incident"), _checked(escalation_policy_id, "escalation policy")
        if await self._assigned(incident, policy, again):
            return False
        reference = {"id": policy, "type": "escalation_policy_reference"}
        try:
            body = {"incident": {"type": "incident_reference", "escalation_policy": reference}}
            await self._gateway.write("PUT", f"/incidents/{incident}", body)
        except OutcomeUnknown as error:
            if not await self._assigned(incident, policy, again):
                raise Transient(f"{error}; the incident was read again and has not been handed over", error.retry_after) from error
        return True

    async def ask_in(self, incident_id: str, escalation_policy_id: str, message: str) -> bool:
        """Ask who is on call for a policy to join the incident (a responder request). False: the same words asked them before.

        PagerDuty shows an incident's requests on the incident: it is looked at first, and again when no answer comes.
        Raises Conflict when the incident is resolved.
        """
        self._require_sender()
        incident, policy = _checked(incident_id, "incident"), _checked(escalation_policy_id, "escalation policy")
        requester = await self.own_user_id()
        if requester is None:
            raise ConfigurationError("no user has the e-mail PAGERDUTY_FROM_EMAIL; only a user can ask others in")
        found = await self._incident(incident)
        if found.get("status") == "resolved":
            raise Conflict(f"PagerDuty: incident {incident} is resolved; nobody is asked in any more")
        if _asked_in(found, policy, message):
            return False
        target = {"responder_request_target": {"id": policy, "type": "escalation_policy_reference"}}
        body = {"requester_id": requester, "message": message, "responder_request_targets": [target]}
        try:
            await self._gateway.write("POST", f"/incidents/{incident}/responder_requests", body)
        except OutcomeUnknown as error:
            found = await self._incident(incident)
            if not isinstance(found.get("responder_requests"), list):
                # SAFETY: without the list nobody can tell, and people are not woken twice on a guess.
                raise Permanent(f"{error}; the incident does not show whom PagerDuty asked in, so nobody knows") from error
            if not _asked_in(found, policy, message):
                raise Transient(f"{error}; the incident was read again and nobody was asked in", error.retry_after) from error
        return True

    async def raise_priority(self, incident_id: str, name: str) -> bool:
        """Raise the incident's priority to the named one, never lower it. See marks.py."""
        self._require_sender()
        return await self._marks.raise_priority(_checked(incident_id, "incident"), name)

    async def set_fields(self, incident_id: str, values: Mapping[str, str]) -> None:
        """Give custom fields their values. See marks.py."""
        self._require_sender()
        await self._marks.set_fields(_checked(incident_id, "incident"), values)

    async def post_status(self, incident_id: str, message: str) -> None:
        """One status update, sent once. See marks.py."""
        self._require_sender()
        await self._marks.post_status(_checked(incident_id, "incident"), message)

    async def open_incidents(
        self, since: datetime, *, services: tuple[str, ...] = (), teams: tuple[str, ...] = ()
    ) -> tuple[OpenIncident, ...]:
        """Every incident triggered or acknowledged that began at `since` or later: wherever it is, or of these services, or of
        these teams.
        """
        own = await self._own_user_or_nobody()
        params: dict[str, str | list[str]] = {"statuses[]": ["triggered", "acknowledged"], "since": _stamp(since)}
        params |= {"service_ids[]": list(services)} if services else {}
        params |= {"team_ids[]": list(teams)} if teams else {}
        listed = await self._gateway.pages("/incidents", "incidents", {**params, "sort_by": "created_at:asc"})
        return tuple(found for shape in listed if (found := open_incident_from_rest(shape, own)) is not None)

    async def standing(self, incident_id: str) -> OpenIncident | None:
        """One incident as it stands; None when it is resolved. NotFound when PagerDuty does not know it."""
        found = await self._incident(_checked(incident_id, "incident"))
        return open_incident_from_rest(found, await self._own_user_or_nobody())

    async def own_user_id(self) -> str | None:
        """The id of the agent's own user, by PAGERDUTY_FROM_EMAIL; None when there is none. Asked once."""
        if not self._own_user_known and self._from_email:
            for shape in map(fields, await self._gateway.pages("/users", "users", {"query": self._from_email})):
                if text(shape.get("email"), 320).casefold() == self._from_email.casefold():
                    self._own_user = pagerduty_id(shape.get("id"))
            self._own_user_known = True
        return self._own_user

    async def _own_user_or_nobody(self) -> str | None:
        """Without the right to list users the agent has no id; then every acknowledgement counts as a person's."""
        try:
            return await self.own_user_id()
        except (NotAvailable, NotFound):
            self._own_user_known = True
            return None

    async def _incident(self, incident_id: str) -> dict[str, object]:
        """The incident object, checked to be the one asked for."""
        found = fields((await self._gateway.get(f"/incidents/{incident_id}", _INCIDENT)).get("incident"))
        if found.get("id") != incident_id:
            raise Permanent(f"PagerDuty answered with incident {text(found.get('id'), 40)!r} when asked for {incident_id}")
        return found

    async def _assigned(self, incident_id: str, policy_id: str, unheld: bool) -> bool:
        """Whether the incident is with the policy now; `unheld`: and nobody acknowledged it. Raises Conflict when resolved."""
        found = await self._incident(incident_id)
        if fields(found.get("escalation_policy")).get("id") == policy_id and not (unheld and found.get("status") == "acknowledged"):
            return True
        if found.get("status") == "resolved":
            raise Conflict(f"PagerDuty: incident {incident_id} is resolved; it is not handed over any more")
        return False

    def _require_sender(self) -> None:
        """PagerDuty refuses writes without the e-mail of a user."""
        if "@" not in self._from_email:
            raise ConfigurationError("PAGERDUTY_FROM_EMAIL is not set; PagerDuty takes writes only from a user's e-mail")


def connect(credentials: Credentials, pace: Pace | None = None, patience: Patience | None = None) -> PagerDuty:
    """The tracker over a real connection. Raises ConfigurationError for a key or URL that cannot work."""
    return PagerDuty(Gateway(PdpyrasTransport(credentials), pace, patience), credentials.from_email)


def _asked_in(incident: Mapping[str, object], policy_id: str, message: str) -> bool:
    """Whether an incident shows a request to the policy in these words."""
    for request in map(fields, items(incident.get("responder_requests"))):
        targets = (fields(fields(t).get("responder_request_target")) for t in items(request.get("responder_request_targets")))
        if request.get("message") == message and any(t.get("id") == policy_id for t in targets):
            return True
    return False


def _changes(found: list[object], since: datetime, until: datetime) -> tuple[Change, ...]:
    unique = {text(fields(raw).get("id"), 100) or str(n): raw for n, raw in enumerate(found)}
    read = (change_from_event(raw, unknown_at=since) for raw in unique.values())
    return tuple(sorted((c for c in read if since <= c.at <= until), key=lambda c: c.at))


def _checked(identity: str, what: str) -> str:
    """An id that may go into a path. Raises Permanent for anything else."""
    if pagerduty_id(identity) is None:
        raise Permanent(f"{identity[:60]!r} is not the id of a PagerDuty {what} (5 to 20 upper-case letters and digits)")
    return identity


def _stamp(moment_: datetime) -> str:
    """UTC with Z: PagerDuty reads anything else in the account's own zone."""
    return moment_.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
