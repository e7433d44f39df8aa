"""What others need to reach, and what is told to others: the public address, the heartbeat, traces, sign-in."""

from urllib.parse import urlsplit

from sre_agent.sources.http_api import HttpApi, HttpEndpoint
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections
from sre_agent.wiring.doctor.verdict import Seen, broken, ok, warning

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
HEALTH = "/healthz"
DISCOVERY = "/.well-known/openid-configuration"
"""OpenID Connect Discovery 1.0, section 4."""


def _api(connections: Connections, what: str, variable: str, url: str, path: str) -> HttpApi:
    return HttpApi(HttpEndpoint(what, variable, url, timeout_s=connections.request_s, max_body_bytes=1_000_000), {path})


async def _public(connections: Connections) -> Seen:
    url = connections.settings.public_url or ""
    api = _api(connections, "the public address", "SRE_AGENT_PUBLIC_URL", url, HEALTH)
    async with api.session() as session:
        answer = await session.get(HEALTH, {})
    body = answer.json()
    if answer.status != 200 or not isinstance(body, dict) or body.get("alive") is not True:
        return broken(
            f"{api.url}{HEALTH} answered {answer.status}, and not as this agent does",
            "Let the proxy forward /webhooks/, /healthz and /readyz to the agent, without a sign-in of its own.",
        )
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        return warning(f"{api.url} reaches the agent, but not by https", "Serve it by https: secrets are sent there.")
    if parts.hostname in LOOPBACK:
        return warning(f"{api.url} reaches the agent from this machine only", "Set the address that PagerDuty and people reach.")
    return ok(f"{api.url} reaches an agent, by https")


async def _heartbeat(connections: Connections) -> Seen:
    url = connections.settings.heartbeat_url
    if url is None:
        return warning(
            "nobody would notice if the agent fell silent", "Set SRE_AGENT_HEARTBEAT_URL to a monitor that expects a ping a minute."
        )
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        return warning("the heartbeat's address is not https: whoever hears it can beat for us", "Use the monitor's https address.")
    return ok("set; not pinged, because a ping would say that the agent is well")


async def _traces(connections: Connections) -> Seen:
    parts = urlsplit(connections.settings.trace_url or "")
    base, path = f"{parts.scheme}://{parts.netloc}", parts.path or "/"
    api = _api(connections, "the endpoint for traces", "SRE_AGENT_TRACE_URL", base, path)
    async with api.session() as session:
        answer = await session.get(path, {})
    if answer.status >= 500:
        return broken(f"{api.url}{path} answered {answer.status}", "Look at the collector's log.")
    return ok(f"{api.url} answers; whether it takes the headers shows with the first span")


async def _sign_in(connections: Connections) -> Seen:
    issuer = connections.settings.oidc_issuer or ""
    api = _api(connections, "the OpenID Connect issuer", "SRE_AGENT_OIDC_ISSUER", issuer, DISCOVERY)
    async with api.session() as session:
        answer = await session.get(DISCOVERY, {})
    body = answer.json()
    if answer.status != 200 or not isinstance(body, dict):
        raise api.failure(answer)
    told = str(body.get("issuer", ""))[:200]
    if told.rstrip("/") != issuer:
        return broken(f"the issuer calls itself {told or 'nothing'}", "Set SRE_AGENT_OIDC_ISSUER to exactly that.")
    return ok("the issuer answers")


_PUBLIC = "Check name, certificate and proxy; some networks cannot reach their own public address: then ask from outside."
_REACH = "Check the address and the network from here."
CHECKS = (
    Check("outside", "public_url", "Our public address reaches an agent, by https.", _public, _PUBLIC, ("SRE_AGENT_PUBLIC_URL",)),
    Check("outside", "heartbeat", "A dead-man's switch is set.", _heartbeat, _REACH, about=("SRE_AGENT_HEARTBEAT_URL",)),
    Check("outside", "traces", "The endpoint for spans answers.", _traces, _REACH, ("SRE_AGENT_TRACE_URL",)),
    Check(
        "outside",
        "sign_in",
        "The OpenID Connect issuer answers, and calls itself what we call it.",
        _sign_in,
        _REACH,
        ("SRE_AGENT_OIDC_ISSUER",),
        ("SRE_AGENT_OIDC_CLIENT_ID", "SRE_AGENT_OIDC_CLIENT_SECRET"),
    ),
)
