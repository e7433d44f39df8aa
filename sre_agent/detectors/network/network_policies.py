"""NETWORK_POLICY_DENIES: a NetworkPolicy lets nothing through where calls are expected.

Pure, from API objects alone. Expected is what settings, the call graph and Ingresses imply, and that names are asked for.
That a policy denies it is measured; that it hurts is not, unless a pod at one end is in trouble or the policy came after
the pods. Without either it stays context.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.kubernetes import readings
from sre_agent.evidence.kubernetes.addresses import addresses, service_named
from sre_agent.evidence.kubernetes.groups import DNS_NAMESPACE
from sre_agent.evidence.kubernetes.network_rules import Direction, Policies, Way
from sre_agent.evidence.kubernetes.node_surroundings import owner_key
from sre_agent.evidence.kubernetes.service_map import ServiceMap, Told, place, ports_of, target_of
from sre_agent.evidence.kubernetes.state import JsonObject, dig, entries, instant, number, ready, text
from sre_agent.evidence.view import EvidenceView

HURTS, CONTEXT = 0.82, 0.45
LATER = timedelta(minutes=2)
MOST_WAYS = 2_000
_DNS_POD: JsonObject = {"kind": "Pod", "metadata": {"name": "dns", "namespace": DNS_NAMESPACE, "labels": {"k8s-app": "kube-dns"}}}

Denied = tuple[Told, list[str], str, bool]
"""(policy, evidence of the ends, what it denies, whether that hurts)."""
Crowd = dict[tuple[str, str, str], list[JsonObject]]
"""The living pods of each workload."""


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """One finding a policy, with all that it denies; the strongest first."""
    policies = {place(p): (i, p) for i, p in view.objects("NetworkPolicy") if place(p)[1]}
    if not policies:
        return ()
    seen = readings.service_map(view)
    found: dict[tuple[str, str], list[Denied]] = {}
    for denied in _denied(seen, policies, view):
        found.setdefault(place(denied[0][1]), []).append(denied)
    return tuple(sorted((_finding(each) for each in found.values()), key=lambda f: (-f.strength, f.namespace or "", f.object)))


def _denied(seen: ServiceMap, policies: dict[tuple[str, str], Told], view: EvidenceView) -> Iterator[Denied]:
    rules = Policies([p for _, p in policies.values()], {place(n)[1]: n for _, n in view.objects("Namespace")})
    crowd = _crowd(seen)
    talkers: set[tuple[str, str, str]] = set()
    for caller, callee, port, name in _ways(seen, crowd, view):
        talkers.add(owner_key(caller[1]))
        blame = rules.denying(Way(caller[1], callee[1], port))
        if blame:
            what = f"{_called(caller)} cannot reach {name}{f' on port {port}' if port else ''}"
            policy = _blamed(blame)
            hurts = _hurts(policy, (caller, callee), crowd, view)
            yield policies[place(policy)], [caller[0], callee[0]], what, hurts
    for owner, pods in crowd.items():
        # The classic: everything that is needed is let out, but the question for its name is not.
        if rules.isolating(pods[0], Direction.EGRESS) and (blame := rules.denying(Way(pods[0], _DNS_POD, 53, "UDP"))):
            policy, caller = _blamed(blame), seen.pods[place(pods[0])]
            hurts = _hurts(policy, (caller,), crowd, view)
            # What calls nobody, as far as one can see, may well have been cut off on purpose.
            if hurts or owner in talkers:
                what = f"{_called(caller)} cannot ask for names (no way out to DNS, port 53)"
                yield policies[place(policy)], [caller[0]], what, hurts
    for i, ingress, pod in _closed_to_ingress(seen, rules, view):
        policy = _blamed(rules.isolating(pod[1], Direction.INGRESS))
        yield policies[place(policy)], [i, pod[0]], f"{ingress} cannot reach {_called(pod)}", _hurts(policy, (pod,), crowd, view)


def _crowd(seen: ServiceMap) -> Crowd:
    found: Crowd = {}
    for _, pod in seen.pods.values():
        found.setdefault(owner_key(pod), []).append(pod)
    return found


def _ways(seen: ServiceMap, crowd: Crowd, view: EvidenceView) -> Iterator[tuple[Told, Told, int, str]]:
    """(caller, callee, port on the callee, Service): what settings and the call graph let one expect."""
    configs: dict[str, dict[str, JsonObject]] = {}
    for _, config in view.objects("ConfigMap"):
        configs.setdefault(place(config)[0], {})[place(config)[1]] = config
    calls: dict[str, set[str]] = {}
    for _, caller_name, callee_name in view.calls():
        calls.setdefault(caller_name, set()).add(callee_name)
    told = 0
    for (namespace, _, owner), pods_of_it in crowd.items():
        caller = seen.pods[place(pods_of_it[0])]
        named = [
            (service_named(a.host, namespace, seen.services), a.port)
            for a in addresses(dig(caller[1], "spec"), configs.get(namespace, {}))
        ]
        named += [((namespace, n), 0) for n in calls.get(owner, ()) if (namespace, n) in seen.services]
        for key, port in dict.fromkeys(named):
            pods = seen.pods_of(seen.services[key][1]) if key is not None else []
            itself = bool(pods) and owner_key(pods[0][1]) == owner_key(caller[1])
            if key is None or not pods or itself or told >= MOST_WAYS:
                continue
            told += 1
            yield caller, pods[0], _on_the_pod(seen.services[key][1], pods[0][1], port), key[1]


def _on_the_pod(service: JsonObject, pod: JsonObject, port: int) -> int:
    """The pod's port behind a Service's; with one port alone that one; 0 when it cannot be told."""
    ports = entries(service, "spec", "ports")
    mine = [p for p in ports if number(p, "port") == port] or (list(ports) if len(ports) == 1 else [])
    if not mine:
        return 0
    target = target_of(mine[0])
    return next((n for name, n in ports_of(pod) if name == target), 0) if isinstance(target, str) else target


def _closed_to_ingress(seen: ServiceMap, rules: Policies, view: EvidenceView) -> Iterator[tuple[str, str, Told]]:
    """(evidence, Ingress, pod) where nothing from outside the namespace may reach a pod behind an Ingress."""
    for i, ingress in view.objects("Ingress"):
        for rule in entries(ingress, "spec", "rules"):
            for path in entries(rule, "http", "paths"):
                service = seen.services.get((place(ingress)[0], text(path, "backend", "service", "name")))
                pods = seen.pods_of(service[1]) if service else []
                if pods and not rules.lets_strangers_in(pods[0][1]):
                    yield i, f"ingress {place(ingress)[1]}", pods[0]


def _blamed(policies: list[JsonObject]) -> JsonObject:
    """Of the policies that isolate together, the newest: before it came, the others were lived with."""
    return max(policies, key=lambda p: (text(p, "metadata", "creationTimestamp"), place(p)))


def _hurts(policy: JsonObject, ends: Iterable[Told], crowd: Crowd, view: EvidenceView) -> bool:
    """Whether a pod at an end is in trouble or not ready, or the policy came after the pods that it cuts off."""
    pods = [p for _, end in ends for p in crowd[owner_key(end)]]
    made = instant(dig(policy, "metadata", "creationTimestamp"))
    began = [at for p in pods if (at := instant(dig(p, "metadata", "creationTimestamp"))) is not None]
    later = made is not None and len(began) > 0 and made > min(began) + LATER
    return later or any(readings.trouble_of(p, view) is not None or not ready(p) for p in pods)


def _called(told: Told) -> str:
    _, kind, name = owner_key(told[1])
    return f"{kind.lower()} {name}"


def _finding(denied: list[Denied]) -> Finding:
    policy = denied[0][0]
    namespace, name = place(policy[1])
    what = "; ".join(dict.fromkeys(d[2] for d in denied))
    return Finding(
        kind=FindingKind.NETWORK_POLICY_DENIES,
        object=f"networkpolicy/{name.lower()}",
        namespace=namespace or None,
        cause=f"network policy {name} lets nothing through where calls are expected: {what}"[:400],
        onset=instant(dig(policy[1], "metadata", "creationTimestamp")),
        strength=HURTS if any(d[3] for d in denied) else CONTEXT,
        evidence=tuple(dict.fromkeys([policy[0], *(i for d in denied for i in d[1])])),
        refuted_by="the same call succeeds while the policy is there, or the cluster's network does not enforce policies",
    )
