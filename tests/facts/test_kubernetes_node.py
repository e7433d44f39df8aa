"""The guard's facts about a node, from a live (stand-in) cluster."""

import pytest

from sre_agent.facts.kubernetes_node import KubernetesNodeFacts
from sre_agent.policy.facts import Facts
from sre_agent.sources.kubernetes import KubernetesCluster
from sre_agent.testing.kubernetes_api import KubernetesApi
from tests.actions.test_cordon_node import SICK, WORKERS, fail_there, node
from tests.actions.workload_stage import target
from tests.facts.test_kubernetes_target import START, context

pytestmark = pytest.mark.slow


@pytest.fixture
def api():
    with KubernetesApi(START) as server:
        for name in WORKERS:
            server.node(name)
        yield server


@pytest.fixture
def facts(api, tmp_path):
    cluster = KubernetesCluster(api.kubeconfig(tmp_path / "read"))

    async def collect(action="cordon_node", **changes) -> dict:
        asked = context(target(node(api), **changes))
        proposal = asked.proposal.model_copy(update={"action": action})
        return await KubernetesNodeFacts(cluster).collect(asked.model_copy(update={"proposal": proposal}))

    yield collect
    cluster.close()


async def test_a_node_that_harms_its_pods_can_be_cordoned(api, facts):
    fail_there(api)
    assert await facts() == {"target_resolved": True, "unmet": (), "touches_behaviour": False, "node_ready": True}
    assert set(await facts()) <= set(Facts.model_fields)


async def test_every_condition_that_does_not_hold_is_named_at_once(api, facts):
    api.node(SICK, ready=False)
    got = await facts()
    assert (got["node_ready"], got["unmet"]) == (False, ("node-not-ready", "nothing-wrong-here"))
    assert (await facts(action="uncordon_node"))["unmet"] == ("not-cordoned", "not-our-cordon", "still-in-trouble")


async def test_another_node_another_kind_and_another_action_are_answered_restrictively(facts):
    assert await facts(uid="other") == await facts(uid=None) == await facts(name="worker-1") == {"target_resolved": False}
    assert await facts(kind="Pod") == {}
    got = await facts(action="restart_pod")
    assert (got["unmet"], got["touches_behaviour"]) == (("action-unknown",), True)
