"""What Kubernetes knows about the alerts' subjects: pods, workloads, network, storage, limits, events, nodes, changes, logs."""

import asyncio
import json
from collections.abc import Awaitable, Iterable
from typing import Any

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.kubernetes.changes import changed
from sre_agent.evidence.kubernetes.groups import CLUSTER_KINDS, DNS_APPS, DNS_KINDS, DNS_NAMESPACE, GROUPS, serves_names
from sre_agent.evidence.kubernetes.scope import Subject, logs_wanted, relevant, subjects
from sre_agent.evidence.kubernetes.state import JsonObject
from sre_agent.evidence.source import Scope
from sre_agent.incident.errors import SreAgentError
from sre_agent.sources.kubernetes_client import LISTED, LOG_LINES, NAME, plural
from sre_agent.sources.kubernetes_client import RIGHTS as RIGHTS
from sre_agent.sources.kubernetes_client import KubernetesCluster as KubernetesCluster

_DNS, _NODE_EVENTS = "DNS server's", "node Events"
MAX_ITEMS = 200
MAX_BYTES = 400_000


class KubernetesSource:
    """EvidenceSource over the objects the alerts' labels name, and the logs of the unhealthy among them."""

    name = "kubernetes"
    kind = EvidenceKind.KUBERNETES

    def __init__(self, cluster: KubernetesCluster) -> None:
        self._cluster = cluster

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """KUBERNETES evidence per namespace and group, LOGS per container worth it, CHANGES that the objects tell of.

        () when no alert names a namespace or a node. A kind that cannot be read is ERROR evidence; when pods cannot, it raises.
        """
        wanted = [s for s in subjects(scope.incident) if all(NAME.match(n) for n in s.names)]
        answers = await asyncio.gather(*(self._about(s, scope) for s in wanted))
        return tuple(e for answer in answers for e in answer)

    async def _about(self, subject: Subject, scope: Scope) -> list[Evidence]:
        asked = self._asked(subject)
        answers = await asyncio.gather(*asked.values(), return_exceptions=True)
        objects: dict[str, list[JsonObject]] = {}
        errors: dict[str, SreAgentError] = {}
        for what, answer in zip(asked, answers, strict=True):
            if isinstance(answer, SreAgentError):
                errors[what] = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                objects[what] = answer
        if "Pod" in errors:
            raise errors["Pod"]
        names = [o for k in DNS_KINDS for o in objects.pop(f"{_DNS} {k}", ()) if serves_names(o)]
        objects["Event"] = [*objects.get("Event", ()), *objects.pop(_NODE_EVENTS, ())]
        found = relevant(subject, objects, scope.now)
        evidence = [e for name, group in GROUPS.items() for e in _evidence(name, group, subject, (found, errors), scope)]
        evidence += [_error(f"{what} for {subject.text}", errors[what], scope) for what in errors if what not in LISTED]
        if names:
            payload = {"items": names, "kinds": []}
            evidence.append(_plain(EvidenceKind.KUBERNETES, "DNS server of the cluster", scope, EvidenceStatus.OK, payload=payload))
        logs = list(await asyncio.gather(*(self._log(*entry, scope) for entry in logs_wanted(subject, found, scope.now))))
        return evidence + logs + _changes(objects, subject, scope)

    def _asked(self, subject: Subject) -> dict[str, Awaitable[list[JsonObject]]]:
        """What is asked for a subject, by what it is called: a kind, or a part of a kind that lives elsewhere."""
        every = [k for group in GROUPS.values() for k in group]
        reader = self._cluster
        if subject.namespace is None:
            # A node alone: its pods wherever they live, and its own events (kept in "default").
            own = f"involvedObject.kind=Node,involvedObject.name={subject.node}"
            return {
                "Pod": reader.select("Pod", None, f"spec.nodeName={subject.node}"),
                "Node": reader.objects("Node", None),
                "Event": reader.select("Event", "default", own),
            }
        asked: dict[str, Awaitable[list[JsonObject]]] = {
            k: reader.objects(k, None if k in CLUSTER_KINDS else subject.namespace) for k in every
        }
        if subject.namespace != "default":
            asked[_NODE_EVENTS] = reader.select("Event", "default", "involvedObject.kind=Node")
        if subject.namespace != DNS_NAMESPACE:
            apps = f"k8s-app in ({','.join(DNS_APPS)})"
            asked |= {f"{_DNS} {k}": reader.select(k, DNS_NAMESPACE, "", apps) for k in ("Pod", "Deployment", "EndpointSlice")}
        return asked

    async def _log(self, namespace: str, pod: str, container: str, previous: bool, scope: Scope) -> Evidence:
        query = f"logs {namespace}/{pod} {container}{' (previous run)' if previous else ''}"
        try:
            lines = (await self._cluster.log(namespace, pod, container, previous=previous)).splitlines()
        except SreAgentError as error:
            return _plain(EvidenceKind.LOGS, query, scope, EvidenceStatus.ERROR, error=str(error))
        payload = {"namespace": namespace, "pod": pod, "container": container, "previous": previous, "lines": lines}
        status = EvidenceStatus.OK if lines else EvidenceStatus.NO_DATA
        return _plain(EvidenceKind.LOGS, query, scope, status, payload=payload, truncated=len(lines) >= LOG_LINES)


