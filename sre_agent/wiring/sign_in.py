"""Who may look at the pages: the entrance made of the settings and of teams.yaml, and the key that signs its cookies."""

import logging
import secrets
import socket
import sys

from sre_agent.approval.teams import Teams
from sre_agent.policy.people import People
from sre_agent.settings import Settings
from sre_agent.web.entrance import Entrance, Proxies
from sre_agent.web.oidc import Client, Issuer
from sre_agent.web.one_time import OneTimeToken
from sre_agent.web.session import Sessions
from sre_agent.web.sign_in import CALLBACK
from sre_agent.wiring.clock import SystemClock
from sre_agent.wiring.kept_key import kept_key

FILE = "session.key"
_log = logging.getLogger(__name__)


def entrance(settings: Settings, people: People, listener: socket.socket) -> Entrance:
    """The entrance of this process. With neither issuer nor proxies a one-time token is printed, good on this machine only.

    Raises ConfigurationError for an issuer that is not asked over https.
    """
    issuer, proxied = _issuer(settings), bool(settings.trusted_proxies)
    token = None if issuer or proxied else OneTimeToken(_tell)
    # A printed token works over plain http on this machine, whatever the public address is.
    secure = token is None and (settings.public_url or "").startswith("https://")
    bound_to = "token" if token else f"{settings.oidc_issuer} {settings.oidc_client_id}"
    if token is not None:
        token.print_for(f"http://{_local(listener)}")
    return Entrance(
        sessions=Sessions(_key(settings), bound_to, secure=secure),
        teams=Teams(people),
        clock=SystemClock(),
        public_url=settings.public_url,
        issuer=issuer,
        proxies=Proxies(settings.trusted_proxies, settings.proxy_user_header),
        token=token,
    )


def _issuer(settings: Settings) -> Issuer | None:
    if not settings.oidc_issuer:
        return None
    secret = settings.oidc_client_secret
    client = Client(
        settings.oidc_issuer,
        settings.oidc_client_id or "",
        secret.get_secret_value() if secret else None,
        f"{settings.public_url}{CALLBACK}",
    )
    return Issuer(client, SystemClock())


def _key(settings: Settings) -> bytes:
    """The given key, else the one in the data folder, else one that lives as long as this process."""
    if settings.session_key is not None:
        return settings.session_key.get_secret_value().encode()
    try:
        return kept_key(settings.data_dir.expanduser() / FILE)
    except OSError as failed:
        reason = failed.strerror or type(failed).__name__
        _log.warning("session_key_unavailable", extra={"reason": reason})
        return secrets.token_bytes(32)


def _local(listener: socket.socket) -> str:
    """Where this machine reaches the socket."""
    host, port = listener.getsockname()[:2]
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104
    return f"{anywhere.get(host, f'[{host}]' if ':' in host else host)}:{port}"


def _tell(address: str) -> None:
    """Onto standard error, not into the log: logs are kept and shipped, and what redacts them would cut the token out."""
    print(f"sre-agent: to look at the pages, open once on this machine: {address}", file=sys.stderr, flush=True)
