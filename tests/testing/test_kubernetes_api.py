"""The stand-in API server against the real client: each row of what a 1.36 server was seen to answer."""

import json
from datetime import UTC, datetime

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.config import load_kube_config

from sre_agent.testing.kubernetes.access import EVERYTHING
from sre_agent.testing.kubernetes_api import AdmissionPolicy, Fault, FaultKind, KubernetesApi, PodScript, PodState, Workload

pytestmark = pytest.mark.slow
START = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)


@pytest.fixture
def api():
    with KubernetesApi(START) as server:
        server.grant("admin", EVERYTHING)
        server.node("node-1")
        yield server


@pytest.fixture
def as_user(api, tmp_path):
    clients = []

    def make(identity: str) -> client.ApiClient:
        configuration = client.Configuration()
        load_kube_config(
            str(api.kubeconfig(tmp_path / identity, identity)), client_configuration=configuration, persist_config=False
        )
        configuration.retries = False
        clients.append(client.ApiClient(configuration))
        return clients[-1]

    yield make
    for c in clients:
        c.close()


@pytest.fixture
def core(as_user):
    return client.CoreV1Api(as_user("admin"))


@pytest.fixture
def apps(as_user):
    return client.AppsV1Api(as_user("admin"))


def body_of(error: ApiException) -> dict:
    return json.loads(error.body)


def eviction(pod, **preconditions) -> client.V1Eviction:
    options = client.V1DeleteOptions(preconditions=client.V1Preconditions(**preconditions)) if preconditions else None
    meta = client.V1ObjectMeta(name=pod["metadata"]["name"], namespace="voice")
    return client.V1Eviction(metadata=meta, delete_options=options)


def evict(core, pod, *, dry_run=None, **preconditions):
    return core.create_namespaced_pod_eviction(
        pod["metadata"]["name"],
        "voice",
        eviction(pod, **preconditions),
        dry_run=dry_run,
        field_manager="sre-agent",
        _preload_content=False,
    )


def uids(core) -> set[str]:
    return {p.metadata.uid for p in core.list_namespaced_pod("voice").items}


def test_a_dry_run_delete_answers_200_and_changes_nothing(api, core):
    pod = api.deploy(Workload("api", "voice"))[0]
    before = dict(pod["metadata"])
    core.delete_namespaced_pod(pod["metadata"]["name"], "voice", dry_run="All")
    after = core.read_namespaced_pod(pod["metadata"]["name"], "voice")
    assert (after.metadata.uid, after.metadata.resource_version) == (before["uid"], before["resourceVersion"])
    assert after.metadata.deletion_timestamp is None


@pytest.mark.parametrize("wrong", [{"uid": "not-it"}, {"resource_version": "1"}])
def test_a_delete_with_a_wrong_precondition_is_a_conflict(api, core, wrong):
    pod = api.deploy(Workload("api", "voice"))[0]
    options = client.V1DeleteOptions(preconditions=client.V1Preconditions(**wrong))
    with pytest.raises(ApiException) as refused:
        core.delete_namespaced_pod(pod["metadata"]["name"], "voice", body=options)
    assert (refused.value.status, body_of(refused.value)["reason"]) == (409, "Conflict")


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_a_deleted_pod_is_replaced_by_its_controller(api, core, kind):
    pod = api.deploy(Workload("api", "voice", kind=kind))[0]
    old = set(uids(core))
    core.delete_namespaced_pod(
        pod["metadata"]["name"],
        "voice",
        body=client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=pod["metadata"]["uid"])),
    )
    assert core.read_namespaced_pod(pod["metadata"]["name"], "voice").metadata.deletion_timestamp is not None
    api.advance(2.5)
    now = uids(core)
    assert pod["metadata"]["uid"] not in now
    assert len(now) == 3
    (new,) = now - old
    fresh = next(p for p in core.list_namespaced_pod("voice").items if p.metadata.uid == new)
    assert (fresh.metadata.name == pod["metadata"]["name"]) == (kind == "StatefulSet")
    assert next(c for c in fresh.status.conditions if c.type == "Ready").status == "False"
    api.advance(2.5)
    fresh = core.read_namespaced_pod(fresh.metadata.name, "voice")
    assert next(c for c in fresh.status.conditions if c.type == "Ready").status == "True"


