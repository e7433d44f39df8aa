"""restart_pod: evict one unhealthy pod, once, and see its controller bring a healthy one back.

Eviction API only: a disruption budget that says no is never bypassed with a delete. Steps, each recorded first:
capture_logs, dry_run, evict. "evict" is the point of no return; before it nothing has been changed.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sre_agent.evidence.kubernetes.pod_surroundings import HELPED_BY_RESTART, MIN_AGE, NAMESPACED_KINDS, Surroundings, surroundings
from sre_agent.evidence.kubernetes.state import JsonObject, condition, containers, controller_of, number, ready, terminating, text
from sre_agent.evidence.redact import redact
from sre_agent.evidence.source import KubernetesReader
from sre_agent.execution.action import NoParameters, Outcome, Workbench
from sre_agent.execution.hands import PodHands, PodRef
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.incident.clock import Clock
from sre_agent.incident.errors import OutcomeUnknown, Permanent, Refused, SreAgentError, Transient
from sre_agent.incident.target import Target

POLL_S = 2.0
GONE_MARGIN_S = 60.0
"""On top of the pod's own grace period, how long the old pod may take to be gone."""
READY_WITHIN_S = 180.0
SETTLE_S = 75.0
"""An API server ends a request after 60 s: an eviction still unseen after this was never applied."""
LOG_BYTES = 16_384
LOG_CONTAINERS = 3


class _WallClock:
    """The machine's time."""

    def now(self) -> datetime:
        """Aware, UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True)
class _Eviction:
    """What was about to be evicted: enough to observe it, also after a crash. `known` are uids that were there before."""

    namespace: str
    uid: str
    resource_version: str
    owner_uid: str
    grace_s: int
    known: frozenset[str]

    @classmethod
    def of(cls, intent: Intent, scratch: dict[str, Any]) -> "_Eviction":
        """From the ledger's row and what was recorded with the "evict" step."""
        p = intent.precondition
        return cls(
            namespace=str(p["namespace"]),
            uid=str(p["uid"]),
            resource_version=str(scratch.get("resource_version", "")),
            owner_uid=str(p["owner_uid"]),
            grace_s=int(p["grace_s"]),
            known=frozenset(scratch.get("known_uids", ())),
        )


