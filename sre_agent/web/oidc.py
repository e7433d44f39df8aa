"""Signing in at an OpenID Connect issuer: authorization code with PKCE, state and nonce (OpenID Connect Core 1.0, 3.1; RFC 7636).

Authlib builds the requests and checks the claims, joserfc the signature. What the issuer says is untrusted until the signature
of its id token holds under a key of its own, published list.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, KeySet

from sre_agent.incident.clock import Clock
from sre_agent.incident.errors import ConfigurationError, Refused, Transient

ANSWER_WITHIN = 5.0
"""Seconds the issuer has for one answer."""

ALL_WITHIN = 10.0
"""Seconds for everything that the issuer is asked in one step, waiting for others who ask it the same included."""

ANSWER_CAP = 256 * 1024
LEEWAY = 60
"""Seconds by which the issuer's clock may differ."""

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""SAFETY: signatures by a private key only. `none` and HMAC, whose key could be the published one, are never tried."""

_KEPT = timedelta(hours=1)
_KEYS_AGAIN = timedelta(seconds=10)
_KEY_TYPES = ("RSA", "EC")


@dataclass(frozen=True)
class Client:
    """How we are known at the issuer. `redirect_uri` is where it sends people back. Without a secret: a public client."""

    issuer: str
    client_id: str
    secret: str | None = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True)
class Errand:
    """One sign-in under way: where to send the browser, and what its return must match."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class _Endpoints:
    issuer: str
    authorize: str
    token: str
    keys: str
    auth_method: str
    read_at: datetime


