"""Which finding is a symptom of which: the relation that ranking rests on. Pure.

SAFETY: to be explained only ever takes a proposal away from a finding. So a symptom may be hidden by what its own environment
names, but what only text says explains nothing that was measured (rank.py).
"""

from collections.abc import Mapping, Sequence

from sre_agent.evidence.finding import Finding, FindingKind
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes.neighbours import Key, Neighbours

K = FindingKind
# For one object, an earlier kind explains a later one: full memory makes a primary slow; a bad config makes a
# crash loop. SAFETY: this keeps a failover from being proposed for memory or load, and a restart for bad config.
_LADDERS: tuple[tuple[FindingKind, ...], ...] = (
    (
        K.REDIS_MEMORY_FULL,
        K.REDIS_EVICTING,
        K.REDIS_CLIENTS_FULL,
        K.REDIS_PERSISTENCE_FAILING,
        K.REDIS_OVERLOADED,
        K.REDIS_CLIENTS_BLOCKED,
        K.REDIS_PRIMARY_DOWN,
        K.REDIS_PRIMARY_SLOW,
        K.REDIS_REPLICATION_BROKEN,
    ),
    (K.REDIS_CLUSTER_INCOMPLETE, K.REDIS_CLUSTER_PRIMARY_SLOW),
    (
        K.POSTGRES_WAL_RETAINED,
        K.POSTGRES_DISK_FULL,
        K.POSTGRES_DOWN,
        K.POSTGRES_READ_ONLY,
        K.POSTGRES_LOCKED,
        K.POSTGRES_LONG_TRANSACTION,
        K.POSTGRES_CONNECTIONS_FULL,
        K.POSTGRES_IO_SATURATED,
        K.POSTGRES_SLOW_QUERIES,
        K.POSTGRES_PRIMARY_SICK,
    ),
    (
        K.POD_EVICTED,
        K.POD_IMAGE_PULL_FAILED,
        K.POD_VOLUME_FAILED,
        K.POD_BAD_CONFIG,
        K.POD_OOM_KILLED,
        K.POD_INIT_FAILED,
        K.POD_CRASH_LOOP,
        K.POD_PROBE_FAILING,
        K.POD_MEMORY_GROWS,
        K.POD_CPU_THROTTLED,
        K.POD_NOT_READY,
    ),
    (K.WORKLOAD_SCALED_TO_ZERO, K.POD_CREATION_REFUSED, K.ROLLOUT_REGRESSION, K.ROLLOUT_STUCK, K.DEPLOYMENT_DEGRADED),
    (K.SERVICE_SELECTOR_MISMATCH, K.SERVICE_PORT_MISMATCH, K.SERVICE_NO_ENDPOINTS, K.DEPENDENCY_REFUSES, K.DEPENDENCY_DOWN),
    (K.NODE_NOT_READY, K.NODE_PRESSURE, K.NODE_FULL, K.NODE_CORDONED),
    (K.PROMPT_REGRESSION, K.PROMPT_CHANGED, K.SCORE_FELL, K.TOKEN_SPIKE, K.COST_SPIKE),
    (K.MODEL_CHANGED, K.MODEL_PROVIDER_ERRORS, K.TOKEN_SPIKE, K.COST_SPIKE),
    (K.TOOL_RATE_LIMITED, K.TOOL_ERRORS, K.TOOL_SLOW),
)
_NODE = (K.NODE_NOT_READY, K.NODE_PRESSURE, K.NODE_FAILING_PODS)
_OF_A_NODE = (K.POD_OOM_KILLED, K.POD_CRASH_LOOP, K.POD_INIT_FAILED, K.POD_NOT_READY, K.POD_EVICTED)
# Which nodes leave a pod without a place, and what the scheduler then says.
_NO_ROOM = {
    K.NODE_NOT_READY: (R.KUBELET_SILENT,),
    K.NODE_PRESSURE: (R.MEMORY_PRESSURE, R.DISK_PRESSURE, R.PID_PRESSURE),
    K.NODE_CORDONED: (R.NODES_CORDONED,),
    K.NODE_FULL: (R.PODS_FULL,),
}
_STORE = (
    K.REDIS_MEMORY_FULL,
    K.REDIS_CLIENTS_FULL,
    K.REDIS_PERSISTENCE_FAILING,
    K.REDIS_OVERLOADED,
    K.REDIS_PRIMARY_DOWN,
    K.REDIS_PRIMARY_SLOW,
    K.POSTGRES_DISK_FULL,
    K.POSTGRES_DOWN,
    K.POSTGRES_READ_ONLY,
    K.POSTGRES_LOCKED,
    K.POSTGRES_CONNECTIONS_FULL,
)
# More replicas of a service that waits for a sick store only ask it for more.
_OF_A_STORE = (K.POD_CRASH_LOOP, K.POD_INIT_FAILED, K.POD_NOT_READY, K.DEPLOYMENT_DEGRADED, K.DEPLOYMENT_SATURATED)
_OF_A_DEPLOYMENT = {
    K.DEPLOYMENT_DEGRADED: (K.POD_NOT_READY,),
    K.ROLLOUT_REGRESSION: (K.POD_OOM_KILLED, K.POD_CRASH_LOOP, K.POD_INIT_FAILED, K.POD_NOT_READY),
}
_POD_FAULTS = frozenset(
    {
        K.POD_IMAGE_PULL_FAILED, K.POD_BAD_CONFIG, K.POD_OOM_KILLED, K.POD_CRASH_LOOP, K.POD_NOT_READY, K.POD_UNSCHEDULABLE,
        K.POD_PROBE_FAILING, K.POD_INIT_FAILED, K.POD_EVICTED, K.POD_VOLUME_FAILED, K.POD_CREATION_REFUSED, K.CLAIM_UNBOUND,
        K.WORKLOAD_SCALED_TO_ZERO,
    }
)  # fmt: skip
# What shows that the pods behind it are in trouble, and says nothing of its own.
_OF_ITS_PODS = frozenset({K.ROLLOUT_STUCK, K.SERVICE_NO_ENDPOINTS, K.AUTOSCALER_BLIND, K.DISRUPTION_BUDGET_BLOCKS})
_OF_QUALITY = frozenset(
    {K.PROMPT_REGRESSION, K.PROMPT_CHANGED, K.MODEL_CHANGED, K.MODEL_PROVIDER_ERRORS, K.TOOL_ERRORS, K.TOOL_RATE_LIMITED}
)
_CALLEE_FAULTS = _POD_FAULTS | {
    K.SERVICE_SELECTOR_MISMATCH, K.SERVICE_PORT_MISMATCH, K.SERVICE_NO_ENDPOINTS, K.NETWORK_POLICY_DENIES, K.ROLLOUT_STUCK,
}  # fmt: skip
_CALLER_SYMPTOMS = frozenset({K.POD_CRASH_LOOP, K.POD_NOT_READY, K.POD_INIT_FAILED, K.POD_PROBE_FAILING, K.DEPLOYMENT_DEGRADED})
STRONG = 0.5
"""A weaker finding than this explains nothing in another object."""

