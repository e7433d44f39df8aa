"""Loki: it answers for our tenant, and somebody writes logs into it."""

from datetime import timedelta

from sre_agent.evidence.window import Window
from sre_agent.sources.loki import NAMESPACES, PODS, WORKLOADS, LokiEndpoint, LokiSource
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections, plain
from sre_agent.wiring.doctor.verdict import Seen, listed, ok, warning

LATELY = timedelta(minutes=30)


async def _answers(connections: Connections) -> Seen:
    s = connections.settings
    source = LokiSource(LokiEndpoint(s.loki_url or "", plain(s.loki_token), s.loki_tenant or "", connections.request_s))
    names = await source.labels(Window.before(connections.now, LATELY))
    if not names:
        return warning(
            "it answers, but nothing was written in the last half hour", "Look at what ships logs, and at the tenant (LOKI_TENANT)."
        )
    if not names & {*NAMESPACES, *PODS, *WORKLOADS}:
        return warning(
            f"its streams carry {listed(sorted(names))}, none of which names a namespace, a pod or a service",
            "Let what ships logs add labels such as namespace, pod or app; docs/evidence.md lists what is looked for.",
        )
    return ok(f"logs arrive, with the labels {listed(sorted(names))}")


CHECKS = (
    Check(
        "loki",
        "answers",
        "It answers for our tenant, logs arrive, and their labels name what alerts name.",
        _answers,
        "Check the address, the token and the tenant; a multi-tenant Loki answers `no org id` without LOKI_TENANT.",
        needs=("LOKI_URL",),
        about=("LOKI_TOKEN", "LOKI_TENANT"),
    ),
)
