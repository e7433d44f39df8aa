"""Which names say that their value is a secret, and which values are none although a secret's name stands before them."""

import re
from functools import lru_cache

from sre_agent.evidence.redaction.placeholder import mark
from sre_agent.evidence.redaction.vendors import is_vendor_token

# Each begins with a literal, so that a text is searched for it at the speed of memchr. "secretName" and "token_count" are none.
ENDINGS: tuple[str, ...] = (
    r"pass(?:word|wd|phrase|code|wort)?",
    r"passw",
    r"pwd",
    r"pw",
    r"pswd",
    r"secret(?:[ _.-]?value)?",
    r"token",
    r"credentials?",
    r"masterauth",
    r"conn(?:ection)?[ _.-]?str(?:ing)?",
    r"dsn",
    r"webhook[ _.-]?ur[il]",
    r"sharedaccesssignature",
    r"mnemonic",
    r"seed[ _-]?phrase",
    r"sess(?:ion)?[ _.-]?id",
    r"asp\.net_sessionid",
    r"connect\.sid",
)
KEY = r"key(?:[ _.-]?(?:base|id))?"
# A "key" is one only behind one of these words; cache, partition, primary and idempotency keys are none.
_KEY_OF = (
    r"api|app|application|access|account|auth|private|secret|signing|encryption|encrypt|decryption|service|master|shared|license|licence|"
    r"ssh|client|storage|sas|webhook|hmac|jwt|ingest|ingestion|write|admin|subscription|deploy|session|security|integrity|consumer|root|"
    r"unseal|recovery|join"
)
_A_KEY = rf"(?:{_KEY_OF})[ _.-]?key(?:[ _.-]?base)?|(?:access|account)[ _.-]?key[ _.-]?id"
_IS_A_KEY = re.compile(rf"(?:{_A_KEY})\Z")
# Names of what is often something else: the value must look like a key too.
MAYBE: tuple[str, ...] = (
    r"routing[ _.-]?key",
    r"integration[ _.-]?key",
    r"orchestration[ _.-]?key",
    r"secret[ _.-]?id",
    r"key",
    r"seed",
    r"auth",
    r"sid",
    r"signature",
    r"sig",
    r"bearer",
    r"jwt",
    r"assertion",
    r"samlresponse",
)
_IS_MAYBE = re.compile(rf"(?<![a-z0-9])(?:{'|'.join(MAYBE)})\Z")
_KEYLIKE = re.compile(r"(?=\S*\d)(?=\S*[A-Za-z])[\w+/=~.%-]{12,}")
_STRONG = re.compile(r"(?=\S*\d)(?=\S*[A-Z])(?=\S*[a-z])[\w-]{20,}|(?=\S*\d)(?=\S*[A-Z])[A-Z2-7]{26,}")
_OF_EVENTS = re.compile(r"(?:routing|integration|orchestration)[ _.-]?key\Z")
_OF_EVENTS_VALUE = re.compile(r"(?=\S*\d)[A-Za-z0-9]{20,}")
_OF_DATA = re.compile(
    r"(?:cache|partition|primary|foreign|sort|order|row|shard|hash|group|object|blob|file|index|idempotency|dedup|deduplication|lock|"
    r"redis|lookup|composite|unique|range|bucket|map|dict)[ _.-]?key\Z"
)
_SENSITIVE = re.compile(rf"(?:{'|'.join(ENDINGS)}|{_A_KEY}|(?:proxy-)?authorization|cookie)\Z")
_NOT_SECRET = re.compile(
    r"(?:(?:by|com|tres|under|over|sur|en|multi|single)pass|[a-z](?<!user)(?<!root)(?<!admin)(?<!bind)(?<!db)pw|automountserviceaccounttoken|imagepullsecret|"
    r"(?:num|max|min|next|page|per|end|start|stop|eos|bos|pad|unexpected|continue|continuation|pagination|sync)[ _-]?"
    r"(?:page[ _-]?)?token)\Z"
)
_LONGEST_NAME = 48

# What stands where a secret would: nothing, a reference, a mask, the words of a complaint, a small count, the path of a file.
_NOTHING = re.compile(
    r"(?i:true|false|null|none|nil|undefined|yes|no|on|off|empty|unset|\d{1,3}|\*+|x{3,}|\.{3}|-+|<.{0,200}>|"
    r"[(\[]?(?:redacted|masked|hidden|filtered|sensitive|omitted)[)\]]?|"
    r"not|invalid|expired|missing|unexpected|expected|required|failed|denied|is|was|must|cannot|incorrect|wrong|unauthorized|error|unknown|"
    r"authentication|permission|does|has|could|should|unable|mismatch|illegal|malformed|too|found|ok|success|revoked|rotated|changed)|"
    r"%[-\d.]*[sdvqrT]|\$[A-Z_][A-Z0-9_]*|\$?\{\{?[^}]*\}?\}|\$\([^)]*\)|"
    r"/(?:etc|var|run|opt|home|root|usr|tmp|mnt|secrets?|srv|app|data|certs?)(?:/[\w.-]+)+/?"
)


def is_sensitive(name: str) -> bool:
    """True when a value under `name` is a secret. Remembered: names repeat in every object of a list."""
    return _sensitive(name[-_LONGEST_NAME:])


@lru_cache(maxsize=4096)
def _sensitive(name: str) -> bool:
    lower = name.lower()
    return _SENSITIVE.search(lower) is not None and _NOT_SECRET.search(lower) is None


def is_excused(lower: str, start: int, end: int) -> bool:
    """True when the name that ends at `end` of a text in lower case, with an ending that starts at `start`, names no secret."""
    if lower.startswith("key", start) and _IS_A_KEY.search(lower, max(0, start - 24), end) is None:
        return True
    return _NOT_SECRET.search(lower, max(0, start - _LONGEST_NAME), end) is not None


def is_nothing(value: str) -> bool:
    """True for what is written in place of a secret: null, a reference, a mask, a word of complaint, a small count."""
    return _NOTHING.fullmatch(value) is not None


@lru_cache(maxsize=4096)
def is_maybe(name: str) -> bool:
    """True when a value under `name` is a secret if it looks like one."""
    return _IS_MAYBE.search(name[-_LONGEST_NAME:].lower()) is not None


def is_keylike(name: str, value: str) -> bool:
    """True when `value` looks like a key under a name that may mean one: the vaguer the name, the more it takes."""
    lower = name[-_LONGEST_NAME:].lower()
    if _OF_EVENTS.search(lower):
        return _OF_EVENTS_VALUE.fullmatch(value) is not None
    if lower.endswith(("key", "seed")):
        return _OF_DATA.search(lower) is None and _STRONG.fullmatch(value) is not None
    return _KEYLIKE.fullmatch(value) is not None


def secret_mark(value: str) -> str:
    """The placeholder of a value under a sensitive name; a vendor's key has the tag it has anywhere."""
    return mark("token" if is_vendor_token(value) else "value", value)


def cut(text: str, spans: list[tuple[int, int]]) -> str:
    """`text` with the secrets at `spans` replaced; of overlapping spans the one that begins first, then what is left of others."""
    if not spans:
        return text
    out: list[str] = []
    done = 0
    for first, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if end > done:
            start = max(first, done)
            out += [text[done:start], secret_mark(text[start:end])]
            done = end
    return "".join([*out, text[done:]])
