"""What an answer that is not 2xx means. Codes: PagerDuty REST documentation, "Errors"."""

from typing import Final

from sre_agent.adapters.pagerduty.transport import Answer, Request
from sre_agent.evidence.redact import redact
from sre_agent.incident.errors import ConfigurationError, Conflict, OutcomeUnknown, Permanent, SreAgentError, Transient
from sre_agent.intake.untrusted import fields, items, text


class NotFound(Permanent):
    """PagerDuty does not know the object (404, codes 2100 and 5001)."""


class NotAvailable(Permanent):
    """The account's plan or the key's rights do not include this (402, 403): not the same as "nothing there"."""


class LimitReached(Permanent):
    """A product limit, such as ten webhook subscriptions for one service (code 2019)."""


_CODES: Final[dict[int, tuple[type[Permanent], str]]] = {
    1001: (Conflict, "the incident is resolved already"),
    1002: (Conflict, "the incident is acknowledged already"),
    1005: (Conflict, "somebody changed the incident since it was read"),
    1006: (Permanent, "the incident cannot be escalated"),
    1008: (
        ConfigurationError,
        "no user has the From header's e-mail; set PAGERDUTY_FROM_EMAIL to the agent's own user",
    ),
    1014: (ConfigurationError, "the escalation policy does not exist; correct it in policies/data/teams.yaml"),
    1015: (Permanent, "nobody is on call in the escalation policy"),
    1018: (ConfigurationError, "the agent's user may not do this to the incident; give it the responder role or more"),
    1019: (Conflict, "the incident was merged into another one"),
    2004: (Permanent, "the date range is not valid"),
    2005: (Permanent, "the date range is longer than PagerDuty allows (6 months)"),
    2006: (ConfigurationError, "the API key is not accepted; check PAGERDUTY_API_TOKEN"),
    2010: (NotAvailable, "the API key lacks the right to this; check the rights of PAGERDUTY_API_TOKEN"),
    2014: (NotAvailable, "the account's plan does not include this"),
    2019: (LimitReached, "a product limit is reached"),
    2100: (NotFound, "PagerDuty does not know it"),
    5001: (NotFound, "PagerDuty does not know it"),
}
_STATUSES: Final[dict[int, int]] = {401: 2006, 402: 2014, 403: 2010, 404: 2100}


def failure(request: Request, answer: Answer) -> SreAgentError:
    """The error that tells a person what happened.

    A 5xx to a write leaves its outcome unknown; 429 carries `retry_after` in seconds where PagerDuty gave it.
    """
    error = fields(fields(answer.content).get("error"))
    said = "; ".join([text(error.get("message"), 200), *(text(e, 200) for e in items(error.get("errors"))[:5])]).strip("; ")
    where = f"PagerDuty: {request.method} {request.path}: {answer.status}" + (f" ({redact(said)})" if said else "")
    if answer.status == 429:
        return Transient(f"{where}: rate limit reached", reset_after(answer))
    if answer.status >= 500 or answer.status == 408:
        kind = Transient if request.method == "GET" else OutcomeUnknown
        return kind(f"{where}: PagerDuty is in trouble")
    code = error.get("code")
    explained = _CODES.get(code) if isinstance(code, int) else None
    explained = explained or _CODES.get(_STATUSES.get(answer.status, 0))
    if explained is None:
        return Permanent(f"{where}: PagerDuty did not accept the request")
    return explained[0](f"{where}: {explained[1]}")


def reset_after(answer: Answer) -> float | None:
    """Seconds until the rate limit is reset, as PagerDuty said; None when it did not, or nonsense."""
    for name in ("ratelimit-reset", "retry-after"):
        value = answer.headers.get(name, "").strip()
        if value.isascii() and value.isdigit() and len(value) < 6:
            return float(value)
    return None
