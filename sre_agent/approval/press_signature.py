"""Slack's request signature, version v0 (Slack API documentation, "Verifying requests from Slack"). Pure, over raw bytes.

slack_sdk's verifier raises on a timestamp that is no number and on text that is not ASCII, which would make a server error of
what any stranger can send; here everything that is not a good signature is the one refusal.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sre_agent.incident.errors import ConfigurationError, Refused

SIGNATURE_HEADER: Final = b"x-slack-signature"
TIMESTAMP_HEADER: Final = b"x-slack-request-timestamp"
WINDOW_S: Final = 300
"""Seconds that a request may be old, or from the future."""

_TIMESTAMP: Final = re.compile(rb"[0-9]{1,12}")


class BadPressSignature(Refused):
    """The request is not signed with our secret, or not lately: answer 401."""

    def __init__(self, reason: str) -> None:
        super().__init__("slack-signature", reason)


def verify_press(headers: Iterable[tuple[bytes, bytes]], body: bytes, secret: str, now: datetime) -> None:
    """Return when the request is Slack's. Header names are in lower case.

    Raises BadPressSignature, whatever was sent; ConfigurationError when we have no secret to check with.
    """
    # SAFETY: an HMAC under an empty key can be computed by anybody, so an empty secret is no secret.
    if not secret.strip():
        raise ConfigurationError("no signing secret is configured; set SLACK_SIGNING_SECRET, or use Socket Mode (SLACK_APP_TOKEN)")
    given = [(name, value) for name, value in headers if name in (SIGNATURE_HEADER, TIMESTAMP_HEADER)]
    timestamp, signature = _only(given, TIMESTAMP_HEADER), _only(given, SIGNATURE_HEADER)
    if not _TIMESTAMP.fullmatch(timestamp):
        raise BadPressSignature("the timestamp is not a number of seconds")
    if abs(now.timestamp() - int(timestamp)) > WINDOW_S:
        # SAFETY: whoever got hold of a signed request can use it for five minutes at most.
        raise BadPressSignature(f"the request is more than {WINDOW_S} s away from this machine's clock")
    expected = b"v0=" + hmac.new(secret.encode(), b"v0:" + timestamp + b":" + body, hashlib.sha256).hexdigest().encode()
    if not hmac.compare_digest(expected, signature):
        raise BadPressSignature("the signature does not match the body")


def _only(headers: list[tuple[bytes, bytes]], name: bytes) -> bytes:
    """The header's one value. Raises BadPressSignature when it is missing or there twice."""
    values = [value for given, value in headers if given == name]
    if len(values) != 1:
        raise BadPressSignature(f"the request has {len(values)} {name.decode()} headers instead of one")
    return values[0]