FindingKey = tuple[FindingKind, str, str | None]


def key(finding: Finding) -> FindingKey:
    """What makes two findings the same one."""
    return finding.kind, finding.object, finding.namespace


def symptoms(findings: Sequence[Finding], near: Neighbours, text_only: frozenset[FindingKey]) -> dict[FindingKey, set[FindingKey]]:
    """Per finding, the keys of those that it explains. Those that would explain each other in a ring explain nothing of it:
    who began is unknown, and somebody must stay a cause."""
    found = {
        key(a): {
            key(b)
            for b in findings
            if key(a) != key(b) and (key(a) not in text_only or key(b) in text_only) and _explains(a, b, near)
        }
        for a in findings
    }
    beneath = {a: _reached(a, found) for a in found}
    return {a: {b for b in each if a not in beneath[b]} for a, each in found.items()}


def _reached(start: FindingKey, found: Mapping[FindingKey, set[FindingKey]]) -> set[FindingKey]:
    """Everything that a finding explains, directly or through others."""
    seen: set[FindingKey] = set()
    waiting = list(found[start])
    while waiting:
        at = waiting.pop()
        if at not in seen:
            seen.add(at)
            waiting += found[at]
    return seen


def _explains(a: Finding, b: Finding, near: Neighbours) -> bool:
    """True when `b` is a symptom of `a`."""
    if (a.object, a.namespace) == (b.object, b.namespace):
        return any(a.kind in rungs and b.kind in rungs and rungs.index(a.kind) < rungs.index(b.kind) for rungs in _LADDERS)
    others = (
        _by_node(a, b, near)
        or _by_owner(a, b, near)
        or _of_its_own_pod(a, b, near)
        or _by_store(a, b, near)
        or _by_call(a, b, near)
    )
    return others or _by_network(a, b, near) or _by_quality(a, b)


def _at(finding: Finding) -> Key:
    return finding.namespace or "", finding.object


