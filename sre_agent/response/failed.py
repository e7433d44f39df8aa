"""What a job that failed for good means for its incident. Pure."""

from datetime import datetime, timedelta
from typing import Final

from sre_agent.response.lifecycle import Narration, handed_back, in_vain, job, untold
from sre_agent.response.record import IncidentRecord, Job, JobKind, State, Step

_TELLING: Final = frozenset({JobKind.PUBLISH, JobKind.ANNOUNCE, JobKind.HAND_BACK, JobKind.MARK})
_RETELL_FIRST, _RETELL_LAST, _RETELL_FOR = timedelta(minutes=1), timedelta(hours=1), timedelta(hours=24)


def on_failure(record: IncidentRecord, reason: str, now: datetime, kind: JobKind | None = None) -> Step:
    """A job failed for good. An unfinished incident goes to people; a finished one keeps its end and says what is missing.

    INVARIANT: a question that could not be shown in one place keeps no incident up and ends none: it stays open elsewhere.
    INVARIANT: nor does a recording that could not be kept. A page that could not be sent ends nothing either, and is tried again.
    INVARIANT: nothing accepted is lost. What could not be told (`kind`: a note, a hand-over) is tried again for a day,
    ever less often: a token is renewed, a permission is given, and the end of the incident still reaches people.
    """
    if kind is JobKind.RECORD:
        text = f"what this was decided on could not be recorded: {reason}"
        return Narration(record, now).step(record.state, "recording_failed", text)
    if kind is JobKind.PAGE:
        return _again(record, kind, "page_failed", f"people could not be paged: {reason}", now)
    if not record.state.final and kind is JobKind.ANNOUNCE:
        return untold(record, reason, now) or Step(to=record.state)
    if not record.state.final:
        begun = record.state in (State.EXECUTING, State.VERIFYING)
        return handed_back(record, reason, now, kind="walk_failed", changes=in_vain(record) if begun else {})
    if kind is None or kind not in _TELLING:
        return _said(record, "follow_up_failed", f"could not be told or handed over: {reason}", now)
    return _again(record, kind, "follow_up_failed", f"could not be told or handed over: {reason}", now)


def _again(record: IncidentRecord, kind: JobKind, told: str, text: str, now: datetime) -> Step:
    """Tried again, ever less often, for a day; said when that begins, and when it ends."""
    since = max((e.at for e in record.timeline if e.kind == told), default=now - _RETELL_FOR)
    if now - since >= _RETELL_FOR:
        hours = _RETELL_FOR.total_seconds() / 3600
        return _said(
            record, told, f"{text}; it is tried again for {hours:.0f} h", now, job(kind, record.id, at=now + _RETELL_FIRST)
        )
    wait = min(max(now - since, _RETELL_FIRST), _RETELL_LAST)
    if now + wait - since < _RETELL_FOR:
        return Step(to=record.state, jobs=(job(kind, record.id, at=now + wait),))
    return _said(record, f"{told.removesuffix('_failed')}_given_up", f"{text}; that was tried for a day, and is given up", now)


def _said(record: IncidentRecord, kind: str, text: str, now: datetime, *again: Job) -> Step:
    return Narration(record, now).step(record.state, kind, text, jobs=again)
