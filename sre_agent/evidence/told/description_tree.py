"""The tree of keys that `kubectl describe` prints, and the parts that many kinds share: conditions and times. Pure."""

import re
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime

from sre_agent.evidence.kubernetes.state import JsonObject

_KEY = re.compile(r"^( *)([A-Za-z][\w ./()-]*):(?:\s+(.*))?$")
_TIMES = re.compile(r"(?:[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} [+-]\d{4}\s+){1,2}")
"""When a condition was last heard of and last changed, as nodes tell it, before its reason."""
_CONDITION = re.compile(r"^\s+(\w+)\s+(True|False|Unknown)(?:\s+([A-Z]\w+))?\b(.*)$")


@dataclass
class Entry:
    """One "Key: value" line, what is indented below it, and the lines below that are no keys."""

    value: str = ""
    below: "dict[str, Entry]" = field(default_factory=dict)
    loose: list[str] = field(default_factory=list)

    def at(self, *path: str) -> str:
        """The value at a path of keys, or an empty text."""
        entry: Entry | None = self
        for key in path:
            entry = entry.below.get(key) if entry is not None else None
        return entry.value if entry is not None else ""

    def under(self, key: str) -> "dict[str, Entry]":
        """What is below a key."""
        found = self.below.get(key)
        return found.below if found is not None else {}

    def pairs(self, key: str, mark: str = "=") -> dict[str, str]:
        """ "a=1" on the key's line and on each line below it, as a dictionary."""
        found = self.below.get(key)
        told = [found.value, *found.loose] if found is not None else []
        return {k.strip(): v.strip() for k, sep, v in (t.partition(mark) for each in told for t in each.split(",")) if sep}


def tree(lines: list[str]) -> Entry:
    """Keys by their indentation."""
    root = Entry()
    stack: list[tuple[int, Entry]] = [(-1, root)]
    for line in lines:
        found = _KEY.match(line)
        if found is None:
            if line.strip():
                stack[-1][1].loose.append(line.strip())
            continue
        indent, entry = len(found[1]), Entry((found[3] or "").strip())
        while stack[-1][0] >= indent:
            stack.pop()
        stack[-1][1].below.setdefault(found[2].strip(), entry)
        stack.append((indent, entry))
    return root


def conditions(lines: list[str], at: str | None) -> list[JsonObject]:
    """The table of conditions: type, status and, where it is told, reason, message and when it changed."""
    found = []
    for line in lines:
        times = _TIMES.search(line)
        m = _CONDITION.match(_TIMES.sub("", line, count=1))
        if m is not None and m[1] not in ("Normal", "Warning"):
            changed = at if times is None else told_time(re.split(r"\s{2,}", times[0].strip())[-1]) or at
            found.append(
                {"type": m[1], "status": m[2], "reason": m[3] or "", "message": m[4].strip(), "lastTransitionTime": changed}
            )
    return found


def told_time(text: str) -> str | None:
    """RFC 3339 from the RFC 5322 time that kubectl prints."""
    try:
        return parsedate_to_datetime(text).astimezone(UTC).isoformat()
    except (ValueError, TypeError, OverflowError, OSError):
        return None
