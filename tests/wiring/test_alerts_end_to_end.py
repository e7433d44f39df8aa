"""A real Prometheus fires rules that `rules generate` wrote, a real Alertmanager delivers them, and the agent, a process of its
own, does what each class is due: infra is acted on, by one person's leave and on a stand-in cluster; model is handed back; a tool's
alerts are one incident.
"""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from sre_agent.testing.kubernetes_api import KubernetesApi, PodScript, PodState, Workload
from sre_agent.testing.night.agent import AgentProcess, free_port
from sre_agent.testing.night.stage import readable_temp
from sre_agent.testing.pagerduty import PagerDutyStandIn
from sre_agent.testing.pagerduty_events import EventsStandIn
from tests.debian_prometheus import alertmanager, prometheus

pytestmark = pytest.mark.real

RECEIVERS = {"pd-platform": "PPLAT01", "pd-ai-eng": "PAIENG1", "pd-integration-owners": "PINTEG1", "default": "PDEFLT1"}
SERVICES = {"pd-platform": "PSVC001", "pd-ai-eng": "PSVCAI1", "pd-integration-owners": "PSVCINT", "default": "PSVCDEF"}
KEYS = {name: hashlib.md5(name.encode()).hexdigest() for name in RECEIVERS}
TOKEN = "alertmanagers-token"
SECRET = "webhook-secret-of-the-test"
ANA = "anas-own-token"
CRM = {"alert_type": "tool", "team": "integrations", "tool_name": "crm", "vertical": "real_estate"}
GATEWAY = {"managed": True, "environment": "prod", "team": "platform", "service": "voice-platform"}
ROUTING = yaml.safe_load((Path(__file__).parents[2] / "policies" / "data" / "routing.yaml").read_text())
OBJECTIVES = {
    "slos": [
        {
            "name": "voice-gateway",
            "objective": "99.9%",
            "labels": {"alert_type": "infra", "team": "platform", "namespace": "voice", "deployment": "voice-gateway"},
            "ratio": {"errors": 'http_requests_total{app="gateway",code="500"}', "total": 'http_requests_total{app="gateway"}'},
        },
        *(
            {
                "name": f"crm-{kind}",
                "objective": "99%",
                "labels": {"alert_type": "tool", "team": "integrations", "tool_name": "crm", "vertical": "real_estate"},
                "ratio": {
                    "errors": f'crm_requests_total{{kind="{kind}",code="500"}}',
                    "total": f'crm_requests_total{{kind="{kind}"}}',
                },
            }
            for kind in ("read", "write")
        ),
    ],
    "quantiles": [
        {
            "name": "healthcare-ftl",
            "histogram": "ftl_seconds",
            "quantile": 0.95,
            "above_s": 0.8,
            "for": "1s",
            "labels": {"alert_type": "model", "team": "ai-eng", "vertical": "healthcare", "prompt": "intent-router"},
        }
    ],
}


