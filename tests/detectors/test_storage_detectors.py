"""Claims that cannot bind and volumes that cannot be mounted, and those that only wait as they should."""

import pytest

from sre_agent.detectors.kubernetes import claims, references, starting_pods, volumes
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.finding_reason import FindingReason as R
from tests.detectors.workload_cases import NAMESPACE, event, meta, pod, running, seen, waiting

NAME = "db-0"


def claim(phase: str = "Pending", age: float = 30, **spec) -> dict:
    wants = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}, **spec}
    return {"kind": "PersistentVolumeClaim", "metadata": meta("data", age), "spec": wants, "status": {"phase": phase}}


def storage_class(name: str, *, default: bool = False, **more) -> dict:
    notes = {"storageclass.kubernetes.io/is-default-class": str(default).lower()}
    return {"kind": "StorageClass", "metadata": {"name": name, "annotations": notes}, "provisioner": "csi.example", **more}


def user(*statuses: dict, age: float = 30) -> dict:
    mounts = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    return pod(NAME, *(statuses or (waiting("ContainerCreating"),)), spec={"volumes": mounts}, age=age, owners=[])


@pytest.mark.parametrize(
    ("told", "message", "spec", "reason"),
    [
        (
            "ProvisioningFailed",
            'storageclass.storage.k8s.io "fast" not found',
            {"storageClassName": "fast"},
            R.STORAGE_CLASS_MISSING,
        ),
        ("FailedBinding", "no persistent volumes available for this claim and no storage class is set", {}, R.NO_STORAGE_CLASS),
        (
            "FailedBinding",
            "no persistent volumes available for this claim and no storage class is set",
            {"storageClassName": ""},
            R.NO_MATCHING_VOLUME,
        ),
        ("VolumeMismatch", 'Cannot bind to requested volume "pv-1": requested PV is too small', {}, R.NO_MATCHING_VOLUME),
        (
            "ProvisioningFailed",
            'failed to provision volume with StorageClass "fast": rpc error: code = ResourceExhausted desc = quota',
            {"storageClassName": "fast"},
            R.PROVISIONER_FAILED,
        ),
    ],
)
def test_a_claim_that_cannot_bind_has_the_reason_of_its_event(told, message, spec, reason):
    item = claim(**spec)
    (finding,) = claims.detect(seen(item, event(item, told, message), user()))
    assert (finding.kind, finding.object, finding.namespace) == (K.CLAIM_UNBOUND, "claim/data", NAMESPACE)
    assert finding.reason is reason
    assert message in finding.cause


def test_without_events_the_classes_that_were_read_tell():
    (lost,) = claims.detect(seen(claim(storageClassName="fast"), storage_class("slow", default=True)))
    assert lost.reason is R.STORAGE_CLASS_MISSING
    assert "StorageClass fast does not exist (there are: slow)" in lost.cause
    (none,) = claims.detect(seen(claim(), storage_class("slow")))
    assert none.reason is R.NO_STORAGE_CLASS
    assert claims.detect(seen(claim(storageClassName="fast"))) == ()
    assert claims.detect(seen(claim(), storage_class("slow", default=True))) == ()


def test_what_free_volumes_lack_is_told():
    free = {"kind": "PersistentVolume", "metadata": {"name": "pv-1"}, "status": {"phase": "Available"}}
    free["spec"] = {"capacity": {"storage": "5Gi"}, "accessModes": ["ReadWriteMany"], "storageClassName": "slow"}
    item = claim(storageClassName="")
    (finding,) = claims.detect(seen(item, free, event(item, "FailedBinding", "no persistent volumes available for this claim")))
    assert "it wants 20Gi ReadWriteOnce of class none, free are: pv-1 (5Gi ReadWriteMany of class slow, Available)" in finding.cause


def test_a_claim_that_waits_for_its_first_pod_is_well():
    lazy = storage_class("lazy", volumeBindingMode="WaitForFirstConsumer")
    item = claim(storageClassName="lazy")
    assert claims.detect(seen(item, lazy, event(item, "WaitForFirstConsumer", "waiting for first consumer"))) == ()


def test_a_provisioner_that_does_not_answer_is_given_five_minutes():
    words = "Waiting for a volume to be created either by the external provisioner 'csi.example' or manually"
    late, young = claim(storageClassName="slow"), claim(age=2, storageClassName="slow")
    assert claims.detect(seen(late, event(late, "ExternalProvisioning", words)))[0].reason is R.PROVISIONER_FAILED
    assert claims.detect(seen(young, event(young, "ExternalProvisioning", words))) == ()


def test_a_bound_claim_is_left_alone_and_a_lost_one_is_not():
    bound = claim("Bound")
    assert claims.detect(seen(bound, event(bound, "ProvisioningFailed", "x"))) == ()
    assert claims.detect(seen(claim("Lost", volumeName="pv-3")))[0].reason is R.NO_MATCHING_VOLUME


