"""What triage says about an incident."""

from pydantic import BaseModel, ConfigDict

from sre_agent.incident.alert import AlertClass


class Triage(BaseModel):
    """`labelled` is what the labels say; `alert_class` after the evidence: INFRA only if `labelled` is.

    `owner`: "platform", a prompt owner or "ai-eng", a tool's name, or "default". `receiver` is the key of
    the escalation policy in policies/data/teams.yaml. `flags`: "untagged", "mixed", "malformed", ...
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    labelled: AlertClass
    alert_class: AlertClass
    owner: str
    receiver: str
    flags: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
