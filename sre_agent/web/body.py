"""The raw body of a delivery, read no further than is decent; what every door does first."""

from starlette.requests import ClientDisconnect, Request

from sre_agent.incident.errors import SreAgentError

BODY_CAP = 1024 * 1024
"""Bytes of body that are read at most."""


class TurnedAway(SreAgentError):
    """A delivery that is not kept: the status to answer and the word it is counted under."""

    def __init__(self, status: int, reason: str, said: str) -> None:
        super().__init__(said)
        self.status = status
        self.reason = reason


async def read_body(request: Request, cap: int = BODY_CAP) -> bytes:
    """The raw body, of at most `cap` bytes. Raises TurnedAway as soon as it is known to be larger."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > 20 or int(declared) > cap):
        raise TurnedAway(413, "oversize", f"the body is larger than {cap} bytes")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > cap:
                raise TurnedAway(413, "oversize", f"the body is larger than {cap} bytes")
    except ClientDisconnect as gone:
        raise TurnedAway(400, "disconnected", "the sender went away") from gone
    return bytes(body)
