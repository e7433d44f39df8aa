"""What an installation has to do, decided from what is there. No I/O here.

The PagerDuty extension is a V3 webhook subscription on one URL, for one service, one team or the account.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from sre_agent.adapters.pagerduty.subscriptions import EVENTS, Reach, Scope, Subscription
from sre_agent.incident.errors import ConfigurationError, Refused

DOOR: Final = "/webhooks/pagerduty"
"""Where the agent listens (web/webhooks.py)."""

_PRIVATE_NAMES: Final = (".local", ".internal", ".svc", ".cluster.local", ".lan", ".home.arpa")


@dataclass(frozen=True)
class Place:
    """Where events go, and whose they are."""

    url: str
    scope: Scope


@dataclass(frozen=True)
class Plan:
    """`keep` None: make one. `remove` are ours and of no use: nobody holds their secret. `beside` others on the same URL."""

    keep: Subscription | None
    remove: tuple[Subscription, ...] = ()
    beside: tuple[Subscription, ...] = ()

    @property
    def to_activate(self) -> bool:
        """Whether the kept one does not send everything that the agent listens to."""
        return self.keep is not None and (not self.keep.active or self.keep.unfinished or not self.keep.events.issuperset(EVENTS))


def planned(found: Iterable[Subscription], place: Place, secrets: Mapping[str, str], *, recreate: bool) -> Plan:
    """What to do about the subscriptions that are there. `secrets` by subscription, "" for any: those we hold.

    Raises Refused when one sends to the URL whose secret we do not hold, and nobody said that it may be made anew.
    """
    ours = tuple(s for s in found if same_address(s.url, place.url))
    left_behind = tuple(s for s in ours if s.unfinished and s.id not in secrets)
    if recreate:
        return Plan(None, remove=ours)
    rest = [s for s in ours if s not in left_behind]
    held = [s for s in rest if s.id in secrets or "" in secrets]
    if rest and not held:
        names = ", ".join(s.id for s in rest)
        raise Refused(
            "webhook-secret-unknown",
            f"subscription {names} sends to {place.url} already, and its secret is not held here; PagerDuty shows a secret once,"
            " when it is made. Either give the secret to this agent (SRE_AGENT_WEBHOOK_SECRETS_FILE or PAGERDUTY_WEBHOOK_SECRETS),"
            " or make the subscription anew with --recreate",
        )
    kept = max(held, key=lambda s: (s.active, s.id in secrets, not s.disabled), default=None)
    return Plan(kept, remove=left_behind, beside=tuple(s for s in rest if s is not kept))


def scope_of(service: str, team: str, *, account: bool) -> Scope:
    """The one scope that was named. Raises ValueError when it is none, or several."""
    named = [Scope(Reach.SERVICE, service)] * bool(service) + [Scope(Reach.TEAM, team)] * bool(team)
    named += [Scope(Reach.ACCOUNT)] * account
    if len(named) != 1:
        raise ValueError("give exactly one of --service ID, --team ID and --account")
    return named[0]


def same_address(one: str, other: str) -> bool:
    """Whether two URLs are the same door: host and scheme in any case, the default port written or not."""
    return _address(one) == _address(other)


def _address(url: str) -> tuple[str, str, int | None, str, str]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return ("", url, None, "", "")
    return (parts.scheme, (parts.hostname or "").casefold(), port, parts.path.rstrip("/"), parts.query)


def checked_url(url: str, *, local: bool) -> str:
    """A URL that PagerDuty can send to. `local`: PagerDuty's API is itself on this machine (a stand-in), and so may the URL be.

    Raises ConfigurationError with what is wrong and what would be right.
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = (parts.hostname or "").casefold(), parts.port
    except ValueError as wrong:
        raise ConfigurationError(f"--url {url!r} is no address: {wrong}") from None
    if parts.scheme not in ("https", "http") or not host:
        raise ConfigurationError(f"--url {url!r} is no address; it looks like https://sre.example.com{DOOR}")
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError("--url holds a user or password, which whoever sees the subscription could read; leave it out")
    if not parts.path.strip("/"):
        raise ConfigurationError(f"--url {url!r} has no path; the agent listens at {DOOR}: {url.strip().rstrip('/')}{DOOR}")
    if parts.fragment:
        raise ConfigurationError(f"--url {url!r} has a fragment (#...), which is never sent; leave it out")
    if not local and parts.scheme != "https":
        raise ConfigurationError(f"--url {url!r} is not https: incidents would cross the internet in clear; put TLS in front")
    if not local and _private(host):
        raise ConfigurationError(f"--url {url!r} names {host}, which cannot be reached from the internet; give the public name")
    return url.strip()


def _private(host: str) -> bool:
    """True for what certainly does not lead here from the internet."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith((*_PRIVATE_NAMES, ".localhost"))


def no_ping(place: Place, seconds: float) -> tuple[str, ...]:
    """What to look at when a test delivery did not arrive, the likeliest first."""
    return (
        f"the test delivery did not arrive within {seconds:g} s. What to look at, the likeliest first:",
        f"1. Does the address lead here? From outside your network `curl -i -X POST {place.url}` must answer 401 with a line"
        " about x-pagerduty-signature. A timeout is a firewall or DNS; 404 or HTML is a proxy that sends it elsewhere; 503 is an"
        " agent without any secret (see 4).",
        "2. TLS: the certificate must be valid for the name and come with its whole chain (`curl` without -k, from outside).",
        "3. Is an agent (`sre-agent serve`, role web or all) running there, on the database that this command uses (DATABASE_URL"
        " or SRE_AGENT_DATA_DIR)? `sre-agent settings` on both machines shows it.",
        "4. Does that agent have this secret? It reads SRE_AGENT_WEBHOOK_SECRETS_FILE; /readyz tells when the file is refused,"
        " and sre_agent_deliveries_refused_total counts reason no_secret (503) or signature (401).",
        "5. A proxy that drops the headers x-pagerduty-signature or x-webhook-subscription, or changes the body: reason signature.",
        "PagerDuty repeats what got no answer or a 5xx; `sre-agent pagerduty install` with the same options pings again. Was the"
        " address itself wrong: `sre-agent pagerduty uninstall` with it, then install with the right one.",
    )
