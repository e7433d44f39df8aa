"""The world of a recorded case as the probes see it: sick as recorded, and well from the moment the action took effect."""

from collections.abc import Callable
from datetime import datetime

from sre_agent.evidence.redis.state import RedisState
from sre_agent.evidence.series import Series
from sre_agent.incident.alert import AlertStatus
from sre_agent.incident.incident import Incident
from sre_agent.replay.case import Case
from sre_agent.replay.case_shapes import JsonObject
from sre_agent.replay.recorded import RecordedKubernetes, RecordedRedis
from sre_agent.testing.redis_states import primary_view, redis_state
from sre_agent.testing.rooms import MemoryTracker

GOOD, BAD = 0.001, 1e9
"""Levels below and above every objective."""


class World:
    """RedisReader, KubernetesReader and MetricsReader at once."""

    def __init__(self, case: Case, tracker: MemoryTracker) -> None:
        self._case = case
        self._tracker = tracker
        self.well = False

    def heal(self) -> None:
        """The action helped: another primary, new pods, a good level, nothing fires."""
        self.well = True
        self._tracker.put(_resolved(self._case.incident))

    async def read(self, master: str) -> RedisState:
        """The recorded topology, or a healthy one under a primary with another run id."""
        if not self.well:
            return await RecordedRedis(self._case).read(master)
        return redis_state(primary_view(run_id="d" * 40)).model_copy(update={"name": master})

    async def objects(self, kind: str, namespace: str | None) -> list[JsonObject]:
        """The recorded objects; once well, every pod is another one and ready, deployments are rolled out, nodes cordoned."""
        found = await RecordedKubernetes(self._case).objects(kind, namespace)
        heal = _HEALED.get(kind)
        return [heal(item) for item in found] if self.well and heal else found

    async def instant(self, query: str, at: datetime) -> tuple[Series, ...]:
        """One value, good or bad."""
        return (Series(labels={"__name__": "level"}, samples=((at.timestamp(), GOOD if self.well else BAD),)),)


def _resolved(incident: Incident) -> Incident:
    alerts = tuple(alert.model_copy(update={"status": AlertStatus.RESOLVED}) for alert in incident.alerts)
    return incident.model_copy(update={"alerts": alerts})


def _replaced(pod: JsonObject) -> JsonObject:
    metadata = {**pod["metadata"], "uid": f"{pod['metadata'].get('uid', '')}-new"}
    return {**pod, "metadata": metadata, "status": {**pod.get("status", {}), "conditions": [{"type": "Ready", "status": "True"}]}}


def _rolled_out(deployment: JsonObject) -> JsonObject:
    generation, wanted = deployment["metadata"].get("generation", 1) + 1, deployment["spec"].get("replicas", 1)
    status = {"observedGeneration": generation, "replicas": wanted, "updatedReplicas": wanted, "readyReplicas": wanted}
    return {**deployment, "metadata": {**deployment["metadata"], "generation": generation}, "status": status}


def _cordoned(node: JsonObject) -> JsonObject:
    return {**node, "spec": {**node.get("spec", {}), "unschedulable": True}}


_HEALED: dict[str, Callable[[JsonObject], JsonObject]] = {"Pod": _replaced, "Deployment": _rolled_out, "Node": _cordoned}
HEALABLE = frozenset({"RedisMaster", *_HEALED})
"""Kinds of target that this world knows to show in good health."""
