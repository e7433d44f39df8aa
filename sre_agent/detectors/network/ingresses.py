"""INGRESS_BROKEN: an Ingress leads to nothing: its backend Service, that Service's port, its class or certificate is not there.

Pure, from API objects alone; "not there" is said only of a kind that was read whole.
"""

from collections.abc import Iterator

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.service_map import ServiceMap, Told, place
from sre_agent.evidence.kubernetes.state import JsonObject, entries, number, text
from sre_agent.evidence.view import EvidenceView

_CLASS = "kubernetes.io/ingress.class"


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """At most one finding an Ingress: its first fault, with all of them in the cause."""
    ingresses = {place(o): (i, o) for i, o in view.objects("Ingress") if place(o)[1]}
    if not ingresses:
        return ()
    seen = readings.service_map(view)
    classes = {place(c)[1] for _, c in view.objects("IngressClass")}
    secrets = {place(s) for _, s in view.objects("Secret")}
    found = []
    for told in ingresses.values():
        faults = list(_faults(told[1], seen))
        named = text(told[1], "spec", "ingressClassName") or text(told[1], "metadata", "annotations", _CLASS)
        if text(told[1], "spec", "ingressClassName") and seen.knows("IngressClass") and named not in classes:
            faults.append((f"its class {named} does not exist (there are: {', '.join(sorted(classes)[:5])})", None))
        faults += _certificates(told[1], secrets) if seen.knows("Secret") else ()
        if faults:
            found.append(_finding(told, faults, [i for i, _ in view.objects("Service")][:1]))
    return tuple(sorted(found, key=lambda f: (f.namespace or "", f.object)))


def _faults(ingress: JsonObject, seen: ServiceMap) -> Iterator[tuple[str, FindingReason | None]]:
    namespace = place(ingress)[0]
    if not any(ns == namespace for ns, _ in seen.services) and not seen.knows("Service"):
        return
    backends = [b for r in entries(ingress, "spec", "rules") for p in entries(r, "http", "paths") for b in _services(p)]
    backends += _services(
        {"backend": (ingress.get("spec") or {}).get("defaultBackend")} if isinstance(ingress.get("spec"), dict) else {}
    )
    told: set[str] = set()
    for backend in backends:
        name, port_name, port = text(backend, "name"), text(backend, "port", "name"), number(backend, "port", "number")
        key = f"{name}:{port_name or port}"
        if not name or key in told:
            continue
        told.add(key)
        service = seen.services.get((namespace, name))
        if service is None:
            yield f"its backend service {name} does not exist", None
            continue
        if text(service[1], "spec", "type") == "ExternalName":
            continue
        ports = entries(service[1], "spec", "ports")
        if port_name and port_name not in {text(p, "name") for p in ports}:
            yield f"service {name} has no port named {port_name}", FindingReason.PORT_WRONG
        elif port and port not in {number(p, "port") for p in ports}:
            have = ", ".join(str(number(p, "port")) for p in ports[:5])
            yield f"service {name} has no port {port} (it has {have})", FindingReason.PORT_WRONG


def _certificates(ingress: JsonObject, secrets: set[tuple[str, str]]) -> list[tuple[str, FindingReason | None]]:
    """The Secrets it names that do not exist, where Secrets of its namespace were read."""
    namespace = place(ingress)[0]
    names = sorted({text(t, "secretName") for t in entries(ingress, "spec", "tls")} - {""})
    missing = [n for n in names if (namespace, n) not in secrets] if any(ns == namespace for ns, _ in secrets) else []
    return [(f"its certificate's secret {n} does not exist", FindingReason.SECRET_MISSING) for n in missing]


def _services(path: JsonObject) -> list[JsonObject]:
    backend = path.get("backend")
    service = backend.get("service") if isinstance(backend, dict) else None
    return [service] if isinstance(service, dict) else []


def _finding(told: Told, faults: list[tuple[str, FindingReason | None]], services: list[str]) -> Finding:
    namespace, name = place(told[1])
    return Finding(
        kind=FindingKind.INGRESS_BROKEN,
        object=f"ingress/{name.lower()}",
        namespace=namespace or None,
        cause=f"ingress {name} leads to nothing: {'; '.join(what for what, _ in faults)}"[:400],
        reason=faults[0][1],
        strength=0.82,
        evidence=tuple(dict.fromkeys([told[0], *services])),
        refuted_by="a request through the Ingress is answered by the backend",
    )
