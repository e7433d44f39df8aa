"""What people write for a time on the command line, as a Span. Pure: `now` is handed in."""

import re
from datetime import UTC, datetime, timedelta

from sre_agent.incident.errors import Permanent
from sre_agent.intake.untrusted import pagerduty_id
from sre_agent.replay.history.entry import Span

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_BACK = re.compile(r"(\d{1,5})([mhdw])")
EARLIEST = datetime(2009, 1, 1, tzinfo=UTC)
"""There was no PagerDuty before; a span is asked for in pieces, and empty centuries would be many."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
FORMS = "a date (2026-03-04, UTC), a time with its offset (2026-03-04T03:11:09Z, ...+02:00) or a time ago (7d, 36h, 90m, 2w)"


class BadSpan(Permanent):
    """The times or ids of a span make no sense; the message says which and what is accepted."""


def span_of(since: str, until: str | None, now: datetime, services: tuple[str, ...] = (), teams: tuple[str, ...] = ()) -> Span:
    """The span that was asked for; without `until` it ends now. Raises BadSpan for times that cannot be read, that lie ahead or
    run backwards, and for ids that are none."""
    begin, end = moment_of(since, now, "--since"), now if until is None else moment_of(until, now, "--until")
    if begin < EARLIEST:
        raise BadSpan(f"--since {since!r} is before {EARLIEST.year}; PagerDuty has no incidents of that time")
    if begin > now:
        raise BadSpan(f"--since {since!r} lies in the future; there are no past incidents there")
    if end > now:
        raise BadSpan(f"--until {until!r} lies in the future; leave it out to replay everything up to now")
    if begin >= end:
        raise BadSpan(f"--since {since!r} is not before --until {until or 'now'!r}; no incident can lie between them")
    for option, identities in (("--service", services), ("--team", teams)):
        for identity in identities:
            if pagerduty_id(identity) is None:
                raise BadSpan(f"{option} {identity[:60]!r} is no id of PagerDuty (5 to 20 upper-case letters and digits)")
    return Span(since=begin, until=end, services=tuple(sorted(set(services))), teams=tuple(sorted(set(teams))))


def moment_of(written: str, now: datetime, option: str) -> datetime:
    """One time, aware, in UTC and whole seconds. Raises BadSpan."""
    said = written.strip()
    back = _BACK.fullmatch(said)
    try:
        if back is not None:
            at = now - int(back[1]) * _UNITS[back[2]]
        elif _DATE.fullmatch(said):
            at = datetime.fromisoformat(said).replace(tzinfo=UTC)
        else:
            at = datetime.fromisoformat(said)
            if at.tzinfo is None:
                raise BadSpan(
                    f"{option} {written[:60]!r} has no offset, and nobody knows whose time it is; write {said[:30]}Z for UTC"
                )
        return at.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError) as error:
        raise BadSpan(f"{option} {written[:60]!r} is no time: write {FORMS}") from error
