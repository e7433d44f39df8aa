"""What about an incident's alerts, besides their class, makes a person look first. Pure; it only takes permission away."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sre_agent.incident.alert import Alert, AlertClass
from sre_agent.triage.triage import Triage

CLOCK_IN_FUTURE: Final = "clock_in_future"
SEVERAL_PLANS: Final = "several_plans"
PLAN: Final = "plan"

SKEW: Final = timedelta(seconds=60)
"""How far ahead of ours another clock may be before its word is taken for wrong."""

_WHY: Final = {
    CLOCK_IN_FUTURE: "an alert begins in the future: some clock is wrong, so no time of it can be trusted",
    SEVERAL_PLANS: "the alerts name several plans: whom it is about is not certain",
}


def oddities(alerts: Sequence[Alert], now: datetime) -> tuple[str, ...]:
    """The flags of what is odd, in a fixed order. `now` is aware; a beginning more than SKEW ahead of it is odd."""
    plans = {plan.lower() for a in alerts if (plan := a.labels.get(PLAN, "").strip())}
    # Subtracted this way round, no moment that a label can name leaves the calendar.
    ahead = any(a.starts_at is not None and a.starts_at > now and a.starts_at - now > SKEW for a in alerts)
    checks = {CLOCK_IN_FUTURE: ahead, SEVERAL_PLANS: len(plans) > 1}
    return tuple(flag for flag, holds in checks.items() if holds)


def doubted(triage: Triage, alerts: Sequence[Alert], now: datetime) -> Triage:
    """The triage after a look at what is odd: owner, receiver and what the labels say stay, the class does not.

    INVARIANT: the result is INFRA only if `triage` is and nothing is odd.
    """
    odd = oddities(alerts, now)
    if not odd or triage.alert_class is not AlertClass.INFRA:
        return triage
    update = {
        "alert_class": AlertClass.UNKNOWN,
        "flags": tuple(dict.fromkeys((*triage.flags, *odd))),
        "reasons": (*triage.reasons, *(_WHY[flag] for flag in odd)),
    }
    return triage.model_copy(update=update)
