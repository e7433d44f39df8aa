"""What stands in place of a secret: "[redacted:KIND]", or "[redacted:KIND:TAG]" under a key, so that evidence still correlates.

TAG is the first 4 hex digits of HMAC-SHA256 (RFC 2104) over kind and normalised value. SAFETY: without the key nothing can be
tried out, and with it 16 bits leave one candidate in 65,536 standing: of any long list of guesses, many. Equal tags therefore
hint at an equal value and prove nothing.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

HELD = re.compile(r"(\[redacted:[a-z-]{2,24}(?::[0-9a-f]{4})?\])")
"""A placeholder. What is held is never looked at again."""

OPENING = "[redacted:"
TAG_DIGITS = 4

_key: ContextVar[bytes] = ContextVar("redaction_key", default=b"")
_NOT_WORD = re.compile(r"[\W_]+")
_NANP_DIGITS = 10


def use_redaction_key(key: bytes) -> None:
    """Tag placeholders under `key` from here on, in this context and in every task started from it. b"" means no tags."""
    _key.set(key)


@contextmanager
def redaction_key(key: bytes) -> Iterator[None]:
    """Tag placeholders under `key` for as long as this is open."""
    token = _key.set(key)
    try:
        yield
    finally:
        _key.reset(token)


def case_key(case_id: str) -> bytes:
    """The key of a dry run: from the case's id, so that two runs say the same. Its tags are as secret as the case beside them."""
    return hashlib.sha256(b"sre-agent replay of " + case_id.encode()).digest()


def mark(kind: str, value: str) -> str:
    """The placeholder for `value`. The same value in another notation (case of a mail address, blanks in a number) is the same."""
    key = _key.get()
    if not key:
        return f"{OPENING}{kind}]"
    message = f"{kind}\0{_normal(kind, value)}".encode("utf-8", "surrogatepass")
    return f"{OPENING}{kind}:{hmac.new(key, message, hashlib.sha256).hexdigest()[:TAG_DIGITS]}]"


def _normal(kind: str, value: str) -> str:
    match kind:
        case "email":
            return value.casefold().replace("%40", "@")
        case "phone":
            digits = "".join(c for c in value.replace("(0)", "") if c.isdigit())
            # A number of North America is mostly written without its country code; 00 is another way to write "+".
            return "1" + digits if len(digits) == _NANP_DIGITS and digits[0] in "23456789" else digits.removeprefix("00")
        case "card" | "iban" | "national-id" | "health-id" | "birth-date":
            return _NOT_WORD.sub("", value).upper()
        case _:
            return value
