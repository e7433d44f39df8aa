"""The distinct errors of a log: each once, with how often, from how many services, and for an exception its cause and place. Pure.

Lines that differ only in ids, in the service or in the user are one error: what stands before the message is taken off, then
lines are joined by Drain's tree (templates.py). An exception and the frames under it are one error; the frame that is kept is
the one nearest to the fault: the first of Java, Node and Go, the last of Python. Attacker input: bounded in lines and lengths.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sre_agent.evidence.logs.pattern import without_stamp
from sre_agent.evidence.logs.requests import is_request
from sre_agent.evidence.logs.templates import Templates

LONGEST, MOST_LINES, MOST_SERVICES = 600, 5_000, 50
_BAD_LEVELS = ("error", "err", "fatal", "critical", "panic", "severe", "emergency", "alert")
_TEXT_KEYS = ("msg", "message", "log", "event", "text")
_MORE_KEYS = ("err", "error", "exception", "reason")
_SERVICE_KEYS = ("service", "service_name", "app", "logger", "component")
_NO_SERVICES = ("fail", "crit", "info", "warn", "dbug")
_PINO_ERROR = 50
_LEVEL = re.compile(r"^[\s\[(<|:-]*(?:ERROR|ERR|FATAL|CRITICAL|SEVERE|WARN(?:ING)?)\b[\s\])>|:-]*", re.IGNORECASE)
_SERVICE = re.compile(r"^\[?([a-z][a-z0-9]*(?:[-_.][a-z0-9]+)*)\]?(?: +- +|: +(?=[A-Z]))")
_POD = re.compile(r"^\[pod/[^\]\s]{1,200}\] ")
_HEADING = re.compile(r":\s*$|^(?:fail|crit): \S+\[\d+\]$")
"""What announces a line and says nothing of its own."""
_RUST = re.compile(r"^thread '[^']{0,80}' panicked at (\S+?):?$")
_HEAD = re.compile(
    r"^(?:[A-Z][a-z]{2} [ \d]\d [\d:]{8} \S{1,100} [\w.-]{1,60}\[\d{1,9}\]: )?"
    r"(?:[EFW]\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+ (?=\S+\])\S+\] )?"
)
"""What syslog and klog write before a message."""
_LOGFMT = re.compile(r"(?:^|(?<= ))([a-zA-Z_][\w.]{0,40})=(?:\"((?:[^\"\\]|\\.)*)\"|(\S*))")
_TRAIL = re.compile(r"[\s,;-]*\b(?:request|trace|span|correlation)[_-]?id\b[:= ]*\S+\s*$", re.IGNORECASE)
_CALM = re.compile(
    r"^.{0,60}?(?:\b(?:INFO|DEBUG|TRACE|NOTICE)\b|\bLOG:  |\bI\d{4} \d\d:|\blevel\W{1,4}(?:info|debug|trace)\b)", re.IGNORECASE
)
_NONE = re.compile(
    r"\b(?:0|no|zero|without(?: an?)?) (?:\w+ )?(?:errors?|failed|failures?|exceptions?)\b|"
    r"\b(?:errors?|failed|failures?|exceptions?)\"?[=: ]+(?:0|null|none|false|\"\")(?![\w.])|"
    r"\b(?:errors?|failures?)[ _](?:count|rate|total)\W{0,3}0\b",
    re.IGNORECASE,
)
_LOUD = re.compile(r"\b(?:error|fatal|critical|severe|panic|panicked|exception|traceback)\b|\bE\d{4} \d\d:", re.IGNORECASE)
_LOUD_ANYWAY = re.compile(r"\bpanic: |\bTraceback\b|\b\w*(?:Exception|Error): \S|\b[eE]rr(?:or)?\"?[:=] ?\S")
"""What makes an error of a line that calls itself information."""
_TROUBLE = re.compile(
    r"\bfail(?:ed|ure|s)?\b|\bunable to\b|\bcould ?n.t\b|\bcannot\b|refused|timed ?out|\btimeout\b|denied|forbidden|unauthorized|"
    r"no space left|expired|deadlock|deadline exceeded|too many|"
    r"rejected|unavailable|out of memory|\boom\b|unreachable|not permitted|rate.?limit",
    re.IGNORECASE,
)
_THROWN = re.compile(
    r"^\s*(?:Exception in thread \"[^\"]{0,80}\" |Uncaught |Unhandled \w+ |\S+ )?"
    r"((?:[A-Za-z_$][\w$]*[./])*[A-Z][\w$]*(?:Exception|Error|Exit|Timeout)"
    r"|panic|fatal error)(?:: | \(|$)"
)
_CAUSED = re.compile(r"^\s*Caused by: (.+)$")
_FRAME = re.compile(
    r"^\s+(?:at |File \"|\.\.\. \d+ more)|^\t\S+\.go:\d+|^\S+\(.*\)$|^goroutine \d+|^\[signal |^created by |^[\w./-]+\.rb:\d+:in "
)
_FOREIGN = re.compile(
    r"node_modules|site-packages|dist-packages|\bnode:|/usr/local/|\bat (?:java|javax|jdk|sun|org\.|com\.(?:mysql|zaxxer))"
)
"""Frames of libraries: the fault shows there, and seldom is."""
_PLACE = re.compile(
    r"^\s+at .{0,200}?\(?([\w./$@-]+:\d+)(?::\d+)?\)?$|^\s+File \"([^\"]{1,200})\", line (\d+)|^\t(\S+\.go:\d+)|"
    r"^\s+at .{0,200}? in (\S{1,200}:line \d+)$|^(?!\s)([\w./-]+\.rb:\d+):in "
)


@dataclass
class SaidError:
    """One error. `text` as it was first written, without time, level, service and request id; `thrown`: it is an exception."""

    text: str
    count: int = 0
    services: dict[str, None] = field(default_factory=dict)
    thrown: bool = False


def said_errors(lines: Sequence[str]) -> list[SaidError]:
    """The distinct errors among the last lines, the most often said first; at one count, in the order they were first said."""
    templates = Templates()
    found: dict[int, SaidError] = {}
    for text, service, thrown in _told([_POD.sub("", line[:LONGEST]) for line in lines[-MOST_LINES:] if not is_request(line)]):
        error = found.setdefault(templates.add(f"error {text}"), SaidError(text))
        error.count += 1
        error.thrown = error.thrown or thrown
        if service and len(error.services) < MOST_SERVICES:
            error.services[service] = None
    return sorted(found.values(), key=lambda e: -e.count)


def _told(lines: list[str]) -> Iterator[tuple[str, str, bool]]:
    """(message, service, whether an exception) of each error."""
    at = 0
    while at < len(lines):
        message, service, bad = _message(lines[at])
        at += 1
        if message.startswith("Traceback (most recent call last)"):
            end = next((i for i in range(at, len(lines)) if not lines[i].startswith((" ", "\t"))), len(lines))
            thrown = lines[end].strip() if end < len(lines) else "Traceback"
            yield thrown + _where(lines[at:end], last=True), service, True
            at = end + 1
        elif (rust := _RUST.match(message)) is not None and at < len(lines):
            yield f"panic: {lines[at].strip()} (at {rust[1]})", service, True
            at += 1
        elif _THROWN.match(message) and not _NONE.search(message):
            end = at
            while end < len(lines) and (_FRAME.match(lines[end]) or _CAUSED.match(lines[end]) or not lines[end].strip()):
                end += 1
            causes = [m[1] for line in lines[at:end] if (m := _CAUSED.match(line))]
            cause = f"; caused by: {causes[-1]}" if causes else ""
            yield message.strip() + cause + _where(lines[at:end], last=False), service, end > at or message.startswith("panic")
            at = end
        elif bad and not _FRAME.match(message) and _HEADING.search(message) is None:
            yield message, service, False


def _where(frames: list[str], *, last: bool) -> str:
    found = [(line, m) for line in frames if (m := _PLACE.match(line))]
    own = [pair for pair in found if _FOREIGN.search(pair[0]) is None] or found
    places = [m[1] or (f"{m[2]}:{m[3]}" if m[2] else m[4] or m[5] or m[6]) for _, m in own]
    return f" (at {places[-1 if last else 0]})" if places else ""


def _message(line: str) -> tuple[str, str, bool]:
    """(what the line says, who says it, whether it is an error)."""
    if line.lstrip().startswith("{") and (told := _structured(line)) is not None:
        return told
    bare = without_stamp(line)
    if "level=" in bare and (fields := {k: quoted or word for k, quoted, word in _LOGFMT.findall(bare)}).keys() & {
        "msg",
        "err",
        "error",
    }:
        return structured(fields)
    bad = _is_bad(bare)
    plain = _LEVEL.sub("", _HEAD.sub("", bare))
    named = _SERVICE.match(plain)
    if named is not None and named[1] not in _NO_SERVICES and _LOUD.fullmatch(named[1]) is None:
        return _TRAIL.sub("", plain[named.end() :]), named[1], bad
    return _TRAIL.sub("", plain.rstrip()), "", bad


def _structured(line: str) -> tuple[str, str, bool] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return structured(record) if isinstance(record, dict) else None


def structured(record: Mapping[str, object]) -> tuple[str, str, bool]:
    """(message, service, whether an error) of one JSON record of a log."""
    level = record.get("level", record.get("severity", record.get("lvl", "")))
    message = next((str(record[k]) for k in _TEXT_KEYS if isinstance(record.get(k), str) and record[k]), "")
    more = next((said for k in _MORE_KEYS if (said := _deep(record.get(k)))), "")
    service = next((str(record[k]) for k in _SERVICE_KEYS if isinstance(record.get(k), str)), "")
    text = f"{message}: {more}" if more and more not in message else message
    bad = level >= _PINO_ERROR if isinstance(level, int) else str(level).lower() in _BAD_LEVELS
    calm = str(level).lower() in ("info", "debug", "trace") or (isinstance(level, int) and 0 < level < 40)
    return text[:LONGEST], service, bad or _is_bad(more if calm else text)


def _deep(value: object) -> str:
    if isinstance(value, dict):
        return str(value.get("message") or value.get("msg") or "")
    return value if isinstance(value, str) else ""


def _is_bad(line: str) -> bool:
    if _NONE.search(line) is not None and not _LOUD.match(line):
        return False
    if _CALM.match(line) is not None:
        return _LOUD_ANYWAY.search(line) is not None
    return _LOUD.search(line) is not None or _TROUBLE.search(line) is not None
