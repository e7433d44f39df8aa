"""What a page sends back: read once, within bounds, and believed only from a page of ours.

A write on behalf of somebody signed in must bring the visitor's own token (which another site cannot read) and come from
our origin as the browser itself says. Both, because either alone has been got around before.
"""

import asyncio
import hmac
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import HTTPConnection, Request
from starlette.types import Message, Receive, Scope

from sre_agent.web.body import TurnedAway, read_body
from sre_agent.web.peers import values
from sre_agent.web.visitor import Visitor

FORM_KEY = "sre_agent.form"
FORM_CAP = 64 * 1024
FIELDS_AT_MOST = 200
READ_WITHIN = 5.0
"""Seconds for the body of a form."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1), without TRACE, which is not answered."""

_FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Form:
    """The fields of one form, in the order sent."""

    fields: tuple[tuple[str, str], ...] = ()

    def one(self, name: str, otherwise: str = "") -> str:
        """The field that was sent once; `otherwise` when it was not sent, or more than once."""
        found = self.all(name)
        return found[0] if len(found) == 1 else otherwise

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a field."""
        return tuple(value for field, value in self.fields if field == name)


class NotOurs(Exception):
    """A write that is not believed to come from our own page. `status` is the answer's."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


def form_of(connection: HTTPConnection) -> Form:
    """The form that the check in front read; an empty one for a request without."""
    found = connection.scope.get(FORM_KEY)
    return found if isinstance(found, Form) else Form()


async def read_form(scope: Scope, receive: Receive) -> tuple[Form, Receive]:
    """The form, and a `receive` that gives the same body again. Raises NotOurs."""
    request = Request(scope, receive)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await _body(request)
    if body and kind != _FORM_TYPE:
        raise NotOurs(415, f"forms are sent as {_FORM_TYPE}")
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=FIELDS_AT_MOST)
        fields = tuple(pairs)
    except ValueError:  # UnicodeDecodeError is one
        raise NotOurs(400, "the form cannot be read") from None
    return Form(fields), _again(body, receive)


def believe(scope: Scope, form: Form, visitor: Visitor, origins: Collection[str]) -> None:
    """Returns when the write comes from our own page for this visitor. Raises NotOurs."""
    _from_our_page(scope, origins)
    sent = [*values(scope, "x-csrf-token"), *form.all("csrf")]
    # SAFETY: every copy must be right: two that differ would leave it open which one counted.
    if not sent or not all(hmac.compare_digest(one.encode("utf-8", "surrogateescape"), visitor.csrf.encode()) for one in sent):
        raise NotOurs(403, "this page is out of date, or the request is not from it: load the page again and repeat")


def _from_our_page(scope: Scope, origins: Collection[str]) -> None:
    """Raises NotOurs unless the browser says that a page of ours sent this."""
    site, origin = values(scope, "sec-fetch-site"), values(scope, "origin")
    # SAFETY: saying nothing is not enough; every browser of the last years says at least one of the two with a write.
    told = bool(site or origin)
    if not told or site not in ([], ["same-origin"]) or not (origin == [] or (len(origin) == 1 and origin[0] in origins)):
        raise NotOurs(403, "this was not sent by a page of this address; if it was, SRE_AGENT_PUBLIC_URL names another address")


async def _body(request: Request) -> bytes:
    """The whole body. Raises NotOurs as soon as it is known to be too large, or comes too slowly."""
    try:
        async with asyncio.timeout(READ_WITHIN):
            return await read_body(request, FORM_CAP)
    except TimeoutError:
        raise NotOurs(408, f"the form did not arrive within {READ_WITHIN:g} s") from None
    except TurnedAway as away:
        raise NotOurs(away.status, str(away)) from None


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body first, and afterwards what the connection still says."""
    given: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return given.pop() if given else await receive()

    return replay
