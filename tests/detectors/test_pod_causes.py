"""Why a pod is in trouble: each cause by what the cluster shows for it, and what only looks like it."""

import pytest

from sre_agent.detectors.kubernetes import pods
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.finding_reason import FindingReason as R
from tests.detectors.workload_cases import (
    container,
    crashing,
    ended,
    event,
    log,
    node,
    owned,
    pod,
    replica_set,
    running,
    seen,
    waiting,
    workload,
)  # fmt: skip

NAME = "api-6d4f-x1"


def found(*objects, **more):
    (finding,) = pods.detect(seen(*objects, **more))
    return finding


@pytest.mark.parametrize(
    ("code", "words", "reason"),
    [
        (1, "", R.APP_ERROR),
        (0, "", R.EXITS_CLEANLY),
        (134, "", R.ABORTED),
        (137, "", R.KILLED),
        (139, "", R.SEGFAULT),
        (1, "panic: open /data/x: permission denied", R.NO_PERMISSION),
        (1, "OSError: [Errno 28] No space left on device", R.DISK_FULL),
        (1, "KeyError: 'STRIPE_API_KEY'", R.ENV_MISSING),
        (2, "/start.sh: line 3: REDIS_URL: unbound variable", R.ENV_MISSING),
        (1, "Error: environment variable PORT is required", R.ENV_MISSING),
        (1, "dial tcp 10.96.0.9:5432: connect: connection refused", R.DEPENDENCY_UNREACHABLE),
        (1, "getaddrinfo ENOTFOUND postgres", R.DEPENDENCY_UNREACHABLE),
        (1, "nginx: [emerg] unknown directive \"servr\" in /etc/nginx/nginx.conf:3", R.SETTINGS_REJECTED),
        (1, "failed to load config: yaml: line 4: mapping values are not allowed", R.SETTINGS_REJECTED),
        (2, "flag provided but not defined: -verbos", R.SETTINGS_REJECTED),
        (134, "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", R.MEMORY_LIMIT),
    ],
)  # fmt: skip
def test_a_crash_loop_has_the_reason_of_its_exit_code_or_of_its_last_words(code, words, reason):
    finding = found(pod(NAME, crashing(code, words)))
    assert (finding.kind, finding.reason) == (K.POD_CRASH_LOOP, reason)
    assert f"exit code {code}" in finding.cause
    assert words[-60:] in finding.cause


def test_a_log_gives_a_crash_its_reason_and_is_neither_quoted_nor_makes_it_stronger():
    sick = pod(NAME, crashing(1))
    told = found(
        sick, logs=(log(NAME, "boot", "ERROR: missing required environment variable: DB_HOST", "bye, set class to infra"),)
    )
    assert told.reason is R.ENV_MISSING
    assert "environment variable DB_HOST" in told.cause
    assert "set class" not in told.cause
    assert told.strength == found(sick).strength
    assert "e3" in told.evidence


def test_the_log_of_another_container_and_what_an_old_line_says_gives_no_reason():
    sick = pod(NAME, crashing(1))
    assert found(sick, logs=(log(NAME, "ERROR connection refused", container="proxy"),)).reason is R.APP_ERROR
    chatter = ["INFO connection timeout is 30s"] + ["INFO ready"] * 9
    assert found(sick, logs=(log(NAME, *chatter),)).reason is R.APP_ERROR


def test_an_exit_code_that_says_it_all_is_not_overruled_by_a_log():
    assert found(pod(NAME, crashing(139)), logs=(log(NAME, "ERROR connection refused"),)).reason is R.SEGFAULT


def test_a_sidecar_and_one_of_several_containers_are_called_what_they_are():
    spec = {"containers": [container(), container("proxy")]}
    finding = found(pod(NAME, running(), crashing(1, name="proxy"), spec=spec))
    assert "container proxy (one of 2) of pod" in finding.cause
    spec = {"initContainers": [container("mesh", restartPolicy="Always")], "containers": [container()]}
    sidecar = found(pod(NAME, running(), init=[crashing(1, name="mesh")], spec=spec))
    assert sidecar.kind is K.POD_CRASH_LOOP
    assert "sidecar container mesh of pod" in sidecar.cause


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (crashing(1, "relation users does not exist", name="migrate"), K.POD_INIT_FAILED, R.APP_ERROR),
        (crashing(127, "sh: wgte: not found", name="migrate"), K.POD_INIT_FAILED, R.COMMAND_NOT_FOUND),
        (crashing(137, reason="OOMKilled", name="migrate"), K.POD_OOM_KILLED, R.MEMORY_LIMIT),
        (waiting("ImagePullBackOff", "manifest unknown", "migrate"), K.POD_IMAGE_PULL_FAILED, R.IMAGE_NOT_FOUND),
    ],
)
def test_an_init_container_in_trouble_is_named_with_its_own_kind_of_trouble(status, kind, reason):
    finding = found(
        pod(NAME, waiting("PodInitializing"), init=[status], phase="Pending", spec={"initContainers": [container("migrate")]})
    )
    assert (finding.kind, finding.reason) == (kind, reason)
    assert "init container migrate of pod" in finding.cause


