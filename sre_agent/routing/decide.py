"""decide(): who hears of a group of alerts, and when. Pure.

Rules where they meet, the first wins: class safety > vertical severity > tier > noise. A tier and a noise rule both only take
away; where both do, what wakes less stands. docs/routing.md explains each rule with its boundaries.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sre_agent.incident.alert import Alert, AlertClass, AlertStatus
from sre_agent.routing.escalate import escalated
from sre_agent.routing.file import BusinessHours, Objective, Rotation, Route, Routing
from sre_agent.routing.group import group_of
from sre_agent.routing.hours import is_open, next_opening
from sre_agent.routing.matcher import all_hold
from sre_agent.routing.memory import Memory
from sre_agent.routing.routed import Notify, Routed
from sre_agent.routing.signals import Signals
from sre_agent.routing.table import first_match
from sre_agent.triage.classify import triage_alerts
from sre_agent.triage.odd import SEVERAL_PLANS, oddities
from sre_agent.triage.ownership import AI_ENGINEERING, INTEGRATIONS, PLATFORM
from sre_agent.triage.triage import Triage

VERTICAL: Final = "vertical"
_RECEIVER_OF: Final = {AlertClass.INFRA: PLATFORM, AlertClass.MODEL: AI_ENGINEERING, AlertClass.TOOL: INTEGRATIONS}
_DUTY: Final = {Rotation.EMAIL: 0, Rotation.BUSINESS_HOURS: 1, Rotation.ALWAYS: 2}


@dataclass(frozen=True)
class Ruling:
    """What one rule says: what to do, until when, by which rule, and why."""

    notify: Notify
    rule: str
    reason: str
    until: datetime | None = None
    flags: tuple[str, ...] = ()


@dataclass
class _Case:
    """What is decided on. Flags, rules and reasons gather on the way."""

    alerts: Sequence[Alert]
    signals: Signals
    routing: Routing
    memory: Memory
    now: datetime
    labels: dict[str, str]
    kind: AlertClass
    flags: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def because(self, rule: str, reason: str) -> None:
        """One more rule that shaped the decision."""
        self.rules.append(rule)
        self.reasons.append(reason)

    @property
    def since(self) -> datetime:
        """Since when it fires."""
        return self.memory.firing_since or self.now


def decide(alerts: Sequence[Alert], signals: Signals, routing: Routing, memory: Memory, now: datetime) -> Routed:
    """The decision at `now` (aware). `memory` as `remembered` gives it for these alerts; what they say besides is in `signals`.

    INVARIANT: `may_act` is True only if every alert carries exactly alert_type="infra" and nothing about them is odd.
    """
    found = triage_alerts(tuple(alerts), routing)
    case = _Case(alerts, signals, routing, memory, now, _shared(alerts), found.alert_class, list(found.flags))
    case.because(f"class-{found.alert_class.value}", found.reasons[0] if found.reasons else "")
    case.reasons.extend(found.reasons[1:])
    receiver, owner = _whose(case, found)
    case.flags.extend(_odd(case))
    escalations = escalated(alerts, signals, routing)
    others = tuple(dict.fromkeys(o for to in escalations.values() for o in to if o not in (receiver, *memory.told)))
    ruling = _ruling(case, others)
    case.because(ruling.rule, ruling.reason)
    case.flags.extend(ruling.flags)
    if ruling.notify is Notify.PAGE:
        for name, to in escalations.items():
            case.because(f"escalation:{name}", f"{name} tells {', '.join(to) or 'nobody'} too")
    return Routed(
        alert_class=found.alert_class,
        receiver=receiver,
        owner=owner,
        notify=ruling.notify,
        until=ruling.until,
        escalate_to=others if ruling.notify is Notify.PAGE else (),
        group=group_of(alerts[0].labels if alerts else {}, routing),
        # SAFETY: whatever is odd about the alerts, a person looks first.
        may_act=found.alert_class is AlertClass.INFRA and not set(case.flags) - {"flapping"},
        flags=tuple(dict.fromkeys(case.flags)),
        rule_ids=tuple(dict.fromkeys(case.rules)),
        reasons=tuple(dict.fromkeys(r for r in case.reasons if r)),
    )


def _shared(alerts: Sequence[Alert]) -> dict[str, str]:
    """The labels that all alerts agree on."""
    if not alerts:
        return {}
    shared = dict(alerts[0].labels)
    for alert in alerts[1:]:
        shared = {k: v for k, v in shared.items() if alert.labels.get(k) == v}
    return shared


def _whose(case: _Case, found: Triage) -> tuple[str, str]:
    """(receiver, owner): of the class, or of the first route that holds and stays within the class."""
    own = _RECEIVER_OF.get(found.alert_class)
    # SAFETY: what has no class goes to the default receiver, whatever its other labels say.
    if own is None:
        return case.routing.default_receiver, found.owner
    route = first_match(case.routing, case.labels)
    if route is None:
        return found.receiver, found.owner
    return _routed(case, found, route, own)


def _routed(case: _Case, found: Triage, route: Route, own: str) -> tuple[str, str]:
    if route.receiver != own and route.receiver in _RECEIVER_OF.values():
        reason = f"route {route.id} leads {found.alert_class.value} alerts to {route.receiver}, which is another class' receiver"
        case.because(f"route-refused:{route.id}", reason)
        case.flags.append("route_refused")
        return found.receiver, found.owner
    case.because(f"route:{route.id}", f"route {route.id} of routing.yaml")
    return route.receiver, route.owner or found.owner


def _odd(case: _Case) -> tuple[str, ...]:
    """What is odd about the alerts besides their class; plans may be told beside their labels too."""
    several = (SEVERAL_PLANS,) if len({p.lower() for p in case.signals.plans}) > 1 else ()
    return (*oddities(case.alerts, case.now), *several)


def _ruling(case: _Case, others: tuple[str, ...]) -> Ruling:
    """The first rule that decides. `others`: whom escalations tell besides, as far as they do not know yet."""
    if not any(a.status is AlertStatus.FIRING for a in case.alerts) and case.alerts:
        return Ruling(Notify.NONE, "nothing-fires", "nothing fires (any more): annotated, nobody is woken")
    if case.memory.flapping:
        case.flags.append("flapping")
    if case.memory.paged_at is not None:
        return _paged(case.memory, case.memory.paged_at, others)
    ruling = (_objective(case) or _tier(case, _noise(case))) if case.kind is AlertClass.MODEL else _noise(case)
    if ruling.notify is Notify.EMAIL and case.memory.mailed_at is not None:
        return Ruling(Notify.NONE, "already-mailed", f"an e-mail went out at {case.memory.mailed_at:%Y-%m-%d %H:%M:%S} UTC")
    return ruling


def _paged(memory: Memory, at: datetime, others: tuple[str, ...]) -> Ruling:
    """People know. Only who was never told may still be: an incident can become worse after its page."""
    told = f"people were told at {at:%Y-%m-%d %H:%M:%S} UTC"
    if others and memory.told:
        return Ruling(Notify.PAGE, "escalation-raised", f"{told}; only {', '.join(others)} is told anew")
    return Ruling(Notify.NONE, "noise-flapping" if memory.flapping else "already-paged", f"{told}; nobody is woken twice")


def _objective(case: _Case) -> Ruling | None:
    """The objective of a vertical that an alert which fires is about: one such alert is enough."""
    for alert in case.alerts:
        vertical = case.routing.verticals.get(alert.labels.get(VERTICAL, ""))
        if vertical is not None and alert.status is AlertStatus.FIRING:
            for objective in vertical.objectives:
                if all_hold(objective.matchers, alert.labels):
                    return _measured(case, objective)
    return None


def _measured(case: _Case, objective: Objective) -> Ruling:
    rule, value = f"vertical-objective:{objective.id}", case.signals.value_ms
    if objective.above_ms is None or value is None:
        return Ruling(Notify.PAGE, rule, f"{objective.id}: its rule fired; paged at once, not batched")
    if value <= objective.above_ms:
        reason = f"{objective.id}: {value:g} ms does not exceed {objective.above_ms:g} ms; annotated, nobody is woken"
        return Ruling(Notify.NONE, rule, reason, flags=("within_objective",))
    due = case.since + timedelta(seconds=max(0.0, objective.for_s - case.signals.held_s))
    said = f"{objective.id}: {value:g} ms exceeds {objective.above_ms:g} ms"
    if case.now < due:
        return Ruling(Notify.HOLD, rule, f"{said}; paged once that lasts {objective.for_s:g} s", due)
    return Ruling(Notify.PAGE, rule, f"{said} for {objective.for_s:g} s: paged at once, not batched")


def _tier(case: _Case, noise: Ruling) -> Ruling:
    """What the customers' plan leaves of what the noise rules say. What wakes nobody leaves nothing to take away."""
    rotation, plan = _rotation(case)
    if noise.notify in (Notify.DIGEST, Notify.EMAIL) or rotation is Rotation.ALWAYS:
        return noise
    if rotation is Rotation.EMAIL:
        return Ruling(Notify.EMAIL, f"tier-email:{plan}", f"plan {plan}: an e-mail only", flags=noise.flags)
    hours = _hours(case)
    ready = max(case.now, noise.until) if noise.until is not None else case.now
    if is_open(hours, ready):
        return noise
    opening = next_opening(hours, ready)
    if opening is None:
        reason = f"plan {plan}: its business hours never begin, so an e-mail"
        return Ruling(Notify.EMAIL, "tier-never-opens", reason, flags=noise.flags)
    case.because(noise.rule, noise.reason)
    reason = f"plan {plan}: outside business hours; paged at the next opening, if it still fires"
    return Ruling(Notify.HOLD, f"tier-business-hours:{plan}", reason, opening, noise.flags)


