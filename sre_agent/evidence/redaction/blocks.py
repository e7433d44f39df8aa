"""Secrets of more than one line: private keys, also cut in half, and the data of Kubernetes Secrets written as YAML."""

import re

from sre_agent.evidence.redaction.placeholder import mark

_PRIVATE = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)", re.DOTALL
)
_PEM_LINE = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?:[A-Za-z0-9+/]{64}|[A-Za-z0-9+/]{70}|[A-Za-z0-9+/]{76})")
_YAML_SECRET = re.compile(r"(?m)^[ \t]*(?:- )?kind:[ \t]*[\"']?Secret\b")
_YAML_DATA = re.compile(r"(?m)^([ \t]*)(?:stringData|data):[ \t]*\n((?:\1[ \t]+\S.*(?:\n|\Z)){1,200})")
_YAML_ENTRY = re.compile(r"(?m)^([ \t]+[\w.-]{1,253}:[ \t]+)([^\n]+)$")


def blocks(text: str, lower: str) -> str:
    """Private keys (RFC 7468 and OpenSSH's), and Secrets in YAML."""
    if "private key" in lower:
        text = _PRIVATE.sub(lambda m: mark("private-key", m.group()), text)
        if "-----END" in text:
            text = _backwards(text)
    elif 64 <= len(text) <= 80 and _PEM_LINE.fullmatch(text.strip()):
        # One line of a key whose lines were logged one by one. Digests are hexadecimal, or not of this width.
        return mark("private-key", text.strip())
    if "kind:" in lower and _YAML_SECRET.search(text):
        text = _YAML_DATA.sub(_data, text)
    return text


def _backwards(text: str) -> str:
    """The later half of a key whose beginning was cut away: from each end mark back over what can be key material."""
    material = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \t\r\n\\")
    out, done = [], 0
    for end in re.finditer(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----", text):
        start = end.start()
        while start > done and text[start - 1] in material:
            start -= 1
        out += [text[done:start], mark("private-key", text[start : end.end()])]
        done = end.end()
    return "".join([*out, text[done:]]) if out else text


def _data(match: re.Match[str]) -> str:
    whole, inside = match.group(), match.group(2)
    return whole[: len(whole) - len(inside)] + _YAML_ENTRY.sub(lambda m: m.group(1) + mark("value", m.group(2)), inside)
