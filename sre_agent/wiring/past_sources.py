"""What is asked about an incident that is over: the live sources that keep history, each at the incident's own time.

SAFETY: a system that only knows its present is not asked, and says so. What it is like today would be taken for what it was.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sre_agent.evidence.change import Change
from sre_agent.evidence.evidence import EvidenceKind
from sre_agent.evidence.source import EvidenceSource, Scope
from sre_agent.incident.errors import Permanent
from sre_agent.replay.history.unkept import Unkept
from sre_agent.settings import Settings
from sre_agent.sources.changes import ChangesSource
from sre_agent.sources.own_alerts import OwnAlertsSource
from sre_agent.wiring.readers import langfuse_source, logs_and_topology, metrics_source

KEPT_CHANGES: Final = timedelta(days=90)
"""How long PagerDuty keeps change events. Source: its knowledge base, "Change Events"."""

_WORKLOADS: Final = frozenset({"pod", "deployment", "statefulset", "daemonset", "node", "container"})
_REDIS: Final = frozenset({"redis_master", "redis_cluster"})
_POSTGRES: Final = frozenset({"postgres", "postgres_cluster", "database", "datname"})


@dataclass(frozen=True)
class FetchedChanges:
    """ChangeFeed over what was fetched before, at the pace of PagerDuty's rate limit and not at a source's deadline."""

    found: tuple[Change, ...] | Permanent

    async def changes(self, incident_id: str, service_id: str, since: datetime, until: datetime) -> tuple[Change, ...]:  # noqa: ARG002
        """What was fetched. Raises Permanent where the feed may not be read."""
        if isinstance(self.found, Permanent):
            raise self.found
        return self.found


def changes_kept(scope: Scope, now: datetime) -> bool:
    """Whether PagerDuty still has the change events of this scope."""
    return now - scope.change_window.start < KEPT_CHANGES


def past_sources(settings: Settings, changes: FetchedChanges | None, problems: tuple[str, ...] = ()) -> tuple[EvidenceSource, ...]:
    """In the order of the live ones (readers.eyes). `changes` None: not kept any more; `problems` as in HistoryEntry."""
    kinds = ((EvidenceKind.ALERT if p.startswith("alerts:") else EvidenceKind.TEXT, p) for p in problems)
    return (*_sources(settings, changes), *(Unkept("pagerduty", kind, problem) for kind, problem in kinds))


def asked(settings: Settings) -> tuple[str, ...]:
    """The systems that are asked besides PagerDuty, by name."""
    return tuple(sorted({s.name for s in _sources(settings, None) if not isinstance(s, Unkept | OwnAlertsSource)}))


def _sources(settings: Settings, changes: FetchedChanges | None) -> Iterator[EvidenceSource]:
    gone = f"PagerDuty keeps change events for {KEPT_CHANGES.days} days; nobody knows what was changed then"
    yield ChangesSource(changes) if changes is not None else Unkept("changes", EvidenceKind.CHANGES, gone)
    metrics = metrics_source(settings, past=True)
    yield from [metrics] if metrics else []
    if settings.alertmanager_url:
        yield Unkept("alertmanager", EvidenceKind.ALERT, "Alertmanager keeps no history")
    yield from logs_and_topology(settings, metrics)
    yield _present("Redis", "redis", EvidenceKind.REDIS, bool(settings.redis_sentinels or settings.redis_cluster_nodes), _REDIS)
    watched = bool(settings.postgres_urls or settings.patroni_urls)
    yield _present("PostgreSQL", "postgres", EvidenceKind.POSTGRES, watched, _POSTGRES)
    here = settings.kubeconfig is not None or "KUBERNETES_SERVICE_HOST" in os.environ
    yield _present("Kubernetes", "kubernetes", EvidenceKind.KUBERNETES, here, _WORKLOADS)
    quality = langfuse_source(settings, past=True)
    yield from [quality] if quality else []
    yield OwnAlertsSource()


def _present(what: str, name: str, kind: EvidenceKind, configured: bool, labels: frozenset[str]) -> Unkept:
    return Unkept(name, kind, f"{what} keeps no history, and nothing was recorded then", configured, labels)
