"""The PagerDuty door: V3 webhook signatures and events (PagerDuty developer docs, "Webhooks V3").

A delivery is only a doorbell: it has no labels. What is believed is fetched again over REST. Status codes
matter at this door: PagerDuty drops a delivery for ever on 4xx and retries 5xx for 48 h, so

    BadSignature  -> 401      not from PagerDuty
    MissingSecret -> 503      our own set-up is not ready; PagerDuty keeps the delivery
    anything else -> 202      authentic; what we do not understand is EventKind.OTHER, never an error
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from sre_agent.incident.errors import ConfigurationError, Refused
from sre_agent.incident.event import EventKind, IncidentEvent
from sre_agent.intake.untrusted import Unreadable, fields, moment, pagerduty_id, read_json, text

SIGNATURE_HEADER: Final = "x-pagerduty-signature"
SUBSCRIPTION_HEADER: Final = "x-webhook-subscription"
DELIVERY_HEADER: Final = "x-webhook-id"
UNNAMED: Final = ""
"""The key of the one secret that is used whatever the subscription."""

_MAX_SIGNATURES: Final = 10
_MAX_HEADER: Final = 2048
_MAX_ID: Final = 100
_MAX_KEY: Final = 255
_KINDS: Final = {k.value: k for k in EventKind if k not in (EventKind.PING, EventKind.OTHER, EventKind.REQUESTED)}


class BadSignature(Refused):
    """The delivery is not signed with the secret of its subscription: answer 401."""

    def __init__(self, reason: str) -> None:
        super().__init__("pagerduty-signature", reason)


class MissingSecret(ConfigurationError):
    """We hold no secret to check the delivery with: answer 503, so that PagerDuty delivers it again."""


def verify_signature(headers: Mapping[str, str], body: bytes, secrets_by_subscription: Mapping[str, str]) -> str:
    """Check the V3 signature over the raw bytes and return the subscription id ("" when none was named).

    `secrets_by_subscription` maps subscription ids to secrets; the key "" is the fallback for every other id.
    The signature is `v1=` + lower-case hex HMAC-SHA256(secret text as given, body); of several, separated by
    commas, one must match, so that secrets can be rotated. Upper-case hex is refused.

    Raises BadSignature or MissingSecret.
    """
    # SAFETY: an HMAC under an empty key can be computed by anybody, so an empty secret is no secret.
    secrets = {name: secret for name, secret in secrets_by_subscription.items() if secret.strip()}
    if not secrets:
        raise MissingSecret(
            "no PagerDuty webhook secret is here; run `sre-agent pagerduty install`, or set PAGERDUTY_WEBHOOK_SECRET"
        )
    signatures = _signatures(headers)
    if not body:
        raise BadSignature("the body is empty")
    subscription = text(next(_values(headers, SUBSCRIPTION_HEADER), ""), _MAX_ID).strip()
    secret = secrets.get(subscription) or secrets.get(UNNAMED)
    if secret is None and not subscription:
        raise BadSignature(
            f"the delivery names no subscription ({SUBSCRIPTION_HEADER}), and every configured secret belongs to one"
        )
    if secret is None:
        advice = "`sre-agent pagerduty install --recreate` makes a new one, or add it to PAGERDUTY_WEBHOOK_SECRETS"
        raise MissingSecret(f"no secret is here for webhook subscription {subscription}; {advice}")
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode()
    if not any(hmac.compare_digest(expected, signature) for signature in signatures):
        raise BadSignature("no signature matches the body under the secret of this subscription")
    return subscription


def parse_event(headers: Mapping[str, str], body: bytes, received_at: datetime) -> IncidentEvent:
    """What an authentic delivery says. Never raises: what cannot be understood is OTHER, about no incident.

    Without an event id or a delivery id of its own, a delivery is identified by the hash of its body.
    """
    try:
        event = fields(fields(read_json(body)).get("event"))
    except Unreadable:
        event = {}
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    type_name = text(event.get("event_type"), _MAX_ID)
    incident_id = _incident_id(event)
    kind, data = _kind(type_name), fields(event.get("data"))
    key = text(data.get("incident_key"), _MAX_KEY)
    if incident_id is None and kind is not EventKind.PING:
        kind = EventKind.OTHER
    return IncidentEvent(
        door="pagerduty",
        kind=kind,
        type_name=type_name or "unreadable",
        event_id=_identity(event.get("id"), digest),
        delivery_id=_identity(next(_values(headers, DELIVERY_HEADER), None), digest),
        subscription_id=text(next(_values(headers, SUBSCRIPTION_HEADER), ""), _MAX_ID).strip(),
        incident_id=None if kind is EventKind.PING else incident_id,
        occurred_at=moment(event.get("occurred_at")) or received_at,
        agent_id=_person(event.get("agent")),
        service_id=pagerduty_id(fields(data.get("service")).get("id")) or "",
        incident_key=key,
        known_as=() if incident_id is None else (f"pagerduty:{incident_id}", *((f"key:{key}",) if key else ())),
    )


def _values(headers: Mapping[str, str], name: str) -> Iterator[str]:
    """Every value of a header, whatever its case."""
    return (value for key, value in headers.items() if key.lower() == name)


def _signatures(headers: Mapping[str, str]) -> list[bytes]:
    """The hex of every v1 signature. Raises BadSignature when there is none, or too much."""
    header = ",".join(_values(headers, SIGNATURE_HEADER))
    if not header:
        raise BadSignature(f"the delivery has no {SIGNATURE_HEADER} header")
    if len(header) > _MAX_HEADER:
        raise BadSignature(f"the signature header has {len(header)} characters, at most {_MAX_HEADER} are read")
    elements = [element.strip() for element in header.split(",")]
    if len(elements) > _MAX_SIGNATURES:
        raise BadSignature(f"{len(elements)} signatures, at most {_MAX_SIGNATURES} are checked")
    found = [e.removeprefix("v1=").encode("utf-8", "replace") for e in elements if e.startswith("v1=")]
    if not found:
        raise BadSignature("no v1 signature; other versions are not understood")
    return found


def _kind(type_name: str) -> EventKind:
    """The kind of an event type; unknown types (PagerDuty adds some at any time) are OTHER."""
    if type_name == "pagey.ping":
        return EventKind.PING
    family, _, name = type_name.partition(".")
    return _KINDS.get(name, EventKind.OTHER) if family == "incident" else EventKind.OTHER


def _incident_id(event: dict[str, object]) -> str | None:
    """The incident an event is about: the data itself, or what a note, update or responder hangs on."""
    data = fields(event.get("data"))
    if data.get("type") in ("incident", "incident_reference"):
        return pagerduty_id(data.get("id"))
    return pagerduty_id(fields(data.get("incident")).get("id"))


def _person(agent: object) -> str | None:
    """The user who caused the event; None for automation. An agent of no stated type counts as a person."""
    described = fields(agent)
    kind = text(described.get("type"))
    return pagerduty_id(described.get("id")) if not kind or kind.startswith("user") else None


def _identity(value: object, digest: str) -> str:
    """An id to recognise repeats by. Over-long ones are not cut, which could make two equal, but replaced."""
    given = text(value, _MAX_ID + 1).strip()
    return given if 0 < len(given) <= _MAX_ID else digest
