"""Autonomy is earned per (action, service), lasts a while, and ends with the first harm (guardrail G60). Pure.

What counts is read from the audit chain, so it survives restarts and nobody can set it:
- an agreement: the agent proposed, people approved exactly that plan (the guard counted their approvals for its hash right
  before the effect), it was carried out, and recovery was verified;
- an agreement in shadow: the agent only proposed, people did that very thing themselves, and a person answers for it with their
  token. At most half of what is needed, and it lengthens nothing;
- a setback: it failed, its effect or its recovery is unknown, the service did not recover, a person denied the plan, or in shadow
  it would have acted where people did not do that.

What ran without anybody's approval earns nothing, however well it went, but it can be a setback. Plans that expired, were
withdrawn or were not begun count for nothing.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from sre_agent.audit.record import AuditEntry

AGREEMENTS = 20
"""Agreements in a row that earn autonomy."""

SHADOW_AGREEMENTS = AGREEMENTS // 2
"""As many of them may be agreements in shadow; the others take an approved plan that was carried out and verified."""

LASTS = timedelta(days=30)
"""How long it lasts from the newest approved agreement on. One more of those renews it, which takes a person each time."""

HISTORY = 100
"""How many of a pair's newest incidents are looked at."""

PLANNED = frozenset({"approval_requested", "execution_started", "action_permitted"})
"""Audit kinds that carry the judged request, and with it the pair that the incident's next records are about."""

SHADOW_AGREED = "shadow_agreed"
SHADOW_DISAGREED = "shadow_disagreed"
SHADOW = frozenset({SHADOW_AGREED, SHADOW_DISAGREED})
"""Audit kinds a person signs: what people did about an incident beside what the agent had proposed (replay.shadow)."""

_PERMITTED = "action_permitted"
_WELL = "recovery_verified"
_HARM = {
    "action_failed": "the action failed",
    "action_unknown": "it is unknown whether the action took effect",
    "recovery_failed": "the service did not recover",
    "recovery_unknown": "recovery could not be established",
    "approval_denied": "a person denied the plan",
    "walk_failed": "the walk broke off after the action had begun",
}
_BEGUN = frozenset({"executing", "verifying"})

KINDS = PLANNED | SHADOW | {_WELL} | _HARM.keys()
"""The audit kinds that are looked at."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_AGENT = str(AuditEntry.model_fields["actor"].default)


class TrackRecord(Protocol):
    """The history of a pair, from the audit chain."""

    async def history(self, action: str, service: str) -> tuple[AuditEntry, ...]:
        """Entries of KINDS, oldest first, of the HISTORY newest incidents with a plan for the pair, real or in shadow.

        Raises Permanent for a record that is not as it was written, Transient when the store is away.
        """
        ...

    async def pairs(self) -> tuple[tuple[str, str], ...]:
        """(action, service) of everything that ever had a plan, sorted. Names are cut at 200 characters."""
        ...


class Fate(StrEnum):
    """How one plan of a pair ended, as far as autonomy is concerned. DIFFERED: in shadow, and nothing would have been done."""

    AGREED = "agreed"
    SHADOWED = "shadowed"
    DIFFERED = "differed"
    SETBACK = "setback"


@dataclass(frozen=True)
class Ending:
    """One plan's end. `why` says what a setback was."""

    at: datetime
    incident_id: str
    fate: Fate
    why: str = ""


@dataclass(frozen=True)
class Standing:
    """What a pair has earned at a moment: agreements since the last setback, and until when it is autonomous, if it is.

    `why` says why it is not; "" when it is. `agreements` are the `approved` ones and, up to SHADOW_AGREEMENTS, those in
    `shadow`; `differed` counts disagreements in shadow since then that would have done nothing.
    """

    agreements: int = 0
    until: datetime | None = None
    why: str = ""
    approved: int = 0
    shadow: int = 0
    differed: int = 0
    last_setback: Ending | None = None

    @property
    def earned(self) -> bool:
        """True while autonomous."""
        return not self.why


@dataclass
class _Plan:
    pair: tuple[str, str]
    approvals: int = 0


def endings(history: Iterable[AuditEntry], action: str, service: str) -> tuple[Ending, ...]:
    """How the plans of a pair ended, in the history's order. Entries about other pairs are passed over."""
    entries = tuple(history)
    real = tuple(_real(entries, (action, service)))
    shadow = _shadow(entries, (action, service), frozenset(e.incident_id for _, e in real))
    return tuple(e for _, e in sorted((*real, *shadow), key=lambda found: found[0]))


