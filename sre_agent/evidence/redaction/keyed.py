"""Secrets behind a name and a separator: `password=...`, JSON, YAML, headers, environments, parameters, elements."""

import re
from enum import Enum

from sre_agent.evidence.redaction.names import ENDINGS, KEY, MAYBE, cut, is_excused, is_keylike, is_maybe, is_nothing, is_sensitive
from sre_agent.evidence.redaction.value import Value, line_at, value_at


class _Name(Enum):
    """What follows from a name."""

    KEYWORD = "its value is a secret"
    MAYBE = "its value is a secret if it looks like a key"
    CREDENTIALS = "a scheme, then credentials"
    LINE = "a secret to the end of the line"


_COLOUR = r"(?:\x1b\[[\d;]{0,12}m)?"
_SEPARATOR = (
    rf"\\{{0,7}}[\"'`]?\]?{_COLOUR}[ \t]{{0,64}}"
    rf"(?:=>|:=|->|==|[:=→：＝]|%3[ad](?:%20)?){_COLOUR}[ \t]{{0,64}}(?:\[(?=[\"'\w]))?|(?<=[a-z])>(?=[^\s<])"
)


def _name(ending: str, kind: _Name) -> tuple[str, re.Pattern[str], _Name]:
    """The literal that the ending begins with, the ending and its separator, and what follows from it."""
    border = rf"(?<![a-z0-9]{ending})" if kind is _Name.MAYBE and ending.isalpha() else ""  # "inside" ends in "sid" too
    literal = re.match(r"[a-z]+", ending[:4])
    assert literal is not None
    return literal.group(), re.compile(rf"({ending}){border}(?:{_SEPARATOR})"), kind


_NAMES = (
    *(_name(ending, _Name.KEYWORD) for ending in (*ENDINGS, KEY)),
    *(_name(ending, _Name.MAYBE) for ending in MAYBE),
    _name("authorization", _Name.CREDENTIALS),
    _name("cookie2?", _Name.LINE),
)
_SCHEME = re.compile(
    r"(?i)(?:bearer|basic|token|apikey|api-key|ssws|negotiate|genie[_ ]?key|key|jwt|bot|splunk|digest|hawk|"
    r"aws4-hmac-sha256)(?:[ \t]+|%20)"
)
# YAML may write a value below its name; a word with a colon there is another name.
_BELOW = re.compile(
    r"([\w.-]{1,64})[\"']?:[ \t]*(?:[|>][+-]?\d?)?[ \t]*\r?\n[ \t]{1,64}([^\s:#-][^\s:]{5,4096})(?=[ \t]*(?:\r?\n|\Z))"
)
_FORM = re.compile(r"name=\\?\"([\w.-]{1,64})\\?\"(?:\r?\n|\\r\\n|\\n){2}([^\r\n\\]{1,4096})")
_LONGEST_NOTHING = 256
_LONGEST_MAYBE = 256
_WHOLE_LINE = re.compile(r"(?i)(?:digest|hawk|aws4-hmac-sha256|oauth)[ \t]")
_VARIABLE = re.compile(
    r"(?:name|key)\\?[\"']?[ \t]*[:=][ \t]*\\?[\"']?([\w.-]{1,128})\\?[\"']?\s{0,4}(?:,|\\n|\n)?\s{0,64}"
    r"\\?[\"']?value\\?[\"']?[ \t]*[:=][ \t]*"
)


def keyed_secrets(text: str, lower: str) -> str:
    """Values behind names of secrets. `lower` is `text` in lower case, of the same length."""
    spans: list[tuple[int, int]] = []
    for literal, pattern, kind in _NAMES:
        if literal in lower:
            done = 0
            for match in pattern.finditer(lower):
                # What stands inside a secret that goes anyway is not looked at: a hostile line costs its length.
                if match.start() >= done:
                    done = _judge(text, lower, match, kind, spans)
    if "value" in lower:
        for match in _VARIABLE.finditer(lower):
            name, value = match.group(1), value_at(text, match.end())
            if is_sensitive(name) or (is_maybe(name) and is_keylike(name, text[value.start : value.end])):
                _note(text, value, spans)
    if "\n" in text:
        spans += [match.span(2) for match in _BELOW.finditer(text) if is_sensitive(match.group(1))]
    if "form-data" in lower:
        spans += [match.span(2) for match in _FORM.finditer(text) if is_sensitive(match.group(1))]
    return cut(text, spans) if spans else text


def _judge(text: str, lower: str, match: re.Match[str], kind: _Name, spans: list[tuple[int, int]]) -> int:
    """Note what stands behind one name, if the name and the value mean a secret; where it ends."""
    start, end = match.span(1)
    if lower[match.end() - 1] == ">" and lower[end] == ">" and "<" not in lower[max(0, start - 64) : start]:
        return 0  # a comparison, not an element of XML
    if kind is _Name.KEYWORD and is_excused(lower, start, end):
        return 0
    value = _of(kind, text, match.end(), start)
    if kind is _Name.MAYBE and not is_keylike(lower[max(0, start - 24) : end], text[value.start : value.end]):
        return 0
    if kind is _Name.MAYBE and value.end - value.start >= _LONGEST_MAYBE:
        value = _of(_Name.KEYWORD, text, match.end(), start)  # it began like a key; all of it goes
    return _note(text, value, spans)


def _of(kind: _Name, text: str, at: int, start: int) -> Value:
    """The value behind a name: of headers the whole line, without the scheme that stands before credentials."""
    if kind is _Name.LINE:
        return line_at(text, at)
    most = at + _LONGEST_MAYBE if kind is _Name.MAYBE else len(text)
    escaped = text[max(0, at - 6) : at].lower().endswith(("%3d", "%3a", "%20"))
    value = value_at(text, at, in_query=escaped or _in_query(text, start), most=most)
    if kind is _Name.CREDENTIALS and _WHOLE_LINE.match(text, value.start):
        return line_at(text, at)
    scheme = _SCHEME.match(text, value.start)
    if scheme is None or (kind is not _Name.CREDENTIALS and not value.quoted and scheme.group()[0].islower()):
        return value
    if value.quoted:
        return value._replace(start=min(scheme.end(), value.end))
    return value_at(text, scheme.end())


def _in_query(text: str, start: int) -> bool:
    """True when the name that holds position `start` is a parameter of an address."""
    floor = max(0, start - 64)
    while start > floor and (text[start - 1].isalnum() or text[start - 1] in "_.-["):
        start -= 1
    return start > 0 and text[start - 1] in "?&"


def _note(text: str, value: Value, spans: list[tuple[int, int]]) -> int:
    """Note the value as a secret unless it is nothing; where it ends if it is one."""
    if value.end - value.start <= _LONGEST_NOTHING:
        inner = text[value.start : value.end].strip()
        if not inner or is_nothing(inner) or _SCHEME.fullmatch(inner + " "):
            return 0
    spans.append((value.start, value.end))
    return value.end
