"""Scripted faults: what networks, proxies and overloaded servers do to a client."""

from dataclasses import dataclass
from enum import StrEnum

from sre_agent.testing.kubernetes.routes import Request


class FaultKind(StrEnum):
    """SLOW answers after `seconds`; the DROPs close the connection without an answer, before or after the work is done.

    ADMISSION is a webhook's refusal.
    """

    SLOW = "slow"
    ERROR_500 = "error_500"
    UNAUTHORIZED = "unauthorized"
    TOO_MANY_REQUESTS = "too_many_requests"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    HTML = "html"
    ADMISSION = "admission"


@dataclass
class Fault:
    """Strikes the next `times` requests whose "METHOD path" contains `matching`; a dry run only when `dry_run`."""

    kind: FaultKind
    matching: str = ""
    times: int = 1
    seconds: float = 0.0
    dry_run: bool = True

    def strikes(self, request: Request) -> bool:
        """Whether it hits this request; uses up one of its `times`."""
        hit = self.times > 0 and self.matching in f"{request.method} {request.path}" and (self.dry_run or not request.dry_run)
        self.times -= hit
        return hit
