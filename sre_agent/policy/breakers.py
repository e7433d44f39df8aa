"""The breakers: what was seen and done lately that stops the agent, whatever the rest of the facts say.

Pure decisions over a small history. Which breakers are tripped is one fact, `breakers`; each has a policy of its own in
policies/deny_breakers.cedar, so that a refusal names it. All limits stand here once: the code, its tests and the proofs
read them from here. (Counts of actions are budgets: see policy.whitelist and execution.budget.)
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sre_agent.incident.target import Target
from sre_agent.policy.declarations import keys_of
from sre_agent.runbook.proposal import Proposal


class Breaker(StrEnum):
    """Every breaker there is. HUMAN_ACTIVITY asks a person; the others refuse."""

    STORM = "storm"
    BLOCKING_ALERT = "blocking-alert"
    MAJOR_INCIDENT = "major-incident"
    COOLDOWN = "cooldown"
    FAILING = "failing"
    INEFFECTIVE = "ineffective"
    RATCHET = "ratchet"
    FLAPPING = "flapping"
    VERIFYING = "verifying"
    HUMAN_ACTIVITY = "human-activity"


REFUSING: Final = tuple(b for b in Breaker if b is not Breaker.HUMAN_ACTIVITY)

STORM_SERVICES: Final = 3
"""A storm (G37): alerts began in so many services within STORM_WINDOW, or more than STORM_PODS_PCT percent of a workload's
pods, and at least STORM_PODS of them, are alerting. It is over STORM_CALM after the last such moment."""
STORM_WINDOW: Final = timedelta(minutes=5)
STORM_CALM: Final = timedelta(minutes=10)
STORM_PODS_PCT: Final = 30
STORM_PODS: Final = 2
"""One pod is no storm, however few there are: the readiness floor (G36) guards small workloads."""

COOLDOWN_AFTER_SUCCESS: Final = timedelta(minutes=5)
"""Cooldown of an action at a place (G43): after a failure FIRST, doubled with each further one, never more than MOST."""
COOLDOWN_FIRST: Final = timedelta(minutes=1)
COOLDOWN_MOST: Final = timedelta(minutes=10)

FAILURES_IN_A_ROW: Final = 3
"""An action that failed so often in a row for a service is blocked for BLOCKED_FOR after the last failure (G44)."""
BLOCKED_FOR: Final = timedelta(hours=1)

SAME_STATE_TIMES: Final = 3
"""The same action on the same place for the same cause so often within LOOP_WINDOW has no effect (G45)."""
RAISES: Final = 2
"""A number raised so often within LOOP_WINDOW is a ratchet (G46)."""
LOOP_WINDOW: Final = timedelta(hours=24)
RATCHETS: Final = frozenset({"scale_up"})
"""Actions that move a number one way."""

FLAPS: Final = 3
"""An alert that began so often within FLAP_WINDOW flaps: noise to report, nothing to act on (G48)."""
FLAP_WINDOW: Final = timedelta(hours=1)

PERSON_WITHIN: Final = timedelta(hours=1)
"""How long a person's note or hand on the incident means that people are at it (G39); a change of the service CHANGE_WITHIN."""
CHANGE_WITHIN: Final = timedelta(minutes=10)

MOST_HEARD: Final = 2_000
"""Events within FLAP_WINDOW that are still counted one by one; as many or more are a storm, whoever sends them."""


class Ending(StrEnum):
    """How an attempt ended. NOTHING: known not to have been done. UNVERIFIED: done, and still being watched."""

    HELPED = "helped"
    UNVERIFIED = "unverified"
    FAILED = "failed"
    NOTHING = "nothing"
    OPEN = "open"


@dataclass(frozen=True)
class Attempt:
    """One action of the ledger. `place` as place_of says; `pre_state` "" when it was written without one."""

    action: str
    place: str
    service: str
    pre_state: str
    ending: Ending
    at: datetime
    """When it ended; when it began, for one that has not."""

    @property
    def done(self) -> bool:
        """False when it is known that nothing was changed."""
        return self.ending is not Ending.NOTHING


@dataclass(frozen=True)
class Onset:
    """Something began to alert. `service` is the tracker's, `part` the service its labels name ("" when none).

    `identities` are what the same alert has in common each time it begins (a deduplication key, its stable labels).
    """

    at: datetime
    service: str
    part: str = ""
    identities: frozenset[str] = frozenset()


def place_of(target: Target) -> str:
    """Where an action takes place: the workload for a pod, whose name is another after each restart; else the target's key."""
    workload = next((key for key in keys_of(target)[1:] if key.count("/") == 2), "")
    return workload if target.kind == "Pod" and workload else target.key.lower()


def place_of_key(key: str) -> str:
    """The place of a target known by its key only (Target.key)."""
    kind, namespace, name = key.split("/", 2)
    return place_of(Target(kind=kind, namespace=None if namespace == "-" else namespace, name=name))


