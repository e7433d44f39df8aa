"""restart_pod against the stand-in API server, on its frozen clock: what its tests stand on."""

from dataclasses import replace
from datetime import UTC, datetime

from sre_agent.actions.restart_pod import RestartPod
from sre_agent.adapters.kubernetes import KubernetesPodHands
from sre_agent.execution.action import Readers, Workbench
from sre_agent.execution.hands import Hands
from sre_agent.execution.ledger import Intent
from sre_agent.incident.errors import Refused
from sre_agent.incident.target import Target
from sre_agent.sources.kubernetes import KubernetesCluster
from sre_agent.testing.kubernetes_api import KubernetesApi, PodScript, PodState, Workload

START = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
CRASHING = PodScript(PodState.CRASH_LOOP)


class Stage:
    """The stand-in, the action, and a ledger of one row."""

    def __init__(self, api: KubernetesApi, folder) -> None:
        self.api = api
        self.action = RestartPod(clock=api.clock)
        self.hands = KubernetesPodHands(api.kubeconfig(folder / "write", "hands"), connect_s=1.0, answer_s=1.0)
        self.cluster = KubernetesCluster(api.kubeconfig(folder / "read", "reader"))
        self.steps: list[str] = []
        self.scratch: dict = {}
        self.refusals: list[Refused] = []
        self.asked = 0
        self.slept = 0.0
        self.on_step = {}

    @property
    def bench(self) -> Workbench:
        readers = Readers(kubernetes=self.cluster)
        return Workbench(Hands(pods=self.hands), readers, self.record, self.still_allowed, self.sleep)

    async def record(self, step: str, scratch: dict) -> None:
        self.steps.append(step)
        self.scratch |= scratch
        if step in self.on_step:
            self.on_step[step]()

    async def still_allowed(self) -> None:
        self.asked += 1
        if self.refusals:
            raise self.refusals.pop()

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.api.advance(seconds)

    def deploy(self, **changes) -> dict:
        return self.api.deploy(replace(Workload("api", "voice", states=(CRASHING,), min_available=1), **changes))[0]

    async def intent(self, pod: dict) -> Intent:
        precondition = await self.action.precondition(target(pod), self.bench)
        row = {"key": "k", "incident_id": "Q1", "action": "restart_pod", "target_key": "t", "service": "voice"}
        return Intent(**row, plan_hash="h", permit_id="p", precondition=precondition, created_at=START)

    def as_left(self, intent: Intent) -> Intent:
        """The row as a takeover finds it."""
        return intent.model_copy(update={"steps": tuple(self.steps), "scratch": self.scratch})


def target(pod: dict, **changes) -> Target:
    meta = pod["metadata"]
    return Target(**{"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"], **changes})
