"""The doors of what signs its webhooks: `POST /webhooks/signed/<sender>` for incident.io, Rootly and FireHydrant.

All three send again on anything but a 2xx, and switch an endpoint off that fails for long (incident.io after five days). So
everything authentic is 202 once it is kept; 401 is for a failed signature alone, and 503 for a secret or a store that is missing.
"""

from starlette.requests import Request
from starlette.types import ASGIApp

from sre_agent.incident.errors import ConfigurationError
from sre_agent.intake.signatures import SCHEMES, BadWebhookSignature, verify
from sre_agent.intake.signed_webhook import parse_webhook
from sre_agent.web.body import TurnedAway, read_body
from sre_agent.web.door import Door
from sre_agent.web.keep import keep
from sre_agent.web.ports import AlertDoors, WebPorts

PREFIX = "/webhooks/signed/"


def signed(ports: WebPorts, doors: AlertDoors, sender: str) -> ASGIApp:
    """The endpoint of one sender, a key of `intake.signatures.SCHEMES`."""
    scheme = SCHEMES[sender]

    async def take(request: Request) -> None:
        body = await read_body(request)
        now = ports.clock.now()
        try:
            verify(scheme, request.headers.items(), body, doors.signing_secrets.get(sender, ""), now)
        except BadWebhookSignature as bad:
            raise TurnedAway(401, "signature", bad.reason) from bad
        except ConfigurationError as missing:
            raise TurnedAway(503, "no_secret", f"{sender}: {missing}") from missing
        number = request.headers.get(scheme.id_header, "") if scheme.id_header else ""
        await keep(ports, sender, (parse_webhook(sender, body, number, now),), body)

    return Door(sender, ports.metrics).app(take)
