"""Secrets and personal data out, before anything is stored, shown or sent. Pure, deterministic, idempotent.

A placeholder names the kind and nothing of the value: a short digest of a phone number or a weak
password could be reversed by trying them all. Identifiers that operations need (UIDs, run ids, image
digests, addresses, timestamps) match none of the patterns, on purpose: there is no rule for "looks random".
"""

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from sre_agent.evidence.evidence import Evidence

MOST_DEPTH = 64  # deeper JSON than any API object; beyond it the subtree is dropped, not passed through

SHORTEST = 5  # "pwd=x": nothing shorter can hold a secret


def _mark(kind: str) -> str:
    return f"[redacted:{kind}]"


# Words that, at the end of a key, say that the value is a secret. "secretName" and "token_count" are not.
_WORDS = (
    r"pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|authorization|cookie|requirepass|masterauth|"
    r"(?:api|access|account|auth|private|secret|signing|encryption|routing|integration|service|master|shared)[_.-]?key|"
    r"(?:access|account)[_.-]?key[_.-]?id|connection[_.-]?string|dsn|webhook[_.-]?url|auth[_.-]?pass"
)
_SENSITIVE_KEY = re.compile(rf"(?:{_WORDS})$", re.IGNORECASE)
_NOT_SECRET_KEY = re.compile(
    r"(?:bypass|compass|automountserviceaccounttoken|imagepullsecret|num_?token|max_?token)$", re.IGNORECASE
)

# Repetition is bounded everywhere: a hostile line must not cost quadratic time. A quote that a cut line
# never closes counts as closed at the end of the text.
_VALUE = (
    r"(?!\[redacted:)"
    r"""(?:"(?:[^"\\]|\\.){0,4096}(?:"|\Z)|'(?:[^'\\]|\\.){0,4096}(?:'|\Z)|["']?[^\s,;&"'<>{}()\[\]]{1,4096})"""
)


class _Rule(NamedTuple):
    """`hints`: the pattern can only match text that holds one of these (lower case); looking for them is cheap."""

    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]


def _if_digits(least: int, most: int, kind: str) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        digits = sum(c.isdigit() for c in match.group())
        return _mark(kind) if least <= digits <= most else match.group()

    return replace


def _if_luhn(match: re.Match[str]) -> str:
    """A payment card number passes Luhn's check (ISO/IEC 7812-1); order numbers mostly do not."""
    digits = [int(c) for c in reversed(match.group()) if c.isdigit()]
    total = sum(d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits))
    return _mark("card") if total % 10 == 0 else match.group()


_STORES = (
    r"rediss?|valkeys?|sentinel|postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|amqps?|nats|tls|kafka|mqtts?|ldaps?|s?ftp|smtps?"
)
# Prefixes that vendors give their keys so that they can be found.
_TOKENS = (
    r"(?<![\w-])(?:sk|pk|rk)-(?:lf-|proj-|ant-|svcacct-|admin-)?[A-Za-z0-9_-]{16,}"
    r"|\b(?:sk|pk|rk)_(?:live|test)_\w{8,}|\bwhsec_[\w+/=-]{8,}"
    r"|\bgh[opusr]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"
    r"|\bxox[abeoprs]-[\w-]{8,}|\bxapp-[\w-]{8,}"
    r"|\b(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}\b|\bAIza[\w-]{30,}|\bya29\.[\w-]{16,}"
    r"|\bhf_[A-Za-z0-9]{20,}|\bnpm_[A-Za-z0-9]{30,}|\bpypi-[\w-]{30,}|\bSG\.[\w-]{10,}\.[\w-]{10,}"
    r"|\bdop_v1_[0-9a-f]{32,}|\bhv[sb]\.[\w-]{16,}|\bshp(?:at|ss|ca)_[0-9a-fA-F]{16,}|\blin_api_\w{16,}"
)
_TOKEN_HINTS = (
    "sk-", "pk-", "rk-", "sk_", "pk_", "rk_", "whsec_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-",
    "xox", "xapp-", "akia", "asia", "aroa", "aida", "aiza", "ya29.", "hf_", "npm_", "pypi-", "sg.", "dop_v1_", "hvs.", "hvb.",
    "shpat_", "shpss_", "shpca_", "lin_api_",
)  # fmt: skip
_WORD_HINTS = (
    "pass", "pwd", "secret", "token", "credential", "key", "connection", "dsn", "webhook", "authorization", "cookie", "masterauth",
)  # fmt: skip