def pre_state(proposal: Proposal) -> str:
    """sha256 of what was acted on: action, place, and the kind of finding that led to it; "" when none is known.

    Deliberately coarse: uids, values and names that change with every attempt would make a loop look new each time.
    """
    if not proposal.cause:
        return ""
    text = "\x1f".join((proposal.action, place_of(proposal.target), proposal.cause))
    return hashlib.sha256(text.encode()).hexdigest()


def many_services(onsets: Iterable[Onset], now: datetime) -> bool:
    """Alerts began in STORM_SERVICES services within STORM_WINDOW, less than STORM_CALM after that window ago."""
    recent = sorted((min(o.at, now), o.service, o.part) for o in onsets if o.at > now - STORM_WINDOW - STORM_CALM)
    return any(
        _services((s, p) for at, s, p in recent[first:] if at < began + STORM_WINDOW) >= STORM_SERVICES
        for first, (began, _, _) in enumerate(recent)
    )


def _services(named: Iterable[tuple[str, str]]) -> int:
    """How many services: each of the tracker's counts once, or as often as labels tell parts of it apart."""
    parts: dict[str, set[str]] = {}
    for service, part in named:
        parts.setdefault(service, set()).add(part)
    return sum(max(1, len(found - {""})) for found in parts.values())


def many_pods(alerting: Mapping[str, int], existing: Mapping[str, int]) -> bool:
    """More than STORM_PODS_PCT percent of some workload's pods are alerting. Both map a place to a count."""
    return any(
        count >= STORM_PODS and count * 100 > max(existing.get(place, 0), count) * STORM_PODS_PCT
        for place, count in alerting.items()
    )


def cooling(attempts: Iterable[Attempt], proposal: Proposal, now: datetime) -> bool:
    """The same action at the same place ended a moment ago. What came to nothing counts as a failure here: it was tried."""
    place = place_of(proposal.target)
    ended = [a for a in attempts if a.action == proposal.action and a.place == place and a.ending is not Ending.OPEN]
    if not ended:
        return False
    ended.sort(key=lambda a: a.at)
    last, failures = ended[-1], _failures(ended, frozenset({Ending.FAILED, Ending.NOTHING}))
    wait = COOLDOWN_AFTER_SUCCESS if failures == 0 else min(COOLDOWN_MOST, COOLDOWN_FIRST * 2 ** min(failures - 1, 10))
    return now < last.at + wait


def failing(attempts: Iterable[Attempt], proposal: Proposal, service: str, now: datetime) -> bool:
    """The action failed FAILURES_IN_A_ROW times in a row for this service, the last time less than BLOCKED_FOR ago."""
    ours = [a for a in attempts if a.action == proposal.action and a.service == service]
    judged = sorted((a for a in ours if a.done and a.ending is not Ending.OPEN), key=lambda a: a.at)
    return _failures(judged, frozenset({Ending.FAILED})) >= FAILURES_IN_A_ROW and now < judged[-1].at + BLOCKED_FOR


def _failures(ended: Sequence[Attempt], counted: frozenset[Ending]) -> int:
    """How many of the last attempts failed, without a success after them."""
    return next((n for n, a in enumerate(reversed(ended)) if a.ending not in counted), len(ended))


def ineffective(attempts: Iterable[Attempt], proposal: Proposal, now: datetime) -> bool:
    """The same was done for the same reason SAME_STATE_TIMES times within LOOP_WINDOW.

    SAFETY: without a cause there is no hash to count by, and then it trips; an attempt written without one counts as the same.
    """
    ours = pre_state(proposal)
    if not ours:
        return True
    here = [a for a in attempts if a.action == proposal.action and a.place == place_of(proposal.target)]
    same = [a for a in here if a.done and a.at > now - LOOP_WINDOW and a.pre_state in (ours, "")]
    return len(same) >= SAME_STATE_TIMES


def ratcheting(attempts: Iterable[Attempt], proposal: Proposal, now: datetime) -> bool:
    """The number that this action raises was raised RAISES times within LOOP_WINDOW already."""
    place = place_of(proposal.target)
    raised = [a for a in attempts if a.action == proposal.action and a.place == place and a.done and a.at > now - LOOP_WINDOW]
    return proposal.action in RATCHETS and len(raised) >= RAISES


def verifying(attempts: Iterable[Attempt], service: str) -> bool:
    """An action for this service is done and still being watched: what it led to is not known yet (G47)."""
    return any(a.service == service and a.ending is Ending.UNVERIFIED for a in attempts)


def flapping(onsets: Iterable[Onset], ours: Collection[str], now: datetime) -> bool:
    """One of our alerts began FLAPS times within FLAP_WINDOW. Onsets of one identity at one moment are one."""
    began: dict[str, set[datetime]] = {}
    for onset in onsets:
        for identity in onset.identities.intersection(ours):
            if onset.at > now - FLAP_WINDOW:
                began.setdefault(identity, set()).add(onset.at)
    return any(len(moments) >= FLAPS for moments in began.values())
