"""What an action changes, in numbers, as far as the plan's own facts and evidence know: replicas or offsets, before and after."""

from pydantic import ValidationError

from sre_agent.evidence.evidence import EvidenceKind, EvidenceStatus
from sre_agent.evidence.redis.cluster_health import shard
from sre_agent.evidence.redis.cluster_state import SOURCE as CLUSTER_SOURCE
from sre_agent.evidence.redis.cluster_state import RedisClusterState
from sre_agent.evidence.redis.health import number, primary_of
from sre_agent.evidence.redis.queue_state import SOURCE as QUEUE_SOURCE
from sre_agent.evidence.redis.state import RedisState
from sre_agent.handback.note import NoteContent
from sre_agent.policy.facts import BOUND

_UNKNOWN_OFFSET = -1.0


def effects(content: NoteContent) -> tuple[str, ...]:
    """A line or two for people. Empty when nothing is known, which is never put as "nothing changes"."""
    try:
        return _effects(content)
    except ValidationError:  # evidence of another shape than today's: kept from an earlier version
        return ()


def _effects(content: NoteContent) -> tuple[str, ...]:
    plan = content.proposal
    if plan is None:
        return ()
    match plan.action:
        case "restart_pod" | "scale_up" | "rollout_restart" | "rollback_deployment":
            return _replicas(content, plan.action)
        case "redis_failover":
            return _offsets(_master(content, plan.target.name))
        case "redis_cluster_failover":
            return _offsets(_shard(content, plan.target.name, plan.target.uid or ""))
        case _:
            return ()


def _replicas(content: NoteContent, action: str) -> tuple[str, ...]:
    facts = content.decision.request.get("facts") if content.decision else None
    known = facts if isinstance(facts, dict) else {}
    ready, wanted, touched = (known.get(name) for name in ("replicas_ready", "replicas_desired", "pods_touched"))
    if not (isinstance(ready, int) and isinstance(wanted, int) and isinstance(touched, int)) or not 0 < wanted < BOUND:
        return ()
    match action:
        case "restart_pod":
            during = f"{ready} of {wanted} replicas ready besides this pod, now and while it is replaced"
            return (during, f"after: {min(ready + 1, wanted)} of {wanted} ready once the new pod is")
        case "scale_up":
            return (f"before: {wanted} replicas, {ready} ready", f"after: {wanted + touched} replicas")
        case "rollout_restart":
            return (f"all {touched} pods are replaced, a few at a time; {ready} of {wanted} stay ready meanwhile",)
        case _:
            return (f"before: {ready} of {wanted} replicas ready", f"after: {wanted} replicas of the previous revision")


def _offsets(state: RedisState | None) -> tuple[str, ...]:
    primary = primary_of(state) if state is not None else None
    if state is None or primary is None:
        return ()
    at = number(primary.info, "master_repl_offset", _UNKNOWN_OFFSET)
    if at < 0:
        return ()
    replicas = [(n.address, number(n.info, "slave_repl_offset", _UNKNOWN_OFFSET)) for n in state.nodes if n.role == "slave"]
    behind = ", ".join(f"{a} {max(0.0, at - o):.0f} bytes behind" for a, o in sorted(replicas) if o >= 0)
    return (
        f"before: primary {primary.address} at offset {at:.0f}" + (f"; {behind}" if behind else ""),
        f"after: a replica leads from the offset at which writes stop; {primary.address} is its replica",
    )


def _master(content: NoteContent, name: str) -> RedisState | None:
    seen = (RedisState.model_validate(p) for p in _payloads(content))
    return next((s for s in seen if s.name == name), None)


def _shard(content: NoteContent, name: str, primary_id: str) -> RedisState | None:
    seen = (RedisClusterState.model_validate(p) for p in _payloads(content, CLUSTER_SOURCE))
    return next((shard(s, primary_id) for s in seen if s.name == name), None)


def _payloads(content: NoteContent, source: str | None = None) -> list[dict[str, object]]:
    """Payloads about Redis of one source (None: of neither clusters nor queues), newest first."""
    evidence = content.diagnosis.evidence if content.diagnosis else ()
    ok = [e for e in evidence if e.kind is EvidenceKind.REDIS and e.status is EvidenceStatus.OK and isinstance(e.payload, dict)]
    chosen = [e for e in ok if (e.source == source if source else e.source not in (CLUSTER_SOURCE, QUEUE_SOURCE))]
    return [e.payload for e in sorted(chosen, key=lambda e: e.observed_at, reverse=True)]
