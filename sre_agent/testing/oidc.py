"""An OpenID Connect issuer on loopback: description, authorization, tokens, keys, with real RSA signatures.

It does what OpenID Connect Core 1.0 and RFC 7636 demand of an issuer: codes are good once, for one client, one redirect address
and one verifier. Told to lie (`lie`), it issues what a relying party must refuse.
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import unquote, urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey

from sre_agent.incident.clock import Clock
from sre_agent.testing.http_stand_in import Asked, HttpStandIn, Reply

CLIENT, SECRET = "sre-agent", "the client's own secret"
LASTS_S = 300


class Lie(Enum):
    """What is wrong with what it issues."""

    OTHER_AUDIENCE = "the token is for another client"
    FOREIGN_PARTY = "for us and another client, authorized to that one"
    OTHER_ISSUER = "the token is from another issuer"
    OTHER_NONCE = "the token answers another question"
    NO_NONCE = "the token answers no question"
    EXPIRED = "the token is old"
    FROM_TOMORROW = "the token is not issued yet"
    ENDLESS = "the token has no expiry"
    UNSIGNED = "alg none"
    PUBLIC_AS_HMAC = "HS256 with the public key as the secret"
    UNPUBLISHED_KEY = "signed by a key that is not published"
    STOLEN_KEY_ID = "signed by another key under the published key's id"
    CHANGED_CLAIMS = "claims changed after signing"
    OTHER_ACCESS_TOKEN = "at_hash of another access token"  # noqa: S105
    NO_TOKEN = "no id token at all"  # noqa: S105
    DESCRIBES_ANOTHER = "the description names another issuer"
    PLAIN_ENDPOINT = "an endpoint elsewhere over http"


@dataclass(frozen=True)
class User:
    """Who signs in. `email_verified` is sent as it is here; None sends none."""

    sub: str = "248289761001"
    email: str | None = "ana@example.com"
    email_verified: object = True


@dataclass(frozen=True)
class _Granted:
    """What a code stands for."""

    redirect_uri: str
    nonce: str
    challenge: str
    user: User


class OidcIssuer(HttpStandIn):
    """The issuer. `user` signs in at once when a browser comes; None is refused. `redirect_uris` are the client's; `client_auth`
    is how it may prove itself: client_secret_basic, client_secret_post, none.
    """

    def __init__(self, clock: Clock, redirect_uris: frozenset[str], port: int = 0) -> None:
        super().__init__(port)
        self.user: User | None = User()
        self.lie: Lie | None = None
        self.client_auth: tuple[str, ...] = ("client_secret_basic",)
        self._clock = clock
        self._redirect_uris = redirect_uris
        self._codes: dict[str, _Granted] = {}
        self._generation = 0

    @property
    def key(self) -> RSAKey:
        """The key it signs with now."""
        return _key(self._generation)

    def rotate(self) -> None:
        """Another key from now on; the old one is no longer published."""
        self._generation += 1

    def answer(self, asked: Asked) -> Reply:
        """One request, as an issuer answers it."""
        pages = {
            "/.well-known/openid-configuration": self._description,
            "/keys": self._key_list,
            "/authorize": self._authorize,
            "/token": self._token,
        }
        page = pages.get(asked.path)
        return page(asked) if page else Reply(404, "{}")

    def _description(self, asked: Asked) -> Reply:  # noqa: ARG002
        elsewhere = "http://id.example" if self.lie is Lie.PLAIN_ENDPOINT else self.url
        return _json(
            {
                "issuer": "https://other.example" if self.lie is Lie.DESCRIBES_ANOTHER else self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{elsewhere}/token",
                "jwks_uri": f"{self.url}/keys",
                "response_types_supported": ["code"],
                "token_endpoint_auth_methods_supported": list(self.client_auth),
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    def _key_list(self, asked: Asked) -> Reply:  # noqa: ARG002
        public = self.key.as_dict(private=False)
        unknown = {"kty": "AKP", "kid": "of-a-kind-nobody-knows", "alg": "ML-DSA-44"}
        return _json({"keys": [unknown, {**public, "use": "sig", "alg": "RS256"}]})

    def _authorize(self, asked: Asked) -> Reply:
        """Sends the browser back with a code (RFC 6749, 4.1.1 and 4.1.2)."""
        to = asked.one("redirect_uri")
        if asked.one("client_id") != CLIENT or to not in self._redirect_uris:
            return Reply(400, "unknown client or redirect address", "text/plain")
        asks_right = asked.one("response_type") == "code" and "openid" in asked.one("scope").split()
        if not asks_right or asked.one("code_challenge_method") != "S256" or not asked.one("code_challenge"):
            return _back(to, {"error": "invalid_request", "state": asked.one("state")})
        if self.user is None:
            return _back(to, {"error": "access_denied", "state": asked.one("state")})
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Granted(to, asked.one("nonce"), asked.one("code_challenge"), self.user)
        return _back(to, {"code": code, "state": asked.one("state")})

    def _token(self, asked: Asked) -> Reply:
        """Tokens for a code, once (RFC 6749, 4.1.3; RFC 7636, 4.6)."""
        if asked.method != "POST" or _proof(asked) not in self.client_auth:
            return _json({"error": "invalid_client"}, 401)
        granted = self._codes.pop(asked.one("code"), None)
        proved = _b64(hashlib.sha256(asked.one("code_verifier").encode()).digest())
        if granted is None or granted.redirect_uri != asked.one("redirect_uri") or granted.challenge != proved:
            return _json({"error": "invalid_grant"}, 400)
        access = secrets.token_urlsafe(24)
        tokens = {"access_token": access, "token_type": "Bearer", "expires_in": LASTS_S}
        if self.lie is not Lie.NO_TOKEN:
            tokens["id_token"] = self._signed(self._claims(granted, access))
        return _json(tokens)

    def _claims(self, granted: _Granted, access: str) -> dict[str, Any]:
        now, user, lie = int(self._clock.now().timestamp()), granted.user, self.lie
        hashed = "of another" if lie is Lie.OTHER_ACCESS_TOKEN else access
        claims: dict[str, Any] = {
            "iss": "https://other.example" if lie is Lie.OTHER_ISSUER else self.url,
            "sub": user.sub,
            "aud": "another-client" if lie is Lie.OTHER_AUDIENCE else CLIENT,
            "iat": now + 86_400 if lie is Lie.FROM_TOMORROW else now,
            "exp": now - 3600 if lie is Lie.EXPIRED else now + LASTS_S,
            "nonce": "another" if lie is Lie.OTHER_NONCE else granted.nonce,
            "at_hash": _b64(hashlib.sha256(hashed.encode()).digest()[:16]),
        }
        if lie is Lie.FOREIGN_PARTY:
            claims |= {"aud": [CLIENT, "another-client"], "azp": "another-client"}
        left_out = {Lie.NO_NONCE: "nonce", Lie.ENDLESS: "exp"}.get(lie) if lie else None
        if left_out:
            del claims[left_out]
        if user.email is not None:
            claims["email"] = user.email
        if user.email_verified is not None:
            claims["email_verified"] = user.email_verified
        return claims

    def _signed(self, claims: Mapping[str, Any]) -> str:
        header: dict[str, Any] = {"alg": "RS256", "kid": self.key.kid}
        if self.lie is Lie.UNSIGNED:
            return f"{_part({'alg': 'none'})}.{_part(claims)}."
        if self.lie is Lie.PUBLIC_AS_HMAC:
            signed = f"{_part({**header, 'alg': 'HS256'})}.{_part(claims)}"
            return f"{signed}.{_b64(hmac.digest(self.key.as_pem(private=False), signed.encode(), 'sha256'))}"
        stranger = _key(-1)
        if self.lie is Lie.UNPUBLISHED_KEY:
            return jwt.encode({**header, "kid": stranger.kid}, dict(claims), stranger)
        if self.lie is Lie.STOLEN_KEY_ID:
            return jwt.encode(header, dict(claims), stranger)
        token = jwt.encode(header, dict(claims), self.key)
        if self.lie is Lie.CHANGED_CLAIMS:
            first, _, last = token.split(".")
            return f"{first}.{_part({**claims, 'email': 'ben@example.com'})}.{last}"
        return token


_MADE: dict[int, RSAKey] = {}
_MAKING = threading.Lock()


def _key(generation: int) -> RSAKey:
    """A key pair of 2048 bits. Made once a process, because it takes a while, and by one of the server's threads alone."""
    with _MAKING:
        if generation not in _MADE:
            _MADE[generation] = RSAKey.generate_key(2048, parameters={"kid": f"key-{generation}"})
        return _MADE[generation]


def _proof(asked: Asked) -> str:
    """How the client proved itself (RFC 6749, 2.3.1); "" when it did not."""
    scheme, _, sent = asked.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        name, _, secret = base64.b64decode(sent).decode().partition(":")
        return "client_secret_basic" if (unquote(name), unquote(secret)) == (CLIENT, SECRET) else ""
    if asked.one("client_id") != CLIENT:
        return ""
    return {SECRET: "client_secret_post", "": "none"}.get(asked.one("client_secret"), "")


def _back(to: str, sent: Mapping[str, str]) -> Reply:
    return Reply(302, "", "text/plain", {"Location": f"{to}?{urlencode(sent)}"})


def _json(content: Mapping[str, Any], status: int = 200) -> Reply:
    return Reply(status, json.dumps(content))


def _part(content: Mapping[str, Any]) -> str:
    return _b64(json.dumps(content).encode())


def _b64(raw: bytes) -> str:
    """base64url without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
