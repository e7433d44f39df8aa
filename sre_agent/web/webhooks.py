"""PagerDuty's door: verify, keep, answer; nothing else happens before the answer.

PagerDuty drops a delivery for ever on a 4xx, disables the subscription after three such in a row, and repeats for 48 h on a
5xx. So everything authentic gets 202 (repeats, pings and events we do not understand included) once it is durably
kept; 401 is for a failed signature alone; and while our own secret or database is missing the answer is 503, which loses
nothing. A body over the cap is 413 without being read: PagerDuty sends at most 256 KB, so it is nobody we know.
"""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.types import ASGIApp

from sre_agent.intake.pagerduty import SIGNATURE_HEADER, BadSignature, MissingSecret, parse_event, verify_signature
from sre_agent.web.body import TurnedAway, read_body
from sre_agent.web.door import Door
from sre_agent.web.keep import keep
from sre_agent.web.ports import WebPorts

DOOR = "pagerduty"
PATH = "/webhooks/pagerduty"


def pagerduty(ports: WebPorts) -> ASGIApp:
    """The endpoint of `POST /webhooks/pagerduty`."""

    async def take(request: Request) -> None:
        headers = dict(request.headers)
        if ports.pagerduty_secrets and SIGNATURE_HEADER not in headers:
            raise TurnedAway(401, "signature", f"the delivery has no {SIGNATURE_HEADER} header")
        body = await read_body(request)
        _verify(headers, body, ports)
        await keep(ports, DOOR, (parse_event(headers, body, ports.clock.now()),), body)

    return Door(DOOR, ports.metrics).app(take)


def _verify(headers: Mapping[str, str], body: bytes, ports: WebPorts) -> None:
    """Raises TurnedAway unless the delivery is authentic."""
    try:
        verify_signature(headers, body, ports.pagerduty_secrets)
    except BadSignature as bad:
        raise TurnedAway(401, "signature", bad.reason) from bad
    except MissingSecret as missing:
        raise TurnedAway(503, "no_secret", str(missing)) from missing
