"""Every connection, against a server that never says a word and one that lies: broken, in time, and nothing is well."""

import json
from pathlib import Path

import pytest

from sre_agent.wiring.doctor.connections import Terms
from sre_agent.wiring.doctor.registry import CHECKS
from tests.doctor.examined import BROKEN, MANAGED, OK, SKIPPED, WARNING, Liar, declared, looked, silence

pytestmark = pytest.mark.real

URL, ADDRESS = "URL", "ADDRESS"
SETTINGS = {
    "pagerduty": {"PAGERDUTY_API_URL": URL, "PAGERDUTY_API_TOKEN": "t", "PAGERDUTY_FROM_EMAIL": "a@b.test"},
    "slack": {"SLACK_API_URL": URL, "SLACK_BOT_TOKEN": "xoxb-t", "SLACK_APP_TOKEN": "xapp-t"},
    "prometheus": {"PROMETHEUS_URL": URL},
    "alertmanager": {"ALERTMANAGER_URL": URL},
    "loki": {"LOKI_URL": URL},
    "kubernetes": {"KUBECONFIG": "FILE", "SRE_AGENT_WRITE_KUBECONFIG": "FILE"},
    "langfuse": {"LANGFUSE_HOST": URL, "LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk"},
    "model": {"OPENAI_BASE_URL": URL, "OPENAI_MODEL": "m"},
    "sentinel": {"REDIS_SENTINELS": ADDRESS, "REDIS_WRITE_USERNAME": "w", "REDIS_WRITE_PASSWORD": "p"},
    "redis_cluster": {
        "REDIS_CLUSTER_NODES": ADDRESS,
        "REDIS_CLUSTER_NAME": "c",
        "REDIS_CLUSTER_WRITE_USERNAME": "w",
        "REDIS_CLUSTER_WRITE_PASSWORD": "p",
    },
    "queues": {"SRE_AGENT_POLICY_DATA": "QUEUE", "REDIS_WRITE_USERNAME": "w", "REDIS_WRITE_PASSWORD": "p"},
    "patroni": {"PATRONI_URLS": URL},
    "postgres": {"POSTGRES_URLS": "orders=postgresql://u@ADDRESS/d"},
    "database": {"DATABASE_URL": "postgresql://u@ADDRESS/d"},
    "outside.public_url": {"SRE_AGENT_PUBLIC_URL": URL},
    "outside.sign_in": {
        "SRE_AGENT_OIDC_ISSUER": URL,
        "SRE_AGENT_OIDC_CLIENT_ID": "sre",
        "SRE_AGENT_PUBLIC_URL": "https://sre.test",
    },
    "outside.traces": {"SRE_AGENT_TRACE_URL": URL},
    "opsgenie": {"OPSGENIE_API_URL": URL, "OPSGENIE_API_KEY": "k"},
    "jsm": {"JSM_API_URL": URL, "JSM_CLOUD_ID": "11111111-2222", "JSM_EMAIL": "a@b.test", "JSM_API_TOKEN": "t"},
    "statuspage": {"STATUSPAGE_API_URL": URL, "STATUSPAGE_API_KEY": "k", "STATUSPAGE_PAGES": '{"public": "PUB1"}'},
    "paging.mail": {"SRE_AGENT_SMTP_URL": "smtp://ADDRESS", "SRE_AGENT_MAIL_FROM": "a@b.test"},
}
ASK_NOBODY = {"pagerduty.secret", "slack.presses", "pagerduty.heard", "settings.policies"}
"""Checks that run along and look at no server, or at another one."""


def pointed(connection: str, address: str, folder: Path) -> dict[str, str]:
    """The settings of a connection, all of which lead to one address."""
    url = f"http://{address}"
    kubeconfig = {
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": url}}],
        "users": [{"name": "x", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    }
    (folder / "config").write_text(json.dumps(kubeconfig))
    values = {URL: url, ADDRESS: address, "FILE": str(folder / "config")}
    if connection == "queues":
        values["QUEUE"] = declared(folder / "data", targets={"queue/mail": {**MANAGED, "redis": address}})
    return {k: values.get(v, v.replace("ADDRESS", address)) for k, v in SETTINGS[connection].items()}


def test_every_connection_that_asks_a_server_is_here():
    asking = {c.connection for c in CHECKS} - {"settings", "agent", "doors"}
    assert {name.partition(".")[0] for name in SETTINGS} == asking


@pytest.mark.parametrize("connection", SETTINGS)
async def test_a_server_that_never_answers_is_broken_in_time(connection, tmp_path):
    with silence() as address:
        found = await looked(connection, pointed(connection, address, tmp_path), terms=Terms(0.6))
    asked = {n: r for n, r in found.items() if n not in ASK_NOBODY and r.status is not SKIPPED}
    assert asked
    assert {n: r.found for n, r in asked.items() if r.status is not BROKEN} == {}
    assert all(r.todo for r in asked.values())


@pytest.mark.parametrize("connection", [c for c in SETTINGS if c != "outside.traces"])
async def test_a_server_that_answers_everything_with_a_sign_in_page_is_broken(connection, tmp_path):
    with Liar() as liar:
        found = await looked(connection, pointed(connection, liar.url.removeprefix("http://"), tmp_path), terms=Terms(3.0))
    asked = {n: r for n, r in found.items() if n not in ASK_NOBODY and r.status is not SKIPPED}
    assert BROKEN in {r.status for r in asked.values()}
    assert {n: r.found for n, r in asked.items() if r.status in (OK, WARNING)} == {}
