"""The write adapter against the stand-in: what each answer, and each silence, is called."""

from datetime import UTC, datetime

import pytest

from sre_agent.adapters.kubernetes import KubernetesPodHands
from sre_agent.execution.hands import PodRef
from sre_agent.incident.errors import ConfigurationError, OutcomeUnknown, Permanent, Refused, Transient
from sre_agent.testing.kubernetes_api import Fault, FaultKind, KubernetesApi, PodScript, PodState, Workload

pytestmark = pytest.mark.slow
CRASHING = PodScript(PodState.CRASH_LOOP)


@pytest.fixture
def api():
    with KubernetesApi(datetime(2026, 3, 4, 3, 11, tzinfo=UTC)) as server:
        server.node("node-1")
        yield server


@pytest.fixture
def hands(api, tmp_path):
    made = KubernetesPodHands(api.kubeconfig(tmp_path / "write", "hands"), connect_s=1.0, answer_s=1.0)
    yield made
    made.close()


def ref(pod, **changed) -> PodRef:
    meta = pod["metadata"]
    fields = {"namespace": "voice", "name": meta["name"], "uid": meta["uid"], "resource_version": meta["resourceVersion"]}
    return PodRef(**{**fields, **changed})


def sick(api, **more):
    return api.deploy(Workload("api", "voice", states=(CRASHING,), **more))[0]


def real_evictions_sent(api) -> int:
    return sum(1 for r in api.requests if r.path.endswith("/eviction") and "dryRun" not in r.query)


async def test_a_dry_run_reaches_the_server_and_changes_nothing(api, hands):
    pod = sick(api)
    await hands.evict(ref(pod), dry_run=True)
    assert api.evictions == []
    assert api.requests[-1].query == {"dryRun": "All", "fieldManager": "sre-agent"}


async def test_an_eviction_happens_once(api, hands):
    pod = sick(api)
    await hands.evict(ref(pod), dry_run=False)
    assert api.evictions == [pod["metadata"]["uid"]]


@pytest.mark.parametrize("dry_run", [True, False])
async def test_an_exhausted_budget_is_a_refusal(api, hands, dry_run):
    pod = sick(api, min_available=3)
    with pytest.raises(Refused) as refused:
        await hands.evict(ref(pod), dry_run=dry_run)
    assert refused.value.rule == "k8s-pdb-exhausted"
    assert api.evictions == []


@pytest.mark.parametrize("changed", [{"uid": "another"}, {"resource_version": "1"}, {"uid": ""}, {"resource_version": ""}])
async def test_a_pod_that_changed_or_was_named_without_identity_is_refused(api, hands, changed):
    pod = sick(api)
    with pytest.raises(Refused) as refused:
        await hands.evict(ref(pod, **changed), dry_run=False)
    assert refused.value.rule == "k8s-precondition-conflict"
    assert api.evictions == []


async def test_a_pod_that_is_gone_is_refused(api, hands):
    pod = sick(api)
    with pytest.raises(Refused) as refused:
        await hands.evict(ref(pod, name="gone"), dry_run=False)
    assert refused.value.rule == "k8s-gone"


async def test_a_missing_right_is_named(api, tmp_path):
    pod = sick(api)
    hands = KubernetesPodHands(api.kubeconfig(tmp_path / "read", "reader"))
    with pytest.raises(Permanent, match="create pods/eviction in namespace voice"):
        await hands.evict(ref(pod), dry_run=True)
    api.grant("reader", {("get", "pods")})
    with pytest.raises(Permanent, match="get pods/log in namespace voice"):
        await hands.previous_logs(ref(pod), "app", max_bytes=10)
    hands.close()


async def test_an_admission_webhook_that_says_no_is_a_refusal(api, hands):
    pod = sick(api)
    api.fail(Fault(FaultKind.ADMISSION, "eviction"))
    with pytest.raises(Refused) as refused:
        await hands.evict(ref(pod), dry_run=False)
    assert refused.value.rule == "k8s-admission-denied"


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER, FaultKind.SLOW, FaultKind.ERROR_500, FaultKind.HTML])
async def test_a_real_eviction_without_an_answer_is_of_unknown_outcome_and_sent_once(api, hands, kind):
    pod = sick(api)
    await hands.evict(ref(pod), dry_run=True)
    api.fail(Fault(kind, "eviction", times=5, seconds=3.0, dry_run=False))
    with pytest.raises(OutcomeUnknown):
        await hands.evict(ref(pod), dry_run=False)
    assert real_evictions_sent(api) == 1


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.DROP_BEFORE, Transient),
        (FaultKind.SLOW, Transient),
        (FaultKind.ERROR_500, Transient),
        (FaultKind.HTML, Permanent),
        (FaultKind.UNAUTHORIZED, Permanent),
    ],
)
async def test_a_dry_run_that_fails_never_claims_an_unknown_outcome(api, hands, kind, error):
    pod = sick(api)
    api.fail(Fault(kind, "eviction", seconds=3.0))
    with pytest.raises(error) as failed:
        await hands.evict(ref(pod), dry_run=True)
    assert not isinstance(failed.value, OutcomeUnknown)


async def test_being_throttled_says_when_to_come_back_and_is_not_a_budget(api, hands):
    pod = sick(api)
    api.fail(Fault(FaultKind.TOO_MANY_REQUESTS, "eviction"))
    with pytest.raises(Transient) as throttled:
        await hands.evict(ref(pod), dry_run=False)
    assert (type(throttled.value), throttled.value.retry_after) == (Transient, 1.0)


async def test_an_unreachable_server_means_nothing_happened(api, tmp_path):
    pod = sick(api)
    hands = KubernetesPodHands(api.kubeconfig(tmp_path / "write", "hands"), connect_s=0.5)
    api.stop()
    with pytest.raises(Transient) as failed:
        await hands.evict(ref(pod), dry_run=False)
    assert type(failed.value) is Transient
    hands.close()


async def test_a_missing_or_broken_write_kubeconfig_never_falls_back(tmp_path, monkeypatch, api):
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path / "read", "reader")))
    broken = tmp_path / "broken"
    broken.write_text("clusters: [")
    for path in (tmp_path / "missing", broken):
        with pytest.raises(ConfigurationError, match=path.name):
            await KubernetesPodHands(path).evict(PodRef("voice", "x", "u", "1"), dry_run=True)
    assert api.requests == []


async def test_previous_logs_are_the_end_of_the_last_run(api, hands):
    pod = sick(api)
    api.log(pod, "start\n" + "x" * 100 + "\nlast words\n", previous=True)
    assert await hands.previous_logs(ref(pod), "app", max_bytes=11) == "last words\n"
    assert await hands.previous_logs(ref(pod), "app", max_bytes=0) == ""


async def test_no_previous_run_and_no_pod_are_an_empty_log(api, hands):
    pod = api.deploy(Workload("quiet", "voice"))[0]
    assert await hands.previous_logs(ref(pod), "app", max_bytes=100) == ""
    assert await hands.previous_logs(ref(pod, name="gone"), "app", max_bytes=100) == ""
