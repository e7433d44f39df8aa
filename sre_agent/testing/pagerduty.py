"""A stand-in PagerDuty on loopback: REST as the agent uses it, and signed V3 webhooks.

    with PagerDutyStandIn() as pagerduty:
        pagerduty.send_webhooks_to("http://127.0.0.1:8080/webhooks/pagerduty", secret="...")
        labels = {"alertname": "RedisSlow", "alert_type": "infra", "redis_master": "cache"}
        incident_id = pagerduty.trigger(pagerduty.add_incident("Redis is slow", [labels]))
        ...
        pagerduty.notes(incident_id), pagerduty.writes, pagerduty.webhooks.deliveries

Runs in threads of its own, so sync and async code use it alike. Every method is thread-safe.
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, ClassVar

from sre_agent.testing.pagerduty_account import Account, ApiError, Json, reference
from sre_agent.testing.pagerduty_action import TOKEN_HEADER, post, pressed
from sre_agent.testing.pagerduty_alerts import AlertShape, Labels
from sre_agent.testing.pagerduty_faults import Faults
from sre_agent.testing.pagerduty_http import RestServer
from sre_agent.testing.pagerduty_limit import RateLimit
from sre_agent.testing.pagerduty_routes import Call, answer, webhook_data
from sre_agent.testing.pagerduty_subscriptions import PING
from sre_agent.testing.pagerduty_webhooks import Delivery, Pauses, Subscription, WebhookSender

TOKEN = "standin-token"  # noqa: S105 - opens nothing but this stand-in
AGENT_EMAIL = "sre-agent@example.test"


@dataclass(frozen=True)
class RecordedCall:
    """One REST request and the status it was answered with; 0 when the connection was dropped instead."""

    method: str
    path: str
    body: Json
    from_email: str | None
    status: int


class PagerDutyStandIn:
    """One account with one service, three escalation policies, the agent's own user and an on-call person.

    `now` gives the time that objects are stamped with. `token` is the only API key that is accepted. With a `limit` requests are
    counted and told.
    """

    service = "PSVC001"
    policies: ClassVar[Mapping[str, str]] = {
        "PPLAT01": "Platform",
        "PAIENG1": "AI Engineering",
        "PINTEG1": "Integration owners",
        "PDEFLT1": "Default",
    }
    agent_user = "PAGENT1"
    person = "PPERSON"

    def __init__(
        self,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        port: int = 0,
        token: str = TOKEN,
        pauses: Pauses | None = None,
    ) -> None:
        self.token = token
        self.account = Account(now)
        self.faults = Faults()
        self.limit: RateLimit | None = None
        self.calls: list[RecordedCall] = []
        self.lock = threading.RLock()
        self.webhooks = WebhookSender(
            lambda: now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"), pauses
        )
        self.account.emit = self._emit
        self.account.key_owner = self.agent_user
        for identity, name in self.policies.items():
            self.account.policies[identity] = {"id": identity, "type": "escalation_policy", "name": name, "summary": name}
        self.add_service(self.service, "voice-platform", "PPLAT01")
        self.add_user(self.agent_user, AGENT_EMAIL, "SRE agent")
        self.add_user(self.person, "on-call@example.test", "On Call")
        self._server = RestServer(self, port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="pagerduty-stand-in", daemon=True)

    @property
    def url(self) -> str:
        """http://127.0.0.1:<port>: the API's base URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def writes(self) -> list[RecordedCall]:
        """Every REST request that was not a GET, in order."""
        with self.lock:
            return [call for call in self.calls if call.method != "GET"]

    def start(self) -> "PagerDutyStandIn":
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop answering and sending, and free the port."""
        self.webhooks.stop()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> "PagerDutyStandIn":
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def add_user(self, identity: str, email: str, name: str, role: str = "limited_user") -> None:
        """One more person; `role` as PagerDuty calls it ("limited_user" is a responder)."""
        with self.lock:
            known = {"id": identity, "type": "user", "name": name, "summary": name, "email": email, "role": role}
            self.account.users[identity] = known

    def add_service(
        self, identity: str, name: str, policy_id: str, acknowledgement_timeout: int | None = None, team: str | None = None
    ) -> None:
        """One more service, of a team that was added before."""
        with self.lock:
            policy = reference(self.account.policies[policy_id])
            service = {"id": identity, "type": "service", "name": name, "summary": name, "escalation_policy": policy}
            teams = [] if team is None else [reference(self.account.teams[team])]
            self.account.services[identity] = {**service, "acknowledgement_timeout": acknowledgement_timeout, "teams": teams}

    def add_team(self, identity: str, name: str) -> None:
        """One more team."""
        with self.lock:
            self.account.teams[identity] = {"id": identity, "type": "team", "name": name, "summary": name}

    def add_incident(
        self,
        title: str,
        alerts: Sequence[Labels],
        *,
        shape: AlertShape = AlertShape.ARRAY,
        grouped: bool = False,
        service: str = service,
    ) -> str:
        """A triggered incident; returns its id. One alert per label set, or one holding all (`grouped`). No webhook yet."""
        with self.lock:
            return str(self.account.add_incident(title, service, alerts, shape, grouped)["id"])

    def add_alert(
        self, incident_id: str, firing: Sequence[Labels], resolved: Sequence[Labels] = (), shape: AlertShape = AlertShape.ARRAY
    ) -> None:
        """One more alert on an open incident."""
        with self.lock:
            self.account.add_alert(incident_id, firing, resolved, shape=shape)

    def add_change(
        self,
        summary: str,
        at: datetime,
        details: Mapping[str, Any] | None = None,
        *,
        service: str = service,
        related_to: str | None = None,
    ) -> None:
        """A change event of a service; with `related_to` PagerDuty relates it to that incident instead."""
        with self.lock:
            change = {
                "id": self.account.identity("0", 26),
                "type": "change_event",
                "timestamp": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "summary": summary,
                "source": "ci",
                "services": [reference(self.account.services[service])] if related_to is None else [],
                "custom_details": dict(details or {}),
                "related_to": related_to,
            }
            self.account.changes.append(change)

    def add_similar(self, incident_id: str, other_id: str, score: float | None = None) -> None:
        """PagerDuty finds another incident alike: a past one with a score, else one related by a service's dependency."""
        with self.lock:
            other = self.account.incident(other_id)
            shown = {k: other[k] for k in ("id", "type", "title", "created_at", "self")}
            if score is not None and self.account.past is not None:
                self.account.past.setdefault(incident_id, []).append({"incident": shown, "score": score})
            elif self.account.related is not None:
                relationship = {"type": "service_dependency", "metadata": {"dependent_services": [], "supporting_services": []}}
                self.account.related.setdefault(incident_id, []).append({"incident": shown, "relationships": [relationship]})

    def clear_alerts(self, incident_id: str) -> None:
        """The rules behind an incident's alerts no longer hold. The incident itself stays open, as it does at PagerDuty."""
        with self.lock:
            for alert in self.account.alerts[incident_id]:
                alert["status"] = "resolved"

    def send_webhooks_to(self, url: str, secret: str, *more_secrets: str, subscription: str = "PWEBHK1") -> Subscription:
        """Send every event there, signed with each secret."""
        return self.webhooks.subscribe(Subscription(subscription, url, [secret, *more_secrets]))

    def trigger(self, incident_id: str) -> str:
        """Announce an incident that was added; returns its id."""
        with self.lock:
            incident = self.account.incident(incident_id)
            self._emit("incident.triggered", incident, self.account.services[incident["service"]["id"]])
        return incident_id

    def acknowledge(self, incident_id: str, user: str | None = person) -> None:
        """Somebody acknowledges; None: an integration does."""
        with self.lock:
            self.account.acknowledge(incident_id, None if user is None else self.account.user(user))

    def resolve(self, incident_id: str, user: str | None = None) -> None:
        """Resolved, by automation unless a user is named."""
        with self.lock:
            self.account.resolve(incident_id, None if user is None else self.account.user(user))

    def reopen(self, incident_id: str, user: str | None = None) -> None:
        """Triggered again."""
        with self.lock:
            self.account.reopen(incident_id, None if user is None else self.account.user(user))

    def reassign(self, incident_id: str, assignee: str = person, user: str = person) -> None:
        """A person takes it over."""
        with self.lock:
            self.account.reassign(incident_id, [assignee], self.account.user(user))

    def delegate(self, incident_id: str, policy_id: str, user: str = person) -> None:
        """A person moves it to another escalation policy."""
        with self.lock:
            self.account.delegate(incident_id, policy_id, self.account.user(user))

    def snooze(self, incident_id: str, seconds: int = 3600, user: str = person) -> None:
        """A person puts it to sleep."""
        with self.lock:
            self.account.snooze(incident_id, seconds, self.account.user(user))

    def merge(self, target_id: str, *source_ids: str, user: str = person) -> None:
        """A person merges the sources into the target."""
        with self.lock:
            self.account.merge(target_id, source_ids, self.account.user(user))

    def annotate(self, incident_id: str, text: str, user: str = person) -> None:
        """A person writes a note."""
        with self.lock:
            self.account.write_note(incident_id, text, self.account.user(user))

    def ping(self) -> list[Delivery]:
        """Pagey says hello to every subscription that sends."""
        known = [s.id for s in list(self.webhooks.subscriptions.values()) if s.active and not s.temporarily_disabled]
        return [d for one in known for d in self.webhooks.emit("pagey.ping", PING, None, "pagey", only=one)]

    def press(self, incident_id: str, url: str, token: str | None, user: str | None = person) -> int | str:
        """Somebody presses the Custom Incident Action on an incident's page; the status, or the name of what went wrong.

        `token` None: the action has no header; `user` None: the body does not say who it was.
        """
        with self.lock:
            who = None if user is None else reference(self.account.user(user))
            body = pressed(json.loads(json.dumps(self.account.incident(incident_id))), who, self.account.stamp())
        return post(url, body, {} if token is None else {TOKEN_HEADER: token})

    def incident(self, incident_id: str) -> Json:
        """The incident as it is now: a copy."""
        with self.lock:
            copied: Json = json.loads(json.dumps(self.account.incident(incident_id)))
            return copied

    def notes(self, incident_id: str) -> list[str]:
        """The text of every note, oldest first."""
        with self.lock:
            return [str(note["content"]) for note in self.account.notes[incident_id]]

    def handle(self, call: Call) -> tuple[int, Json | None]:
        """Answer one authenticated REST request and remember it."""
        with self.lock:
            try:
                status, body = answer(self.account, self.webhooks, call)
            except ApiError as error:
                status, body = error.status, {"error": {"message": error.message, "code": error.code, "errors": [error.message]}}
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                status, body = 400, {"error": {"message": f"Invalid Input Provided: {error!r}", "code": 2001}}
            # Rendered here, under the lock, so that no other request changes the objects meanwhile.
            return status, None if body is None else json.loads(json.dumps(body))

    def record(self, call: Call, status: int) -> None:
        """Remember a request."""
        with self.lock:
            self.calls.append(RecordedCall(call.method, call.path, call.body, call.from_email, status))

    def _emit(self, event_type: str, data: Json, agent: Json | None) -> None:
        """To the webhook sender, in the shape webhooks have."""
        incident = data if data.get("type") == "incident" else data["incident"]
        shown = webhook_data(data) if data.get("type") == "incident" else data
        service = self.account.services[self.account.incident(incident["id"])["service"]["id"]]
        concerns = frozenset({service["id"], *(team["id"] for team in service["teams"])})
        who = None if agent is None else reference(agent)
        self.webhooks.emit(event_type, shown, who, incident["id"], concerns=concerns)