def test_a_claim_that_nobody_mounts_counts_less():
    item = claim(storageClassName="fast")
    told = event(item, "ProvisioningFailed", 'storageclass "fast" not found')
    assert claims.detect(seen(item, told))[0].strength < claims.detect(seen(item, told, user()))[0].strength


@pytest.mark.parametrize(
    ("told", "message", "reason"),
    [
        ("FailedAttachVolume", 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) db-1', R.VOLUME_IN_USE),
        (
            "FailedMount",
            'MountVolume.SetUp failed for volume "pvc-1" : mount failed: exit status 32: access denied by server',
            R.MOUNT_FAILED,
        ),
        (
            "FailedMount",
            'MountVolume.SetUp failed for volume "h" : hostPath type check failed: /x is not a directory',
            R.MOUNT_FAILED,
        ),
    ],
)
def test_a_volume_that_cannot_be_mounted_holds_up_its_pod(told, message, reason):
    sick = user()
    generic = event(sick, "FailedMount", "Unable to attach or mount volumes: unmounted volumes=[d]: timed out", last=0.2)
    (finding,) = volumes.detect(seen(sick, event(sick, told, message), generic))
    assert (finding.kind, finding.object, finding.reason) == (K.POD_VOLUME_FAILED, f"pod/{NAME}", reason)
    assert message in finding.cause


def test_a_pod_that_started_since_or_only_just_began_has_no_failed_volume():
    message = 'Multi-Attach error for volume "pvc-1"'
    well, young = user(running()), user(age=1)
    assert volumes.detect(seen(well, event(well, "FailedAttachVolume", message))) == ()
    assert volumes.detect(seen(young, event(young, "FailedAttachVolume", message, count=1))) == ()


def test_a_missing_secret_is_configuration_and_no_failed_volume():
    sick = user()
    assert volumes.detect(seen(sick, event(sick, "FailedMount", 'MountVolume.SetUp failed : secret "db" not found'))) == ()
    assert volumes.detect(seen(sick, event(sick, "FailedMount", 'object "shop"/"settings" not registered'))) == ()
    generic = event(sick, "FailedMount", "Unable to attach or mount volumes: unmounted volumes=[d]: timed out")
    missing = event(sick, "FailedMount", 'MountVolume.SetUp failed : secret "db" not found')
    assert volumes.detect(seen(sick, generic, missing)) == ()
    assert volumes.detect(seen(sick, generic))


def test_a_sandbox_without_a_network_is_told():
    sick = user()
    words = 'Failed to create pod sandbox: plugin type="calico" failed (add): no IP addresses available in range'
    (finding,) = volumes.detect(seen(sick, event(sick, "FailedCreatePodSandBox", words)))
    assert (finding.kind, finding.reason) == (K.POD_NOT_READY, R.NETWORK_UNAVAILABLE)


def test_a_pod_that_starts_for_ever_is_told_with_what_its_kubelet_did_last():
    sick = user()
    (finding,) = starting_pods.detect(seen(sick, event(sick, "Pulling", 'Pulling image "registry.example/shop/app:1.4"')))
    assert (finding.kind, finding.object) == (K.POD_NOT_READY, f"pod/{NAME}")
    assert "for 30 minutes; the last that was said: Pulling image" in finding.cause
    assert starting_pods.detect(seen(user(age=5))) == ()
    assert starting_pods.detect(seen(user(running()))) == ()
    assert starting_pods.detect(seen(sick, event(sick, "FailedMount", "x"))) == ()


def config(name: str, kind: str = "ConfigMap") -> dict:
    return {"kind": kind, "metadata": meta(name)}


def mounts(optional: bool = False, age: float = 300) -> dict:
    source = {"name": "settings", **({"optional": True} if optional else {})}
    return pod(NAME, waiting("ContainerCreating"), spec={"volumes": [{"name": "c", "configMap": source}]}, age=age)


def test_a_mounted_config_map_that_does_not_exist_is_found_long_after_its_events():
    (finding,) = references.detect(seen(mounts(), config("kube-root-ca.crt")))
    assert (finding.kind, finding.reason) == (K.POD_BAD_CONFIG, R.CONFIG_MAP_MISSING)
    assert "mounts the ConfigMap settings, which does not exist" in finding.cause


@pytest.mark.parametrize(
    "objects",
    [
        (mounts(),),
        (mounts(), config("settings")),
        (mounts(), config("other", "Secret")),
        (mounts(optional=True), config("other")),
        (mounts(age=1), config("other")),
        (pod(NAME, running(), spec={"volumes": [{"name": "c", "configMap": {"name": "settings"}}]}), config("other")),
    ],
)
def test_what_was_not_read_or_is_optional_or_runs_is_not_missing(objects):
    assert references.detect(seen(*objects)) == ()


def test_nothing_is_missing_from_a_list_that_was_cut():
    whole = seen(mounts(), config("other"))
    cut = tuple(e.model_copy(update={"truncated": True}) for e in whole.evidence)
    assert references.detect(whole.model_copy(update={"evidence": cut})) == ()
