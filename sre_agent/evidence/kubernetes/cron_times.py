"""When a cron schedule was due last: the five fields of cron(5) as Kubernetes reads them, in UTC. Pure.

What cannot be read (a time zone, "@reboot", names that are none) has no due time, so nothing is ever called missed by mistake.
"""

from datetime import UTC, datetime, timedelta

_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES = {3: {n: i for i, n in enumerate(_MONTHS, 1)}, 4: {n: i for i, n in enumerate(_DAYS)}}
LOOK_BACK_DAYS = 40


def last_due(schedule: str, now: datetime) -> datetime | None:
    """The newest due time that is not after `now`, at most LOOK_BACK_DAYS ago; None without one, or if unreadable."""
    now = now.astimezone(UTC)
    fields = _MACROS.get(schedule.strip().lower(), schedule).split()
    if len(fields) != 5:
        return None
    parsed = [_field(f.lower(), i) for i, f in enumerate(fields)]
    if any(p is None for p in parsed):
        return None
    minutes, hours, days, months, weekdays = (p or frozenset() for p in parsed)
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    for back in range(LOOK_BACK_DAYS):
        day = now - timedelta(days=back)
        in_month, in_week = day.day in days, day.isoweekday() % 7 in {w % 7 for w in weekdays}
        if day.month not in months or not ((in_month or in_week) if either else (in_month and in_week)):
            continue
        times = (day.replace(hour=h, minute=m, second=0, microsecond=0) for h in hours for m in minutes)
        due = max((t for t in times if t <= now), default=None)
        if due is not None:
            return due
    return None


def period(schedule: str, now: datetime) -> timedelta | None:
    """The time between the last two due times; None when it cannot be told."""
    due = last_due(schedule, now)
    before = last_due(schedule, due - timedelta(minutes=1)) if due is not None else None
    return due - before if due is not None and before is not None else None


def _field(words: str, index: int) -> frozenset[int] | None:
    found: set[int] = set()
    for part in words.split(","):
        span = _span(part, index)
        if span is None:
            return None
        found.update(span)
    return frozenset(found)


def _span(part: str, index: int) -> range | None:
    low, high = _RANGES[index]
    body, slash, step = part.partition("/")
    if slash and not (step.isdecimal() and int(step[:4]) > 0):
        return None
    if body in ("*", "?"):
        first, last = low, high
    else:
        a, dash, b = body.partition("-")
        start, end = _value(a, index), _value(b if dash else a, index)
        if start is None or end is None:
            return None
        first, last = start, end if dash or not slash else high
    return range(first, last + 1, int(step[:4]) if slash else 1) if low <= first <= last <= high else None


def _value(words: str, index: int) -> int | None:
    if words in (named := _NAMES.get(index, {})):
        return named[words]
    return int(words) if words.isdecimal() and len(words) < 3 else None
