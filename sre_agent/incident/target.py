"""The one live object an action would touch, or a finding is about."""

from pydantic import BaseModel, ConfigDict


class Target(BaseModel):
    """kind is Kubernetes' or ours: Pod, Deployment, Node, RedisMaster, ...

    `uid` is the identity of the live object (Pod UID; Redis primary run id). Without it nothing may
    be done: a name alone can mean another object a second later.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    namespace: str | None = None
    name: str
    uid: str | None = None

    @property
    def key(self) -> str:
        """Stable identity of the *place* (survives a restart): lock and budget key."""
        return f"{self.kind}/{self.namespace or '-'}/{self.name}"