class RestartPod:
    """See the module. `clock` dates the pod's age and how long it has been unhealthy."""

    name = "restart_pod"
    tier = 1
    undo = "none"
    parameters = NoParameters
    rights = (("create", "", "pods/eviction"), ("get", "", "pods/log"))

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or _WallClock()

    async def precondition(self, target: Target, bench: Workbench) -> dict[str, Any]:
        """{namespace, name, uid, resource_version, owner_uid, owner, grace_s, containers}. Refused("pod-...") per condition."""
        reader, _ = _tools(bench)
        return _as_precondition(await self._look(reader, target.namespace or "", target.name, target.uid or ""))

    async def effect(self, intent: Intent, bench: Workbench) -> Outcome:
        """Capture logs, evict as a dry run, look again, evict for real, observe."""
        reader, hands = _tools(bench)
        before = intent.precondition
        try:
            await bench.record("capture_logs", {})
            logs = await _previous_logs(hands, _ref(before), list(before["containers"]))
            await bench.record("dry_run", {"previous_logs": logs})
            await hands.evict(_ref(_as_precondition(await self._again(reader, before))), dry_run=True)
            # SAFETY: the pod may have recovered or a rollout begun while we were busy: judge it afresh, then its newest version.
            seen = await self._again(reader, before)
            await bench.still_allowed()
        except Permanent as failure:
            return Outcome(IntentState.NOT_DONE, f"nothing was changed: {failure}")
        now = _as_precondition(seen)
        known = sorted(text(p, "metadata", "uid") for p in (seen.pod, *seen.peers))
        scratch = {"resource_version": now["resource_version"], "known_uids": known}
        await bench.record("evict", scratch)
        # SAFETY: the ledger may have kept us waiting; what was allowed before it may not be any more.
        await bench.still_allowed()
        try:
            await hands.evict(_ref(now), dry_run=False)
        except OutcomeUnknown:
            raise
        except (Permanent, Transient) as failure:
            return Outcome(IntentState.NOT_DONE, f"the API server refused the eviction, nothing was changed: {failure}")
        return await self._observe(_Eviction.of(intent, scratch), bench, answered=True)

    async def recover(self, intent: Intent, bench: Workbench) -> Outcome:
        """Before "evict": nothing happened. From there on: look, never evict again."""
        if "evict" not in intent.steps:
            return Outcome(IntentState.NOT_DONE, "stopped before the eviction was sent; nothing was changed")
        try:
            return await self._observe(_Eviction.of(intent, intent.scratch), bench, answered=False)
        except (Refused, Permanent) as failure:
            return Outcome(IntentState.UNKNOWN, f"cannot see whether the eviction happened: {failure}")

    async def _again(self, reader: KubernetesReader, before: dict[str, Any]) -> Surroundings:
        seen = await self._look(reader, before["namespace"], before["name"], before["uid"])
        if text(seen.owner, "metadata", "uid") != before["owner_uid"]:
            raise Refused("pod-owner-changed", f"pod {before['name']} now belongs to another controller")
        return seen

    async def _look(self, reader: KubernetesReader, namespace: str, name: str, uid: str) -> Surroundings:
        if not (namespace and uid):
            raise Refused("pod-gone", f"pod {namespace or '(no namespace)'}/{name} was named without the identity of a live pod")
        lists = await asyncio.gather(*(reader.objects(k, namespace) for k in NAMESPACED_KINDS), reader.objects("Node", None))
        seen = surroundings(uid, dict(zip(NAMESPACED_KINDS, lists[:-1], strict=True)), lists[-1])
        if seen is None or text(seen.pod, "metadata", "name") != name:
            raise Refused("pod-gone", f"there is no pod {namespace}/{name} with uid {uid}")
        refuse_unless_restartable(seen, self._clock.now())
        return seen

    async def _observe(self, eviction: _Eviction, bench: Workbench, *, answered: bool) -> Outcome:
        """Follow the old pod until it is gone, then its successor until it is ready. Seconds are counted in sleeps."""
        reader, waited, failure = bench.readers.kubernetes, 0.0, ""
        if reader is None:
            return Outcome(IntentState.UNKNOWN, "no read access to Kubernetes: cannot see whether the eviction happened")
        gone_at: float | None = None
        while True:
            try:
                pods = await reader.objects("Pod", eviction.namespace)
                old = next((p for p in pods if text(p, "metadata", "uid") == eviction.uid), None)
                failure = ""
            except Transient as error:
                failure = str(error)
            else:
                if old is None:
                    gone_at = waited if gone_at is None else gone_at
                    if (fresh := _successor(pods, eviction)) is not None:
                        return _done(fresh, gone_at, waited)
                elif not answered and (verdict := _not_applied(old, eviction, waited)):
                    return verdict
            limit = (eviction.grace_s + GONE_MARGIN_S) if gone_at is None else gone_at + READY_WITHIN_S
            if waited >= max(limit, SETTLE_S):
                return _gave_up(gone_at, waited, failure)
            await bench.sleep(POLL_S)
            waited += POLL_S


def refuse_unless_restartable(seen: Surroundings, now: datetime) -> None:
    """Raise Refused with the first condition that does not hold, most fundamental first."""
    pod, trouble = text(seen.pod, "metadata", "name"), seen.trouble(now)
    helps = trouble in HELPED_BY_RESTART and text(seen.pod, "status", "phase") == "Running"
    checks = (
        (seen.controller_owned, "pod-bare", "no ReplicaSet, StatefulSet or DaemonSet would bring it back"),
        (not terminating(seen.pod), "pod-terminating", "somebody already deleted it"),
        (seen.node_ready, "pod-node-not-ready", "its node is not Ready: a problem of the node, not of the pod"),
        (trouble is not None, "pod-healthy", "it is not unhealthy (not ready for 3 min, crash loop, out of memory)"),
        (helps, "pod-restart-cannot-help", f"its trouble is {trouble}: it would come back the same"),
        (seen.age(now) >= MIN_AGE, "pod-too-young", f"it is younger than {MIN_AGE.total_seconds() / 60:.0f} minutes"),
        (not seen.rollout_in_progress, "pod-rollout-in-progress", "its workload is being rolled out, scaled or paused"),
        (seen.ready_peers >= seen.floor, "pod-too-few-ready", f"{seen.ready_peers} other replicas are ready, {seen.floor} must be"),
        (seen.disruptions_allowed >= 1, "pod-disruption-budget", "its PodDisruptionBudget allows no disruption now"),
    )
    for holds, rule, reason in checks:
        if not holds:
            raise Refused(rule, f"pod {pod}: {reason}")


