"""What objects say was changed, what is kept of them for it, and what is not told."""

from datetime import timedelta

import pytest

from sre_agent.evidence.change import ChangeKind
from sre_agent.evidence.kubernetes.changes import changed
from sre_agent.evidence.kubernetes.kept import stripped, told
from sre_agent.evidence.kubernetes.template_difference import differences
from sre_agent.evidence.window import Window
from tests.detectors.neighbourhood import NOW, ago, deployment, meta

DAY = Window.before(NOW, timedelta(hours=24))


def replica_set(revision, image, created, env=()):
    owned = [{"kind": "Deployment", "name": "api", "uid": "uid-shop-api", "controller": True}]
    made = meta(f"api-{revision}", annotations={"deployment.kubernetes.io/revision": str(revision)}, ownerReferences=owned)
    container = {"name": "main", "image": image, "env": [{"name": k, "value": v} for k, v in env]}
    spec = {"template": {"spec": {"containers": [container]}}}
    return {"kind": "ReplicaSet", "metadata": {**made, "creationTimestamp": created}, "spec": spec}


def written(kind, name="x", by="helm", at=None, created=None, **more):
    fields = [{"manager": by, "operation": "Update", "time": at, **more}] if at else []
    return {"kind": kind, "metadata": {**meta(name), "creationTimestamp": created or ago(days=9), "managedFields": fields}}


def found(*objects):
    by_kind = {}
    for item in objects:
        by_kind.setdefault(item["kind"], []).append(item)
    return changed(by_kind, DAY)


def test_a_rollout_is_told_with_both_images_and_what_else_differs():
    (change,) = found(
        deployment("api"), replica_set(1, "app:1", ago(days=3)), replica_set(2, "app:2", ago(hours=1), [("X", "s3cret")])
    )
    assert (change.kind, change.target, change.source) == (ChangeKind.DEPLOY, "deployment/api", "kubernetes")
    assert (change.from_version, change.to_version, change.at) == ("app:1", "app:2", NOW - timedelta(hours=1))
    assert change.summary == "image of main: app:1 -> app:2; variable X of main"
    assert "s3cret" not in change.model_dump_json()


def test_without_another_image_the_revisions_are_named():
    (change,) = found(deployment("api"), replica_set(1, "app:1", ago(days=3)), replica_set(2, "app:1", ago(hours=1), [("X", "1")]))
    assert (change.from_version, change.to_version) == ("revision 1", "revision 2")


def test_a_prompt_among_more_than_there_is_room_to_tell_is_still_a_change_of_a_prompt():
    many = [(f"A_RATHER_LONG_NAME_OF_A_VARIABLE_{n:02}", "1") for n in range(30)]
    (change,) = found(
        deployment("api"),
        replica_set(1, "app:1", ago(days=3)),
        replica_set(2, "app:1", ago(hours=1), [*many, ("Z_PROMPT_VERSION", "7")]),
    )
    assert "PROMPT" not in change.summary
    assert change.kind is ChangeKind.PROMPT


def test_a_first_revision_and_one_before_the_window_are_no_change():
    assert found(deployment("api"), replica_set(1, "app:1", ago(hours=1))) == ()
    assert found(deployment("api"), replica_set(1, "a", ago(days=4)), replica_set(2, "b", ago(days=3))) == ()


def test_what_somebody_wrote_is_a_change_and_what_controllers_report_is_none():
    for kind in ("StatefulSet", "DaemonSet", "Service", "NetworkPolicy", "Ingress", "ConfigMap", "ResourceQuota"):
        (change,) = found(written(kind, at=ago(hours=2)))
        assert (change.target, change.author) == (f"{kind.lower()}/x", "helm")
        assert found(written(kind, by="kube-controller-manager", at=ago(hours=2))) == ()
        assert found(written(kind, at=ago(hours=2), subresource="status")) == ()
        assert found(written(kind, at=ago(days=2))) == ()
        assert found(written(kind, at=ago(hours=2), created=ago(hours=2))) == ()


def test_a_policy_that_came_after_the_workloads_is_a_change_and_one_that_came_with_them_is_none():
    new = written("NetworkPolicy", created=ago(minutes=20))
    assert [c.summary for c in found(deployment("api"), new)] == ["created"]
    assert found(new) == ()
    assert found(deployment("api"), written("Service", created=ago(minutes=20))) == ()


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("prompts", {}, ChangeKind.PROMPT),
        ("app", {"system-prompt.txt": ""}, ChangeKind.PROMPT),
        ("llm-settings", {}, ChangeKind.MODEL),
        ("app", {"MODEL_NAME": ""}, ChangeKind.MODEL),
        ("app", {"LOG_LEVEL": ""}, ChangeKind.CONFIG),
    ],
)
def test_settings_that_speak_of_prompts_or_models_are_the_ai_engineers_changes(name, data, kind):
    (change,) = found({**written("ConfigMap", name, at=ago(hours=1)), "data": data})
    assert change.kind is kind


def test_a_variable_of_a_rollout_that_speaks_of_models_makes_it_one_too():
    new = replica_set(2, "app:1", ago(hours=1), [("MODEL_TEMPERATURE", "2")])
    (change,) = found(deployment("api"), replica_set(1, "app:1", ago(days=3)), new)
    assert change.kind is ChangeKind.MODEL


def test_differences_name_containers_probes_resources_and_parts_of_the_pod():
    old = {"spec": {"containers": [{"name": "a", "livenessProbe": {"x": 1}}], "nodeSelector": {}}}
    new = {"spec": {"containers": [{"name": "a", "resources": {}}, {"name": "b"}], "nodeSelector": {"disk": "ssd"}}}
    assert differences(old, new) == (
        "livenessProbe of a",
        "resources of a",
        "container b is new",
        "nodeSelector of the pod",
    )
    assert differences({}, {}) == differences(old, old) == ()


# --- what is kept ---


def test_of_who_wrote_an_object_only_people_and_times_are_kept():
    fields = [
        {"manager": "kubectl-edit", "operation": "Update", "time": ago(hours=1), "fieldsV1": {"f:spec": {}}},
        {"manager": "kube-controller-manager", "operation": "Update", "time": ago(hours=1), "fieldsV1": {}},
    ]
    kept = stripped({"metadata": {"name": "x", "managedFields": fields}}, "NetworkPolicy")
    assert kept["metadata"] == {
        "name": "x",
        "managedFields": [{"manager": "kubectl-edit", "operation": "Update", "time": ago(hours=1)}],
    }
    assert "managedFields" not in stripped({"metadata": {"name": "x", "managedFields": fields}}, "Pod")["metadata"]
    assert stripped({"metadata": None}, "Pod")["kind"] == "Pod"


def test_of_a_case_s_settings_names_are_kept_short_values_of_config_maps_and_no_secret():
    config = told({"kind": "ConfigMap", "metadata": {}, "data": {"HOST": "db", "prompt": "You are " * 50, "odd": 3}})
    assert config["data"] == {"HOST": "db", "prompt": "", "odd": ""}
    secret = told({"kind": "Secret", "metadata": {}, "data": {"password": "czNjcmV0"}, "stringData": {"token": "s3cret"}})
    assert (secret["data"], secret["stringData"]) == ({"password": ""}, {"token": ""})
    assert told({"kind": "Pod", "data": {"x": "y"}}) == {"kind": "Pod", "data": {"x": "y"}}
