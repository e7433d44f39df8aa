"""Probes: one that is wrong, one that is right, and a container that ends by itself meanwhile."""

import pytest

from sre_agent.detectors.kubernetes import init_containers, pods, probes
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.finding_reason import FindingReason as R
from tests.detectors.workload_cases import ago, condition, container, crashing, ended, event, log, pod, running, seen, waiting

NAME = "api-6d4f-x1"
REFUSED = "dial tcp 10.0.0.7:{}: connect: connection refused"
KILLING = "Container app failed {} probe, will be restarted"


def probed(which: str, *statuses, path="/healthz", port=8080, ports=(8080,), **probe) -> dict:
    asks = {"httpGet": {"path": path, "port": port}, **probe}
    spec = {"containers": [container(ports=[{"name": f"p{n}", "containerPort": n} for n in ports], **{f"{which}Probe": asks})]}
    return pod(NAME, *statuses, spec=spec)


def unwell(sick: dict, which: str, message: str, count: int = 9) -> dict:
    return event(sick, "Unhealthy", f"{which.capitalize()} probe failed: {message}", count=count)


@pytest.mark.parametrize(
    ("changes", "message", "reason"),
    [
        ({}, "HTTP probe failed with statuscode: 404", R.PROBE_PATH_WRONG),
        ({"port": 9090}, REFUSED.format(9090), R.PROBE_PORT_WRONG),
        ({"port": "htpp"}, "strconv.Atoi: parsing htpp: invalid syntax", R.PROBE_PORT_WRONG),
        ({"initialDelaySeconds": 1, "periodSeconds": 2}, REFUSED.format(8080), R.PROBE_TOO_STRICT),
        ({"timeoutSeconds": 1}, "context deadline exceeded (Client.Timeout exceeded while awaiting headers)", R.PROBE_TOO_STRICT),
    ],
)
def test_a_liveness_probe_that_is_wrong_kills_what_works(changes, message, reason):
    sick = probed("liveness", crashing(137, ran=0.4), **changes)
    told = (unwell(sick, "liveness", message), event(sick, "Killing", KILLING.format("liveness")))
    (finding,) = probes.detect(seen(sick, *told))
    assert (finding.kind, finding.reason, finding.object) == (K.POD_PROBE_FAILING, reason, f"pod/{NAME}")
    assert pods.detect(seen(sick, *told)) == ()


def test_a_liveness_probe_that_is_right_is_the_reason_of_a_crash_loop():
    sick = probed("liveness", crashing(137, ran=30))
    told = (unwell(sick, "liveness", "HTTP probe failed with statuscode: 500"), event(sick, "Killing", KILLING.format("liveness")))
    assert probes.detect(seen(sick, *told)) == ()
    (finding,) = pods.detect(seen(sick, *told))
    assert (finding.kind, finding.reason) == (K.POD_CRASH_LOOP, R.LIVENESS_FAILED)


def test_a_container_that_ends_by_itself_is_a_crash_loop_whatever_its_probe_says():
    sick = probed("liveness", crashing(1, ran=0.1))
    told = unwell(sick, "liveness", "HTTP probe failed with statuscode: 404")
    assert probes.detect(seen(sick, told)) == ()
    assert pods.detect(seen(sick, told))[0].reason is R.APP_ERROR


def test_a_startup_probe_that_kills_before_a_start_can_end_is_too_strict():
    sick = probed("startup", running(ready=False, restarts=5, since=0.2, last=ended(137, at=0.4)))
    told = (unwell(sick, "startup", REFUSED.format(8080)), event(sick, "Killing", KILLING.format("startup")))
    (finding,) = probes.detect(seen(sick, *told))
    assert finding.reason is R.PROBE_TOO_STRICT
    assert "startup probe (GET :8080/healthz)" in finding.cause
    assert "only 30 s to start" in finding.cause


