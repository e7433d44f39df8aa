"""Business hours: open or not, and when they open next. Wall-clock times in a zone, so that summer time is the zone's affair."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sre_agent.routing.file import DAYS, BusinessHours

_DAY = timedelta(days=1)
_AHEAD = 8
"""Days that are looked ahead: in a week every day has come once."""


def is_open(hours: BusinessHours, now: datetime) -> bool:
    """Whether `now` lies in a shift: its start inclusive, its end exclusive. A shift over midnight belongs to the day it began."""
    return any(begins <= now < ends for begins, ends in _shifts(hours, now, -1, 1))


def next_opening(hours: BusinessHours, now: datetime) -> datetime | None:
    """When the next shift begins, in UTC; `now` itself where it is open; None where it never opens."""
    if is_open(hours, now):
        return now
    return min((begins for begins, _ in _shifts(hours, now, 0, _AHEAD + 1) if begins > now), default=None)


def _shifts(hours: BusinessHours, now: datetime, first: int, last: int) -> list[tuple[datetime, datetime]]:
    """The shifts of the days around `now`, as moments in UTC."""
    zone = ZoneInfo(hours.tz)
    today = now.astimezone(zone).date()
    found = []
    for day in (today + offset * _DAY for offset in range(first, last)):
        if DAYS[day.weekday()] in hours.days:
            closing = day if hours.end > hours.start else day + _DAY
            found.append((_moment(day, hours.start, zone), _moment(closing, hours.end, zone)))
    return found


def _moment(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """A wall-clock time as a moment. One that the change to summer time leaves out is the first moment after the gap; of one that
    comes twice it is the first.
    """
    local = datetime.combine(day, clock, zone)
    moment = local.astimezone(UTC)
    in_a_gap = moment.astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None)
    return _after_the_gap(local, zone) if in_a_gap else moment


def _after_the_gap(local: datetime, zone: ZoneInfo) -> datetime:
    """The moment of the change: in a gap fold=0 reads the clock by the offset of before, fold=1 by that of after (PEP 495)."""
    before = local.replace(fold=0).utcoffset()
    early, late = local.replace(fold=1).astimezone(UTC), local.replace(fold=0).astimezone(UTC)
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        early, late = (middle, late) if middle.astimezone(zone).utcoffset() == before else (early, middle)
    return late.replace(microsecond=0)
