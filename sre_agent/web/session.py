"""Sign-ins kept in the browser: a signed cookie that holds who somebody is and since when, and nothing of what they may do.

Signed with HMAC-SHA256 by itsdangerous under a key of this deployment, and bound to the door that made it: another key, another
door or another issuer ends every session. It is not encrypted; only its own browser ever sees it.
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from itsdangerous import BadData, URLSafeSerializer
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.types import Scope

from sre_agent.web.peers import values

LASTS = timedelta(hours=8)
"""How long a sign-in lasts, used or not."""

PENDING_LASTS = timedelta(minutes=10)
"""How long somebody may take at the issuer."""

_Kept = TypeVar("_Kept", bound=BaseModel)
_LONGEST = 4096
_ENDED_AT_MOST = 10_000


class Session(BaseModel):
    """One sign-in. `identity` is what teams.yaml is asked for: a verified address, or a subject."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    via: Literal["oidc", "token"]
    identity: str = Field(min_length=1, max_length=320)
    issued: int
    seed: str = Field(min_length=16, max_length=64)


class Pending(BaseModel):
    """A sign-in under way at the issuer: what its answer must match, and where to go then."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: str
    nonce: str
    verifier: str
    to: str
    issued: int


class Sessions:
    """Makes and reads the cookies. `bound_to` names door and issuer; `secure` for a deployment reached by https."""

    def __init__(self, key: bytes, bound_to: str, *, secure: bool) -> None:
        self._key, self._secure = key, secure
        self._signer = _signer(key, f"session {bound_to}")
        self._pending_signer = _signer(key, f"pending {bound_to}")
        self._ended: dict[str, int] = {}
        # `__Host-` makes browsers refuse the cookie from a neighbouring subdomain or over http (RFC 6265bis, 4.1.3.2).
        self.name = "__Host-sre_agent" if secure else "sre_agent"
        self.pending_name = f"{self.name}_pending"

    def begin(self, via: Literal["oidc", "token"], identity: str, now: datetime) -> str:
        """A Set-Cookie for a new sign-in. Always a new one: what a browser brought before is not continued."""
        made = Session(via=via, identity=identity, issued=int(now.timestamp()), seed=secrets.token_urlsafe(24))
        return self._cookie(self.name, self._signer.dumps(made.model_dump()), LASTS)

    def read(self, scope: Scope, now: datetime) -> Session | None:
        """The valid session a request brings; None for none, or one forged, ended or too old."""
        session = _checked(Session, self._signer, _brought(scope, self.name))
        if session is None or not _within(session.issued, now, LASTS) or session.seed in self._ended:
            return None
        return session

    def end(self, session: Session, now: datetime) -> str:
        """A Set-Cookie that takes the session away. A copy of it is refused too, by this process until it restarts."""
        oldest = int((now - LASTS).timestamp())
        self._ended = {seed: issued for seed, issued in self._ended.items() if issued >= oldest}
        if len(self._ended) >= _ENDED_AT_MOST:
            self._ended.pop(next(iter(self._ended)))
        self._ended[session.seed] = session.issued
        return self.clear()

    def clear(self) -> str:
        """A Set-Cookie that takes away whatever the browser holds."""
        return self._cookie(self.name, "", timedelta(0))

    def keep(self, pending: Pending) -> str:
        """A Set-Cookie for a sign-in under way."""
        return self._cookie(self.pending_name, self._pending_signer.dumps(pending.model_dump()), PENDING_LASTS)

    def pending(self, scope: Scope, now: datetime) -> Pending | None:
        """The sign-in under way in this browser."""
        found = _checked(Pending, self._pending_signer, _brought(scope, self.pending_name))
        return found if found is not None and _within(found.issued, now, PENDING_LASTS) else None

    def drop_pending(self) -> str:
        """A Set-Cookie that ends a sign-in under way."""
        return self._cookie(self.pending_name, "", timedelta(0))

    def csrf(self, seed: str) -> str:
        """What forms must bring back: derived, so that it is of no use as a cookie and a cookie is of no use as it."""
        return hmac.new(self._key, b"csrf " + seed.encode(), hashlib.sha256).hexdigest()

    def _cookie(self, name: str, value: str, lasts: timedelta) -> str:
        flags = "; Secure" if self._secure else ""
        return f"{name}={value}; Path=/; Max-Age={int(lasts.total_seconds())}; HttpOnly; SameSite=Lax{flags}"


def _signer(key: bytes, purpose: str) -> URLSafeSerializer:
    return URLSafeSerializer(key, salt=purpose, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256})


def _within(issued: int, now: datetime, lasts: timedelta) -> bool:
    """SAFETY: one from the future is refused as well; a minute is for clocks of several machines."""
    return -60 <= now.timestamp() - issued < lasts.total_seconds()


def _brought(scope: Scope, name: str) -> str | None:
    """The one cookie of this name. SAFETY: two are one too many, a neighbour may have planted the other."""
    pairs = [part.strip().partition("=") for header in values(scope, "cookie") for part in header.split(";")]
    found = [value for key, equals, value in pairs if key == name and equals]
    return found[0] if len(found) == 1 and len(found[0]) <= _LONGEST else None


def _checked(kind: type[_Kept], signer: URLSafeSerializer, text: str | None) -> _Kept | None:
    if text is None:
        return None
    try:
        content: Any = signer.loads(text)
        return kind.model_validate(content, strict=True)
    except (BadData, ValidationError):
        return None
