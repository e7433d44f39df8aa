"""The world of the histories: places that can be acted on, what is wrong with them, and a journal of what really happened.

The journal is the laws' only witness besides the ledger and the audit chain: one list, one order, written at the
moment a thing happens and by nothing that the laws are about.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import yaml

from sre_agent.evidence.diagnosis import Claim
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.redis.state import NodeView, RedisState, SentinelView
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.facts.assemble import TARGET_FIELDS
from sre_agent.incident.alert import Alert, AlertClass, AlertStatus
from sre_agent.incident.errors import Transient
from sre_agent.incident.incident import Incident, Reference
from sre_agent.incident.target import Target
from sre_agent.investigation.reasoner import Opinion
from sre_agent.policy.facts import FactContext
from sre_agent.runbook.proposal import Proposal
from tests.path.scenes import ROOT

BASES = yaml.safe_load((ROOT / "policies/tests/bases.yaml").read_text())
SUFFIXES = "bcdfg"


@dataclass(frozen=True)
class Place:
    """Something the agent may act on, as its alerts, its findings and its declaration describe it."""

    name: str
    kind: str
    action: str
    service: str
    finding: FindingKind
    namespace: str | None = None
    base: str = "good-restart"


PLACES = (
    Place("cache", "RedisMaster", "redis_failover", "voice-platform", FindingKind.REDIS_PRIMARY_SLOW, base="good-failover"),
    Place("voice-gateway", "Pod", "restart_pod", "voice-platform", FindingKind.POD_CRASH_LOOP, namespace="voice"),
    Place("sales-ws", "Pod", "restart_pod", "sales", FindingKind.POD_NOT_READY, namespace="sales"),
)
INCIDENTS = {"QA": PLACES[0], "QB": PLACES[1], "QC": PLACES[2], "QD": PLACES[1]}
"""Two incidents may be about one place."""


@dataclass
class Lies:
    """What a reasoner says of a place, and what detectors find there besides the truth. Empty: the plain truth."""

    opinion: Opinion = field(default_factory=Opinion)
    confidence: int | None = None
    findings: tuple[tuple[FindingKind, float], ...] = ()
    blind: bool = False
    forged: dict[str, Any] = field(default_factory=dict)
    logs: tuple[str, ...] = ()


@dataclass
class LivePlace:
    """One place as it is now."""

    place: Place
    life: int = 1
    level: float = 0.6
    script: str = "done"
    seen: str = "truth"
    cures: bool = True
    lies: Lies = field(default_factory=Lies)
    flaws: dict[str, Any] = field(default_factory=dict)

    @property
    def target(self) -> Target:
        """The live object: a restarted pod of a Deployment has another name, a failed-over Redis another primary."""
        name, place = self.place.name, self.place
        if name == "voice-gateway":
            name = f"{name}-7d4b9c6f5-x2x4{SUFFIXES[self.life % len(SUFFIXES)]}"
        elif place.kind == "Pod":
            name = f"{name}-0"
        return Target(kind=place.kind, namespace=place.namespace, name=name, uid=f"{place.name}-life-{self.life}")

    @property
    def object(self) -> str:
        """As findings name it."""
        return f"redis/{self.target.name}" if self.place.kind == "RedisMaster" else f"pod/{self.target.name}"

    def redis(self) -> RedisState:
        """As its sentinels and its primary tell it."""
        info = {"role": "master", "run_id": self.target.uid, "connected_slaves": 1}
        told = {"ip": "10.0.0.1", "port": "6379", "runid": self.target.uid}
        return RedisState(
            name="cache",
            sentinels=(SentinelView(address="s1", master=told),),
            nodes=(NodeView(address="10.0.0.1:6379", info=info),),
        )

    def pod(self) -> dict[str, Any]:
        """As the API server tells it."""
        target = self.target
        kind, owner = ("ReplicaSet", "voice-gateway-7d4b9c6f5") if self.place.namespace == "voice" else ("StatefulSet", "sales-ws")
        owners = [{"kind": kind, "name": owner, "uid": f"{owner}-uid", "controller": True}]
        metadata = {"name": target.name, "namespace": target.namespace, "uid": target.uid, "ownerReferences": owners}
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True" if self.level < 0.25 else "False"}]}
        return {"kind": "Pod", "metadata": metadata, "spec": {}, "status": status}


def labels(place: Place) -> dict[str, str]:
    """The labels of an honest infrastructure alert about a place."""
    if place.kind == "RedisMaster":
        where = {"redis_master": place.name}
    else:
        where = {"namespace": place.namespace or "", "deployment" if place.namespace == "voice" else "statefulset": place.name}
    return {"alertname": "Trouble", "alert_type": "infra", **where}


def honest(incident_id: str, now: datetime, **more: Any) -> Incident:
    """An honest infrastructure incident about its place."""
    place = INCIDENTS[incident_id]
    alert = Alert(labels=labels(place), status=AlertStatus.FIRING, starts_at=now)
    service = Reference(id=f"P{place.service}")
    fields = {"id": incident_id, "status": "triggered", "created_at": now, "service": service, "alerts": (alert,)}
    return Incident.model_validate({**fields, **more})


@dataclass(frozen=True)
class Entry:
    """One thing that happened. `what` names it; `told` depends on that (see stage.py for who writes which)."""

    seq: int
    at: datetime
    who: str
    what: str
    told: Any


@dataclass
class World:
    """All places, and the journal."""

    places: dict[str, LivePlace] = field(default_factory=lambda: {p.name: LivePlace(p) for p in PLACES})
    journal: list[Entry] = field(default_factory=list)
    facts_fail: bool = False
    engine_fault: Exception | None = None

    def of(self, incident_id: str) -> LivePlace:
        """The place an incident is about."""
        return self.places[INCIDENTS[incident_id].name]

    def at(self, target: Target) -> LivePlace | None:
        """The place that a target names, dead or alive."""
        return next((v for v in self.places.values() if target.kind == v.place.kind and target.name.startswith(v.place.name)), None)

    def entries(self, *what: str) -> list[Entry]:
        """The journal's entries of some kinds, in order."""
        return [e for e in self.journal if e.what in what]


