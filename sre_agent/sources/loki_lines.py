"""Loki's streams as logs of pods: one log a pod and container, oldest line first, each with its time in front. Pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sre_agent.intake.untrusted import storable

LONGEST_LINE = 2_000
MAX_LOGS = 10
MOST_DIGITS = 20
"""Of nanoseconds: the year 5138; what is longer is not a time."""


class Line(NamedTuple):
    """One line: whose it is (namespace, pod, container; "" where the stream does not say), when in nanoseconds, what."""

    owner: tuple[str, str, str]
    at: int
    text: str


def lines_of(streams: Sequence[Any], namespaces: Sequence[str], pods: Sequence[str], containers: Sequence[str]) -> list[Line]:
    """Every readable [nanoseconds, line] of every stream; what is malformed is skipped. A line holds no line break."""
    found: list[Line] = []
    for stream in streams:
        labels = stream.get("stream") if isinstance(stream, dict) else None
        values = stream.get("values") if isinstance(stream, dict) else None
        if not isinstance(labels, dict) or not isinstance(values, list):
            continue
        owner = (_first(labels, namespaces), _first(labels, pods), _first(labels, containers))
        found += [line for value in values if (line := _line(owner, value)) is not None]
    return found


def bounded(lines: Sequence[Line], most_bytes: int) -> Iterator[tuple[dict[str, Any], bool]]:
    """(payload, whether it was cut) per owner, those with the most lines first; the newest lines of each that fit its share."""
    owners: dict[tuple[str, str, str], list[Line]] = {}
    for line in lines:
        owners.setdefault(line.owner, []).append(line)
    kept = sorted(owners.items(), key=lambda pair: (-len(pair[1]), pair[0]))[:MAX_LOGS]
    for (namespace, pod, container), own in kept:
        told: list[str] = []
        left = most_bytes // len(kept)
        for line in sorted(own, key=lambda each: each.at, reverse=True):
            text = f"{stamp(line.at)} {line.text}"
            left -= len(text)
            if left < 0:
                break
            told.append(text)
        payload = {"namespace": namespace, "pod": pod, "container": container, "previous": False, "lines": told[::-1]}
        yield payload, len(told) < len(own) or len(kept) < len(owners)


def stamp(nanoseconds: int) -> str:
    """RFC 3339 with nine digits, as `kubectl logs --timestamps` writes it."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def _line(owner: tuple[str, str, str], value: object) -> Line | None:
    """[nanoseconds as text, line, structured metadata?] as a line."""
    if not isinstance(value, list) or len(value) < 2 or not isinstance(value[1], str) or (at := _time(value[0])) is None:
        return None
    return Line(owner, at, storable(value[1][:LONGEST_LINE]).replace("\r", "").replace("\n", "\\n"))


def _time(value: object) -> int | None:
    readable = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS
    return int(str(value)) if readable else None


def _first(labels: dict[str, Any], names: Sequence[str]) -> str:
    return next((labels[n] for n in names if isinstance(labels.get(n), str)), "")
