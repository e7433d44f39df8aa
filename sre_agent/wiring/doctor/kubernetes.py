"""Kubernetes: both identities may do what they need, and the one that looks may not act.

Rights are asked of the API server itself, one SelfSubjectAccessReview each: roles, aggregated roles and webhooks included.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from sre_agent.execution.rights import CLUSTER_SCOPED, Right
from sre_agent.sources.kubernetes import RIGHTS, KubernetesCluster
from sre_agent.wiring import discovery
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections
from sre_agent.wiring.doctor.verdict import Seen, broken, listed, ok, skipped, warning
from sre_agent.wiring.rbac import managed_namespaces

AT_ONCE = 4
Asked = tuple[Right, str]
"""A right, and the namespace it is asked for ("": everywhere)."""
NOT_HERE = "KUBECONFIG is not set, and this is no pod"


def _reader(connections: Connections) -> KubernetesCluster | None:
    path = connections.settings.kubeconfig
    return KubernetesCluster(path, answer_s=connections.request_s) if path or connections.in_cluster else None


async def _reachable(connections: Connections) -> Seen:
    reader = _reader(connections)
    return skipped(NOT_HERE) if reader is None else ok(f"API server {await reader.version()}")


async def _may(may: Callable[[Right, str], Awaitable[bool]], asked: Iterable[Asked]) -> dict[Asked, bool]:
    """Which of these are allowed."""
    turns, wanted = asyncio.Semaphore(AT_ONCE), tuple(asked)

    async def one(right: Right, namespace: str) -> bool:
        async with turns:
            return await may(right, namespace)

    answers = await asyncio.gather(*(one(*each) for each in wanted))
    return dict(zip(wanted, answers, strict=True))


async def _reads(connections: Connections) -> Seen:
    reader = _reader(connections)
    if reader is None:
        return skipped(NOT_HERE)
    told = await _may(reader.may, ((right, "") for right in RIGHTS))
    lacking = [_said(right, "") for (right, _), yes in told.items() if not yes]
    if lacking:
        return broken(f"the reading identity may not {listed(lacking)}", "`sre-agent rbac | kubectl apply -f -` grants it.")
    return ok(f"the reading identity has all {len(told)} rights")


async def _written(connections: Connections) -> tuple[dict[Asked, list[str]], tuple[str, ...]]:
    """What actions need, with the actions that need it; and the namespaces they may act in."""
    places = managed_namespaces((await connections.books()).bundle.declared)
    needed: dict[Asked, list[str]] = {}
    for action, rights in discovery.rights().items():
        for right in rights:
            outside = right[2].split("/")[0] in CLUSTER_SCOPED
            for place in ("",) if outside else places:
                needed.setdefault((right, place), []).append(action)
    return needed, places


async def _writes(connections: Connections) -> Seen:
    from sre_agent.adapters.kubernetes.own_rights import WriteIdentity

    needed, places = await _written(connections)
    writer = WriteIdentity(Path(connections.settings.write_kubeconfig or ""), connections.request_s)
    told = await _may(writer.may, needed)
    lacking = [f"{_said(*asked)} (for {', '.join(needed[asked])})" for asked, yes in told.items() if not yes]
    if lacking:
        return broken(f"the writing identity may not {listed(lacking, 4)}", "`sre-agent rbac | kubectl apply -f -` grants it.")
    if not places:
        return warning(
            "no managed target names a namespace, so only rights on nodes were asked for", "Declare targets in targets.yaml."
        )
    return ok(f"the writing identity has all {len(told)} rights in {listed(places)}")


async def _apart(connections: Connections) -> Seen:
    reader, write = _reader(connections), connections.settings.write_kubeconfig
    if reader is None:
        return skipped(NOT_HERE)
    if write is not None and _same(connections.settings.kubeconfig, write):
        return warning(
            "KUBECONFIG and SRE_AGENT_WRITE_KUBECONFIG are the same credentials",
            "Give the hands an identity of their own: `sre-agent rbac` prints both.",
        )
    needed, _ = await _written(connections)
    changing = [(right, place) for right, place in needed if right[0] not in ("get", "list", "watch")]
    told = await _may(reader.may, changing)
    able = [_said(*asked) for asked, yes in told.items() if yes]
    if able:
        return warning(
            f"the identity that only looks may {listed(able)}",
            "Take these rights from it: `sre-agent rbac` prints the roles that are enough.",
        )
    return ok(f"the identity that looks has none of the {len(told)} rights to act")


def _same(read: Path | None, write: Path) -> bool:
    try:
        return read is not None and read.read_bytes() == write.read_bytes()
    except OSError:
        return False


def _said(right: Right, namespace: str) -> str:
    verb, group, resource = right
    return f"{verb} {resource}{f'.{group}' if group else ''}{f' in {namespace}' if namespace else ''}"


_READ, _WRITE = ("KUBECONFIG",), ("SRE_AGENT_WRITE_KUBECONFIG",)
_BOTH = (*_READ, *_WRITE)
_ASK = "Check the address in the kubeconfig and that its token is still valid: `kubectl --kubeconfig FILE version`."
_ANSWERS = "kubernetes.reachable"
CHECKS = (
    Check("kubernetes", "reachable", "The API server answers.", _reachable, _ASK, about=_READ),
    Check("kubernetes", "reads", "The reading identity may read all it has to.", _reads, _ASK, about=_READ, after=_ANSWERS),
    Check(
        "kubernetes",
        "writes",
        "The writing identity may do what actions do, per namespace.",
        _writes,
        _ASK,
        _WRITE,
        books=True,
    ),
    Check(
        "kubernetes",
        "apart",
        "The reading identity may not act.",
        _apart,
        _ASK,
        about=(*_READ, *_WRITE),
        after=_ANSWERS,
        books=True,
    ),
)