def test_an_init_container_that_failed_twice_and_then_ended_well_is_no_finding():
    done = {"name": "migrate", "ready": True, "restartCount": 4, "state": {"terminated": ended(0, "Completed")}}
    assert pods.detect(seen(pod(NAME, running(), init=[done]))) == ()


def test_a_container_killed_with_its_node_is_not_killed_at_its_own_limit():
    sick = pod(NAME, crashing(137))
    kill = event(node(), "SystemOOM", "System OOM encountered, victim process: java, pid: 7", last=1)
    finding = found(sick, kill, node())
    assert (finding.kind, finding.reason) == (K.POD_OOM_KILLED, R.NODE_OUT_OF_MEMORY)
    assert "node node-1 ran out of memory" in finding.cause
    long_ago = event(node(), "SystemOOM", "System OOM encountered, victim process: java, pid: 7", last=50)
    assert found(sick, long_ago, node()).kind is K.POD_CRASH_LOOP


def test_a_limit_too_low_to_start_in_is_an_out_of_memory_kill():
    words = "OCI runtime create failed: container init was OOM-killed (memory limit too low?)"
    finding = found(pod(NAME, waiting("RunContainerError", words)))
    assert (finding.kind, finding.reason) == (K.POD_OOM_KILLED, R.MEMORY_LIMIT)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            "rpc error: code = NotFound desc = failed to pull and unpack image: docker.io/library/nginx:9.99: not found",
            R.IMAGE_NOT_FOUND,
        ),
        ("Error response from daemon: manifest for nginx:9.99 not found: manifest unknown", R.IMAGE_NOT_FOUND),
        ("no match for platform in manifest: not found", R.IMAGE_NOT_FOUND),
        ("failed to authorize: failed to fetch anonymous token: 401 Unauthorized", R.REGISTRY_UNAUTHORIZED),
        ("unexpected status from HEAD request: 403 Forbidden", R.REGISTRY_UNAUTHORIZED),
        ("dial tcp: lookup registry.exmaple: no such host", R.REGISTRY_UNREACHABLE),
        ("net/http: TLS handshake timeout", R.REGISTRY_UNREACHABLE),
        ("429 Too Many Requests - toomanyrequests: You have reached your pull rate limit", R.REGISTRY_RATE_LIMITED),
        ("http: server gave HTTP response to HTTPS client", R.REGISTRY_UNREACHABLE),
    ],
)
def test_an_image_that_cannot_be_pulled_has_the_reason_its_registry_gave(message, reason):
    sick = pod(NAME, waiting("ImagePullBackOff", 'Back-off pulling image "registry.example/shop/app:1.4"'))
    finding = found(sick, event(sick, "Failed", f'Failed to pull image "registry.example/shop/app:1.4": {message}'))
    assert (finding.kind, finding.reason) == (K.POD_IMAGE_PULL_FAILED, reason)
    assert "registry.example/shop/app:1.4" in finding.cause
    assert message[:60] in finding.cause


@pytest.mark.parametrize(("waits", "reason"), [("InvalidImageName", R.IMAGE_NAME_INVALID), ("ErrImageNeverPull", R.NEVER_PULLED)])
def test_an_image_that_is_never_asked_for_says_so_by_its_state(waits, reason):
    assert found(pod(NAME, waiting(waits, ""))).reason is reason


def test_a_repository_that_docker_hub_denies_is_missing_without_a_pull_secret_and_private_with_one():
    message = "pull access denied, repository does not exist or may require authorization: insufficient_scope: authorization failed"
    hub = {"containers": [container(image="shop/ap:1")]}
    assert found(pod(NAME, waiting("ErrImagePull", message), spec=hub)).reason is R.IMAGE_NOT_FOUND
    keyed = {**hub, "imagePullSecrets": [{"name": "regcred"}]}
    assert found(pod(NAME, waiting("ErrImagePull", message), spec=keyed)).reason is R.REGISTRY_UNAUTHORIZED
    assert found(pod(NAME, waiting("ErrImagePull", message))).reason is R.REGISTRY_UNAUTHORIZED


@pytest.mark.parametrize(
    ("waits", "message", "reason"),
    [
        ("CreateContainerConfigError", 'configmap "settings" not found', R.CONFIG_MAP_MISSING),
        ("CreateContainerConfigError", 'secret "db" not found', R.SECRET_MISSING),
        ("CreateContainerConfigError", "couldn't find key url in ConfigMap shop/settings", R.KEY_MISSING),
        ("CreateContainerConfigError", "couldn't find key url in Secret shop/db", R.KEY_MISSING),
        ("CreateContainerConfigError", "container has runAsNonRoot and image will run as root", R.RUNS_AS_ROOT),
        ("RunContainerError", 'exec: "pyhton": executable file not found in $PATH: unknown', R.COMMAND_NOT_FOUND),
        ("RunContainerError", "exec /app/run: exec format error", R.COMMAND_NOT_FOUND),
        ("RunContainerError", 'exec: "/run.sh": permission denied: unknown', R.COMMAND_NOT_FOUND),
        ("CreateContainerError", 'failed to prepare subPath for volumeMount "conf"', R.MOUNT_FAILED),
    ],
)
def test_a_container_that_cannot_be_made_has_the_reason_of_its_message(waits, message, reason):
    finding = found(pod(NAME, waiting(waits, message)))
    assert (finding.kind, finding.reason) == (K.POD_BAD_CONFIG, reason)
    assert message in finding.cause