class Issuer:
    """The issuer. Raises ConfigurationError for one that is neither https nor on this machine."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._found: _Endpoints | None = None
        self._keys = KeySet([])
        self._keys_read_at: datetime | None = None
        self._reading = asyncio.Lock()
        if not safe_to_ask(client.issuer):
            raise ConfigurationError(
                "SRE_AGENT_OIDC_ISSUER must be an https address: whoever can change its answers can be anybody here"
            )

    @property
    def host(self) -> str:
        """The issuer's host, for people."""
        return urlsplit(self._client.issuer).hostname or self._client.issuer

    async def begin(self) -> Errand:
        """A new sign-in. Raises Transient when the issuer is away, Refused when its description is not its own."""
        async with self._in_time():
            endpoints = await self._endpoints()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        url: str = prepare_grant_uri(
            endpoints.authorize,
            self._client.client_id,
            "code",
            redirect_uri=self._client.redirect_uri,
            scope="openid email",
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return Errand(url, state, nonce, verifier)

    async def finish(self, code: str, verifier: str, nonce: str) -> str:
        """Who signed in: a verified address, else the subject. Raises Refused or Transient."""
        async with self._in_time():
            return identity_of(await self._vouched(code, verifier, nonce))

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(ALL_WITHIN):
                yield
        except TimeoutError:
            raise Transient(f"the issuer {self.host} did not answer within {ALL_WITHIN:g} s") from None

    async def _vouched(self, code: str, verifier: str, nonce: str) -> Mapping[str, Any]:
        """The claims that the issuer gives for a code."""
        endpoints = await self._endpoints()
        body = prepare_token_request(
            "authorization_code", code=code, redirect_uri=self._client.redirect_uri, code_verifier=verifier
        )
        auth = ClientAuth(self._client.client_id, self._client.secret, endpoints.auth_method)
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        url, headers, body = auth.prepare("POST", endpoints.token, headers, body)
        tokens = await self._ask("POST", url, headers, body)
        id_token = tokens.get("id_token")
        if not isinstance(id_token, str):
            raise _refused("it answered without an id token; is openid among the client's scopes?")
        return await self._claims(id_token, tokens.get("access_token"), nonce, endpoints)

    async def _claims(self, id_token: str, access_token: object, nonce: str, endpoints: _Endpoints) -> Mapping[str, Any]:
        """The claims, once signature, issuer, audience, time and nonce hold (OpenID Connect Core 1.0, 3.1.3.7)."""
        token = await self._signed(id_token, endpoints)
        expected = {
            "iss": {"essential": True, "value": endpoints.issuer},
            "aud": {"essential": True, "value": self._client.client_id},
        }
        params = {"nonce": nonce, "client_id": self._client.client_id, "access_token": access_token}
        claims = CodeIDToken(token.claims, token.header, options=expected, params=params)
        try:
            claims.validate(now=int(self._clock.now().timestamp()), leeway=LEEWAY)
        except (JoseError, ValueError, TypeError) as wrong:
            raise _refused(f"its id token does not hold: {wrong}") from wrong
        return token.claims

    async def _signed(self, id_token: str, endpoints: _Endpoints) -> jwt.Token:
        """The token, its signature checked; the keys are read once more for a key id that is new."""
        await self._read_keys(endpoints, older_than=_KEPT)
        try:
            return self._decoded(id_token)
        except InvalidKeyIdError:
            await self._read_keys(endpoints, older_than=_KEYS_AGAIN)
        except (JoseError, ValueError, TypeError) as wrong:
            raise _refused(f"its id token is not signed as it should be: {wrong}") from wrong
        try:
            return self._decoded(id_token)
        except (JoseError, ValueError, TypeError) as wrong:
            raise _refused(f"its id token is not signed by a key it publishes: {wrong}") from wrong

    def _decoded(self, id_token: str) -> jwt.Token:
        return jwt.decode(id_token, self._keys, algorithms=ALGORITHMS)

    async def _read_keys(self, endpoints: _Endpoints, older_than: timedelta) -> None:
        async with self._reading:
            now = self._clock.now()
            if self._keys_read_at is not None and now - self._keys_read_at < older_than:
                return
            listed = (await self._ask("GET", endpoints.keys)).get("keys")
            self._keys, self._keys_read_at = KeySet(_usable(listed if isinstance(listed, list) else [])), now

    async def _endpoints(self) -> _Endpoints:
        """What the issuer says of itself (OpenID Connect Discovery 1.0, 4), read once an hour."""
        async with self._reading:
            now = self._clock.now()
            if self._found is None or now - self._found.read_at >= _KEPT:
                described = await self._ask("GET", f"{self._client.issuer}/.well-known/openid-configuration")
                self._found = self._described(described, now)
            return self._found

    def _described(self, described: Mapping[str, Any], now: datetime) -> _Endpoints:
        name = described.get("issuer")
        # Its own spelling counts in its tokens; the setting has lost a closing slash.
        if not isinstance(name, str) or name.rstrip("/") != self._client.issuer:
            raise _refused("it says that it is another issuer; SRE_AGENT_OIDC_ISSUER must be spelled as it spells itself")
        found = [described.get(key) for key in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        if not all(isinstance(url, str) and safe_to_ask(url, beside=self._client.issuer) for url in found):
            raise _refused("its description lacks an endpoint, or names one that is not https")
        authorize, token, keys = (str(url) for url in found)
        return _Endpoints(name, authorize, token, keys, self._auth_method(described), now)

    def _auth_method(self, described: Mapping[str, Any]) -> str:
        if self._client.secret is None:
            return "none"
        offered = described.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return "client_secret_basic" if "client_secret_basic" in offered else "client_secret_post"

    async def _ask(self, method: str, url: str, headers: Mapping[str, str] | None = None, body: str = "") -> dict[str, Any]:
        """One request, bounded, without redirects. Raises Transient, or Refused when the issuer said no."""
        try:
            async with (
                httpx.AsyncClient(timeout=ANSWER_WITHIN, follow_redirects=False) as http,
                http.stream(method, url, headers=headers, content=body or None) as answer,
            ):
                raw = bytearray()
                async for chunk in answer.aiter_bytes():
                    raw += chunk
                    if len(raw) > ANSWER_CAP:
                        raise Transient(f"the issuer {self.host} answered more than {ANSWER_CAP} bytes")
        except (httpx.HTTPError, httpx.InvalidURL) as failed:
            raise Transient(f"the issuer {self.host} cannot be asked: {type(failed).__name__}") from failed
        if answer.status_code >= 500 or answer.status_code == 429:
            raise Transient(f"the issuer {self.host} answered {answer.status_code}")
        parsed = _object(raw)
        if answer.status_code != 200:
            raise _refused(f"it answered {answer.status_code} {_error_word(parsed)}".rstrip())
        if parsed is None:
            raise Transient(f"the issuer {self.host} answered something that is not a JSON object")
        return parsed


def identity_of(claims: Mapping[str, Any]) -> str:
    """A verified address, else the subject. Raises Refused."""
    email, subject = claims.get("email"), claims.get("sub")
    if claims.get("email_verified") is True and isinstance(email, str) and email:
        return _plain(email)
    # SAFETY: an address that nobody verified may be anybody's, and a subject must not pass for one.
    if not isinstance(subject, str) or "@" in subject:
        raise _refused("it did not verify the address (email_verified), and the subject is none we may take for a person's")
    return _plain(subject)


def _plain(identity: str) -> str:
    if not identity or len(identity) > 320 or not identity.isprintable():
        raise _refused("it names a person in a way that cannot be believed")
    return identity


def _usable(listed: list[Any]) -> list[Any]:
    """The public keys for signatures in a key list; what cannot be read is left out."""
    keys = []
    for one in listed[:50]:
        if not isinstance(one, dict) or one.get("kty") not in _KEY_TYPES or one.get("use", "sig") != "sig":
            continue
        try:
            keys.append(JWKRegistry.import_key(one))
        except (JoseError, ValueError, TypeError):
            continue
    return keys


def safe_to_ask(url: str, beside: str = "") -> bool:
    """True for https, and for http on this machine when the issuer itself is there."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    on_this_machine = host in ("localhost", "127.0.0.1", "::1")
    plain = parts.scheme == "http" and on_this_machine and beside.partition(":")[0] in ("", "http")
    return bool(host) and (parts.scheme == "https" or plain)


def _object(raw: bytes | bytearray) -> dict[str, Any] | None:
    try:
        parsed = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _error_word(parsed: dict[str, Any] | None) -> str:
    """The registered error word of an answer (RFC 6749, 5.2). Nothing else of it is repeated: it may quote what was sent."""
    word = parsed.get("error") if parsed else None
    known = ("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope")
    return word if isinstance(word, str) and word in known else ""


def _refused(why: str) -> Refused:
    return Refused("sign-in", f"the issuer did not vouch for anybody: {why}")
