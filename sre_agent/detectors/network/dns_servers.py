"""DNS_SERVER_DOWN: the cluster's DNS server has no ready pod; every name that is asked for fails.

Pure, from API objects alone: its pods, Deployment and endpoints in kube-system.
"""

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.kubernetes.groups import DNS_NAMESPACE, serves_names
from sre_agent.evidence.kubernetes.service_map import living, place
from sre_agent.evidence.kubernetes.state import JsonObject, dig, entries, not_ready_since, ready, text
from sre_agent.evidence.view import EvidenceView


def detect(view: EvidenceView) -> tuple[Finding, ...]:
    """One finding when no pod of the DNS server is ready, and nobody says otherwise; () while any is."""
    pods = [(i, p) for i, p in view.objects("Pod") if serves_names(p) and living(p)]
    makers = [(i, d) for kind in ("Deployment", "DaemonSet") for i, d in view.objects(kind) if serves_names(d)]
    ends = [(i, e) for kind in ("Endpoints", "EndpointSlice") for i, e in view.objects(kind) if serves_names(e)]
    if not (pods or makers) or any(ready(p) for _, p in pods) or any(_answers(e) for _, e in ends):
        return ()
    if not pods and any(_has_ready(m) for _, m in makers):
        return ()
    maker = makers[0][1] if makers else None
    name = place(maker)[1] if maker is not None else "kube-dns"
    kind = text(maker, "kind").lower() or "deployment"
    scaled = dig(maker, "spec", "replicas") == 0
    why = "is set to 0 replicas" if scaled else f"has {len(pods)} pods, and none is ready"
    onsets = [at for _, p in pods if (at := not_ready_since(p)) is not None]
    return (
        Finding(
            kind=FindingKind.DNS_SERVER_DOWN,
            object=f"{kind}/{name.lower()}",
            namespace=DNS_NAMESPACE,
            cause=f"the cluster's DNS server is down: {kind} {name} in {DNS_NAMESPACE} {why}; it should have at least one ready",
            onset=min(onsets, default=None),
            strength=0.9,
            evidence=tuple(dict.fromkeys(i for i, _ in (*makers, *pods, *ends))),
            refuted_by="a name is resolved inside the cluster now",
        ),
    )


def _answers(item: JsonObject) -> bool:
    """Whether Endpoints or a slice hold a ready address."""
    subsets = any(entries(s, "addresses") for s in entries(item, "subsets"))
    return subsets or any(dig(e, "conditions", "ready") is not False for e in entries(item, "endpoints"))


def _has_ready(maker: JsonObject) -> bool:
    counted = (dig(maker, "status", "readyReplicas"), dig(maker, "status", "numberReady"))
    return any(isinstance(n, int) and n > 0 for n in counted)
