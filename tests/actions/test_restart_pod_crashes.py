"""restart_pod after a crash or a lost answer: never evicted twice, never called done without proof."""

import pytest

from sre_agent.execution.ledger import Intent, IntentState
from sre_agent.incident.errors import OutcomeUnknown, Transient
from sre_agent.testing.kubernetes_api import Fault, FaultKind, KubernetesApi
from tests.actions.restart_stage import START, Stage, target

pytestmark = pytest.mark.slow


@pytest.fixture
def stage(tmp_path):
    with KubernetesApi(START) as api:
        api.node("node-1")
        made = Stage(api, tmp_path)
        yield made
        made.hands.close()
        made.cluster.close()


async def crashed(stage, pod, error=OutcomeUnknown) -> Intent:
    intent = await stage.intent(pod)
    with pytest.raises(error):
        await stage.action.effect(intent, stage.bench)
    return stage.as_left(intent)


async def test_a_connection_dropped_after_the_commit_is_observed_and_not_evicted_twice(stage):
    pod = stage.deploy()
    stage.api.fail(Fault(FaultKind.DROP_AFTER, "eviction", dry_run=False))
    left = await crashed(stage, pod)
    outcome = await stage.action.recover(left, stage.bench)
    assert outcome.state is IntentState.DONE
    assert stage.api.evictions == [pod["metadata"]["uid"]]
    assert real_evictions(stage) == 1


async def test_a_connection_dropped_before_the_commit_is_proved_not_done_and_not_tried_again(stage):
    pod = stage.deploy()
    stage.api.fail(Fault(FaultKind.DROP_BEFORE, "eviction", dry_run=False))
    left = await crashed(stage, pod)
    outcome = await stage.action.recover(left, stage.bench)
    assert outcome.state is IntentState.NOT_DONE
    # An eviction under way in the server would have ended by then.
    assert stage.slept >= 60
    assert stage.api.evictions == []
    assert real_evictions(stage) == 1


async def test_a_pod_that_moved_on_undeleted_proves_at_once_that_nothing_was_applied(stage):
    pod = stage.deploy()
    stage.api.fail(Fault(FaultKind.DROP_BEFORE, "eviction", dry_run=False))
    left = await crashed(stage, pod)
    stage.api.edit(pod)
    assert (await stage.action.recover(left, stage.bench)).state is IntentState.NOT_DONE
    assert stage.slept == 0


async def test_a_half_applied_eviction_is_not_taken_for_none(stage):
    pod = stage.deploy()
    stage.api.fail(Fault(FaultKind.DROP_BEFORE, "eviction", dry_run=False))
    left = await crashed(stage, pod)
    disrupted = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    stage.api.edit(pod, status={"conditions": [*pod["status"]["conditions"], disrupted]})
    assert (await stage.action.recover(left, stage.bench)).state is not IntentState.NOT_DONE


class Died(Exception):
    """The process ended here."""


@pytest.mark.parametrize("step", ["capture_logs", "dry_run"])
async def test_a_crash_before_the_eviction_is_not_done(stage, step):
    def die():
        raise Died

    stage.on_step[step] = die
    left = await crashed(stage, stage.deploy(), Died)
    assert (await stage.action.recover(left, stage.bench)).state is IntentState.NOT_DONE
    assert stage.slept == 0
    assert stage.api.evictions == []


async def test_a_crash_between_intent_and_effect_is_not_made_good_by_a_second_try(stage):
    def die():
        raise Died

    stage.on_step["evict"] = die
    left = await crashed(stage, stage.deploy(), Died)
    outcome = await stage.action.recover(left, stage.bench)
    assert outcome.state is IntentState.NOT_DONE
    assert stage.api.evictions == []
    assert real_evictions(stage) == 0


async def test_what_cannot_be_seen_stays_unknown(stage):
    stage.api.fail(Fault(FaultKind.DROP_AFTER, "eviction", dry_run=False))
    left = await crashed(stage, stage.deploy())
    stage.api.grant("reader", ())
    assert (await stage.action.recover(left, stage.bench)).state is IntentState.UNKNOWN
    stage.api.stop()
    assert (await stage.action.recover(left, stage.bench)).state is IntentState.UNKNOWN


async def test_reads_that_fail_for_a_while_do_not_end_the_observation(stage):
    intent = await stage.intent(stage.deploy())
    stage.on_step["evict"] = lambda: stage.api.fail(Fault(FaultKind.ERROR_500, "GET /api/v1/namespaces/voice/pods", times=3))
    assert (await stage.action.effect(intent, stage.bench)).state is IntentState.DONE


async def test_a_read_that_fails_before_anything_was_sent_is_passed_on(stage):
    pod = stage.deploy()
    stage.api.fail(Fault(FaultKind.ERROR_500, "poddisruptionbudgets"))
    with pytest.raises(Transient):
        await stage.action.precondition(target(pod), stage.bench)


def real_evictions(stage) -> int:
    return sum(1 for r in stage.api.requests if r.path.endswith("/eviction") and "dryRun" not in r.query)