_RULES: tuple[_Rule, ...] = (
    _Rule(
        ("-----begin",),
        re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        _mark("private-key"),
    ),
    _Rule(("eyj",), re.compile(r"\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?"), _mark("jwt")),
    _Rule(
        ("hooks.slack",), re.compile(r"https://hooks\.slack\.com/(?:services|workflows|triggers)/[\w/.-]+"), _mark("webhook-url")
    ),
    # Store URLs: the password may hold any character, so everything up to the last "@" goes.
    _Rule(
        ("@",),
        re.compile(rf"(?i)\b((?:{_STORES})(?:\+\w+)?://)(?!\[redacted:)[^\s'\"<>]{{1,512}}@"),
        r"\1" + _mark("userinfo") + "@",
    ),
    _Rule(
        ("@",),
        re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}://)(?!\[redacted:)[^\s'\"<>/?#]{1,512}@"),
        r"\1" + _mark("userinfo") + "@",
    ),
    _Rule(_TOKEN_HINTS, re.compile(_TOKENS), _mark("token")),
    _Rule(("ac", "sk"), re.compile(r"\b(?:AC|SK)[0-9a-f]{32}\b"), _mark("token")),
    _Rule(
        ("authorization",),
        re.compile(
            r"(?i)\b((?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|token|digest|apikey)\s+)?)"
            r"(?!\[redacted:)[^\s\"',]+"
        ),
        r"\1" + _mark("token"),
    ),
    _Rule(
        ("bearer", "basic"),
        re.compile(r"\b((?i:bearer|basic)\s+)(?!\[redacted:)(?=\S*[0-9._=+/-])[A-Za-z0-9._~+/=-]{8,}"),
        r"\1" + _mark("token"),
    ),
    _Rule(("cookie",), re.compile(r"(?i)\b((?:set-)?cookie[\"']?\s*[:=]\s*)(?!\s*\[redacted:)[^\r\n]+"), r"\1" + _mark("value")),
    _Rule(
        _WORD_HINTS,
        re.compile(rf"(?i)((?<![\w])[\w.-]{{0,64}}(?:{_WORDS})\\?[\"']?\s*(?:[:=]|=>|:=)\s*\\?){_VALUE}"),
        r"\1" + _mark("value"),
    ),
    _Rule(
        ("pass", "token", "secret", "api-key", "masterauth", "identified"),
        re.compile(
            rf"(?i)((?:(?<![\w-])--?(?:password|passwd|pass|token|secret|api-key|auth-token)|\brequirepass|\bmasterauth|"
            rf"\bidentified by|\bauth-pass\s+\S+|\bpassword(?=\s+['\"]))\s+){_VALUE}"
        ),
        r"\1" + _mark("value"),
    ),
    _Rule(
        ("sig", "key=", "code=", "x-amz", "x-goog"),
        re.compile(
            r"(?i)([?&](?:sig|signature|key|code|x-amz-(?:signature|credential|security-token)|x-goog-signature)=)"
            r"(?!\[redacted:)[^&\s\"']+"
        ),
        r"\1" + _mark("value"),
    ),
    _Rule(("@",), re.compile(r"(?<![\w.+%-])[\w.+%-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}\b"), _mark("email")),
    _Rule(("-",), re.compile(r"(?<![\w.-])\d{3}-\d{2}-\d{4}(?![\w.-])"), _mark("national-id")),
    _Rule(("-", "."), re.compile(r"(?<![\w.-])(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4}(?![\w.-])"), _mark("phone")),
    _Rule(
        ("+",),
        re.compile(r"(?<![\w.+-])\+[1-9]\d{0,2}(?:[ .()-]{0,2}\d{2,4}){2,5}(?![\w])"),  # ITU-T E.164: 8 to 15 digits
        _if_digits(8, 15, "phone"),
    ),
    _Rule(("",), re.compile(r"(?<![\w.-])[3-6]\d{3}([ -]?)(?:\d{4}\1\d{4}\1\d{3,4}|\d{6}\1\d{5})(?![\w.-])"), _if_luhn),
)