def test_a_replacement_can_be_scripted_to_crash_too(api, core):
    again = PodScript(PodState.CRASH_LOOP, restarts=1)
    pod = api.deploy(Workload("api", "voice", replacement=again))[0]
    old = uids(core)
    evict(core, pod)
    api.advance(10)
    (new,) = [p for p in core.list_namespaced_pod("voice").items if p.metadata.uid not in old]
    assert new.status.container_statuses[0].state.waiting.reason == "CrashLoopBackOff"


def test_evictions_answer_201_dry_or_real(api, core):
    pod = api.deploy(Workload("api", "voice"))[0]
    dry = evict(core, pod, dry_run="All", uid=pod["metadata"]["uid"], resource_version=pod["metadata"]["resourceVersion"])
    assert (dry.status, json.loads(dry.data)["status"]) == (201, "Success")
    assert api.evictions == []
    assert evict(core, pod, uid=pod["metadata"]["uid"]).status == 201
    assert api.evictions == [pod["metadata"]["uid"]]
    assert any(c["type"] == "DisruptionTarget" for c in pod["status"]["conditions"])


@pytest.mark.parametrize("wrong", [{"uid": "not-it"}, {"resource_version": "1"}])
@pytest.mark.parametrize("dry_run", ["All", None])
def test_an_eviction_with_a_wrong_precondition_is_a_conflict(api, core, wrong, dry_run):
    pod = api.deploy(Workload("api", "voice"))[0]
    with pytest.raises(ApiException) as refused:
        evict(core, pod, dry_run=dry_run, **wrong)
    assert refused.value.status == 409
    assert api.evictions == []


@pytest.mark.parametrize("dry_run", ["All", None])
def test_an_exhausted_budget_answers_429_with_its_cause_and_no_retry_after(api, core, dry_run):
    pod = api.deploy(Workload("api", "voice", min_available=3))[0]
    with pytest.raises(ApiException) as refused:
        evict(core, pod, dry_run=dry_run)
    assert refused.value.status == 429
    assert body_of(refused.value)["details"]["causes"][0]["reason"] == "DisruptionBudget"
    assert "Retry-After" not in refused.value.headers
    assert api.evictions == []


def test_the_second_eviction_under_a_budget_of_one_is_refused_until_the_replacement_is_ready(api, core):
    first, second, _ = api.deploy(Workload("api", "voice", min_available=2))
    evict(core, first)
    with pytest.raises(ApiException) as refused:
        evict(core, second)
    assert refused.value.status == 429
    api.advance(10)
    api.advance(1)
    assert evict(core, second).status == 201


def test_two_budgets_over_one_pod_are_a_server_error_as_in_the_eviction_code(api, core):
    pod = api.deploy(Workload("api", "voice", min_available=1))[0]
    budget = {"kind": "PodDisruptionBudget", "metadata": {"name": "other", "namespace": "voice"}, "status": {}}
    api.add({**budget, "spec": {"maxUnavailable": "50%", "selector": {}}})
    with pytest.raises(ApiException) as refused:
        evict(core, pod)
    assert refused.value.status == 500


def test_a_dry_rollout_restart_returns_the_next_generation_and_stores_nothing(api, apps):
    api.deploy(Workload("api", "voice"))
    patch = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}}
    dry = apps.patch_namespaced_deployment("api", "voice", patch, dry_run="All", field_manager="sre-agent")
    assert dry.metadata.generation == 2
    stored = apps.read_namespaced_deployment("api", "voice")
    assert (stored.metadata.generation, stored.spec.template.metadata.annotations) == (1, None)
    apps.patch_namespaced_deployment("api", "voice", patch, field_manager="sre-agent")
    stored = apps.read_namespaced_deployment("api", "voice")
    assert (stored.metadata.generation, stored.status.observed_generation) == (2, 1)


