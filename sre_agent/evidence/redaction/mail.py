"""Mail addresses (RFC 5321, RFC 6531), also with their "@" escaped as in a query. Names of hosts and units stay."""

import re

from sre_agent.evidence.redaction.placeholder import mark

_AT = re.compile(r"@|%40")
_LOCAL = frozenset("._%+-'~!#$*")
_LONGEST_LOCAL = 64
# JSON may write a letter as \u00e4.
_DOMAIN = re.compile(r"(?:(?:[^\W_]|\\u[0-9a-fA-F]{4})(?:[\w-]|\\u[0-9a-fA-F]{4}){0,62}\.){1,8}[^\W\d_]{2,24}(?![\w(])")
_NOBODY = frozenset({"git", "hg", "svn"})
# systemd units and nodes of a cluster are written like addresses: getty@tty1.service, rabbit@rabbit-0.rabbitmq.svc.
_NO_DOMAIN = re.compile(
    r"(?:\.|^)(?:service|socket|timer|slice|target|mount|path|scope|svc|svc\.cluster\.local|pod\.cluster\.local|internal)$", re.I
)


def mail_addresses(text: str, lower: str) -> str:
    """Each mail address. Looks outwards from each "@", so that a line of any length costs its length."""
    if "@" not in text and "%40" not in lower:
        return text
    out, done = [], 0
    for at in _AT.finditer(text):
        if at.start() < done:
            continue
        start = _local_start(text, at.start(), done)
        domain = _DOMAIN.match(text, at.end())
        if domain is None or start == at.start() or text[start : at.start()] in _NOBODY or _NO_DOMAIN.search(domain.group()):
            continue
        out += [text[done:start], mark("email", text[start : domain.end()])]
        done = domain.end()
    return "".join([*out, text[done:]]) if out else text


def _local_start(text: str, at: int, floor: int) -> int:
    """Where the local part that ends at `at` begins; `at` when there is none. A quoted one may hold blanks."""
    floor = max(floor, at - _LONGEST_LOCAL)
    if at > floor + 1 and text[at - 1] == '"':
        opening = text.rfind('"', floor, at - 1)
        return opening if opening >= 0 and not text[opening + 1 : at - 1].isspace() and opening + 1 < at - 1 else at
    start = at
    while start > floor and (text[start - 1].isalnum() or text[start - 1] in _LOCAL):
        start -= 1
    while start < at and not (text[start].isalnum() or text[start] == "_"):
        start += 1
    return start
