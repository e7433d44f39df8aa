"""What the guard answers, with everything a person needs to understand it."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from sre_agent.policy.canonical import digest


class Verdict(StrEnum):
    """The guard's four answers; NO_ACTION is the walk's own: nothing was proposed, nothing is wrong."""

    ALLOW = "allow"
    NEEDS_APPROVAL = "needs_approval"
    DENY = "deny"
    HAND_BACK = "hand_back"
    NO_ACTION = "no_action"


class Decision(BaseModel):
    """A verdict, the ids of the policies that decided it (sorted), and reasons for a human.

    `approvals_required` is 0 for allow, 1 or 2 for needs_approval, None otherwise. `fault` is set when
    the guard itself failed: the verdict is then deny or hand_back whatever the policies say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Verdict
    approvals_required: int | None = None
    policy_ids: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    nearest_grants: tuple[str, ...] = ()
    shadow_ids: tuple[str, ...] = ()
    bundle_hash: str = ""
    request_sha256: str = ""
    request: dict[str, object] = {}
    fault: str | None = None

    @property
    def sha256(self) -> str:
        """sha256 (hex) over all of it: the same hash is the same decision, to the word."""
        return digest(self.model_dump(mode="json"))

    def remembered(self) -> dict[str, Any]:
        """What the audit keeps of it: enough to judge the same request again, by these policies or by others."""
        return {
            "verdict": self.verdict.value,
            "policy_ids": list(self.policy_ids),
            "shadow_ids": list(self.shadow_ids),
            "bundle": self.bundle_hash,
            "request_sha256": self.request_sha256,
            "request": self.request,
        }
