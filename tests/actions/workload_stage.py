"""Actions on Deployments and nodes against the stand-in API server, on its frozen clock: what their tests stand on."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sre_agent.adapters.kubernetes import KubernetesDeploymentHands, KubernetesNodeHands
from sre_agent.execution.action import Readers, Workbench
from sre_agent.execution.hands import Hands
from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.incident.errors import Conflict, OutcomeUnknown, Permanent, Refused, Transient
from sre_agent.incident.target import Target
from sre_agent.sources.kubernetes import KubernetesCluster
from sre_agent.testing.kubernetes.access import READ
from sre_agent.testing.kubernetes_api import KubernetesApi, PodScript, PodState, Workload

START = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
UNREADY = PodScript(PodState.NOT_READY)
KEY = "c0ffee" * 10


class Stage:
    """The stand-in, one action, and a ledger of one row."""

    def __init__(self, api: KubernetesApi, folder, action) -> None:
        self.api = api
        self.action = action
        # Exactly the rights the action says it needs: a right it forgot fails here.
        api.grant("hands", {(verb, resource) for verb, _, resource in action.rights})
        api.grant("reader", READ)
        write = api.kubeconfig(folder / "write", "hands")
        self.hands = Hands(
            deployments=KubernetesDeploymentHands(write, connect_s=1.0, answer_s=1.0),
            nodes=KubernetesNodeHands(write, connect_s=1.0, answer_s=1.0),
        )
        self.cluster = KubernetesCluster(api.kubeconfig(folder / "read", "reader"))
        self.steps: list[str] = []
        self.scratch: dict = {}
        self.refusals: list[Refused] = []
        self.on_step = {}

    def close(self) -> None:
        self.hands.deployments.close()
        self.hands.nodes.close()
        self.cluster.close()

    @property
    def bench(self) -> Workbench:
        readers = Readers(kubernetes=self.cluster)
        return Workbench(self.hands, readers, self.record, self.still_allowed, self.sleep)

    async def record(self, step: str, scratch: dict) -> None:
        self.steps.append(step)
        self.scratch |= scratch
        if step in self.on_step:
            self.on_step[step]()

    async def still_allowed(self) -> None:
        if self.refusals:
            raise self.refusals.pop()

    async def sleep(self, seconds: float) -> None:
        self.api.advance(seconds)

    def deploy(self, **changes) -> dict:
        """A followed Deployment of five whose first pod is not ready; two hours old. Returns it, live."""
        fields = {"replicas": 5, "states": (UNREADY,), "followed": True, "age": timedelta(hours=2), **changes}
        self.api.deploy(replace(Workload("api", "voice"), **fields))
        return next(self.api.store.of("Deployment"))

    def writes(self, *, dry: bool = False) -> int:
        """How many PATCHes arrived."""
        return sum(r.method == "PATCH" and ("dryRun" in r.query) == dry for r in self.api.requests)

    async def intent(self, item: dict, **changes) -> Intent:
        precondition = await self.action.precondition(target(item, **changes), self.bench)
        row = {"key": KEY, "incident_id": "Q1", "action": self.action.name, "target_key": "t", "service": "voice"}
        return Intent(**row, plan_hash="h", permit_id="p", precondition=precondition, created_at=START)

    def as_left(self, intent: Intent) -> Intent:
        """The row as a takeover finds it."""
        return intent.model_copy(update={"steps": tuple(self.steps), "scratch": self.scratch})

    async def refusal(self, item: dict, **changes) -> str:
        """The rule by which the precondition refuses; nothing was sent."""
        try:
            await self.intent(item, **changes)
        except Refused as refused:
            assert self.writes() == self.writes(dry=True) == 0
            return refused.rule
        return "allowed"

    async def run(self, intent: Intent):
        """As the executor: what fails after it may have happened is observed, never sent again."""
        try:
            return await self.action.effect(intent, self.bench)
        except (Refused, Conflict):
            raise
        except (OutcomeUnknown, Transient, Permanent):
            return await self.action.recover(self.as_left(intent), self.bench)


def target(item: dict, **changes) -> Target:
    meta = item["metadata"]
    fields = {"kind": item["kind"], "namespace": meta.get("namespace"), "name": meta["name"], "uid": meta["uid"]}
    return Target(**{**fields, **changes})


DONE, NOT_DONE, FAILED, UNKNOWN = IntentState.DONE, IntentState.NOT_DONE, IntentState.FAILED, IntentState.UNKNOWN
