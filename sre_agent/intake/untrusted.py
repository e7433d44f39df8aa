"""Reading JSON that somebody else wrote: a wrong type becomes nothing, never an exception.

Every reader below is total except `read_json`, which raises Unreadable and nothing else. Text is made safe to
store (PostgreSQL refuses NUL, UTF-8 refuses lone surrogates) by *replacing* such characters, never by dropping
them: a label that is not exactly "infra" must not become "infra" by being cleaned.
"""

import json
import re
from datetime import UTC, datetime
from typing import Final

from sre_agent.incident.errors import Permanent

PAGERDUTY_ID: Final = re.compile(r"[A-Z0-9]{5,20}")
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


class Unreadable(Permanent):
    """A body or object from outside that cannot be understood; the message says which part."""


def read_json(body: bytes | str) -> object:
    """Decode JSON, UTF-8 only. Of duplicate keys the last wins. Raises Unreadable, whatever the input."""
    try:
        parsed: object = json.loads(body.decode("utf-8") if isinstance(body, bytes) else body)
    except UnicodeDecodeError as error:
        raise Unreadable(f"the body is not UTF-8 (byte {error.start})") from error
    except RecursionError as error:
        raise Unreadable("the body is nested too deeply to be read") from error
    except ValueError as error:  # malformed JSON, and integers of thousands of digits
        raise Unreadable(f"the body is not JSON: {error}") from error
    return parsed


def fields(value: object) -> dict[str, object]:
    """The value as an object; anything else is an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[object]:
    """The value as a list; anything else is an empty one."""
    return value if isinstance(value, list) else []


def text(value: object, limit: int = 1024) -> str:
    """The value as storable text of at most `limit` characters; "" for anything that is not text or a whole number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return storable(str(value) if isinstance(value, str) or abs(value) < 10**30 else "")[:limit]


def storable(value: str) -> str:
    """The same text with NUL and lone surrogates replaced by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", value)


def label_value(value: object) -> str:
    """A label's value, exactly as sent. What is not text becomes its JSON, which equals no class name."""
    if isinstance(value, str):
        return storable(value)
    try:
        return storable(json.dumps(value, sort_keys=True))
    except (RecursionError, TypeError, ValueError):
        return "\ufffd"


def label_set(value: object) -> dict[str, str]:
    """A JSON object of labels or annotations."""
    return {storable(name): label_value(content) for name, content in fields(value).items()}


def moment(value: object) -> datetime | None:
    """An RFC 3339 time as aware UTC; without an offset it is taken as UTC. None when unreadable or "zero" (year 1)."""
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value.strip())
        read = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return read if read.year > 1 else None


def pagerduty_id(value: object) -> str | None:
    """A PagerDuty object id (upper-case letters and digits, 5 to 20), or None.

    # SAFETY: ids go into REST paths; both PagerDuty clients let "../" in them walk to another resource.
    """
    return value if isinstance(value, str) and PAGERDUTY_ID.fullmatch(value) else None
