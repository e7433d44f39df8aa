"""An agent as its users run it, beside stand-in PagerDuty, Prometheus and Kubernetes, with one pod that keeps crashing; and a
real browser to look at its pages with, as whoever a proxy in front says it is."""

import secrets
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import yaml
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from sre_agent.settings.shipped import shipped
from sre_agent.testing.kubernetes.access import READ, WRITE_PODS
from sre_agent.testing.kubernetes_api import KubernetesApi, PodScript, PodState, Workload
from sre_agent.testing.night.agent import AgentProcess
from sre_agent.testing.pagerduty import PagerDutyStandIn
from sre_agent.testing.pagerduty_action import TOKEN_HEADER, post, pressed
from sre_agent.testing.prometheus import PrometheusStandIn, ThresholdRule

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PEOPLE = ("ana", "ben", "dev")
Theme = Literal["light", "dark"]
WIDE, NARROW = (1280, 860), (380, 820)


@dataclass
class Stage:
    """What is played on, and what happens there."""

    agent: AgentProcess
    pagerduty: PagerDutyStandIn
    cluster: KubernetesApi
    token: str
    pod: str = ""

    def crashing(self) -> str:
        """The incident of the pod that keeps crashing."""
        place = {"namespace": "voice", "deployment": "voice-gateway", "pod": self.pod, "container": "app"}
        labels = {"alertname": "KubePodCrashLooping", "alert_type": "infra", "team": "platform", "severity": "page", **place}
        return self._pressed("Calls are dropped: a pod of voice-gateway keeps crashing", labels)

    def answering_worse(self) -> str:
        """One that is the AI engineers' business."""
        labels = {"alertname": "IntentAccuracyLow", "alert_type": "model", "team": "ai-eng", "severity": "page"}
        return self._pressed("Intent accuracy is 4 points below its weekly baseline", {**labels, "prompt": "intent-router"})

    def _pressed(self, title: str, labels: dict[str, str]) -> str:
        """Somebody whom nobody knows presses the button "Investigate" on a new incident: so two people must approve."""
        incident = self.pagerduty.add_incident(title, [labels])
        body = pressed({"id": incident}, None, datetime.now(UTC).isoformat())
        assert post(f"{self.agent.url}/webhooks/pagerduty/investigate", body, {TOKEN_HEADER: self.token}) == 202
        return incident


@contextmanager
def staged(url: str, folder: Path) -> Iterator[Stage]:
    """Everything started, the kill switch already lifted by whoever made the database."""
    with ExitStack() as stack:
        pagerduty = stack.enter_context(PagerDutyStandIn())
        prometheus = stack.enter_context(PrometheusStandIn())
        cluster = stack.enter_context(KubernetesApi())
        pod = _deployed(cluster)
        _measured(prometheus, pod)
        pagerduty.add_change(
            "voice-gateway 2.41.0 in production", datetime.now(UTC) - timedelta(minutes=6), {"kind": "deploy", "to": "2.41.0"}
        )
        token = secrets.token_urlsafe(16)
        settings = _settings(folder, cluster) | {
            "DATABASE_URL": url,
            "PAGERDUTY_API_URL": pagerduty.url,
            "PAGERDUTY_API_TOKEN": pagerduty.token,
            "PAGERDUTY_FROM_EMAIL": "sre-agent@example.test",
            "PAGERDUTY_WEBHOOK_SECRET": secrets.token_urlsafe(16),
            "PAGERDUTY_ACTION_TOKEN": token,
            "PROMETHEUS_URL": prometheus.url,
        }
        agent = AgentProcess(settings, folder / "agent.log")
        # Pages believe writes from this address alone; a process learns it when it is started.
        agent = AgentProcess({**settings, "SRE_AGENT_PUBLIC_URL": agent.url}, folder / "agent.log", port=agent.port)
        stack.callback(agent.stop)
        agent.start()
        agent.wait_ready()
        yield Stage(agent, pagerduty, cluster, token, pod)