class PlaceFacts:
    """FactCollector of the target's live state: good but for the place's flaws; raises while `facts_fail`."""

    name = "place"

    def __init__(self, world: World) -> None:
        self._world = world

    async def collect(self, context: FactContext) -> dict[str, object]:
        if self._world.facts_fail:
            raise Transient("the cluster does not answer")
        live = self._world.at(context.proposal.target)
        if live is None:
            return {}
        known = BASES[live.place.base]["facts"].items()
        good = {k: tuple(v) if isinstance(v, list) else v for k, v in known if k in TARGET_FIELDS}
        return {**good, "target_resolved": live.target == context.proposal.target, **live.flaws}


class PlaceReaders:
    """Read-only views of the world for verification: Redis, Kubernetes and metrics in one."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def read(self, master: str) -> RedisState:
        return self._world.places[master].redis()

    async def objects(self, kind: str, namespace: str | None) -> list[dict[str, Any]]:
        return [v.pod() for v in self._world.places.values() if v.place.kind == kind and v.place.namespace == namespace]

    async def instant(self, query: str, at: datetime) -> tuple[Series, ...]:
        level = self._world.places["cache"].level
        return (Series(labels={"__name__": "level"}, samples=((at.timestamp(), level),)),)


class PlaceSource:
    """EvidenceSource over the world: two independent kinds, the change feed, and logs that may say anything."""

    name = "world"
    kind = EvidenceKind.METRICS

    def __init__(self, world: World) -> None:
        self._world = world

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        live = self._world.of(scope.incident.id)

        def seen(kind: EvidenceKind, payload: Any, **more: Any) -> Evidence:
            fields = {"id": "", "source": "world", "query": "now", "status": EvidenceStatus.OK, "observed_at": scope.now}
            return Evidence.model_validate({**fields, "kind": kind, "payload": payload, **more})

        redis = live.place.kind == "RedisMaster"
        state = live.redis().model_dump(mode="json") if redis else {"items": [live.pod()]}
        found = [
            seen(EvidenceKind.METRICS, []),
            seen(EvidenceKind.REDIS if redis else EvidenceKind.KUBERNETES, state),
            seen(EvidenceKind.CHANGES, [], window=scope.change_window),
        ]
        if live.lies.blind:
            found[0] = seen(EvidenceKind.METRICS, None, status=EvidenceStatus.ERROR, error="no answer")
        if live.lies.logs:
            told = {"namespace": "voice", "pod": "p", "container": "c", "previous": False, "lines": list(live.lies.logs)}
            found.append(seen(EvidenceKind.LOGS, told))
        return tuple(found)


def detector(world: World):  # a detector's closure; its module name is what a note would show
    """The one detector of a world: the place's true finding, and whatever lies were scripted."""

    def detect(view: EvidenceView) -> tuple[Finding, ...]:
        live = world.of(view.scope.incident.id)
        cited = tuple(e.id for e in view.evidence[:2])
        found = [(live.place.finding, 0.9), *live.lies.findings] if live.level >= 0.25 else list(live.lies.findings)
        where = {"object": live.object, "namespace": live.place.namespace, "evidence": cited}
        return tuple(Finding(kind=kind, cause=f"{kind.value} seen", strength=strength, **where) for kind, strength in found)

    return detect


def forge(proposal: Proposal | None, live: LivePlace, incident_id: str) -> Proposal | None:
    """A proposal as a lying investigation could hand over: any field changed."""
    if not live.lies.forged:
        return proposal
    what = {"action": live.place.action, "target": live.target, "cause": "pod_crash_loop"}
    made = proposal or Proposal(incident_id=incident_id, runbook="restart-pod", **what)
    changes = dict(live.lies.forged)
    target = {name[7:]: changes.pop(name) for name in [n for n in changes if n.startswith("target.")]}
    return made.model_copy(update={**changes, "target": made.target.model_copy(update=target)})


def wild_confidence(lies: Lies) -> dict[str, Any]:
    """A claim outside of what Opinion would let through."""
    return {} if lies.confidence is None else {"confidence_bp": Claim[int](value=lies.confidence)}


def is_infra(incident: Incident) -> bool:
    """The class gate, written again without the product's triage: every alert says exactly infra."""
    said = [a.labels.get("alert_type") if a.labels_known else None for a in incident.alerts]
    return bool(said) and all(word == AlertClass.INFRA.value for word in said)