def _tools(bench: Workbench) -> tuple[KubernetesReader, PodHands]:
    if bench.readers.kubernetes is None or bench.hands.pods is None:
        raise Refused("pod-no-access", "this process has no Kubernetes reader or no write kubeconfig")
    return bench.readers.kubernetes, bench.hands.pods


def _as_precondition(seen: Surroundings) -> dict[str, Any]:
    meta = seen.pod["metadata"]
    spec = seen.pod.get("spec", {})
    return {
        "namespace": text(meta, "namespace"),
        "name": text(meta, "name"),
        "uid": text(meta, "uid"),
        "resource_version": text(meta, "resourceVersion"),
        "owner": f"{text(seen.owner, 'kind')}/{text(seen.owner, 'metadata', 'name')}",
        "owner_uid": text(seen.owner, "metadata", "uid"),
        "grace_s": number(spec, "terminationGracePeriodSeconds") if "terminationGracePeriodSeconds" in spec else 30,
        "containers": [c.name for c in containers(seen.pod) if c.restarts > 0][:LOG_CONTAINERS],
    }


def _ref(precondition: dict[str, Any]) -> PodRef:
    p = precondition
    return PodRef(namespace=p["namespace"], name=p["name"], uid=p["uid"], resource_version=p["resource_version"])


async def _previous_logs(hands: PodHands, pod: PodRef, names: list[str]) -> dict[str, str]:
    """Redacted ends of the previous runs' logs: eviction destroys them. Logs that cannot be saved stop the action."""
    try:
        logs = await asyncio.gather(*(hands.previous_logs(pod, n, max_bytes=LOG_BYTES) for n in names))
    except Refused:
        raise
    except SreAgentError as failure:
        raise Permanent(f"the logs could not be saved first: {failure}") from failure
    return {name: redact(log) for name, log in zip(names, logs, strict=True)}


def _successor(pods: list[JsonObject], eviction: _Eviction) -> JsonObject | None:
    """A ready pod of the same owner that was not there before."""
    for pod in pods:
        new = text(pod, "metadata", "uid") not in eviction.known
        if new and text(controller_of(pod), "uid") == eviction.owner_uid and ready(pod):
            return pod
    return None


def _not_applied(old: JsonObject, eviction: _Eviction, waited: float) -> Outcome | None:
    """Proof that an unanswered eviction was not applied, or None while that is open."""
    if terminating(old) or text(condition(old, "DisruptionTarget"), "status") == "True":
        return None
    # The request carried this resourceVersion. The pod has moved on without being deleted, so it can only be answered 409.
    if text(old, "metadata", "resourceVersion") != eviction.resource_version:
        return Outcome(IntentState.NOT_DONE, "the eviction was not applied: the pod changed first and still runs")
    if waited >= SETTLE_S:
        return Outcome(IntentState.NOT_DONE, f"the eviction was not applied: the pod is unchanged after {waited:.0f} s")
    return None


def _done(fresh: JsonObject, gone_at: float, ready_at: float) -> Outcome:
    name, restarts = text(fresh, "metadata", "name"), sum(c.restarts for c in containers(fresh))
    measured: dict[str, float | int | str] = {"gone_s": gone_at, "ready_s": ready_at, "pod": name, "restarts": restarts}
    return Outcome(IntentState.DONE, f"evicted; {name} took its place and is ready", measured)


def _gave_up(gone_at: float | None, waited: float, failure: str) -> Outcome:
    if failure:
        return Outcome(IntentState.UNKNOWN, f"cannot see what became of the pod after {waited:.0f} s: {failure}")
    if gone_at is None:
        return Outcome(IntentState.FAILED, f"the old pod is still there {waited:.0f} s after its eviction")
    return Outcome(IntentState.FAILED, f"evicted, but no replacement was ready within {waited - gone_at:.0f} s")