def test_a_start_that_had_ten_minutes_and_did_not_end_is_a_crash_loop():
    sick = probed("startup", running(ready=False, restarts=5, since=0.2, last=ended(137, at=0.4, ran=10)), failureThreshold=60)
    told = (unwell(sick, "startup", REFUSED.format(8080)), event(sick, "Killing", KILLING.format("startup")))
    assert probes.detect(seen(sick, *told)) == ()
    assert pods.detect(seen(sick, *told))[0].reason is R.STARTUP_FAILED


@pytest.mark.parametrize("restarts", [0, 2])
def test_a_restart_or_two_by_a_probe_are_not_a_failing_probe(restarts):
    sick = probed("liveness", running(ready=False, restarts=restarts))
    assert probes.detect(seen(sick, unwell(sick, "liveness", "HTTP probe failed with statuscode: 404"))) == ()


def test_a_pod_that_recovered_from_its_probe_is_left_alone():
    well = probed("liveness", running(restarts=5, last=ended(137, at=200)))
    assert probes.detect(seen(well, unwell(well, "liveness", "HTTP probe failed with statuscode: 404"))) == ()


@pytest.mark.parametrize(
    ("changes", "message", "reason"),
    [
        ({}, "HTTP probe failed with statuscode: 404", R.PROBE_PATH_WRONG),
        ({"port": 81}, REFUSED.format(81), R.PROBE_PORT_WRONG),
        ({}, REFUSED.format(8080), R.READINESS_FAILED),
        ({}, "HTTP probe failed with statuscode: 503", R.READINESS_FAILED),
        ({}, "context deadline exceeded", R.READINESS_FAILED),
    ],
)
def test_an_unready_pod_has_the_reason_of_its_readiness_probe(changes, message, reason):
    sick = probed("readiness", running(ready=False), **changes)
    (finding,) = pods.detect(seen(sick, unwell(sick, "readiness", message)))
    assert (finding.kind, finding.reason) == (K.POD_NOT_READY, reason)
    assert message[:40] in finding.cause


def test_an_unready_pod_whose_log_speaks_of_what_it_cannot_reach_says_so():
    sick = probed("readiness", running(ready=False))
    told = unwell(sick, "readiness", "HTTP probe failed with statuscode: 503")
    lines = log(NAME, "ERROR redis: dial tcp: connection refused", previous=False)
    (finding,) = pods.detect(seen(sick, told, logs=(lines,)))
    assert finding.reason is R.DEPENDENCY_UNREACHABLE


def test_a_readiness_gate_that_nobody_opened_is_not_a_probe():
    gate = condition(
        "Ready", "False", reason="ReadinessGatesNotReady", message='corresponding condition of pod readiness gate "lb" is False'
    )
    (finding,) = pods.detect(seen(pod(NAME, running(), conditions=[gate])))
    assert "readiness gate" in finding.cause
    assert finding.reason is None


def initial(command, since, name="wait-for-db"):
    status = {"name": name, "ready": False, "restartCount": 0, "state": {"running": {"startedAt": ago(since)}}}
    spec = {"initContainers": [container(name, command=["sh", "-c", command])]}
    return pod(NAME, waiting("PodInitializing"), init=[status], phase="Pending", spec=spec)


def test_an_init_container_that_waits_for_ever_holds_up_its_pod():
    (finding,) = init_containers.detect(seen(initial("until nc -z db 5432; do sleep 1; done", 12)))
    assert (finding.kind, finding.reason) == (K.POD_INIT_FAILED, R.DEPENDENCY_UNREACHABLE)
    assert "has run for 12 minutes" in finding.cause
    assert "nc -z db 5432" in finding.cause


def test_an_init_container_that_just_began_or_does_long_work_is_less_or_nothing():
    assert init_containers.detect(seen(initial("until nc -z db 5432; do sleep 1; done", 3))) == ()
    (slow,) = init_containers.detect(seen(initial("python migrate.py", 12, "migrate")))
    assert slow.reason is None
    assert slow.strength < init_containers.detect(seen(initial("until nc -z db 5432", 12)))[0].strength
