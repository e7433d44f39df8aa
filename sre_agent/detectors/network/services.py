"""SERVICE_*: a Service behind which nothing answers: no pod, pods of another label, or a port on which nobody listens.

Pure, from API objects alone. Pods that are there and not ready are the matter themselves: then the Service is their symptom.
"""

from collections.abc import Iterator
from datetime import datetime

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.addresses import addresses, likeness, service_named
from sre_agent.evidence.kubernetes.service_map import (
    Maker,
    ServiceMap,
    Told,
    place,
    ports_of,
    ready_pods,
    selector_of,
    target_of,
)
from sre_agent.evidence.kubernetes.state import NOT_READY_FOR, JsonObject, dig, entries, instant, number, text
from sre_agent.evidence.view import EvidenceView

STRONG, CONTEXT = 0.85, 0.45
MOST, MOST_COMPARED = 30, 300
"""Services without a pod that are judged, and workloads whose labels are compared letter by letter, at most."""
# Its pods may well be ready and listed as endpoints: the port is what is wrong.
_REFUTED = {FindingKind.SERVICE_PORT_MISMATCH: "a call to this port of the Service is answered"}
_PROBES = ("readinessProbe", "livenessProbe", "startupProbe")


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """At most one finding a Service, the strongest first; at most MOST about Services without any pod."""
    seen = readings.service_map(view)
    judged = [(told, seen.pods_of(told[1])) for told in seen.services.values() if _selects(told[1])]
    empty = [told for told, pods in judged if not pods and _unanswered(told[1], seen)]
    wanted = _wanted(seen, view) if empty else set()
    found = [f for told, pods in judged if pods and not _starting(pods, view.scope.now) for f in _with_pods(told, pods, seen)]
    found += [_without_pods(told, seen, place(told[1]) in wanted) for told in empty[:MOST]]
    return tuple(sorted(found, key=lambda f: (-f.strength, f.namespace or "", f.object)))


def _selects(service: JsonObject) -> bool:
    return bool(selector_of(service)) and text(service, "spec", "type") != "ExternalName"


def _unanswered(service: JsonObject, seen: ServiceMap) -> bool:
    """Whether a Service without a pod in view has none in truth: its endpoints say so, or every pod is in view."""
    backends = seen.backends(service)
    return seen.whole if backends is None else not backends.ready and not backends.waiting


def _with_pods(told: Told, pods: list[Told], seen: ServiceMap) -> Iterator[Finding]:
    up, backends = ready_pods(pods), seen.backends(told[1])
    name = place(told[1])[1]
    if up:
        yield from _ports(told, up, seen)
    elif backends is None or not backends.ready:
        names = ", ".join(sorted(text(p, "metadata", "name") for _, p in pods)[:3])
        cause = f"service {name} has no ready endpoint: none of its pods is ready ({len(pods)}: {names})"
        yield _finding(FindingKind.SERVICE_NO_ENDPOINTS, told, cause, CONTEXT, _cited(told, seen, pods[:3]))


def _starting(pods: list[Told], now: datetime) -> bool:
    """Whether all pods are so young that none can be ready yet."""
    made = [instant(dig(p, "metadata", "creationTimestamp")) for _, p in pods]
    return all(at is not None and now - at < NOT_READY_FOR for at in made)


def _without_pods(told: Told, seen: ServiceMap, wanted: bool) -> Finding:
    """The Service takes no pod at all: nobody makes one, or those that are made are called differently."""
    namespace, name = place(told[1])
    selector = ",".join(f"{k}={v}" for k, v in selector_of(told[1]).items())
    if makers := seen.workloads_of(told[1]):
        kind, maker = text(makers[0][1], "kind").lower(), place(makers[0][1])[1]
        why = "is set to 0 replicas" if dig(makers[0][1], "spec", "replicas") == 0 else "has no pods"
        cause = f"service {name} has no endpoint: {kind} {maker}, which it selects, {why}"
        return _finding(FindingKind.SERVICE_NO_ENDPOINTS, told, cause, CONTEXT, _cited(told, seen, makers[:1]))
    if (near := _near(told[1], seen)) is not None:
        what = f"{text(near.told[1], 'kind').lower()} {near.name}"
        carried = ",".join(f"{k}={near.labels[k]}" for k in selector_of(told[1]) if k in near.labels) or "none of these labels"
        cause = f"service {name} selects {selector}, but the pods of {what} carry {carried}: it has no endpoint"
        served = not wanted and _served_otherwise(told, near, seen)
        strength = CONTEXT if served else STRONG
        return _finding(FindingKind.SERVICE_SELECTOR_MISMATCH, told, cause, strength, _cited(told, seen, [near.told]))
    cause = f"service {name} selects {selector}, and no pod or workload in namespace {namespace} carries that: it has no endpoint"
    return _finding(FindingKind.SERVICE_NO_ENDPOINTS, told, cause, 0.8 if wanted else CONTEXT, _cited(told, seen, []))


