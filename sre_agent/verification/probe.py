"""One look after an action, by read-only views that share nothing with the hands."""

from dataclasses import dataclass
from datetime import datetime

from sre_agent.evidence.redis.state import RedisState
from sre_agent.evidence.source import KubernetesReader, MetricsReader, PatroniReader, QueueReader, RedisClusterReader, RedisReader
from sre_agent.incident.errors import SreAgentError
from sre_agent.incident.incident import Incident
from sre_agent.incident.target import Target
from sre_agent.runbook.proposal import Proposal
from sre_agent.runbook.runbook import Objective
from sre_agent.verification.data_stores import patroni_state_ok, redis_cluster_state_ok
from sre_agent.verification.queues import queue_ok
from sre_agent.verification.verify import Sample
from sre_agent.verification.workloads import deployment_ok, node_ok


@dataclass(frozen=True)
class Probes:
    """The views a verification looks through. None: that view is not configured, its answer is unknown."""

    metrics: MetricsReader | None = None
    redis: RedisReader | None = None
    kubernetes: KubernetesReader | None = None
    redis_cluster: RedisClusterReader | None = None
    patroni: PatroniReader | None = None
    queues: QueueReader | None = None

    async def level(self, objective: Objective | None, target: Target, now: datetime) -> float | None:
        """The objective's worst value now; None when there is none or it could not be read."""
        if objective is None or self.metrics is None:
            return None
        try:
            series = await self.metrics.instant(filled_query(objective, target), now)
        except SreAgentError:
            return None
        values = [s.finite()[-1][1] for s in series if s.finite()]
        return max(values, default=None)

    async def sample(self, proposal: Proposal, objective: Objective | None, incident: Incident | None, now: datetime) -> Sample:
        """One sample. `incident` None: it could not be fetched, so whether the alert fires is unknown."""
        level = await self.level(objective, proposal.target, now)
        ok, detail = await self._state(proposal)
        firing = None if incident is None else incident.open and bool(incident.firing)
        return Sample(at=now, alert_firing=firing, level=level, state_ok=ok, detail=detail)

    async def _state(self, proposal: Proposal) -> tuple[bool | None, str]:
        try:
            if proposal.target.kind == "RedisMaster" and self.redis is not None:
                return redis_state_ok(await self.redis.read(proposal.target.name), proposal.target.uid)
            if proposal.target.kind == "RedisCluster" and self.redis_cluster is not None:
                return redis_cluster_state_ok(await self.redis_cluster.read(proposal.target.name), proposal.target.uid)
            if proposal.target.kind == "PostgresCluster" and self.patroni is not None:
                return patroni_state_ok(await self.patroni.read(proposal.target.name), proposal.target.uid)
            if proposal.target.kind == "Queue" and self.queues is not None:
                return queue_ok(await self.queues.read(proposal.target.name), proposal)
            if proposal.target.kind == "Pod" and self.kubernetes is not None:
                pods = await self.kubernetes.objects("Pod", proposal.target.namespace)
                return pods_ok(pods, proposal)
            if proposal.target.kind == "Deployment" and self.kubernetes is not None:
                return deployment_ok(await self.kubernetes.objects("Deployment", proposal.target.namespace), proposal)
            if proposal.target.kind == "Node" and self.kubernetes is not None:
                return node_ok(await self.kubernetes.objects("Node", None), await self.kubernetes.objects("Pod", None), proposal)
        except SreAgentError as failure:
            return None, str(failure)
        return None, f"nothing here can look at a {proposal.target.kind}"


def filled_query(objective: Objective, target: Target) -> str:
    """The objective's PromQL with the target's name in it, quoted for a label matcher."""
    quoted = {
        k: v.replace("\\", "\\\\").replace('"', '\\"') for k, v in (("name", target.name), ("namespace", target.namespace or ""))
    }
    return objective.query.replace("{name}", quoted["name"]).replace("{namespace}", quoted["namespace"])


def redis_state_ok(state: RedisState, old_run_id: str | None) -> tuple[bool | None, str]:
    """All answering sentinels agree on a primary that is not the old one, is master, and has a live replica."""
    if not any(not s.error for s in state.sentinels):
        return None, "no sentinel answered"
    primary = state.primary
    if primary is None:
        return False, f"the sentinels name {len(state.primary_addresses)} primaries"
    if primary.error or not primary.info:
        return None, f"the primary {primary.address} did not answer: {primary.error}"
    if primary.role != "master":
        return False, f"{primary.address} says it is {primary.role}"
    if str(primary.info.get("run_id", "")) == old_run_id:
        return False, "the old primary still leads"
    attached = int(primary.info.get("connected_slaves", 0))
    return attached >= 1, f"{primary.address} leads with {attached} replica(s)"


def _ready(pod: dict[str, object]) -> bool:
    status = pod.get("status")
    conditions = status.get("conditions", []) if isinstance(status, dict) else []
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _owner_uids(pod: dict[str, object]) -> set[str]:
    metadata = pod.get("metadata")
    owners = metadata.get("ownerReferences", []) if isinstance(metadata, dict) else []
    return {str(o.get("uid")) for o in owners}


def _uid(pod: dict[str, object]) -> str:
    metadata = pod.get("metadata")
    return str(metadata.get("uid", "")) if isinstance(metadata, dict) else ""


def pods_ok(pods: list[dict[str, object]], proposal: Proposal) -> tuple[bool | None, str]:
    """The old pod is gone and every pod of the same owner (the proposal's generation) is Ready."""
    if any(_uid(p) == proposal.target.uid for p in pods):
        return False, "the old pod is still there"
    siblings = [p for p in pods if proposal.generation and proposal.generation in _owner_uids(p)]
    if not siblings:
        return None, "no pod of the same owner was found"
    ready = sum(_ready(p) for p in siblings)
    return ready == len(siblings), f"{ready} of {len(siblings)} pods of the same owner are ready"
