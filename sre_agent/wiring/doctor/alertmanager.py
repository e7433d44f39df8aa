"""Alertmanager: it answers, and its cluster is whole."""

from sre_agent.sources.alertmanager import AlertmanagerEndpoint, AlertmanagerSource
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections, plain
from sre_agent.wiring.doctor.verdict import Seen, ok, warning


async def _answers(connections: Connections) -> Seen:
    s = connections.settings
    token, tenant = plain(s.alertmanager_token), s.alertmanager_tenant or ""
    told = await AlertmanagerSource(AlertmanagerEndpoint(s.alertmanager_url or "", token, tenant, connections.request_s)).status()
    cluster = told.get("cluster")
    state = str(cluster.get("status", "")) if isinstance(cluster, dict) else ""
    version = str(told["versionInfo"].get("version", "unknown"))[:60]
    if state not in ("ready", "disabled", ""):
        return warning(f"version {version}, its cluster is {state}", "Look at its page Status: peers that do not find each other.")
    return ok(f"version {version}{f', cluster {state}' if state else ''}")


CHECKS = (
    Check(
        "alertmanager",
        "answers",
        "Its API answers, and its cluster is ready.",
        _answers,
        "Check the address (with its path prefix, for Mimir /alertmanager), the token and the tenant.",
        needs=("ALERTMANAGER_URL",),
        about=("ALERTMANAGER_TOKEN", "ALERTMANAGER_TENANT"),
    ),
)
