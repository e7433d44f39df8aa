"""The judgement over probe samples."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Recovery(StrEnum):
    """UNDECIDED asks for another sample later; UNKNOWN is final and goes to a human."""

    RECOVERED = "recovered"
    NOT_RECOVERED = "not_recovered"
    UNKNOWN = "unknown"
    UNDECIDED = "undecided"


class Sample(BaseModel):
    """One look after the action. None means the probe could not tell, which is never "fine".

    `level` is the objective's value (its unit); `alert_firing` the alert's own condition; `state_ok`
    the target's state as the action's observation defines it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    alert_firing: bool | None = None
    level: float | None = None
    state_ok: bool | None = None
    detail: str = ""


class VerificationPlan(BaseModel):
    """What must hold, and for how long. `below` None: no objective, state and alert alone decide."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    started_at: datetime
    below: float | None
    unit: str = ""
    level_before: float | None = None
    soak_s: float
    within_s: float
    interval_s: float = 10.0


def shortfall(sample: Sample, plan: VerificationPlan) -> tuple[str, ...]:
    """What keeps a sample from being good, for people. Empty: what could be seen is well, and all that is needed was seen."""
    told: list[str] = []
    if sample.alert_firing is not False:
        told.append("the alert still fires" if sample.alert_firing else "nobody could tell whether the alert still fires")
    if sample.state_ok is not True:
        told.append("the target could not be looked at" if sample.state_ok is None else "the target is not as it should be")
    if plan.below is None:
        return tuple(told)
    if sample.level is None:
        told.append("the service level could not be measured")
    elif sample.level >= plan.below:
        told.append(f"the service level should be below {plan.below:g}")
    elif plan.level_before is not None and sample.level >= plan.level_before:
        told.append("the service level is no better than before")
    return tuple(told)


def _blind(sample: Sample, plan: VerificationPlan) -> bool:
    """True when the sample could not tell something that the plan needs."""
    missing_level = plan.below is not None and sample.level is None
    return sample.state_ok is None or sample.alert_firing is None or missing_level


def _streak_started(samples: tuple[Sample, ...], plan: VerificationPlan) -> datetime | None:
    """When the run of good samples that lasts until the newest one began."""
    started = None
    for sample in samples:
        if shortfall(sample, plan):
            started = None
        elif started is None:
            started = sample.at
    return started


def verify(plan: VerificationPlan, samples: tuple[Sample, ...], now: datetime) -> Recovery:
    """Judge the samples taken since the action, oldest first.

    RECOVERED: good without a break for `soak_s`. NOT_RECOVERED: not good when `within_s` had passed.
    UNKNOWN: at that time no sample since had been able to tell. A streak that began in time may finish.
    """
    started = _streak_started(samples, plan)
    if started is not None and samples and (samples[-1].at - started).total_seconds() >= plan.soak_s:
        return Recovery.RECOVERED
    elapsed = (now - plan.started_at).total_seconds()
    if elapsed <= plan.within_s or (started is not None and elapsed <= plan.within_s + plan.soak_s):
        return Recovery.UNDECIDED
    # SAFETY: never having been able to look is not the same as having seen it fail, and neither is recovery.
    if all(_blind(s, plan) for s in samples):
        return Recovery.UNKNOWN
    return Recovery.NOT_RECOVERED
