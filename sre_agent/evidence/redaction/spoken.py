"""Secrets that only a blank parts from their name: flags of commands, statements of databases, configuration, plain speech."""

import re

from sre_agent.evidence.redaction.names import cut, is_nothing
from sre_agent.evidence.redaction.value import value_at

# The value of a flag may also be the next item of a list, in JSON or YAML.
_NEXT = r"(?:[ \t]+|\\?[\"'],\s{0,16}(?=\\?[\"'])|\s{0,4}\n[ \t]{0,64}-[ \t]+)(?!--)"
# (literals, one of which must be there; what stands before the blank), in lower case.
_BEFORE: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = tuple(
    (tuple(hints), re.compile(pattern + (_NEXT if hints[0] == "-pass" else "" if "bindpw" in hints else r"[ \t]+(?!-)")))
    for hints, pattern in (
        (
            ("-pass", "-token", "-secret", "-api", "-access"),
            r"(?<![\w-])--?(?:[a-z0-9]+-){0,2}(?:password|passwd|passphrase|pass|token|secret|api-?key|access-key|secret-key)",
        ),
        (("requirepass",), r"requirepass"),
        (("masterauth",), r"masterauth"),
        (("identified",), r"identified (?:with \S{1,40} )?by"),
        (("auth-pass",), r"auth-pass \S{1,80}"),
        (("password '", 'password "', "passwd '", 'passwd "', "password\t"), r"passw(?:or)?d(?=[ \t]+['\"])"),
        (
            ("passw", "passphrase", "bindpw", "auth "),
            r"(?:passw(?:or)?d|passphrase|bindpw|\bauth)[ \t|(\[]{0,8}(?<=[ \t|(\[])"
            r"(?=[^\s\"'/]*\d)(?=[^\s\"'/]*[a-z])(?=[^\s\"'/=:]{8,}[\s|)\],;.]?)(?:)",
        ),
        (("sshpass",), r"sshpass -p"),
        (("redis-cli",), r"redis-cli (?:\S{1,80} ){0,6}-a"),
        (('"auth"',), r"\"auth\"(?: \"default\")?"),
        (
            (" is ", " was ", " to "),
            r"(?:password|passphrase|pwd|token|secret) (?:is|was|set to|changed to|reset to)(?=[ \t]+\S*[\d!@#$%^&*])",
        ),
    )
)
# What all of them are about.
_TOPICS = ("pass", "token", "secret", "pwd", "auth", "identified", "-api", "-access", "redis-cli", "bindpw")
_SCHEMED = re.compile(r"(?:bearer|basic)\s{1,8}(?<![\w-]bearer )(?<![\w-]basic )((?=\S{0,200}?[0-9._=+/-])[a-z0-9._~+/=-]{8,})")
_USER = re.compile(r"(?<![\w-])(?:-u|--user|--proxy-user|--userpwd)[ =]?\\?[\"']?[\w.@%+-]{1,64}:([^\s\"'\\]{1,256})")
_MYSQL = re.compile(r"mysql(?:dump|admin)?\b[^|\n]{0,200}? -p([^\s\"']{3,128})")


def spoken_secrets(text: str, lower: str) -> str:
    """What a flag, a statement or a sentence gives away. `lower` is `text` in lower case, of the same length."""
    spans: list[tuple[int, int]] = []
    for topic in _TOPICS:
        if topic in lower:
            _after_words(text, lower, spans)
            break
    if "bearer" in lower or "basic" in lower:
        spans += [match.span(1) for match in _SCHEMED.finditer(lower) if not is_nothing(match.group(1))]
    if "-u" in lower or "-user" in lower:
        spans += [match.span(1) for match in _USER.finditer(lower)]
    if "mysql" in lower:
        spans += [match.span(1) for match in _MYSQL.finditer(lower)]
    return cut(text, spans) if spans else text


def _after_words(text: str, lower: str, spans: list[tuple[int, int]]) -> None:
    """Note the values behind the words of `_BEFORE`."""
    for hints, pattern in _BEFORE:
        for hint in hints:
            if hint in lower:
                done = 0
                for match in pattern.finditer(lower):
                    value = value_at(text, match.end()) if match.start() >= done else None
                    if value is not None and value.end > value.start and not is_nothing(text[value.start : value.end]):
                        spans.append((value.start, value.end))
                        done = value.end
                break
