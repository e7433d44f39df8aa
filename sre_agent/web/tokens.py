"""Doors whose senders sign nothing: a secret in one header opens them. Nothing of a body is read before."""

import hmac

from starlette.requests import Request

from sre_agent.web.body import TurnedAway

TOKEN_HEADER = "x-sre-agent-token"  # noqa: S105 - the name of the header


def let_in(request: Request, token: str, setting: str, header: str = TOKEN_HEADER, prefix: str = "") -> None:
    """Raises TurnedAway unless the request shows `token`, after `prefix` (in any case, as RFC 9110 has schemes), in `header`.

    Without a token of our own nobody can be told from anybody: 503, and the answer says to set `setting`.
    """
    if not token.strip():
        raise TurnedAway(503, "no_token", f"{setting} is not set, so nothing that arrives here can be told from anybody's requests")
    shown = request.headers.getlist(header)
    given = shown[0] if len(shown) == 1 else ""
    scheme, rest = given[: len(prefix)], given[len(prefix) :]
    # SAFETY: compared as bytes and in constant time; one header, so that no proxy's second one is picked.
    same = hmac.compare_digest(rest.encode("latin-1", "replace"), token.encode())
    if not (same and scheme.lower() == prefix.lower()):
        what = f"{prefix.strip()} token in the header" if prefix else "header"
        raise TurnedAway(401, "token", f"the {what} {header} is missing or not the agent's {setting}")