def _hours(case: _Case) -> BusinessHours:
    vertical = case.routing.verticals.get(case.labels.get(VERTICAL, ""))
    return vertical.hours if vertical is not None and vertical.hours is not None else case.routing.business_hours


def _rotation(case: _Case) -> tuple[Rotation, str]:
    """Of several plans the one that lets people be woken most; without a known one they may always be."""
    known = {key.lower(): (key, plan) for key, plan in case.routing.plans.items()}
    known |= {plan.name.lower(): (key, plan) for key, plan in case.routing.plans.items()}
    told = [known.get(p.strip().lower()) for p in sorted(case.signals.plans)]
    if None in told:
        case.flags.append("unknown_plan")
        return Rotation.ALWAYS, ""
    plans = [(plan.ai_engineering, key) for key, plan in filter(None, told)]
    return max(plans, key=lambda p: _DUTY[p[0]], default=(Rotation.ALWAYS, ""))


def _noise(case: _Case) -> Ruling:
    """Digest, hold, or page."""
    if case.signals.cost:
        return _cost(case)
    if case.labels.get("severity") == "ticket" and case.kind in _RECEIVER_OF:
        return Ruling(Notify.EMAIL, "severity-ticket", "its rule asks for a ticket: an e-mail, nobody is woken")
    hold = 0.0 if case.kind is AlertClass.INFRA else case.routing.holds.get(case.kind, 0.0)
    if hold and case.memory.flapping:
        return Ruling(Notify.PAGE, "noise-flapping", "it begins again and again: paged once while it does")
    until = case.since + timedelta(seconds=hold)
    if hold and case.now <= until:
        return Ruling(
            Notify.HOLD, "noise-hold", f"{case.kind.value} alerts are held for {hold:g} s: what recovers wakes nobody", until
        )
    if hold:
        return Ruling(Notify.PAGE, "noise-hold", f"still firing after {hold:g} s")
    return Ruling(Notify.PAGE, f"class-{case.kind.value}", f"{case.kind.value} alerts are not held")


def _cost(case: _Case) -> Ruling:
    limit, ratio = case.routing.cost.page_above, case.signals.cost_ratio
    if ratio is not None and ratio > limit:
        return Ruling(Notify.PAGE, "cost-page", f"{ratio:g} times its baseline exceeds {limit:g}: paged")
    due = _next_digest(case.now, case.routing.cost.digest_every_s)
    if ratio is None:
        return Ruling(Notify.DIGEST, "cost-digest", "no baseline to compare with: in the digest", due, ("no_baseline",))
    return Ruling(Notify.DIGEST, "cost-digest", f"{ratio:g} times its baseline, not more than {limit:g}: in the digest", due)


def _next_digest(now: datetime, every_s: float) -> datetime:
    """The next full period since midnight UTC, strictly after now."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    passed = (now - midnight).total_seconds()
    return midnight + timedelta(seconds=(passed // every_s + 1) * every_s)
