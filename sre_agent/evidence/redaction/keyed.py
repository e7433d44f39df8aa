"""Secrets told by their name: `password=...`, headers, flags of commands, statements of databases, environment variables."""

import re
from functools import lru_cache

from sre_agent.evidence.redaction.placeholder import mark
from sre_agent.evidence.redaction.value import Value, line_at, value_at
from sre_agent.evidence.redaction.vendors import is_vendor_token

# Words that, at the end of a key, say that the value is a secret. "secretName" and "token_count" are not.
_SECRET = (
    r"pass(?:word|wd|phrase|code|wort)?|passw|pwd|pswd|secret(?:[ _.-]?value)?|token|credentials?|requirepass|masterauth|auth[ _.-]?pass|"
    r"(?:api|app|application|access|account|auth|private|secret|signing|encryption|encrypt|decryption|service|master|shared|license|"
    r"licence|ssh|client|storage|sas|webhook|hmac|jwt|ingest|ingestion|write|admin|subscription|deploy|session|security|integrity|"
    r"sharedaccess|consumer|root|unseal|recovery|join)[ _.-]?key(?:[ _.-]?base)?|(?:access|account)[ _.-]?key[ _.-]?id|"
    r"connection[ _.-]?string|conn[ _.-]?str|dsn|webhook[ _.-]?ur[il]|sharedaccesssignature|mnemonic|seed[ _-]?phrase|"
    r"(?:session|sess|asp\.net_session)[ _.-]?id|connect\.sid"
)
# Words that are often something else: the value must look like a key too.
_STRICT = r"(?:routing|integration|event|orchestration)[ _.-]?key|_?auth|sid|signature|sig|bearer|jwt|assertion|saml(?:response|assertion)|ssws|x-ms-sas"
_SENSITIVE = re.compile(rf"(?:{_SECRET}|(?:proxy-)?authorization|cookie|(?:routing|integration)[ _.-]?key)\Z")
_NOT_SECRET = re.compile(
    r"(?:(?:by|com|tres|under|over|sur|en|multi|single)pass|automountserviceaccounttoken|imagepullsecret|"
    r"(?:num|max|min|next|page|per|end|start|stop|eos|bos|pad|unexpected|continue|continuation|pagination|sync)[ _-]?(?:page[ _-]?)?token)\Z"
)
_SEPARATOR = r"\\{0,7}[\"'`]?\]?[ \t]{0,64}(?:=>|:=|->|==|[:=])[ \t]{0,64}(?:\[(?=[\"'\w]))?|(?<=[a-z])>(?=[^\s<])"
_KEY = re.compile(
    rf"(?:(?P<line>(?:set-)?cookie2?)|(?P<auth>(?:proxy-)?authorization)|(?P<secret>{_SECRET})|(?P<strict>(?<![a-z0-9])(?:{_STRICT})))"
    rf"(?:{_SEPARATOR})"
)
_HINTS = (
    "pass", "pwd", "secret", "token", "credential", "key", "conn", "dsn", "webhook", "auth", "cookie", "ses", "sid", "sig", "bearer",
    "jwt", "passw", "mnemonic", "phrase", "pswd", "saml", "ssws", "identified", "assertion",
)  # fmt: skip
_SCHEME = re.compile(r"(?i)(?:bearer|basic|token|apikey|api-key|ssws|negotiate|genie[_ ]?key|key|jwt|bot|splunk|digest|hawk|aws4-hmac-sha256)[ \t]+(?=\S)")
_WHOLE_LINE = re.compile(r"(?i)(?:digest|hawk|aws4-hmac-sha256|oauth)[ \t]")
# A value behind a blank: flags of commands, statements, configuration lines, and plain speech.
_FLAG = re.compile(
    r"(?:(?<![\w-])--?(?:[a-z0-9]+-){0,2}(?:password|passwd|passphrase|pass|token|secret|api-?key|access-key|secret-key)|\brequirepass|\bmasterauth|"
    r"\bidentified (?:with \S{1,40} )?by|\bauth-pass \S{1,80}|\b(?:password|passwd)(?=[ \t]+['\"])|\bsshpass -p|\bredis-cli (?:\S{1,80} ){0,6}-a|"
    r"\"auth\"(?: \"default\")?|\b(?:password|passphrase|pwd|token|secret)(?: (?:is|was|set to|changed to|reset to))(?=[ \t]+\S*[\d!@#$%^&*]))[ \t]+(?!-)"
)
_USER_FLAG = re.compile(r"(?<![\w-])(?:-u|--user|--proxy-user|--userpwd)[ =]?(\\?[\"']?)([\w.@%+-]{1,64}:)([^\s\"'\\]{1,256})")
_MYSQL_FLAG = re.compile(r"\b(mysql(?:dump|admin)?\b[^|\n]{0,200}? -p)([^\s\"']{3,128})")
_SPOKEN = re.compile(r"((?<![\w-])(?:bearer|basic)\s{1,8})((?=\S{0,200}?[0-9._=+/-])[a-z0-9._~+/=-]{8,})")
_ENV_PAIR = re.compile(r"name\\?[\"']?[ \t]*[:=][ \t]*\\?[\"']?([\w.-]{1,128})\\?[\"']?\s{0,4}(?:,|\\n|\n)?\s{0,64}\\?[\"']?value\\?[\"']?[ \t]*[:=][ \t]*")

