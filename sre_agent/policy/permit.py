"""The sealed, single-use permit: the only thing the executor accepts.

Minted by policy.guard, opened by execution. The seal is an HMAC under a key that never leaves the
process, so nothing deserialised from a store, a queue or a model can be one.
"""

import hashlib
import hmac
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from sre_agent.runbook.proposal import Proposal

TTL = timedelta(seconds=60)


class Permit(BaseModel):
    """Leave to run one proposal once, within TTL of `minted_at`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    proposal: Proposal
    plan_hash: str
    facts_sha256: str
    bundle_hash: str
    approvals: int
    minted_at: datetime
    seal: str

    def sealed_bytes(self) -> bytes:
        """What the seal covers: everything but the seal."""
        return self.model_dump_json(exclude={"seal"}).encode()


def seal(key: bytes, permit: Permit) -> Permit:
    """The permit with its seal under `key`."""
    return permit.model_copy(update={"seal": hmac.new(key, permit.sealed_bytes(), hashlib.sha256).hexdigest()})


def seal_holds(key: bytes, permit: Permit) -> bool:
    """True when the seal was made with `key` over exactly this permit."""
    expected = hmac.new(key, permit.sealed_bytes(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), permit.seal.encode())