@dataclass
class Scene:
    """Everything that runs, and the folder it runs in."""

    folder: Path
    agent: AgentProcess
    mailbox: str
    pagerduty: PagerDutyStandIn
    events: EventsStandIn
    cluster: KubernetesApi

    def incidents(self) -> dict[str, dict[str, Any]]:
        """By the class that routing took them for and their group."""
        listed = httpx.get(f"{self.agent.url}/api/v1/incidents", timeout=10).json()
        rows = listed if isinstance(listed, list) else listed["incidents"]
        found = (self.agent.incident(row["id"]) for row in rows)
        return {i["notified"]["decided"]["group"]: i for i in found if i.get("notified", {}).get("decided")}

    def until(self, holds: Callable[[], Any], what: str, seconds: float = 90.0) -> Any:
        """Wait for something to be there; what it is."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = holds()
            if found:
                return found
            time.sleep(0.3)
        raise AssertionError(f"{what} did not come within {seconds:.0f} s\n{self.incidents()}\n{self.agent.log_tail(40)}")


@pytest.fixture
def scene() -> Iterator[Scene]:
    folder = readable_temp("sre-agent-alerts-")
    with ExitStack() as stack:
        pagerduty = stack.enter_context(PagerDutyStandIn())
        for receiver, service in SERVICES.items():
            pagerduty.add_service(service, receiver, RECEIVERS[receiver])
        events = stack.enter_context(EventsStandIn({KEYS[name]: SERVICES[name] for name in KEYS}, into=pagerduty))
        cluster = stack.enter_context(KubernetesApi())
        pod = _cluster(cluster)
        (folder / "token").write_text(TOKEN)
        agent = AgentProcess({}, folder / "agent.log")
        mailbox = stack.enter_context(alertmanager(folder / "alertmanager", _alertmanager_config(agent.url, folder)))
        rules = _generated(folder)
        config = {
            "global": {"evaluation_interval": "1s", "scrape_interval": "1s"},
            "rule_files": [str(path) for path in rules],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [mailbox.removeprefix("http://")]}]}]},
        }
        port = free_port()
        agent._settings.update(_settings(folder, pagerduty, events, cluster, f"http://127.0.0.1:{port}"))
        agent.start()
        stack.callback(agent.stop)
        pagerduty.send_webhooks_to(f"{agent.url}/webhooks/pagerduty", SECRET)
        agent.wait_ready()
        lifted = agent.cli("resume", "--as", "ana", "--reason", "the test begins", SRE_AGENT_APPROVER_TOKEN=ANA)
        assert lifted.returncode == 0, lifted.stderr
        _silence(mailbox)
        # Last: rules are evaluated from its first second on, and what they read ends where it starts.
        stack.enter_context(prometheus(folder / "prometheus", _samples(time.time(), pod), yaml.safe_dump(config), port))
        yield Scene(folder, agent, mailbox, pagerduty, events, cluster)


def _silence(mailbox: str) -> None:
    """A third service within five minutes is an alert storm, in which nothing is done: so infra comes first, by itself."""
    others = {"name": "alert_type", "value": "model|tool", "isRegex": True, "isEqual": True}
    span = {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z", "createdBy": "test", "comment": "later"}
    assert httpx.post(f"{mailbox}/api/v2/silences", json={"matchers": [others], **span}).status_code == 200


def _speak(mailbox: str) -> None:
    """Now the others too."""
    for silence in httpx.get(f"{mailbox}/api/v2/silences").json():
        assert httpx.delete(f"{mailbox}/api/v2/silence/{silence['id']}").status_code == 200


def _cluster(cluster: KubernetesApi) -> str:
    """One pod of three crash-loops; its name."""
    cluster.node("node-1")
    sick = PodScript(PodState.CRASH_LOOP, since=timedelta(minutes=20))
    pods = cluster.deploy(Workload("voice-gateway", "voice", states=(sick,), min_available=1))
    return str(pods[0]["metadata"]["name"])


def _samples(now: float, pod: str) -> str:
    """The last two hours, in OpenMetrics: everything burns."""
    rates = {
        'http_requests_total{app="gateway",code="200"}': 90,
        'http_requests_total{app="gateway",code="500"}': 10,
        **{
            f'crm_requests_total{{kind="{kind}",code="{code}"}}': rate
            for kind in ("read", "write")
            for code, rate in ((200, 50), (500, 50))
        },
        'ftl_seconds_bucket{le="0.4"}': 10,
        'ftl_seconds_bucket{le="0.8"}': 50,
        'ftl_seconds_bucket{le="1.6"}': 100,
        'ftl_seconds_bucket{le="+Inf"}': 100,
        f'kube_pod_container_status_restarts_total{{namespace="voice",pod="{pod}",container="app"}}': 0.005,
    }
    moments = range(int(now) - 7200, int(now) + 1, 15)
    families: dict[str, list[str]] = {}
    for series, rate in rates.items():
        name = series.partition("{")[0]
        lines = [f"{series} {(at - moments[0]) * rate:.3f} {at}" for at in moments]
        families.setdefault(name, []).extend(lines)
    waiting = f'kube_pod_container_status_waiting_reason{{namespace="voice",pod="{pod}",container="app",reason="CrashLoopBackOff"}}'
    families["kube_pod_container_status_waiting_reason"] = [f"{waiting} {int(at > now - 1200)} {at}" for at in moments]
    return "\n".join(line for lines in families.values() for line in lines) + "\n# EOF\n"


def _generated(folder: Path) -> list[Path]:
    """The rules, as the command writes them."""
    (folder / "slo.yaml").write_text(yaml.safe_dump(OBJECTIVES))
    words = ["rules", "generate", str(folder / "slo.yaml"), "--out-dir", str(folder / "rules")]
    made = subprocess.run([sys.executable, "-m", "sre_agent", *words], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    rules = [p for p in sorted((folder / "rules").glob("*.y*ml")) if "test" not in p.name]
    assert rules
    return rules


def _alertmanager_config(agent: str, folder: Path) -> str:
    authorization = {"type": "Bearer", "credentials_file": str(folder / "token")}
    webhook = {"url": f"{agent}/webhooks/alertmanager", "send_resolved": True, "http_config": {"authorization": authorization}}
    grouping = {"group_by": ["alert_type", "alertname"], "group_wait": "1s", "group_interval": "2s", "repeat_interval": "1h"}
    return yaml.safe_dump(
        {
            "route": {"receiver": "sre-agent", **grouping},
            "receivers": [{"name": "sre-agent", "webhook_configs": [webhook]}],
        }
    )


def _settings(
    folder: Path, pagerduty: PagerDutyStandIn, events: EventsStandIn, cluster: KubernetesApi, metrics: str
) -> dict[str, str]:
    data = folder / "data"
    data.mkdir()
    person = {"id": "ana", "name": "Ana Example", "cli_token_sha256": hashlib.sha256(ANA.encode()).hexdigest()}
    engineer = {"id": "dev", "name": "Dev Example", "oidc": "dev@example.test"}
    written = {
        "teams.yaml": {"people": [person, engineer], "teams": {"platform": ["ana"], "ai-eng": ["dev"]}},
        "targets.yaml": {"namespace/voice": GATEWAY},
        "routing.yaml": {
            **yaml.safe_load((Path("policies/data/routing.yaml")).read_text()),
            "receivers": RECEIVERS,
            "services": SERVICES,
        },
    }
    for name, content in written.items():
        (data / name).write_text(yaml.safe_dump(content))
    return {
        "SRE_AGENT_MODE": "approve",
        "SRE_AGENT_DATA_DIR": str(folder / "state"),
        "SRE_AGENT_POLICY_DATA": str(data),
        "SRE_AGENT_REASONER": "rules",
        "SRE_AGENT_SOURCE_DEADLINE": "60",
        "SRE_AGENT_ALERTMANAGER_TOKEN": TOKEN,
        "PAGERDUTY_API_URL": pagerduty.url,
        "PAGERDUTY_API_TOKEN": pagerduty.token,
        "PAGERDUTY_FROM_EMAIL": "sre-agent@example.test",
        "PAGERDUTY_WEBHOOK_SECRET": SECRET,
        "PAGERDUTY_EVENTS_URL": events.url,
        "PAGERDUTY_ROUTING_KEYS": json.dumps(KEYS),
        "PROMETHEUS_URL": metrics,
        "KUBECONFIG": str(cluster.kubeconfig(folder / "read")),
        "SRE_AGENT_WRITE_KUBECONFIG": str(cluster.kubeconfig(folder / "write", "hands")),
    }


def _of(scene: Scene, start: str, *states: str) -> dict[str, Any] | None:
    """The incident of a group, once it is in one of these states."""
    found = [i for group, i in scene.incidents().items() if group.startswith(start)]
    assert len(found) <= 1, found
    return found[0] if found and found[0]["state"] in states else None


def test_generated_rules_reach_the_agent_and_each_class_gets_what_it_is_due(scene: Scene) -> None:
    infra = scene.until(lambda: _of(scene, "infra:", "awaiting_approval", "handed_back"), "the infra incident")
    assert infra["proposal"] is not None, (infra["reasons"], infra["summary"], infra["root_causes"])
    assert (infra["state"], infra["proposal"]["action"]) == ("awaiting_approval", "restart_pod"), infra["reasons"]
    said = scene.agent.cli("approvals", "approve", infra["approval_id"], "--as", "ana", SRE_AGENT_APPROVER_TOKEN=ANA)
    assert said.returncode == 0, said.stderr
    acted = scene.until(lambda: _of(scene, "infra:", "verifying", "recovered", "handed_back"), "the action")
    assert [(a["action"], a["outcome"]) for a in acted["actions"]] == [("restart_pod", "done")]
    evicted = [r for r in scene.cluster.requests if r.path.endswith("/eviction") and "dryRun" not in r.query]
    assert len(evicted) == 1

    _speak(scene.mailbox)
    model = scene.until(lambda: _of(scene, "model:", "handed_back"), "the model incident")
    tool = scene.until(lambda: _of(scene, "tool:", "handed_back"), "the tool incident")
    assert (model["notified"]["decided"]["receiver"], model["proposal"]) == ("pd-ai-eng", None)
    assert model["policy_ids"] == ["refuse-not-infra"]
    assert (tool["notified"]["decided"]["group"], tool["notified"]["decided"]["owner"]) == ('tool:tool_name="crm"', "crm")
    assert model["notified"]["decided"]["notify"] == "hold"  # above its objective, and not for five minutes yet
    paged = scene.until(lambda: len(scene.events.open) >= 2 and list(scene.events.open), "two pages")
    receivers = [next(name for name, key in KEYS.items() if key == routing_key) for routing_key, _ in paged]
    assert sorted(receivers) == ["pd-integration-owners", "pd-platform"]
    linked = scene.until(
        lambda: scene.agent.incident(infra["id"])["notified"]["linked"], "PagerDuty's own incident to be known as this one"
    )
    assert scene.pagerduty.notes(linked[0].removeprefix("pagerduty:"))