def _evidence(
    name: str,
    kinds: Iterable[str],
    subject: Subject,
    answers: tuple[dict[str, list[JsonObject]], dict[str, SreAgentError]],
    scope: Scope,
) -> list[Evidence]:
    """What one group of kinds answered: at most one OK or NO_DATA, and one ERROR per kind that could not be read."""
    found, errors = answers
    query = f"{name} of {subject.text}"
    made = [_error(f"{plural(k)} of {subject.text}", errors[k], scope) for k in kinds if k in errors]
    asked = [k for k in kinds if k not in errors]
    items, cut = _capped([item for k in kinds for item in found.get(k, ())])
    if items:
        made.append(
            _plain(
                EvidenceKind.KUBERNETES, query, scope, EvidenceStatus.OK, payload={"items": items, "kinds": asked}, truncated=cut
            )
        )
    elif not made and name in ("pods", "events"):
        made.append(_plain(EvidenceKind.KUBERNETES, query, scope, EvidenceStatus.NO_DATA, payload={"items": []}))
    return made


def _capped(items: list[JsonObject]) -> tuple[list[JsonObject], bool]:
    """The first items that fit MAX_ITEMS and MAX_BYTES; the most telling come first."""
    kept: list[JsonObject] = []
    size = 0
    for item in items[:MAX_ITEMS]:
        size += len(json.dumps(item))
        if size > MAX_BYTES:
            break
        kept.append(item)
    return kept, len(kept) < len(items)


def _changes(objects: dict[str, list[JsonObject]], subject: Subject, scope: Scope) -> list[Evidence]:
    """What the objects themselves say was changed; nothing when they say nothing: that is no proof that nothing was."""
    told = [c.model_dump(mode="json") for c in changed(objects, scope.change_window)]
    query = f"changes that the objects of {subject.text} tell of"
    window = scope.change_window
    return [_plain(EvidenceKind.CHANGES, query, scope, EvidenceStatus.OK, payload=told, window=window)] if told else []


def _error(query: str, error: SreAgentError, scope: Scope) -> Evidence:
    return _plain(EvidenceKind.KUBERNETES, query, scope, EvidenceStatus.ERROR, error=str(error))


def _plain(kind: EvidenceKind, query: str, scope: Scope, status: EvidenceStatus, **rest: Any) -> Evidence:
    size = len(json.dumps(rest.get("payload"))) if rest.get("payload") else 0
    return Evidence(
        id="", source="kubernetes", kind=kind, query=query, status=status, observed_at=scope.now, size_bytes=size, **rest
    )
