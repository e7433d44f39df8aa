"""Signature schemes of webhooks, as data, and the one verifier for all of them. HMAC-SHA256 over raw bytes; pure.

- Standard Webhooks, which Svix sends (standardwebhooks.com, version 1): id `.` timestamp `.` body; `v1,<base64>`, several apart by
  blanks
- Rootly (docs.rootly.com, "Outgoing webhooks"): timestamp body, with nothing between; `t=<seconds>,v1=<hex>`
- FireHydrant (docs.firehydrant.com, "Webhooks"): body; `<hex>`
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sre_agent.incident.errors import ConfigurationError, Refused

_MOST: Final = 10
"""Signatures of one request that are looked at."""
_LONGEST: Final = 4096
_SECONDS: Final = re.compile(r"[0-9]{1,12}")


class BadWebhookSignature(Refused):
    """The delivery is not signed with our secret, or not lately: answer 401."""

    def __init__(self, reason: str) -> None:
        super().__init__("webhook-signature", reason)


@dataclass(frozen=True)
class Scheme:
    """How one sender signs.

    `signed` names the parts of the signed text, in order: "id" and "timestamp" are values of headers, "body" is the raw body;
    `between` stands between them. `separator` parts the elements of the signature header; what follows `version` in one is a
    signature, and without a `timestamp_header` what follows `t=` is the timestamp. `encoding` is "hex" or "base64". A secret that
    begins with `secret_prefix` is base64 after it. `tolerance_s`: how far the timestamp may be from now, None where there is none.
    """

    signature_header: str
    signed: tuple[str, ...]
    between: str = ""
    id_header: str = ""
    timestamp_header: str = ""
    separator: str = ","
    version: str = ""
    encoding: str = "hex"
    secret_prefix: str = ""
    tolerance_s: int | None = 300


STANDARD_WEBHOOKS: Final = Scheme(
    signature_header="webhook-signature",
    signed=("id", "timestamp", "body"),
    between=".",
    id_header="webhook-id",
    timestamp_header="webhook-timestamp",
    separator=" ",
    version="v1,",
    encoding="base64",
    secret_prefix="whsec_",  # noqa: S106 - how every such secret begins
)
ROOTLY: Final = Scheme(signature_header="x-rootly-signature", signed=("timestamp", "body"), version="v1=")
FIREHYDRANT: Final = Scheme(signature_header="fh-signature", signed=("body",), tolerance_s=None)


def verify(scheme: Scheme, headers: Iterable[tuple[str, str]], body: bytes, secret: str, now: datetime) -> None:
    """Return when the delivery is authentic. Header names in lower case. Of several signatures one must match, so that the
    sender can rotate secrets.

    Raises BadWebhookSignature, whatever was sent; ConfigurationError for a secret that cannot be one.
    """
    key = _key(scheme, secret)
    given = list(headers)
    header = _only(given, scheme.signature_header)
    elements = [e.strip() for e in header.split(scheme.separator) if e.strip()]
    if len(header) > _LONGEST or len(elements) > _MOST:
        raise BadWebhookSignature(f"more than {_MOST} signatures, or more than {_LONGEST} characters of them")
    parts: dict[str, bytes] = {"body": body}
    if scheme.id_header:
        parts["id"] = _only(given, scheme.id_header).encode("utf-8", "replace")
    if "timestamp" in scheme.signed:
        parts["timestamp"] = _timestamp(scheme, given, elements, now)
    expected = hmac.new(key, scheme.between.encode().join(parts[p] for p in scheme.signed), hashlib.sha256).digest()
    text = expected.hex() if scheme.encoding == "hex" else base64.b64encode(expected).decode()
    found = [e.removeprefix(scheme.version) for e in elements if e.startswith(scheme.version)]
    # SAFETY: compared as bytes and in constant time.
    if not any(hmac.compare_digest(text.encode(), f.encode("utf-8", "replace")) for f in found):
        raise BadWebhookSignature("no signature matches the body under our secret")


def _key(scheme: Scheme, secret: str) -> bytes:
    # SAFETY: an HMAC under an empty key can be computed by anybody, so an empty secret is no secret.
    if not secret.strip():
        raise ConfigurationError("no signing secret of this sender is here; add it to SRE_AGENT_WEBHOOK_SIGNING_SECRETS")
    if not scheme.secret_prefix or not secret.startswith(scheme.secret_prefix):
        return secret.encode()
    try:
        key = base64.b64decode(secret.removeprefix(scheme.secret_prefix), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ConfigurationError(f"the secret is not base64 after {scheme.secret_prefix}; copy it whole, it ends with =")
    return key


def _timestamp(scheme: Scheme, headers: list[tuple[str, str]], elements: list[str], now: datetime) -> bytes:
    """The timestamp exactly as sent. Raises BadWebhookSignature when it is none, or not of now."""
    if scheme.timestamp_header:
        told = _only(headers, scheme.timestamp_header)
    else:
        stamps = [e.removeprefix("t=") for e in elements if e.startswith("t=")]
        told = stamps[0] if len(stamps) == 1 else ""
    if not (told.isascii() and _SECONDS.fullmatch(told)):
        raise BadWebhookSignature("the timestamp is not a number of seconds")
    if scheme.tolerance_s is not None and abs(now.timestamp() - int(told)) > scheme.tolerance_s:
        # SAFETY: whoever got hold of a signed delivery can use it for as long as this at most.
        raise BadWebhookSignature(f"the delivery is more than {scheme.tolerance_s} s away from this machine's clock")
    return told.encode()


def _only(headers: list[tuple[str, str]], name: str) -> str:
    """The header's one value. Raises BadWebhookSignature when it is missing or there twice."""
    values = [value for given, value in headers if given == name]
    if len(values) != 1:
        raise BadWebhookSignature(f"the delivery has {len(values)} {name} headers instead of one")
    return values[0]


SCHEMES: Final[Mapping[str, Scheme]] = {"incident.io": STANDARD_WEBHOOKS, "rootly": ROOTLY, "firehydrant": FIREHYDRANT}
"""Sender -> how it signs. The names are those of SRE_AGENT_WEBHOOK_SIGNING_SECRETS and of the doors' paths."""