def redact(text: str) -> str:
    """`text` with every recognised secret and personal datum replaced by "[redacted:KIND]"."""
    if len(text) < SHORTEST:
        return text
    lower = text.lower()
    for hints, pattern, replacement in _RULES:
        for hint in hints:  # a plain loop: this runs for every string of telemetry, and any() costs twice as much
            if hint in lower:
                text = pattern.sub(replacement, text)
                break
    return text


def redact_json(value: Any, depth: int = 0) -> Any:
    """`value` (JSON) with its strings redacted; values under keys that name a secret are replaced whole."""
    if isinstance(value, str):
        return _redact_string(value, depth)
    if depth > MOST_DEPTH:
        return _mark("too-deep")
    if isinstance(value, dict):
        return _redact_object(value, depth)
    if isinstance(value, list | tuple):
        return [item if item.__class__ in _NUMBERS or _is_sample(item) else redact_json(item, depth + 1) for item in value]
    return value


_NUMBERS = (float, int)


def _is_sample(item: object) -> bool:
    """A pair of numbers: a hundred services have hundreds of thousands of them, and they cannot hold a text."""
    return isinstance(item, list) and len(item) == 2 and item[0].__class__ in _NUMBERS and item[1].__class__ in _NUMBERS


def redact_evidence(evidence: Evidence) -> Evidence:
    """The evidence with query, link, error and payload redacted."""
    return evidence.model_copy(
        update={
            "query": redact(evidence.query),
            "link": redact(evidence.link),
            "error": redact(evidence.error),
            "payload": redact_json(evidence.payload),
        }
    )


def _redact_object(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    secret_kind = value.get("kind") == "Secret"
    # {"name": "DB_PASSWORD", "value": "..."}: how Kubernetes writes an environment variable.
    named_secret = isinstance(value.get("name"), str) and _is_sensitive(value["name"])
    out: dict[str, Any] = {}
    for raw_key, item in value.items():
        key = str(raw_key)
        if secret_kind and key in ("data", "stringData") and isinstance(item, dict):
            out[key] = {str(k): _mark("value") for k in item}
        elif (
            (_is_sensitive(key) or (named_secret and key == "value"))
            and isinstance(item, str | int | float)
            and item not in ("", True, False)
        ):
            out[key] = item if isinstance(item, str) and item.startswith("[redacted:") else _mark("value")
        else:
            out[_redact_key(key)] = redact_json(item, depth + 1)
    return out


def _redact_string(value: str, depth: int) -> str:
    if value[:1] in ("{", "[") and depth <= MOST_DEPTH and not value.startswith("[redacted:"):
        # JSON inside a string (last-applied-configuration, structured logs): keys matter there too.
        try:
            inner = json.loads(value)
        except (ValueError, RecursionError):
            return redact(value)
        if isinstance(inner, dict | list):
            cleaned = redact_json(inner, depth + 1)
            return value if cleaned == inner else json.dumps(cleaned, ensure_ascii=False, separators=(",", ":"))
    return redact(value)


@lru_cache(maxsize=4096)
def _redact_key(key: str) -> str:
    """Keys repeat in every object of a list; their redaction is remembered."""
    return redact(key)


@lru_cache(maxsize=4096)
def _is_sensitive(key: str) -> bool:
    return _SENSITIVE_KEY.search(key) is not None and _NOT_SECRET_KEY.search(key) is None
