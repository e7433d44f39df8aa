"""Who owns what: receivers, tools and prompts. Loaded from policies/data/routing.yaml by the shell."""

from typing import Final

from pydantic import BaseModel, ConfigDict

PLATFORM: Final = "pd-platform"
AI_ENGINEERING: Final = "pd-ai-eng"
INTEGRATIONS: Final = "pd-integration-owners"
DEFAULT: Final = "default"


class Ownership(BaseModel):
    """The ownership tree.

    `receivers` maps a receiver ("pd-platform", "pd-ai-eng", "pd-integration-owners", "default") to the id of its
    PagerDuty escalation policy. `tool_owners` maps a tool's name to the people who own its integration, and
    `prompt_owners` a prompt's name to its owner; both are names for people to read. `teams` maps a receiver to the teams
    of teams.yaml whose members may rightly acknowledge its incidents; a receiver without an entry has no wrong team.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    receivers: dict[str, str] = {}
    tool_owners: dict[str, str] = {}
    prompt_owners: dict[str, str] = {}
    teams: dict[str, tuple[str, ...]] = {}

    def escalation_policy(self, receiver: str) -> str | None:
        """The receiver's escalation policy id, or else the default receiver's; None when neither is configured ("" is not)."""
        return self.receivers.get(receiver) or self.receivers.get(DEFAULT) or None

    def prompt_owner(self, prompt: str | None) -> str:
        """The prompt's owner, or else "ai-eng"."""
        return self.prompt_owners.get(prompt or "", "ai-eng")