def _by_node(a: Finding, b: Finding, near: Neighbours) -> bool:
    if a.kind in _NODE and b.kind in _OF_A_NODE:
        return near.nodes.get(_at(b)) == a.object.partition("/")[2]
    if a.kind is K.NODE_NOT_READY and b.kind is K.DELETION_STUCK:
        return b.reason is R.KUBELET_SILENT
    return b.kind is K.POD_UNSCHEDULABLE and b.reason in _NO_ROOM.get(a.kind, ()) and a.strength >= STRONG


def _by_owner(a: Finding, b: Finding, near: Neighbours) -> bool:
    """A Deployment and its pods, a claim and the pods that wait for it, pods and what stands on them."""
    if (a.namespace or "") != (b.namespace or ""):
        return False
    if b.kind in _OF_A_DEPLOYMENT.get(a.kind, ()):
        return near.workload(_at(b)) == _at(a)
    if a.kind is K.CLAIM_UNBOUND and b.kind in (K.POD_UNSCHEDULABLE, K.POD_VOLUME_FAILED, K.POD_NOT_READY):
        return _at(a) in near.claims.get(_at(b), ())
    if a.kind is K.JOB_FAILED and b.kind in _POD_FAULTS:
        return near.owners.get(_at(b)) == _at(a)
    if a.kind not in _POD_FAULTS or b.kind not in _OF_ITS_PODS or a.strength < STRONG:
        return False
    top, beneath = near.workload(_at(a)), {near.workload(_at(b)), *near.behind.get(_at(b), ())}
    return top in beneath


def _of_its_own_pod(a: Finding, b: Finding, near: Neighbours) -> bool:
    """A store that does not answer because the pod in which it runs is in trouble: a workload or Service of the store's name."""
    if a.kind not in _POD_FAULTS or b.kind not in (K.POSTGRES_DOWN, K.REDIS_PRIMARY_DOWN) or a.strength < STRONG:
        return False
    name, top = b.object.partition("/")[2], near.workload(_at(a))
    behind = near.behind.get((a.namespace or "", f"service/{name}"), ())
    return top[1].partition("/")[2] == name or top in behind


def _by_store(a: Finding, b: Finding, near: Neighbours) -> bool:
    """A store in trouble before its clients fail: restarting clients would not help."""
    if a.kind not in _STORE or b.kind not in _OF_A_STORE:
        return False
    if a.onset is not None and b.onset is not None:
        return a.onset <= b.onset
    # One look at a store does not say since when: then the client must say that it is one, by its settings or its last words.
    return a.strength >= STRONG and (b.reason is R.DEPENDENCY_UNREACHABLE or near.names(_at(b), a.object.partition("/")[2]))


def _by_call(a: Finding, b: Finding, near: Neighbours) -> bool:
    """A fault of what the pod's own environment names, and that did not begin after it."""
    if a.kind not in _CALLEE_FAULTS or b.kind not in _CALLER_SYMPTOMS or a.strength < STRONG:
        return False
    if a.onset is not None and b.onset is not None and a.onset > b.onset:
        return False
    # One pod of several that fails makes calls fail now and then: what then does not even start has another reason.
    broken = b.kind in (K.POD_CRASH_LOOP, K.POD_INIT_FAILED) and a.kind in _POD_FAULTS
    return near.depends_on(_at(b), _at(a), though_served=not broken)


def _by_network(a: Finding, b: Finding, near: Neighbours) -> bool:
    """A policy that lets nobody through, and a DNS server that is down: names and calls fail, and pods that need them."""
    if a.kind is K.DNS_SERVER_DOWN and a.strength >= STRONG:
        own = (a.namespace or "") == (b.namespace or "") and near.workload(_at(b)) in {_at(a), *near.behind.get(_at(a), ())}
        return b.kind is K.DNS_FAILING or (own and b.kind in _POD_FAULTS | _OF_ITS_PODS)
    if a.kind is not K.NETWORK_POLICY_DENIES or (a.namespace or "") != (b.namespace or ""):
        return False
    if b.kind in (K.DEPENDENCY_DOWN, K.DNS_FAILING):
        return True
    began_before = a.onset is None or b.onset is None or a.onset <= b.onset
    return a.strength >= STRONG and b.kind in _CALLER_SYMPTOMS and began_before and near.cut_off(_at(b), _at(a))


def _by_quality(a: Finding, b: Finding) -> bool:
    """A score that fell after something named changed or failed."""
    timed = a.onset is not None and b.onset is not None and a.onset <= b.onset
    return a.kind in _OF_QUALITY and b.kind is K.SCORE_FELL and timed
