"""The way in where nothing is configured: a token printed by the process, good for one sign-in from this machine."""

import hmac
import secrets
from collections.abc import Callable

from starlette.types import Scope

from sre_agent.web.peers import asked_from_here


class OneTimeToken:
    """Holds the one token that is good now, and tells it. `tell` gets an address to open, on the machine itself."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._base = ""
        self._token = ""

    def print_for(self, base: str) -> None:
        """Make a token and tell its address. `base` is where this machine reaches the pages, as http://127.0.0.1:8080."""
        self._base, self._token = base, secrets.token_urlsafe(32)
        self._tell(f"{self._base}/sign-in/token?token={self._token}")

    def used(self, given: str, scope: Scope, user_header: str) -> bool:
        """True once for the right token, from this machine. The next one is told at once, so there is always one way in."""
        # SAFETY: the place is asked first: nobody elsewhere can use a token up, or learn whether it is right.
        if not self._token or not asked_from_here(scope, user_header):
            return False
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._token.encode()):
            return False
        self.print_for(self._base)
        return True
