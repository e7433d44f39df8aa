"""DEPENDENCY_ADDRESS_WRONG: settings or lookups name a host or port to which nothing here answers, and something near does.

Pure. From pods' settings and Services together it is measured that the two differ; that the setting is used is not, so it is
of class UNKNOWN. A name that was asked for in vain, as a log says, counts only when a Service is called nearly so.
"""

import re
from collections.abc import Iterator

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.addresses import Address, addresses, inside, nearest, service_named
from sre_agent.evidence.kubernetes.node_surroundings import owner_key
from sre_agent.evidence.kubernetes.service_map import ServiceMap, Told, place
from sre_agent.evidence.kubernetes.state import JsonObject, dig, entries, number, ready, text
from sre_agent.evidence.view import EvidenceView

WRONG, CONTEXT = 0.6, 0.45
MOST_CHECKED, LAST, LONGEST = 500, 500, 400
_ASKED = re.compile(
    r"(?:lookup|ENOTFOUND|EAI_AGAIN|translate host name|resolve(?: host(?:name)?)?:?|UnknownHostException:|host:|host=)"
    r" ?[\"']?([a-z][a-z0-9-]{0,62}(?:\.[a-z0-9-]{1,63}){0,6})",
    re.IGNORECASE,
)
_IN_VAIN = (
    "no such host",
    "enotfound",
    "eai_again",
    "name or service not known",
    "temporary failure in name",
    "unknownhost",
    "not resolve",
    "nxdomain",
    "translate host name",
)


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """One finding per workload and wrong address; per address in a log what the settings did not already tell."""
    seen = readings.service_map(view)
    if not seen.services:
        return ()
    found: dict[tuple[str, str], Finding] = {}
    for finding in (*_from_settings(seen, view), *_from_lookups(seen, view)):
        found.setdefault((finding.object, finding.namespace or ""), finding)
    return tuple(sorted(found.values(), key=lambda f: (-f.strength, f.namespace or "", f.object)))


def _from_settings(seen: ServiceMap, view: EvidenceView) -> Iterator[Finding]:
    configs: dict[str, dict[str, JsonObject]] = {}
    for _, config in view.objects("ConfigMap"):
        configs.setdefault(place(config)[0], {})[place(config)[1]] = config
    owners: dict[tuple[str, str, str], Told] = {}
    for told in seen.pods.values():
        owner = owner_key(told[1])
        if owner not in owners or _sick(told[1], view):
            owners[owner] = told
    known: dict[str, list[str]] = {}
    for namespace, name in seen.services:
        known.setdefault(namespace, []).append(name)
    for (namespace, kind, name), told in list(owners.items())[:MOST_CHECKED]:
        if namespace not in known:
            continue
        spec = dig(told[1], "spec")
        local = {h for alias in entries(spec, "hostAliases") for h in alias.get("hostnames") or () if isinstance(h, str)}
        for address in addresses(spec, configs.get(namespace, {})):
            if address.host not in local:
                wrong = _judged(address, namespace, known[namespace], seen)
                # What names its own Service tells where it listens, not whom it calls.
                if wrong is not None and all(p is not told[1] for _, p in seen.pods_of(wrong[2][1])):
                    yield _finding(wrong, (f"{kind} {name}".lower(), namespace), told, _sick(told[1], view))


def _sick(pod: JsonObject, view: EvidenceView) -> bool:
    return readings.trouble_of(pod, view) is not None or not ready(pod)


def _judged(address: Address, namespace: str, known: list[str], seen: ServiceMap) -> tuple[str, str, Told, FindingReason] | None:
    """(object, what is wrong, the Service it should be, reason); None for an address that may be right."""
    key = service_named(address.host, namespace, seen.services)
    if key is not None:
        service = seen.services[key]
        ports = {number(p, "port") for p in entries(service[1], "spec", "ports")}
        plain = text(service[1], "spec", "type") != "ExternalName" and text(service[1], "spec", "clusterIP") != "None"
        if not plain or not address.port or not ports or address.port in ports:
            return None
        have = ", ".join(map(str, sorted(ports)[:5]))
        what = f"{address.variable} names {address.host}:{address.port}, but service {key[1]} has port {have}"
        return f"service/{key[1]}", what, service, FindingReason.PORT_WRONG
    short = inside(address.host, namespace)
    near = nearest(short, known) if short is not None else None
    if near is None or short is None:
        return None
    what = f"{address.variable} names {address.host}, but there is no service {short} here; there is {near}"
    return f"app/{short}", what, seen.services[(namespace, near)], FindingReason.NAME_NOT_FOUND


def _from_lookups(seen: ServiceMap, view: EvidenceView) -> Iterator[Finding]:
    """Names that logs say cannot be resolved, and that are nearly those of a Service."""
    for evidence_id, log in view.logs():
        lines = log.get("lines")
        namespace = str(log.get("namespace") or "")
        known = [name for ns, name in seen.services if ns == namespace]
        if not known or not isinstance(lines, list | tuple):
            continue
        told: set[str] = set()
        for line in (x[:LONGEST] for x in lines[-LAST:] if isinstance(x, str)):
            lower = line.lower()
            if not any(w in lower for w in _IN_VAIN):
                continue
            short = next((s for m in _ASKED.finditer(line) if (s := inside(m[1].lower(), namespace)) is not None), None)
            if short is None or short in told:
                continue
            told.add(short)
            if short in known:
                yield from _outside(seen.services[(namespace, short)], (evidence_id, log), namespace)
                continue
            if (near := nearest(short, known)) is not None:
                what = f"{log.get('pod')} asks for {short} in vain, as its log says; there is no such service here, there is {near}"
                service = seen.services[(namespace, near)]
                wrong = (f"app/{short}", what, service, FindingReason.NAME_NOT_FOUND)
                yield _finding(wrong, ("", namespace), (evidence_id, {}), sick=True)


def _outside(service: Told, log: Told, namespace: str) -> Iterator[Finding]:
    """A name that is here and still is not found: that of a Service which only stands for a name elsewhere."""
    outside, name = text(service[1], "spec", "externalName")[:253], place(service[1])[1]
    if text(service[1], "spec", "type") == "ExternalName" and outside:
        what = f"service {name} stands for {outside}, and {log[1].get('pod')} cannot resolve it, as its log says"
        yield _finding((f"service/{name}", what, service, FindingReason.NAME_NOT_FOUND), ("", namespace), log, sick=True)


def _finding(wrong: tuple[str, str, Told, FindingReason], caller: tuple[str, str], told: Told, sick: bool) -> Finding:
    thing, what, service, reason = wrong
    who, namespace = caller
    return Finding(
        kind=FindingKind.DEPENDENCY_ADDRESS_WRONG,
        object=thing.lower(),
        namespace=namespace or None,
        cause=f"{f'{who}: ' if who else ''}{what}"[:400],
        reason=reason,
        strength=WRONG if sick else CONTEXT,
        evidence=tuple(dict.fromkeys((told[0], service[0]))),
        refuted_by="the setting is not used, or the name is resolved and the port answers",
    )
