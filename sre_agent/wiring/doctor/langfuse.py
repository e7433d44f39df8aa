"""Langfuse: it is healthy, takes the keys, and has every route that is read."""

from datetime import timedelta

from sre_agent.sources.langfuse_api import (
    HEALTH,
    METRICS,
    OBSERVATIONS,
    PROMPTS,
    SCORES,
    LangfuseApi,
    LangfuseProject,
    NoRoute,
    iso,
)
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections, plain
from sre_agent.wiring.doctor.verdict import Seen, broken, listed, ok

LATELY = timedelta(hours=1)


def _project(connections: Connections) -> LangfuseProject:
    s = connections.settings
    return LangfuseProject(s.langfuse_host or "", s.langfuse_public_key or "", plain(s.langfuse_secret_key), connections.request_s)


async def _health(connections: Connections) -> Seen:
    project = _project(connections)
    async with LangfuseApi.client(project) as client:
        told = await LangfuseApi(project, client).get(HEALTH, {})
    return ok(f"healthy, version {str(told.get('version', 'not told'))[:40]}")


async def _reads(connections: Connections) -> Seen:
    project, end = _project(connections), connections.now
    start = end - LATELY
    span = {"fromTimestamp": iso(start), "toTimestamp": iso(end), "limit": "1"}
    metric = {"view": "observations", "metrics": [{"measure": "count", "aggregation": "count"}], "dimensions": [], "filters": []}
    missing: list[str] = []
    async with LangfuseApi.client(project) as client:
        api = LangfuseApi(project, client)
        await api.get(PROMPTS, {"fromUpdatedAt": iso(start), "toUpdatedAt": iso(end), "limit": "1"})
        try:
            await api.metrics(metric, start, end, halvings=0)
        except NoRoute:
            missing.append(METRICS)
        for path, query in ((SCORES, span), (OBSERVATIONS, {"fromStartTime": iso(start), "toStartTime": iso(end), "limit": "1"})):
            try:
                await api.get(path, query)
            except NoRoute:
                missing.append(path)
    if missing:
        return broken(
            f"this server is too old: it has no {listed(missing)}",
            "Upgrade Langfuse: its v1 routes are gone from newer servers, so they are not read.",
        )
    return ok("the keys are accepted; prompts, metrics, scores and observations can be read")


_NEEDS = ("LANGFUSE_HOST", "LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY")
_ASK = "Check LANGFUSE_HOST (no path behind it) and the network from here; then both keys: they are one project's."
CHECKS = (
    Check("langfuse", "health", "The server is healthy.", _health, _ASK, _NEEDS[:1]),
    Check(
        "langfuse",
        "reads",
        "The keys are accepted, and no route is missing.",
        _reads,
        _ASK,
        _NEEDS,
        after="langfuse.health",
    ),
)