def _real(history: tuple[AuditEntry, ...], pair: tuple[str, str]) -> Iterator[tuple[int, Ending]]:
    """Plans that people approved or the agent carried out, each with its place in the history."""
    plans: dict[str, _Plan] = {}
    for place, entry in enumerate(history):
        if entry.kind in SHADOW:
            continue  # another's word about an incident, and not the end of a plan of ours
        incident = entry.incident_id or ""
        about = pair_of(entry)
        if about is not None:
            approvals = entry.detail.get("approvals", 0) if entry.kind == _PERMITTED else 0
            plans[incident] = _Plan(about, approvals if isinstance(approvals, int) else 0)
            continue
        plan = plans.get(incident)
        if plan is None or plan.pair != pair:
            continue
        if entry.kind == _WELL and plan.approvals >= 1:
            yield place, Ending(entry.at, incident, Fate.AGREED)
        elif entry.kind in _HARM and (entry.kind != "walk_failed" or entry.detail.get("from") in _BEGUN):
            yield place, Ending(entry.at, incident, Fate.SETBACK, _HARM[entry.kind])
        if entry.kind in KINDS:
            del plans[incident]  # this plan is over: what comes later is about another


def _shadow(history: tuple[AuditEntry, ...], pair: tuple[str, str], real: frozenset[str]) -> Iterator[tuple[int, Ending]]:
    """What people signed about plans that were not carried out.

    SAFETY: an agreement counts once per incident and once per case, whatever pair was named first, never for an incident whose
    plan came to a real end (`real`), and only with everything it must carry. Harm counts however often and badly it is told.
    """
    known: set[str] = set()
    for place, entry in enumerate(history):
        if entry.kind not in SHADOW:
            continue
        incident = entry.incident_id or ""
        marks = {f"incident {incident}", f"case {entry.detail.get('content_sha256') or incident}"}
        again, known = bool(marks & known), known | marks
        if pair_of(entry) != pair:
            continue
        if entry.kind == SHADOW_AGREED:
            if not again and incident not in real and _signed(entry):
                yield place, Ending(entry.at, incident, Fate.SHADOWED)
        elif entry.detail.get("harmful") is False:
            yield place, Ending(entry.at, incident, Fate.DIFFERED)
        else:
            yield place, Ending(entry.at, incident, Fate.SETBACK, "in shadow: it would have acted where people did not do that")


def _signed(entry: AuditEntry) -> bool:
    """SAFETY: a person's word, about one decision, and for a replay about one case: what a file alone says earns nothing."""
    said = entry.detail
    needed = {"replay": ("decision_sha256", "content_sha256"), "live": ("decision_sha256",)}.get(str(said.get("origin")))
    by_person = entry.actor not in ("", _AGENT) and said.get("person") == entry.actor
    return needed is not None and by_person and bool(entry.incident_id) and all(_SHA256.fullmatch(str(said.get(k))) for k in needed)


def standing(history: Iterable[AuditEntry], action: str, service: str, now: datetime) -> Standing:
    """What the pair has earned at `now`."""
    approved: list[datetime] = []
    shadow = differed = 0
    last: Ending | None = None
    for ending in endings(history, action, service):
        if ending.fate is Fate.SETBACK:
            approved, shadow, differed, last = [], 0, 0, ending
        elif ending.at > now:
            continue  # SAFETY: what is dated in the future earns nothing yet
        elif ending.fate is Fate.AGREED:
            approved.append(ending.at)
        elif ending.fate is Fate.SHADOWED:
            shadow += 1
        else:
            differed += 1
    # SAFETY: at most half comes from watching; the rest takes plans that people approved and that were seen to help.
    agreements = len(approved) + min(shadow, SHADOW_AGREEMENTS)
    counted = Standing(agreements, None, "", len(approved), shadow, differed, last)
    if agreements < AGREEMENTS:
        return replace(counted, why=_missing(counted))
    until = max(approved) + LASTS  # SAFETY: of the approved ones alone: nobody renews a standing by watching
    if now > until:
        return replace(counted, until=until, why=f"expired on {until:%Y-%m-%d %H:%M} UTC; one more agreement renews it")
    return replace(counted, until=until)


def _missing(s: Standing) -> str:
    since = "" if s.last_setback is None else f" since {s.last_setback.at:%Y-%m-%d} ({_told(s.last_setback)})"
    parts = f", {s.shadow} of them in shadow" if 0 < s.shadow <= SHADOW_AGREEMENTS else ""
    if s.shadow > SHADOW_AGREEMENTS:
        parts = f"; {s.shadow} were in shadow, of which {SHADOW_AGREEMENTS} count"
    return f"{s.agreements} of {AGREEMENTS} agreements{parts}{since}"


def _told(setback: Ending) -> str:
    return f"{setback.incident_id}: {setback.why}"


def unreadable(reason: str) -> Standing:
    """SAFETY: a history that cannot be read has earned nothing."""
    return Standing(why=f"the history cannot be read: {reason}")


def pair_of(entry: AuditEntry) -> tuple[str, str] | None:
    """(action, service) that a planning entry, or one in shadow, is about; None for any other entry."""
    if entry.kind in SHADOW:
        action, service = entry.detail.get("action"), entry.detail.get("service")
        return (action, service) if isinstance(action, str) and isinstance(service, str) else None
    if entry.kind not in PLANNED:
        return None
    request = _part(entry.detail, "request")
    action, service = _part(request, "proposal").get("action"), _part(request, "declaration").get("service")
    return (action, service) if isinstance(action, str) and isinstance(service, str) else None


def _part(whole: dict[str, Any], name: str) -> dict[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, dict) else {}
