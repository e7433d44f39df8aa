"""Strangers' text in Slack's two kinds of text: redacted, on one line, visible, cut with a mark, and never active. Pure.

Source of the rules: Slack's documentation, "Formatting text for app surfaces" (escaping, dates, links) and the text object
(`verbatim`). Lengths are counted in UTF-16 units, which is at least what Slack counts.
"""

import re
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from sre_agent.evidence.redact import redact
from sre_agent.evidence.visible import one_line

MARK: Final = "\N{HORIZONTAL ELLIPSIS}"
MOST_URL: Final = 300
NOTHING: Final = "-"
"""Slack refuses an empty text."""

_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LINKABLE: Final = re.compile(r"https?://[!#-;=?-\[\]_a-z~]+", re.ASCII)
"""Printable ASCII without the characters that would end a link: space, quote, angle brackets, bar, backslash, backtick, braces."""

Json = dict[str, Any]


def length(text: str) -> int:
    """UTF-16 units."""
    return len(text) + sum(c > "\uffff" for c in text)


def said(text: str, most: int) -> str:
    """The text for a plain_text object, `most` units long at most; NOTHING when there is none."""
    return _cut(one_line(redact(text)), most, {}) or NOTHING


def escaped(text: str, most: int) -> str:
    """The text for a mrkdwn object: no mention, no link, no channel can come of it."""
    return _cut(one_line(redact(text)), most, _ESCAPES) or NOTHING


def link(url: str, label: str, most: int = 80) -> str:
    """A link with an escaped label; the label alone where the address is none that may be shown whole."""
    shown = escaped(label, most).replace("|", "/")
    return f"<{address(url)}|{shown}>" if linkable(url) else shown


def address(url: str) -> str:
    """A linkable address as it is written in mrkdwn."""
    return url.replace("&", "&amp;")


def linkable(url: str) -> bool:
    """True for an http(s) address without a user part or anything that had to be redacted, short enough to be shown."""
    if len(address(url)) > MOST_URL or not _LINKABLE.fullmatch(url) or redact(url) != url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and "@" not in parts.netloc


def moment(at: datetime) -> str:
    """A time of day as its reader's own clock shows it, and in UTC."""
    utc = at.astimezone(UTC)
    return f"<!date^{int(utc.timestamp())}^{{time}}|{utc:%H:%M} UTC> ({utc:%H:%M} UTC)"


def plain(text: str) -> Json:
    """A plain_text object; nothing in it is markup. `text` comes from `said`, lines joined."""
    return {"type": "plain_text", "text": text, "emoji": False}


def mrkdwn(text: str) -> Json:
    """A mrkdwn object in which nothing becomes a link or a mention by itself. `text` is made of this module's parts."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _cut(text: str, most: int, escapes: dict[str, str]) -> str:
    """`text` with `escapes` applied, cut so that no escape is halved; MARK says that something is missing."""
    whole = "".join(escapes.get(c, c) for c in text)
    if length(whole) <= most:
        return whole
    kept, used = [], length(MARK)
    for c in text:
        shown = escapes.get(c, c)
        used += length(shown)
        if used > most:
            break
        kept.append(shown)
    return "".join(kept) + MARK
