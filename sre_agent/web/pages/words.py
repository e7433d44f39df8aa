"""The words, signs and times of the pages. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from sre_agent.execution.ledger import IntentState
from sre_agent.policy.decision import Decision, Verdict
from sre_agent.response.record import State
from sre_agent.verification.verify import Recovery


@dataclass(frozen=True)
class Sign:
    """A word with its icon (an id of the sprite) and tone (a class of app.css): never colour alone."""

    word: str
    icon: str
    tone: str


STATES: Mapping[State, Sign] = {
    State.RECEIVED: Sign("Received", "inbox", "work"),
    State.INVESTIGATING: Sign("Investigating", "search", "work"),
    State.AWAITING_APPROVAL: Sign("Waiting for people", "people", "wait"),
    State.EXECUTING: Sign("Acting", "bolt", "work"),
    State.VERIFYING: Sign("Verifying", "pulse", "work"),
    State.RECOVERED: Sign("Recovered", "check", "good"),
    State.HANDED_BACK: Sign("Handed back", "hand", "hand"),
    State.NO_ACTION: Sign("Nothing to do", "minus", "calm"),
    State.CANCELLED: Sign("Withdrawn", "ban", "calm"),
}

VERDICTS: Mapping[Verdict, Sign] = {
    Verdict.ALLOW: Sign("Allowed", "check", "good"),
    Verdict.NEEDS_APPROVAL: Sign("Needs approval", "people", "wait"),
    Verdict.DENY: Sign("Denied", "ban", "bad"),
    Verdict.HAND_BACK: Sign("Handed back", "hand", "hand"),
    Verdict.NO_ACTION: Sign("Nothing to do", "minus", "calm"),
}

INTENTS: Mapping[IntentState, Sign] = {
    IntentState.INTENT: Sign("Begun", "bolt", "work"),
    IntentState.DONE: Sign("Done", "check", "good"),
    IntentState.NOT_DONE: Sign("Not done", "minus", "calm"),
    IntentState.FAILED: Sign("Failed", "ban", "bad"),
    IntentState.UNKNOWN: Sign("Unknown whether it took effect", "alert", "bad"),
}

RECOVERIES: Mapping[Recovery, Sign] = {
    Recovery.RECOVERED: Sign("Recovered", "check", "good"),
    Recovery.NOT_RECOVERED: Sign("Not recovered", "ban", "bad"),
    Recovery.UNKNOWN: Sign("Could not be established", "alert", "bad"),
    Recovery.UNDECIDED: Sign("Being verified", "pulse", "work"),
}

_KINDS: Mapping[str, tuple[str, str]] = {
    "approval_requested": ("people", "wait"),
    "approval_given": ("people", "good"),
    "approval_denied": ("ban", "bad"),
    "approval_expired": ("clock", "wait"),
    "execution_started": ("bolt", "work"),
    "action_executed": ("bolt", "good"),
    "action_failed": ("ban", "bad"),
    "action_unknown": ("alert", "bad"),
    "action_denied": ("ban", "bad"),
    "action_refused": ("hand", "hand"),
    "recovery_verified": ("check", "good"),
    "recovery_failed": ("ban", "bad"),
    "recovery_unknown": ("alert", "bad"),
    "incident_handed_back": ("hand", "hand"),
    "incident_assigned": ("hand", "hand"),
    "incident_reopened": ("inbox", "work"),
    "investigation_started": ("search", "work"),
    "plan_withdrawn": ("ban", "calm"),
    "walk_failed": ("alert", "bad"),
    "follow_up_failed": ("alert", "wait"),
    "follow_up_given_up": ("alert", "bad"),
}


def sign_of(kind: str) -> Sign:
    """A line of a timeline: the audit kind in words ("approval given")."""
    icon, tone = _KINDS.get(kind, ("dot", "calm"))
    return Sign(kind.replace("_", " "), icon, tone)


_SAME = {
    (State.AWAITING_APPROVAL, Verdict.NEEDS_APPROVAL),
    (State.HANDED_BACK, Verdict.HAND_BACK),
    (State.NO_ACTION, Verdict.NO_ACTION),
}


def says_more(state: State, verdict: Verdict | None) -> bool:
    """Whether a verdict tells what the state does not tell already."""
    return verdict is not None and (state, verdict) not in _SAME


def verdict_words(decision: Decision) -> str:
    """The verdict as a sentence."""
    match decision.verdict:
        case Verdict.ALLOW:
            return "Allowed without asking anybody."
        case Verdict.NEEDS_APPROVAL:
            return f"May be done once {people(decision.approvals_required or 1)} approved."
        case Verdict.DENY:
            return "Denied: it is not done, whoever approves."
        case Verdict.HAND_BACK:
            return "Refused and handed back to its owner."
        case Verdict.NO_ACTION:
            return "Nothing to do."


def people(count: int) -> str:
    """ "1 person has", "2 people have"."""
    return "1 person has" if count == 1 else f"{count} people have"


def day_and_time(at: datetime) -> str:
    """ "2026-11-28 03:11:09" in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def day(at: datetime) -> str:
    """ "2026-11-28" in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d}"


def clock(at: datetime) -> str:
    """ "03:11:09" in UTC."""
    return f"{at.astimezone(UTC):%H:%M:%S}"


def iso(at: datetime) -> str:
    """What <time datetime> takes."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


def span(seconds: float) -> str:
    """A length of time in its two largest units: "45 s", "4 min 10 s", "3 h 5 min", "2 d 4 h"."""
    s = int(abs(seconds))
    for size, unit, small, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if s >= size:
            rest = s % size // small
            return f"{s // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{s} s"


def ago(at: datetime, now: datetime) -> str:
    """ "4 min 10 s ago", or "in 3 min"."""
    away = (now - at).total_seconds()
    return f"{span(away)} ago" if away >= 0 else f"in {span(away)}"


def size(count: int) -> str:
    """Bytes for people: "812 B", "13.6 kB", "5.0 MB"."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def web_link(url: str) -> str:
    """The URL if a browser may follow it; "" for any other scheme (javascript:, data:, ...) and for what is none."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    return url.strip() if parts.scheme in ("http", "https") and parts.netloc else ""


def here_only(path: str) -> str:
    """A path of this site, to go back to; "/" for anything that could lead elsewhere."""
    plain = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if plain else "/"
