"""What a program's log complains of about others: which complaint a line is, and which host and port it names. Pure.

Logs are written by whoever is being logged: every pattern is bounded, every line cut, and nothing here says more than "it was
written". Wordings are those of the usual clients: Go net, Node, Python, Java, libpq, MySQL, Redis, OpenSSL.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sre_agent.evidence.finding_kind import FindingKind as K
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.window import instant

LONGEST = 400
LAST = 500
"""Only the last lines of a log are read: what is over is over."""


class Complaint(NamedTuple):
    """One kind of complaint. `hints`: a line can only match when it holds one of them (lower case). `host`: only with a host."""

    kind: K
    reason: R | None
    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    host: bool = False


def _c(kind: K, reason: R | None, hints: str, pattern: str, *, host: bool = False) -> Complaint:
    return Complaint(kind, reason, tuple(hints.split("|")), re.compile(pattern, re.IGNORECASE), host)


COMPLAINTS: tuple[Complaint, ...] = (
    _c(
        K.DEPENDENCY_READ_ONLY,
        None,
        "read-only|read only|readonly|misconf|notwritableprimary|quota",
        r"in a read-only transaction|READONLY You can't write|running with the --(?:super-)?read-only option|"
        r"MISCONF Redis is configured|NotWritablePrimary|not master and slaveOk|cannot write in a read-?only|disk quota exceeded",
    ),
    _c(
        K.DEPENDENCY_REFUSES,
        R.TOO_MANY_CONNECTIONS,
        "too many c|connection slots|number of clients",
        r"\btoo many (?:connections|clients already|clients)\b|remaining connection slots are reserved|"
        r"max number of clients reached|\bUser \S{1,80} has exceeded the .max_user_connections",
    ),
    _c(
        K.DEPENDENCY_REFUSES,
        R.UNAUTHORIZED,
        "authentication|wrongpass|noauth|access denied for|pg_hba|bad auth|no password|access_refused",
        r"password authentication failed for|no pg_hba\.conf entry|WRONGPASS\b|NOAUTH Authentication|\bSASL authentication failed|"
        r"Access denied for user|Authentication failed\b|bad auth\b|invalid username-password pair|ACCESS_REFUSED|"
        r"authentication is required|no password is configured",
    ),
    _c(
        K.DEPENDENCY_REFUSES,
        R.NO_PERMISSION,
        "permission denied for|noperm",
        r"permission denied for (?:table|relation|schema|database|sequence)|NOPERM\b",
    ),
    _c(
        K.CERTIFICATE_EXPIRED,
        None,
        "x509|certificate|pkix|cert_|cert has",
        r"x509: |certificate has expired|certificate is not yet valid|CERT_HAS_EXPIRED|CERTIFICATE_VERIFY_FAILED|"
        r"certificate verify failed|SSL certificate problem|self[- ]signed certificate|PKIX path|expired certificate|"
        r"unable to get local issuer certificate|Hostname/IP does not match certificate|certificate is valid for .{1,120}, not ",
    ),
    _c(
        K.PERMISSION_DENIED,
        R.NO_PERMISSION,
        "is forbidden|eacces|permission denied|accessdenied|not authorized to perform|operation not permitted",
        r"is forbidden: User \"[^\"]{1,200}\" cannot|\bEACCES\b|"
        r"permission denied(?! for (?:table|relation|schema|database|sequence))|"
        r"\bAccessDenied(?:Exception)?\b|is not authorized to perform|Operation not permitted",
    ),
    _c(
        K.POOL_EXHAUSTED,
        None,
        "pool|free connection|idle connection",
        r"QueuePool limit of size|HikariPool-\S{1,40} - Connection is not available|pool (?:is )?exhausted|PoolTimeout|"
        r"connection pool (?:is )?(?:full|exhausted|timed? ?out)|"
        r"timed? ?out .{0,60}(?:waiting for|acquiring|from) .{0,40}(?:connection|pool)|"
        r"Cannot get a connection, pool|no free connections|ResourceRequest timed out|timeout exceeded when trying to connect",
    ),
    _c(
        K.RATE_LIMITED,
        R.RATE_LIMITED,
        "too many requests|rate limit|ratelimit|rate-limit|throttl|toomanyrequests|rate exceeded|resource_exhausted",
        r"\b429\b.{0,80}Too Many Requests|Too Many Requests|rate[- _]?limit(?:ed|ing)?(?: is| was)? ?(?:exceeded|reached|error)|"
        r"\brate[- _]limited\b|RateLimitError|Thrott(?:ling|led)Exception|Rate exceeded|toomanyrequests|RESOURCE_EXHAUSTED",
    ),
    _c(
        K.BROKER_PARTITIONED,
        None,
        "partition",
        r"running_partitioned_network|inconsistent_database|network partition detected|Partial partition detected",
    ),
    _c(
        K.CONFIG_INVALID,
        R.SETTINGS_REJECTED,
        "config|setting|[emerg]|yaml:|unrecognized|unknown ",
        r"\binvalid (?:configuration|config|setting)|configuration (?:error|is invalid)|\bconfig(?:uration)? error|"
        r"(?:failed|unable|cannot|could not|error) (?:to )?(?:load|pars|read|unmarshal)\w{0,4} .{0,60}\bconfig|"
        r"\[emerg\]|yaml: (?:line|unmarshal)|unknown (?:flag|directive|option|configuration)|unrecognized (?:option|arguments?)",
    ),
    _c(
        K.CONFIG_INVALID,
        R.ENV_MISSING,
        "environment|env var|env:|required|keyerror",
        r"environment variable .{0,80}(?:not set|required|missing|must be set|undefined|empty)|"
        r"missing (?:required )?(?:environment|env|setting|configuration)|required (?:environment|env)\b.{0,60}(?:missing|not set)|"
        r"KeyError: '[A-Z][A-Z0-9_]{2,60}'|\b[A-Z][A-Z0-9_]{2,60} (?:is not set|must be set|is required)",
    ),
    _c(
        K.DEPENDENCY_DOWN,
        R.CONNECTION_REFUSED,
        "refused",
        r"\bconnection refused\b|ECONNREFUSED|actively refused|\[Errno 111\]|\berror 111\b|\(111\b",
        host=True,
    ),
    _c(
        K.DEPENDENCY_DOWN,
        R.TIMED_OUT,
        "timeout|timed out|etimedout|no route|ehostunreach|unreachable",
        r"\bi/o timeout\b|ETIMEDOUT|connection timed out|connect(?:ion)? ?timeout|ConnectTimeout|SocketTimeout|no route to host|"
        r"EHOSTUNREACH|network is unreachable|host is unreachable|timed out.{0,40}connect|connect\w{0,4} .{0,80}timed out",
        host=True,
    ),
    _c(
        K.DEPENDENCY_DOWN,
        None,
        "reset by peer|econnreset|closed the connection|connection closed|upstream",
        r"connection reset by peer|ECONNRESET|server closed the connection unexpectedly|no live upstreams|upstream connect error",
        host=True,
    ),
)
_HINTS = tuple(dict.fromkeys(h for c in COMPLAINTS for h in c.hints))
_HOST = r"([A-Za-z][A-Za-z0-9_-]{0,62}(?:\.[A-Za-z0-9_-]{1,63}){0,8}|\d{1,3}(?:\.\d{1,3}){3})"
_PLACES = tuple(
    re.compile(p, re.IGNORECASE)
    for p in (
        rf"host='{_HOST}', port='?(\d{{1,5}})",
        rf"server (?:at|on) [\"']{_HOST}[\"'](?: \([^)]{{0,60}}\))?,? port (\d{{1,5}})",
        rf"-> ?{_HOST}:(\d{{1,5}})",
        rf"connect to (?:host )?[\"']?{_HOST}[\"']? (?:\([^)]{{0,60}}\) )?port (\d{{1,5}})",
        rf"\b[a-z][a-z0-9+.-]{{1,20}}://(?:[^\s/@\"']{{0,200}}@)?{_HOST}(?::(\d{{1,5}}))?",
        rf"(?<![\w./@-]){_HOST}(?:/\d{{1,3}}(?:\.\d{{1,3}}){{3}})?:(\d{{2,5}})(?!\w|:\d)",
        rf"(?:server on|connect(?:ing|ed|ion)? to) [\"']?{_HOST}[\"']?()",
    )
)
_CODE = re.compile(
    r"\.(?:go|py|js|mjs|ts|java|rb|rs|c|cc|cpp|h|php|kt|scala|cs|exs?|erl|lua|conf|ya?ml|json|lock|log|so)$", re.IGNORECASE
)
_WORDS = frozenset(
    {"error", "line", "errno", "code", "port", "pid", "at", "the", "a", "server", "database", "host", "failed", "msg", "is"}
)
_DONE = re.compile(
    r"\b(?:re)?connected to\b|connection (?:re-?)?established|\breconnected\b|successfully connected|recovered", re.IGNORECASE
)
_CALM = re.compile(r"^.{0,60}?(?:\b(?:INFO|DEBUG|TRACE)\b|\blevel\W{1,4}(?:info|debug|trace)\b)")
_LOUD = re.compile(r"error|fail|exception|refused|denied|unable|cannot", re.IGNORECASE)
_STAMP = re.compile(r"^\W{0,2}(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,]\d{1,9})?(Z|[+-]\d\d:?\d\d)?")


@dataclass(frozen=True)
class Said:
    """One complaining line. `index` counts from the end of the log (0: the last line); host "" and port 0: not named."""

    complaint: Complaint
    line: str
    host: str
    port: int
    at: datetime | None
    index: int


def complaints(lines: Sequence[str]) -> tuple[Said, ...]:
    """The complaints among the last lines of a log that still stand: not followed by a word of success about connecting."""
    last = [line[:LONGEST] for line in lines[-LAST:] if isinstance(line, str)]
    everything = "\n".join(last).lower()
    present = {h for h in _HINTS if h in everything}
    wanted = tuple(c for c in COMPLAINTS if present.intersection(c.hints))
    return tuple(_told(last, wanted)) if wanted else ()


def _told(lines: Sequence[str], wanted: Sequence[Complaint]) -> Iterator[Said]:
    done = False
    for index, line in enumerate(reversed(lines)):
        lower = line.lower()
        found = next((c for c in wanted if any(h in lower for h in c.hints) and c.pattern.search(line)), None)
        if found is None or (_CALM.match(line) and not _LOUD.search(line)):
            done = done or _DONE.search(line) is not None
            continue
        host, port = named(line)
        if (found.host and not host) or (done and found.kind is K.DEPENDENCY_DOWN):
            continue
        yield Said(found, line, host, port, stamp(line), index)


def named(line: str) -> tuple[str, int]:
    """The host and port that a line complains of; ("", 0) when it names none."""
    text = _STAMP.sub("", line[:LONGEST], count=1)
    for place in _PLACES:
        for match in place.finditer(text):
            host, port = match[1].lower().rstrip("."), int(match[2] or 0)
            if host not in _WORDS and not _CODE.search(host) and 0 <= port < 65_536:
                return host, port
    return "", 0


def stamp(line: str) -> datetime | None:
    """The time that a line begins with; UTC where it names no offset."""
    found = _STAMP.match(line)
    return None if found is None else instant(f"{found[1]}T{found[2]}{found[3] or 'Z'}")
