"""A reader's view over gathered evidence: what detectors and target resolution ask questions of."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict, PrivateAttr

from sre_agent.evidence.change import Change
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.postgres.patroni import SOURCE as PATRONI_SOURCE
from sre_agent.evidence.postgres.patroni import PatroniState
from sre_agent.evidence.postgres.state import LABELS as POSTGRES_LABELS
from sre_agent.evidence.postgres.state import SOURCE as POSTGRES_SOURCE
from sre_agent.evidence.postgres.state import PostgresState, postgres_state
from sre_agent.evidence.redis.cluster_state import SOURCE as CLUSTER_SOURCE
from sre_agent.evidence.redis.cluster_state import RedisClusterState
from sre_agent.evidence.redis.queue_state import SOURCE as QUEUE_SOURCE
from sre_agent.evidence.redis.queue_state import QueueState
from sre_agent.evidence.redis.state import RedisState
from sre_agent.evidence.series import Series
from sre_agent.evidence.source import Scope

T = TypeVar("T")


class EvidenceView(BaseModel):
    """Typed questions over evidence. Every answer comes with the id of the evidence it is from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scope: Scope
    evidence: tuple[Evidence, ...]
    _read: tuple[Scope, tuple[Evidence, ...], dict[object, object]] | None = PrivateAttr(default=None)

    def once(self, read: Callable[[Self], T]) -> T:
        """What `read` makes of this view, made once: dozens of detectors ask the same questions of thousands of objects.

        `read` is a module's function, pure; what it returns is shared, so nobody may change it.
        """
        # INVARIANT: a copy of this view takes the private field along, so what was read counts only for the very scope and
        # evidence that it was read from.
        known = self._read
        if known is None or known[0] is not self.scope or known[1] is not self.evidence:
            known = self._read = (self.scope, self.evidence, {})
        made = known[2]
        if read not in made:
            made[read] = read(self)
        return cast(T, made[read])

    def ok(self, kind: EvidenceKind) -> Iterator[Evidence]:
        """Evidence of a kind that holds data."""
        return (e for e in self.evidence if e.kind is kind and e.status is EvidenceStatus.OK)

    def redis(self) -> Iterator[tuple[str, RedisState]]:
        """(evidence id, state) per Sentinel-managed Redis master seen."""
        seen = (e for e in self.ok(EvidenceKind.REDIS) if e.source not in (CLUSTER_SOURCE, QUEUE_SOURCE))
        return ((e.id, RedisState.model_validate(e.payload)) for e in seen)

    def queues(self) -> Iterator[tuple[str, QueueState]]:
        """(evidence id, state) per BullMQ queue seen."""
        seen = (e for e in self.ok(EvidenceKind.REDIS) if e.source == QUEUE_SOURCE)
        return ((e.id, QueueState.model_validate(e.payload)) for e in seen)

    def redis_clusters(self) -> Iterator[tuple[str, RedisClusterState]]:
        """(evidence id, state) per Redis Cluster seen."""
        seen = (e for e in self.ok(EvidenceKind.REDIS) if e.source == CLUSTER_SOURCE)
        return ((e.id, RedisClusterState.model_validate(e.payload)) for e in seen)

    def patroni(self) -> Iterator[tuple[str, PatroniState]]:
        """(evidence id, state) per PostgreSQL cluster seen through Patroni."""
        seen = (e for e in self.ok(EvidenceKind.POSTGRES) if e.source == PATRONI_SOURCE)
        return ((e.id, PatroniState.model_validate(e.payload)) for e in seen)

    def postgres(self) -> Iterator[tuple[str, PostgresState]]:
        """(evidence id, state) per PostgreSQL instance seen; one that does not say its name has the alert's."""
        named = (v for label in POSTGRES_LABELS for v in sorted(self.scope.incident.label_values(label)))
        name = next(named, self.scope.incident.service.name or "database")
        seen = (e for e in self.ok(EvidenceKind.POSTGRES) if e.source == POSTGRES_SOURCE)
        return ((e.id, postgres_state(e.payload, name, e.observed_at)) for e in seen)

    def objects(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """(evidence id, API object) of one Kubernetes kind; payloads are {"items": [...]}."""
        return iter(self.once(_by_kind).get(kind, ()))

    def series(self, name: str | None = None) -> Iterator[tuple[str, Series]]:
        """(evidence id, series), all or those of one metric name."""
        return ((i, s) for i, s in self.once(_series) if name is None or s.name == name)

    def calls(self) -> Iterator[tuple[str, str, str]]:
        """(evidence id, caller, callee) of the call graph, where one is known."""
        for e in self.ok(EvidenceKind.TOPOLOGY):
            for caller, callee in e.payload.get("calls", ()):
                yield e.id, str(caller), str(callee)

    def changes(self) -> Iterator[tuple[str, Change]]:
        """(evidence id, change) over every change feed."""
        for e in self.ok(EvidenceKind.CHANGES):
            for raw in e.payload:
                yield e.id, Change.model_validate(raw)

    def langfuse(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(evidence id, {"scores": [...], "prompts": [...]})."""
        return ((e.id, e.payload) for e in self.ok(EvidenceKind.LANGFUSE))

    def logs(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(evidence id, {"namespace","pod","container","previous","lines": [...]})."""
        return ((e.id, e.payload) for e in self.ok(EvidenceKind.LOGS))

    def freshest(self, kind: EvidenceKind) -> datetime | None:
        """When the newest evidence of a kind was observed."""
        return max((e.observed_at for e in self.ok(kind)), default=None)


def _by_kind(view: EvidenceView) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for e in view.ok(EvidenceKind.KUBERNETES):
        for item in e.payload.get("items", ()):
            found.setdefault(str(item.get("kind")), []).append((e.id, item))
    return found


def _series(view: EvidenceView) -> tuple[tuple[str, Series], ...]:
    return tuple((e.id, Series.model_validate(raw)) for e in view.ok(EvidenceKind.METRICS) for raw in e.payload)