# What stands where a secret would, and is none.
_NOTHING = re.compile(
    r"(?i)true|false|null|none|nil|undefined|yes|no|on|off|empty|unset|\d{1,3}|\*+|x{3,}|\.{3}|-+|%[-\w]+|\$\w+|\$?\{\{?[^}]*\}?\}|\$\([^)]*\)|"
    r"<.{0,200}>|\(?(?:redacted|masked|hidden|filtered|sensitive|omitted)\)?|\[(?:redacted|masked|hidden|filtered|sensitive|omitted)\]?|"
    r"(?:not|invalid|expired|missing|unexpected|expected|required|failed|denied|is|was|must|cannot|incorrect|wrong|unauthorized|error|unknown|"
    r"authentication|permission|does|has|could|should|unable|mismatch|illegal|malformed|too|no|found|ok|success|revoked|rotated|changed)|"
    r"/(?:etc|var|run|opt|home|root|usr|tmp|mnt|secrets?|srv|app|data|certs?)(?:/[\w.-]+)+/?"
)  # fmt: skip
_KEYLIKE = re.compile(r"(?=[^\s]*\d)(?=[^\s]*[A-Za-z])[\w+/=~.%-]{12,}")


def is_sensitive(key: str) -> bool:
    """True when a value under `key` is a secret by name. Remembered: keys repeat in every object of a list."""
    return _sensitive(key) if len(key) <= 256 else _sensitive(key[-256:])


@lru_cache(maxsize=4096)
def _sensitive(key: str) -> bool:
    lower = key.lower()
    return _SENSITIVE.search(lower) is not None and _NOT_SECRET.search(lower) is None


def is_nothing(value: str) -> bool:
    """True for what is written in place of a secret: null, a reference, a mask, a word of complaint, a small count."""
    return _NOTHING.fullmatch(value) is not None


def keyed_secrets(text: str, lower: str) -> str:
    """Values under sensitive names. `lower` is `text` in lower case, of the same length."""
    for hint in _HINTS:
        if hint in lower:
            break
    else:
        return text
    spans: list[tuple[int, int]] = []
    _named(text, lower, spans)
    for match in _FLAG.finditer(lower):
        _take(text, value_at(text, match.end()), spans)
    for match in _ENV_PAIR.finditer(lower):
        if is_sensitive(match.group(1)):
            _take(text, value_at(text, match.end()), spans)
    for pattern, group in ((_USER_FLAG, 3), (_MYSQL_FLAG, 2)):
        spans += [match.span(group) for match in pattern.finditer(lower)]
    spoken = [match.span(2) for match in _SPOKEN.finditer(lower)]
    return _cut(text, sorted(spans + [(a, b) for a, b in spoken if not is_nothing(text[a:b])]))


def secret_mark(value: str) -> str:
    """The placeholder of a value under a sensitive name; a vendor's key has the tag it has anywhere."""
    return mark("token" if is_vendor_token(value) else "value", value)


def _named(text: str, lower: str, spans: list[tuple[int, int]]) -> None:
    """The spans of all values behind a name and a separator."""
    at = 0
    while (match := _KEY.search(lower, at)) is not None:
        at = match.end()
        kind = match.lastgroup or ""
        start = match.start(kind)
        if lower[at - 1] == ">" and "<" not in lower[max(0, start - 64) : start]:
            continue  # a comparison, not an element of XML
        value = _of(kind, text, match.end(), start)
        inner = text[value.start : value.end]
        if kind == "secret" and _NOT_SECRET.search(lower, max(0, start - 40), match.end(kind)):
            continue
        if kind == "strict" and not _KEYLIKE.fullmatch(inner):
            continue
        at = max(at, _take(text, value, spans))


def _of(kind: str, text: str, at: int, start: int) -> Value:
    """The value behind a key of this kind: of headers the whole line, without the scheme that stands before credentials."""
    if kind == "line":
        return line_at(text, at)
    value = value_at(text, at, in_query=start > 0 and _in_query(text, start))
    if kind == "auth" and _WHOLE_LINE.match(text, value.start):
        return line_at(text, at)
    scheme = _SCHEME.match(text, value.start)
    if scheme is None or (kind != "auth" and not value.quoted and scheme.group()[0].islower()):
        return value
    if value.quoted:
        return value._replace(start=min(scheme.end(), value.end))
    return value_at(text, scheme.end())


def _in_query(text: str, start: int) -> bool:
    """True when the key that holds position `start` is a parameter of an address."""
    floor = max(0, start - 64)
    while start > floor and (text[start - 1].isalnum() or text[start - 1] in "_.-["):
        start -= 1
    return start > 0 and text[start - 1] in "?&"


def _take(text: str, value: Value, spans: list[tuple[int, int]]) -> int:
    """Note the value as a secret unless it is nothing; where to go on."""
    inner = text[value.start : value.end]
    if inner and not inner.isspace() and not is_nothing(inner.strip()):
        spans.append((value.start, value.end))
        return value.end
    return value.start


def _cut(text: str, spans: list[tuple[int, int]]) -> str:
    """`text` with the spans (sorted, perhaps overlapping) replaced."""
    if not spans:
        return text
    out, done = [], 0
    for start, end in spans:
        if end <= done:
            continue
        start = max(start, done)
        out += [text[done:start], secret_mark(text[start:end])]
        done = end
    return "".join([*out, text[done:]])