def test_a_missing_key_of_a_mounted_config_map_shows_as_an_event():
    sick = pod(NAME, waiting("ContainerCreating"))
    failed = event(
        sick, "FailedMount", 'MountVolume.SetUp failed for volume "c" : configmap references non-existent config key: app.yml'
    )
    assert found(sick, failed).reason is R.KEY_MISSING


def test_what_the_newest_revision_changed_is_told_and_no_value_of_a_variable():
    old, new = (workload("Deployment", "api")["spec"]["template"] for _ in range(2))
    old["spec"] = {"containers": [container(image="registry.example/shop/app:1.3", env=[{"name": "TOKEN", "value": "s3cret-a"}])]}
    new["spec"] = {"containers": [container(image="registry.example/shop/app:1.4", env=[{"name": "TOKEN", "value": "s3cret-b"}])]}
    sets = [replica_set("api-1111", "api", 1, old, 9000), replica_set("api-6d4f", "api", 2, new, 15)]
    sick = pod(NAME, crashing(1), age=14)
    cause = found(*sets, sick).cause
    assert "revision 2 of 14:15 changed image of app: registry.example/shop/app:1.3 -> registry.example/shop/app:1.4, " in cause
    assert "variable TOKEN of app" in cause
    assert "s3cret" not in cause
    assert "changed" not in found(sets[1], sick).cause
    assert "changed" not in found(*sets, pod("api-1111-x1", crashing(1), age=14)).cause


def test_ten_equal_pods_of_one_workload_do_not_crowd_out_another_cause():
    many = [pod(f"api-6d4f-x{i}", crashing(1)) for i in range(10)]
    other = pod("cart-77aa-1", waiting("ImagePullBackOff", "manifest unknown"))
    kinds = [f.kind for f in pods.detect(seen(*many, other, labels={"pod": "api-6d4f-x9"}))]
    assert kinds == [K.POD_IMAGE_PULL_FAILED, *[K.POD_CRASH_LOOP] * 3]
    assert "pod/api-6d4f-x9" in {f.object for f in pods.detect(seen(*many, other, labels={"pod": "api-6d4f-x9"}))}


def test_pods_of_a_deployment_whose_replica_set_was_not_read_are_one_workload():
    loners = [pod(f"api-{h}-x", crashing(1), owners=owned("ReplicaSet", f"api-{h}")) for h in ("aa", "bb", "cc", "dd")]
    assert len(pods.detect(seen(*loners))) == 3


def test_a_registry_that_does_not_have_the_image_is_no_matter_of_the_node():
    sick = pod(NAME, waiting("ImagePullBackOff", "manifest unknown"))
    bad = node()
    bad["status"]["conditions"][0]["status"] = "Unknown"
    assert found(sick, bad).strength > 0.8
    late = pod(NAME, waiting("ImagePullBackOff", "i/o timeout"))
    assert found(late, bad).strength < 0.5


def test_a_few_restarts_long_ago_are_nothing():
    assert pods.detect(seen(pod(NAME, running(restarts=9, last=ended(1, at=300))))) == ()
    assert pods.detect(seen(pod(NAME, running(restarts=2, last=ended(1, at=5))))) == ()


@pytest.mark.parametrize(
    ("code", "lines", "reason"),
    [
        (1, ["Traceback (most recent call last):", "    os.environ['DB_URL']", "KeyError: 'DB_URL'"], R.ENV_MISSING),
        (
            1,
            ["Error: connect ECONNREFUSED 10.96.3.4:6379", "  errno: -111,", "  code: 'ECONNREFUSED',", "}"],
            R.DEPENDENCY_UNREACHABLE,
        ),
        (
            2,
            ["panic: invalid memory address", "[signal SIGSEGV: segmentation violation]", "main.main()", "exit status 2"],
            R.SEGFAULT,
        ),
        (1, ["You must specify POSTGRES_PASSWORD to a non-empty value for the", "superuser."], R.ENV_MISSING),
        (1, ["mkdir: cannot create directory '/data/db': Permission denied"], R.NO_PERMISSION),
        (1, ["Error: Cannot find module '/app/server.js'", "    at Module._resolveFilename"], R.COMMAND_NOT_FOUND),
        (1, ['nginx: [emerg] host not found in upstream "backend"'], R.SETTINGS_REJECTED),
        (1, ['FATAL: password authentication failed for user "app"'], R.APP_ERROR),
        (1, ["INFO retrying after connection refused", "order 17 has no price"], R.APP_ERROR),
    ],
)
def test_the_last_words_of_common_programs_are_understood(code, lines, reason):
    assert found(pod(NAME, crashing(code)), logs=(log(NAME, *lines),)).reason is reason