def test_writes_with_an_old_resource_version_are_conflicts(api, apps):
    api.deploy(Workload("api", "voice"))
    old = apps.read_namespaced_deployment("api", "voice")
    apps.patch_namespaced_deployment("api", "voice", {"spec": {"minReadySeconds": 5}})
    with pytest.raises(ApiException) as replaced:
        apps.replace_namespaced_deployment("api", "voice", old)
    stale = {"metadata": {"resourceVersion": old.metadata.resource_version}, "spec": {"minReadySeconds": 6}}
    with pytest.raises(ApiException) as patched:
        apps.patch_namespaced_deployment("api", "voice", stale)
    assert (replaced.value.status, patched.value.status) == (409, 409)


def test_applying_a_field_of_another_manager_is_a_conflict(api, apps):
    api.deploy(Workload("api", "voice"))
    apps.patch_namespaced_deployment("api", "voice", {"spec": {"replicas": 4}}, field_manager="autoscaler")
    mine = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "api"}, "spec": {"replicas": 5}}
    with pytest.raises(ApiException) as refused:
        apps.patch_namespaced_deployment(
            "api", "voice", mine, field_manager="sre-agent", _content_type="application/apply-patch+yaml"
        )
    assert refused.value.status == 409
    assert {c["reason"] for c in body_of(refused.value)["details"]["causes"]} == {"FieldManagerConflict"}


def test_a_negative_replica_count_is_invalid_and_names_the_field(api, apps):
    api.deploy(Workload("api", "voice"))
    with pytest.raises(ApiException) as refused:
        apps.patch_namespaced_deployment_scale("api", "voice", {"spec": {"replicas": -1}})
    assert refused.value.status == 422
    assert body_of(refused.value)["details"]["causes"][0]["field"] == "spec.replicas"


def test_a_caller_without_a_role_is_forbidden_and_log_and_eviction_are_rights_of_their_own(api, as_user):
    pod = api.deploy(Workload("api", "voice"))[0]
    name = pod["metadata"]["name"]
    api.grant("podreader", {("get", "pods"), ("list", "pods")})
    limited = client.CoreV1Api(as_user("podreader"))
    assert limited.read_namespaced_pod(name, "voice").metadata.name == name
    for forbidden in (
        lambda: limited.read_namespaced_pod_log(name, "voice"),
        lambda: evict(limited, pod),
        lambda: limited.list_node(),
    ):
        with pytest.raises(ApiException) as refused:
            forbidden()
        assert (refused.value.status, body_of(refused.value)["reason"]) == (403, "Forbidden")


@pytest.mark.parametrize(("identity", "subresource", "allowed"), [("hands", "eviction", True), ("reader", "eviction", False)])
def test_a_self_review_tells_beforehand(as_user, identity, subresource, allowed):
    attributes = client.V1ResourceAttributes(verb="create", resource="pods", subresource=subresource, namespace="voice")
    review = client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes))
    answer = client.AuthorizationV1Api(as_user(identity)).create_self_subject_access_review(review)
    assert answer.status.allowed is allowed


def test_admission_policies_and_quotas_refuse_with_their_own_codes(api, core, apps):
    api.deploy(Workload("api", "voice"))
    api.writes.policies.append(
        AdmissionPolicy("no-forties", lambda o: o.get("spec", {}).get("replicas") != 40, "forty is too many")
    )
    with pytest.raises(ApiException) as policy:
        apps.patch_namespaced_deployment("api", "voice", {"spec": {"replicas": 40}})
    assert policy.value.status == 422
    assert "forty is too many" in body_of(policy.value)["message"]
    api.writes.pod_quota["voice"] = 3
    one = client.V1Pod(
        metadata=client.V1ObjectMeta(name="x"), spec=client.V1PodSpec(containers=[client.V1Container(name="a", image="a")])
    )
    with pytest.raises(ApiException) as quota:
        core.create_namespaced_pod("voice", one)
    assert quota.value.status == 403
    assert "exceeded quota" in body_of(quota.value)["message"]


def test_the_field_manager_of_a_write_is_recorded(api, apps):
    api.deploy(Workload("api", "voice"))
    apps.patch_namespaced_deployment("api", "voice", {"spec": {"minReadySeconds": 1}}, field_manager="sre-agent")
    apps.patch_namespaced_deployment("api", "voice", {"spec": {"minReadySeconds": 2}})
    fields = apps.read_namespaced_deployment("api", "voice").metadata.managed_fields
    assert {"sre-agent", "OpenAPI-Generator"} <= {f.manager for f in fields}


