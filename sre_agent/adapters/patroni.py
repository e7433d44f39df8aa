"""The hands on Patroni: PatroniHands, which is POST /switchover with leader and candidate, and nothing else.

Law: sent once. /failover does not exist here: it needs no leader and then skips the checks of lag, synchrony and timeline.
Source: Patroni's REST API documentation, "Switchover and failover endpoints".
"""

import httpx

from sre_agent.evidence.redact import redact
from sre_agent.incident.errors import OutcomeUnknown, Permanent, Refused, Transient

SEND_S = 75.0
"""Patroni answers when the switchover is over, or after it has waited for it. It is not cut short by us."""
CONNECT_S = 2.0


class PatroniWriter:
    """PatroniHands over the members' REST addresses with the write user. There is no fallback to no user."""

    def __init__(self, urls: tuple[str, ...], username: str, password: str, send_s: float = SEND_S) -> None:
        self._urls = urls
        self._auth = httpx.BasicAuth(username, password)
        self._send_s = send_s

    async def switchover(self, leader: str, candidate: str) -> None:
        """POST /switchover to the first member that takes a connection. Returns when Patroni says that it is done.

        Raises Transient (no member took a connection: never sent), Refused (400, 412), Permanent (401, 403), and
        OutcomeUnknown for anything else, 202 and 503 included: it may have been written down and may still happen.
        """
        failure: httpx.HTTPError | None = None
        limits = httpx.Timeout(self._send_s, connect=CONNECT_S)
        async with httpx.AsyncClient(timeout=limits, auth=self._auth, follow_redirects=False, trust_env=False) as client:
            for url in self._urls:
                try:
                    answer = await client.post(f"{url}/switchover", json={"leader": leader, "candidate": candidate})
                except (httpx.ConnectError, httpx.ConnectTimeout) as unreachable:
                    failure = unreachable
                    continue
                except httpx.HTTPError as silence:
                    raise OutcomeUnknown(f"POST {url}/switchover: sent, no answer ({type(silence).__name__})") from silence
                return _judge(url, answer)
        raise Transient(f"POST /switchover: not sent, no member took a connection ({failure})")


def _judge(url: str, answer: httpx.Response) -> None:
    what = f"POST {url}/switchover: {answer.status_code} {redact(answer.text[:2000])[:200]}"
    match answer.status_code:
        case 200:
            return
        case 400 | 412:
            raise Refused("patroni-impossible", what)
        case 401 | 403:
            raise Permanent(f"{what}; check PATRONI_WRITE_USERNAME")
        case _:
            raise OutcomeUnknown(what)
