"""What Prometheus sees of this process, in a registry of its own.

Counters start at zero with the process and count what this process did; sums over processes are Prometheus' work.
Alert on `time() - sre_agent_heartbeat_timestamp_seconds`: a silent agent is the worst one.
"""

from collections.abc import Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import ValidationError

from sre_agent.audit.record import AuditEntry
from sre_agent.evidence.diagnosis import ModelUsage
from sre_agent.incident.event import EventKind
from sre_agent.policy.halt import HaltCause, HaltState

_OUTCOMES = {
    "action_executed": "done",
    "action_not_done": "not_done",
    "action_failed": "failed",
    "action_unknown": "unknown",
    "action_refused": "refused",
    "action_denied": "denied",
}


class Metrics:
    """The agent's own numbers. Label values come from closed sets, so their number is bounded."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._deliveries = Counter(
            "sre_agent_deliveries", "Authentic webhook deliveries.", ("door", "kind", "result"), registry=self.registry
        )
        self._turned_away = Counter(
            "sre_agent_deliveries_refused", "Deliveries not accepted, by reason.", ("door", "reason"), registry=self.registry
        )
        self._presses = Counter(
            "sre_agent_presses",
            "Authentic presses of Slack buttons, by what became of them.",
            ("pressed", "result"),
            registry=self.registry,
        )
        self._events = Counter("sre_agent_events", "What happened to incidents, by audit kind.", ("kind",), registry=self.registry)
        self._verdicts = Counter("sre_agent_verdicts", "Verdicts of the guard.", ("verdict",), registry=self.registry)
        self._actions = Counter("sre_agent_actions", "Actions by outcome.", ("outcome",), registry=self.registry)
        self._model = _ModelMetrics(self.registry)
        self._heartbeat = Gauge("sre_agent_heartbeat_timestamp_seconds", "Unix time of the last beat.", registry=self.registry)
        self._reconciled = Gauge(
            "sre_agent_reconcile_timestamp_seconds", "Unix time of the last comparison with PagerDuty.", registry=self.registry
        )
        self._missed = Counter(
            "sre_agent_deliveries_missed", "Events found by comparing, which no delivery told.", ("kind",), registry=self.registry
        )
        self._halted = Gauge(
            "sre_agent_halted", "The kill switch: 1 where it is engaged for this cause.", ("cause",), registry=self.registry
        )
        self._books = Gauge(
            "sre_agent_policies", "Policy and runbook files on disk: 1 where it is so.", ("state",), registry=self.registry
        )

    def reconciled(self, found: Mapping[EventKind, int], now: datetime) -> None:
        """A comparison with PagerDuty's open incidents ended; `found` is what no delivery had told."""
        self._reconciled.set(now.timestamp())
        for kind, times in found.items():
            self._missed.labels(kind.value).inc(times)

    def delivered(self, door: str, kind: EventKind, new: bool) -> None:
        """One authentic delivery; `new` is False for a repeat."""
        self._deliveries.labels(door, kind.value, "new" if new else "duplicate").inc()

    def turned_away(self, door: str, reason: str) -> None:
        """One delivery that was not accepted; `reason` is one of the doors' own words."""
        self._turned_away.labels(door, reason).inc()

    def pressed(self, pressed: str, result: str) -> None:
        """One authentic press; `result` is what was done, or the rule that refused it."""
        self._presses.labels(pressed, result).inc()

    def observe(self, entry: AuditEntry) -> None:
        """One audited happening; verdicts, actions and the model's cost are counted from it."""
        self._events.labels(entry.kind).inc()
        if isinstance(verdict := entry.detail.get("verdict"), str):
            self._verdicts.labels(verdict).inc()
        if outcome := _OUTCOMES.get(entry.kind):
            self._actions.labels(outcome).inc()
        if isinstance(usage := entry.detail.get("model"), dict):
            self._model.count(usage)

    def beat(self, now: datetime) -> None:
        """The agent was alive and well at `now`."""
        self._heartbeat.set(now.timestamp())

    def switch(self, state: HaltState) -> None:
        """How the kill switch stands."""
        for cause in HaltCause:
            self._halted.labels(cause.value).set(state.engaged and state.cause is cause)

    def books(self, *, refused: bool, changed: bool) -> None:
        """How the files on disk stand to the policies in force."""
        for state, so in (("refused", refused), ("changed", changed), ("in_force", not refused and not changed)):
            self._books.labels(state).set(so)

    def exposition(self) -> tuple[bytes, str]:
        """The text a scrape gets, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_PLAIN_0_0_4


class _ModelMetrics:
    """What the model did and cost, from the usage that an audited investigation carries."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "sre_agent_model_calls",
            "Requests to the model: answered, unanswered, or lost in a crash.",
            ("result",),
            registry=registry,
        )
        self._tokens = Counter("sre_agent_model_tokens", "Tokens read and written by the model.", ("direction",), registry=registry)
        self._usd = Counter("sre_agent_model_usd", "What the model cost, in USD.", registry=registry)
        self._fallbacks = Counter(
            "sre_agent_model_fallbacks", "Investigations that rules had to end.", ("reason",), registry=registry
        )
        self._dropped = Counter(
            "sre_agent_model_claims_dropped", "Statements of the model that cited no real evidence.", registry=registry
        )

    def count(self, told: dict[str, object]) -> None:
        """Adds one investigation's usage; what is no usage counts nothing."""
        try:
            usage = ModelUsage.model_validate(told)
        except ValidationError:
            return
        for result, calls in (("answered", usage.answered), ("unanswered", usage.unanswered), ("lost", usage.lost)):
            self._calls.labels(result).inc(max(0, calls))
        self._tokens.labels("input").inc(max(0, usage.input_tokens))
        self._tokens.labels("output").inc(max(0, usage.output_tokens))
        self._usd.inc(max(0.0, usage.usd))
        self._dropped.inc(max(0, usage.dropped))
        if usage.fallback:
            self._fallbacks.labels(usage.fallback).inc()