def test_lists_honour_namespaces_selectors_and_pages(api, core):
    api.deploy(Workload("api", "voice", nodes=("node-1", "node-2")))
    api.deploy(Workload("web", "shop", labels={"tier": "front"}))
    assert len(core.list_pod_for_all_namespaces().items) == 6
    assert len(core.list_namespaced_pod("voice").items) == 3
    assert len(core.list_pod_for_all_namespaces(label_selector="tier in (front,back),app!=api").items) == 3
    assert len(core.list_pod_for_all_namespaces(label_selector="!tier").items) == 3
    assert len(core.list_namespaced_pod("voice", field_selector="spec.nodeName=node-2").items) == 1
    with pytest.raises(ApiException) as unknown:
        core.list_namespaced_pod("voice", field_selector="spec.image=x")
    assert unknown.value.status == 400
    first = core.list_pod_for_all_namespaces(limit=4)
    rest = core.list_pod_for_all_namespaces(limit=4, _continue=first.metadata._continue)
    assert (len(first.items), len(rest.items), rest.metadata._continue) == (4, 2, None)


def test_logs_of_the_current_and_the_previous_run_are_kept_apart(api, core):
    crashed, quiet, _ = api.deploy(Workload("api", "voice", states=(PodScript(PodState.CRASH_LOOP),)))
    api.log(crashed, "one\ntwo\n")
    api.log(crashed, "last words\n", previous=True)
    name = crashed["metadata"]["name"]
    assert core.read_namespaced_pod_log(name, "voice", tail_lines=1) == "two\n"
    assert core.read_namespaced_pod_log(name, "voice", previous=True) == "last words\n"
    with pytest.raises(ApiException) as none:
        core.read_namespaced_pod_log(quiet["metadata"]["name"], "voice", previous=True)
    assert none.value.status == 400
    assert "previous terminated container" in body_of(none.value)["message"]


def test_what_is_not_implemented_answers_501_with_a_status(api, core):
    api.deploy(Workload("api", "voice"))
    for asked in (
        lambda: core.list_namespaced_pod("voice", resource_version_match="Exact", resource_version="1"),
        lambda: core.delete_collection_namespaced_pod("voice"),
    ):
        with pytest.raises(ApiException) as refused:
            asked()
        assert (refused.value.status, body_of(refused.value)["kind"]) == (501, "Status")
    with pytest.raises(ApiException) as nowhere:
        client.CoordinationV1Api(core.api_client).list_lease_for_all_namespaces()
    assert nowhere.value.status == 404


def test_unknown_tokens_are_unauthorized_and_unknown_pods_not_found(api, core, tmp_path):
    path = api.kubeconfig(tmp_path / "nobody", "nobody")
    assert path.stat().st_mode & 0o077 == 0
    configuration = client.Configuration()
    load_kube_config(str(path), client_configuration=configuration, persist_config=False)
    with client.ApiClient(configuration) as nobody, pytest.raises(ApiException) as stranger:
        client.CoreV1Api(nobody).list_node()
    assert stranger.value.status == 401
    with pytest.raises(ApiException) as gone:
        core.read_namespaced_pod("x", "voice")
    assert (gone.value.status, body_of(gone.value)["details"]) == (404, {"name": "x", "kind": "pods"})


def test_a_dropped_connection_after_the_commit_leaves_the_pod_evicted(api, core):
    pod = api.deploy(Workload("api", "voice"))[0]
    api.fail(Fault(FaultKind.DROP_AFTER, "eviction"))
    with pytest.raises(Exception, match=r"RemoteDisconnected|Connection aborted"):
        evict(core, pod)
    assert api.evictions == [pod["metadata"]["uid"]]


def test_status_of_deployments_nodes_and_budgets_follows_the_pods(api, apps, as_user):
    pods = api.deploy(Workload("api", "voice", min_available=1))
    api.set_pod(pods[0], PodScript(PodState.IMAGE_PULL))
    assert apps.read_namespaced_deployment("api", "voice").status.ready_replicas == 2
    budget = client.PolicyV1Api(as_user("admin")).read_namespaced_pod_disruption_budget("api", "voice")
    assert (budget.status.current_healthy, budget.status.disruptions_allowed) == (2, 1)