def _near(service: JsonObject, seen: ServiceMap) -> Maker | None:
    """The workload (or lone pod) whose labels miss the selector by one pair, or that is called like the Service."""
    namespace, name = place(service)
    selector = selector_of(service)
    candidates = seen.makers(namespace)
    best: tuple[float, Maker] | None = None
    for maker in candidates:
        missed = [k for k, v in selector.items() if maker.labels.get(k) != v]
        shared, same_name = len(selector) - len(missed), maker.name == name
        if not (same_name or (len(missed) == 1 and (shared or len(candidates) <= MOST_COMPARED))):
            continue
        slips = [likeness(selector[k], maker.labels[k]) for k in missed if k in maker.labels]
        if not (same_name or shared or any(slips)):
            continue
        score = shared + 2.0 * same_name + sum(slips) + likeness(name, maker.name)
        if best is None or score > best[0]:
            best = score, maker
    return None if best is None else best[1]


def _served_otherwise(told: Told, maker: Maker, seen: ServiceMap) -> bool:
    """Whether another Service takes the maker's pods: then nobody may miss this one (for replicas, for a preview)."""
    mine = place(told[1])
    others = (s for key, (_, s) in seen.services.items() if key != mine and key[0] == mine[0])
    return any((wanted := selector_of(s)) and wanted.items() <= maker.labels.items() for s in others)


def _ports(told: Told, pods: list[Told], seen: ServiceMap) -> Iterator[Finding]:
    """Target ports that none of the pods has. A number counts only where the pods declare ports and nothing else names it."""
    ports = [p for p in entries(told[1], "spec", "ports") if text(p, "protocol") in ("", "TCP")]
    declared = {pair for _, p in pods for pair in ports_of(p)}
    if not pods or not declared or text(told[1], "spec", "clusterIP") == "None":
        return
    names, numbers = {n for n, _ in declared}, {n for _, n in declared}
    missed = [p for p in ports if not _listens(target_of(p), names, numbers, pods)]
    if not missed:
        return
    target = target_of(missed[0])
    listed = ", ".join(sorted(f"{n} ({name})" if name else str(n) for name, n in declared)[:6])
    kind = "port named " if isinstance(target, str) else "port "
    cause = (
        f"service {place(told[1])[1]} sends port {number(missed[0], 'port')} to the pods' {kind}{target}, "
        f"on which they do not listen: they have {listed}"
    )
    # One port of several may be open without being declared; a name that nobody has cannot be.
    strength = STRONG if isinstance(target, str) else 0.75 if len(missed) == len(ports) else CONTEXT
    yield _finding(FindingKind.SERVICE_PORT_MISMATCH, told, cause, strength, _cited(told, seen, pods[:1]), FindingReason.PORT_WRONG)


def _listens(target: str | int, names: set[str], numbers: set[int], pods: list[Told]) -> bool:
    if isinstance(target, str):
        return target in names
    return target in numbers or any(_names_port(pod, target) for _, pod in pods[:3])


def _names_port(pod: JsonObject, port: int) -> bool:
    """Whether a probe, an argument or a variable of a container speaks of this port: it may listen there undeclared."""
    wanted = str(port)
    for container in entries(pod, "spec", "containers"):
        probes = [dig(container, p, how, "port") for p in _PROBES for how in ("httpGet", "tcpSocket", "grpc")]
        words = [v for part in ("args", "command") for v in (dig(container, part) or []) if isinstance(v, str)]
        words += [text(e, "value") for e in entries(container, "env") if "port" in text(e, "name").lower()]
        if port in probes or any(wanted in w[:300].replace("=", ":").split(":") or w == wanted for w in words):
            return True
    return False


def _wanted(seen: ServiceMap, view: EvidenceView) -> set[tuple[str, str]]:
    """The Services that somebody needs: by an Ingress, by a pod's settings, by the call graph, or by the alert's labels."""
    wanted: set[tuple[str, str]] = set()
    for _, ingress in view.objects("Ingress"):
        rules = [p for r in entries(ingress, "spec", "rules") for p in entries(r, "http", "paths")]
        names = [text(p, "backend", "service", "name") for p in rules] + [
            text(ingress, "spec", "defaultBackend", "service", "name")
        ]
        wanted |= {(place(ingress)[0], n) for n in names if n}
    configs: dict[str, dict[str, JsonObject]] = {}
    for _, config in view.objects("ConfigMap"):
        configs.setdefault(place(config)[0], {})[place(config)[1]] = config
    asked = {(ns, a.host) for (ns, _), (_, pod) in seen.pods.items() for a in addresses(dig(pod, "spec"), configs.get(ns, {}))}
    wanted |= {s for namespace, host in asked if (s := service_named(host, namespace, seen.services)) is not None}
    called = {callee for _, _, callee in view.calls()} | view.scope.incident.label_values("service")
    return wanted | {key for key in seen.services if key[1] in called}


def _cited(told: Told, seen: ServiceMap, others: list[Told]) -> tuple[str, ...]:
    backends = seen.backends(told[1])
    return tuple(dict.fromkeys((told[0], *(backends.evidence if backends else ()), *(i for i, _ in others))))


def _finding(
    kind: FindingKind, told: Told, cause: str, strength: float, cited: tuple[str, ...], reason: FindingReason | None = None
) -> Finding:
    namespace, name = place(told[1])
    return Finding(
        kind=kind,
        object=f"service/{name.lower()}",
        namespace=namespace or None,
        cause=cause[:400],
        reason=reason,
        strength=strength,
        evidence=cited,
        refuted_by=_REFUTED.get(kind, "the Service has ready endpoints, or a call to it is answered"),
    )