def _deployed(cluster: KubernetesApi) -> str:
    """Eight pods, one of which keeps crashing; its name."""
    cluster.grant("reader", READ)
    cluster.grant("hands", WRITE_PODS)
    cluster.node("node-1")
    crashing = PodScript(PodState.CRASH_LOOP, since=timedelta(minutes=4), age=timedelta(minutes=5))
    pods = cluster.deploy(Workload("voice-gateway", "voice", replicas=8, states=(crashing,), min_available=6))
    name = str(pods[0]["metadata"]["name"])
    cluster.log(pods[0], "panic: runtime error: invalid memory address\ngoroutine 1 [running]:\nmain.main()\n", previous=True)
    return name


def _measured(prometheus: PrometheusStandIn, pod: str) -> None:
    """Forty quiet minutes, and the last four not."""
    now = time.time()
    about = {"namespace": "voice", "pod": pod, "container": "app", "deployment": "voice-gateway"}
    for ago in range(2400, 0, -15):
        sick, at = ago <= 240, now - ago
        wave = (ago // 15 % 7) * 0.6
        prometheus.observe("kube_pod_container_status_restarts_total", about, max(0, (240 - ago) // 40), at)
        prometheus.observe("kube_pod_container_status_waiting_reason", {**about, "reason": "CrashLoopBackOff"}, float(sick), at)
        prometheus.observe("calls_dropped_ratio", about, (0.11 if sick else 0.004) + wave / 400, at)
        prometheus.observe("http_requests_per_second", about, (0.0 if sick else 61.0) + (0 if sick else wave), at)
    prometheus.rule(ThresholdRule("KubePodCrashLooping", "kube_pod_container_status_waiting_reason", above=0.5))


def _settings(folder: Path, cluster: KubernetesApi) -> dict[str, str]:
    runbooks, data = folder / "runbooks", folder / "data"
    shutil.copytree(shipped("runbooks"), runbooks)
    book = yaml.safe_load((runbooks / "restart-pod.yaml").read_text(encoding="utf-8"))
    _write(runbooks / "restart-pod.yaml", {**book, "soak_s": 3, "within_s": 60})
    data.mkdir()
    people = [{"id": p, "name": f"{p.title()} Example", "oidc": f"{p}@example.com"} for p in PEOPLE]
    _write(data / "teams.yaml", {"people": people, "teams": {"platform": ["ana", "ben"], "ai-eng": ["dev"]}, "admins": ["ana"]})
    declared = {"managed": True, "environment": "prod", "team": "platform", "service": "voice-platform"}
    _write(data / "targets.yaml", {"namespace/voice": declared})
    return {
        "SRE_AGENT_MODE": "approve",
        "SRE_AGENT_REASONER": "rules",
        "SRE_AGENT_POLICY_DATA": str(data),
        "SRE_AGENT_RUNBOOKS": str(runbooks),
        "SRE_AGENT_DATA_DIR": str(folder / "state"),
        "SRE_AGENT_TRUSTED_PROXIES": "127.0.0.0/8",
        "KUBECONFIG": str(cluster.kubeconfig(folder / "reader.json", "reader")),
        "SRE_AGENT_WRITE_KUBECONFIG": str(cluster.kubeconfig(folder / "hands.json", "hands")),
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium with a fresh profile."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield started
        finally:
            await started.close()


@asynccontextmanager
async def seen_by(
    chromium: Browser, stage: Stage, person: str, theme: Theme = "light", size: tuple[int, int] = WIDE, *, scripts: bool = True
) -> AsyncIterator[Page]:
    """A page of the agent's, looked at by a person whom the proxy in front has checked. Whatever its console says fails."""
    context: BrowserContext = await chromium.new_context(
        base_url=stage.agent.url,
        viewport={"width": size[0], "height": size[1]},
        color_scheme=theme,
        java_script_enabled=scripts,
        extra_http_headers={"X-Forwarded-Email": f"{person}@example.com"},
    )
    complaints: list[str] = []
    page = await context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if "status of 4" not in said.text else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(stage.agent.url) else complaints.append(f"asked {asked.url}"))
    try:
        yield page
        assert complaints == []
    finally:
        await context.close()
