"""Findings from the text of other tools, and from pods that wait: what they say, and what they leave alone."""

from datetime import UTC, datetime, timedelta

from sre_agent.detectors.kubernetes import claims, jobs, pods, probes, waiting_pods
from sre_agent.detectors.signals import observed_text
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.source import Scope
from sre_agent.evidence.told.described import described
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.investigation.examine import examine

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
POD = """stdout:
Name:             cart-7d9-x2
Namespace:        shop
Node:             node-1/10.0.0.1
Start Time:       Mon, 04 May 2026 12:00:00 +0200
Status:           {status}
{section}
  main:
    Image:         registry.example.com/cart:1
    State:          Waiting
      Reason:       {reason}
    Last State:     Terminated
      Reason:       {last}
      Message:      {message}
      Exit Code:    {code}
      Finished:     Mon, 04 May 2026 11:59:00 +0000
    Ready:          False
    Restart Count:  7
    Limits:
      memory:  64Mi
Conditions:
  Type              Status
  Ready             False
  PodScheduled      True
Events:
  Type     Reason   Age                 From     Message
  ----     ------   ----                ----     -------
  Warning  BackOff  2m (x25 over 9m)    kubelet  Back-off restarting failed container main in pod cart-7d9-x2
"""


def pod(section="Containers:", reason="CrashLoopBackOff", last="Error", code=1, message="boom", status="Running"):
    return POD.format(section=section, reason=reason, last=last, code=code, message=message, status=status)


def view(*told, kind=EvidenceKind.TEXT):
    evidence = tuple(
        Evidence(id=f"e{i}", source="x", kind=kind, query="", status=EvidenceStatus.OK, observed_at=NOW, payload=payload)
        for i, payload in enumerate(told, start=1)
    )
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=NOW, service=Reference(id="P1"))
    window = Window(start=NOW - timedelta(hours=1), end=NOW)
    scope = Scope(incident=incident, now=NOW, onset=NOW - timedelta(minutes=5), window=window, change_window=window)
    return EvidenceView(scope=scope, evidence=evidence)


def said(operation, output, **args):
    return {"source": "kubernetes", "operation": operation, "args": args, "output": output}


def from_text(*told):
    return {
        f.kind: f for f in examine(view(*told), (observed_text.detect, pods.detect, probes.detect, waiting_pods.detect)).findings
    }


def cluster(*items):
    seen = view({"items": list(items)}, kind=EvidenceKind.KUBERNETES)
    return {f.kind: f for detect in (waiting_pods.detect, probes.detect, claims.detect, jobs.detect) for f in detect(seen)}


def test_a_description_is_read_as_the_object_it_describes():
    made, event = described(pod(last="OOMKilled", code=137), "Pod")
    (status,) = made["status"]["containerStatuses"]
    assert (made["metadata"]["name"], made["spec"]["nodeName"], status["restartCount"]) == ("cart-7d9-x2", "node-1", 7)
    assert status["lastState"]["terminated"]["finishedAt"] == "2026-05-04T11:59:00+00:00"
    assert (event["reason"], event["count"]) == ("BackOff", 25)
    assert described("Error from server (NotFound): pods not found", "Pod") == []


def test_a_described_pod_gives_the_same_finding_and_a_weaker_one():
    found = from_text(said("kubectl_describe", pod(last="OOMKilled", code=137), kind="pod"))
    oom = found[K.POD_OOM_KILLED]
    assert oom.strength < 0.6
    assert "64Mi" in oom.cause
    assert "CrashLoopBackOff" in oom.cause
    assert oom.evidence == ("e1",)


def test_a_mistyped_command_of_an_init_container_is_named_with_what_it_may_mean():
    message = 'unable to start container process: exec: "crul": executable file not found in $PATH: unknown'
    text = pod("Init Containers:", "RunContainerError", "StartError", 128, message, "Pending")
    cause = from_text(said("kubectl_describe", text, kind="pod"))[K.POD_BAD_CONFIG].cause
    assert "`crul` is not found; it may be a typo for `curl`" in cause


def test_a_description_of_something_well_or_of_another_kind_says_nothing():
    well = pod(reason="", last="").replace("Waiting", "Running").replace("Ready             False", "Ready             True")
    assert from_text(said("kubectl_describe", well.replace("Restart Count:  7", "Restart Count:  0"), kind="pod")) == {}
    assert from_text(said("kubectl_describe", pod(), kind="service")) == {}


def test_the_form_of_a_text_says_what_it_is_and_not_the_name_of_the_tool():
    assert K.POD_CRASH_LOOP in from_text(said("get", pod(), kind="pod"))


def test_errors_of_a_log_are_told_by_pattern_and_a_quiet_log_is_not():
    lines = "\n".join(f"2026-05-04T11:00:0{i}Z ERROR no contact for order {i}" for i in range(5))
    found = from_text(said("fetch_pod_logs", lines, pod_name="cart-1"))
    assert "5x no contact for order 0" in found[K.LOG_ERRORS].cause
    assert from_text(said("fetch_pod_logs", "INFO well\n" * 9, pod_name="cart-1")) == {}


def test_names_that_cannot_be_resolved_are_found_with_the_policy_that_may_deny_it():
    logs = said("kubectl_logs", "getaddrinfo ENOTFOUND db.shop.svc\n" * 3, pod_name="cart-1")
    lineage = said("lineage", "`-- NetworkPolicy/no-way-out   -   38m", pod_name="cart-1")
    found = from_text(logs, lineage)[K.DNS_FAILING]
    assert found.evidence == ("e1", "e2")
    assert "network policy named no-way-out" in found.cause
    assert K.DNS_FAILING not in from_text(said("kubectl_logs", "getaddrinfo ENOTFOUND db", pod_name="cart-1"), lineage)


def test_a_reference_to_what_does_not_exist_is_found_but_not_a_pod_that_is_gone():
    found = from_text(said("app_get", 'one or more objects failed to apply: namespaces "shopp" not found'))
    assert found[K.REFERENCE_MISSING].object == "namespace/shopp"
    assert from_text(said("describe", 'Error from server (NotFound): pods "cart-1" not found')) == {}


def item(kind, name, phase="Pending", conditions=(), node="", restarts=0):
    status = {"phase": phase, "conditions": list(conditions)}
    if restarts:
        status["containerStatuses"] = [{"name": "main", "ready": False, "restartCount": restarts, "state": {"running": {}}}]
    return {"kind": kind, "metadata": {"name": name, "namespace": "shop"}, "spec": {"nodeName": node}, "status": status}


def event(about, reason, message, count=5):
    involved = {"kind": about["kind"], "name": about["metadata"]["name"], "namespace": "shop"}
    return {"kind": "Event", "metadata": {}, "involvedObject": involved, "reason": reason, "message": message, "count": count}


UNPLACED = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes: 2 Insufficient cpu"}


def test_a_pod_that_no_node_takes_is_found_and_one_that_was_placed_since_is_left_alone():
    waiting = item("Pod", "cart-1", conditions=[UNPLACED])
    assert "Insufficient cpu" in cluster(waiting)[K.POD_UNSCHEDULABLE].cause
    placed = item("Pod", "cart-1", "Running", [{"type": "Ready", "status": "True"}], node="node-1")
    assert cluster(placed, event(placed, "FailedScheduling", "0/2 nodes: 2 Insufficient cpu")) == {}


def test_a_working_pod_that_its_liveness_probe_kills_is_found():
    sick = item("Pod", "cart-1", "Running", [{"type": "Ready", "status": "False"}], node="node-1", restarts=6)
    failed = event(sick, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500")
    assert K.POD_PROBE_FAILING in cluster(sick, failed)
    assert cluster(sick, event(sick, "Unhealthy", "Readiness probe failed: timeout")) == {}
    assert cluster(item("Pod", "cart-1", "Running", [{"type": "Ready", "status": "False"}], restarts=1), failed) == {}


def test_a_claim_that_cannot_bind_and_a_job_that_gave_up_are_found_and_the_bound_and_the_running_are_not():
    claim, job = item("PersistentVolumeClaim", "data"), item("Job", "nightly", "")
    unbound = event(claim, "ProvisioningFailed", 'storageclass "fast" not found')
    found = cluster(claim, unbound, job, event(job, "BackoffLimitExceeded", "reached"))
    assert found[K.CLAIM_UNBOUND].object == "claim/data"
    assert 'storageclass "fast" not found' in found[K.CLAIM_UNBOUND].cause
    assert found[K.JOB_FAILED].object == "job/nightly"
    assert cluster(item("PersistentVolumeClaim", "data", "Bound"), unbound, job) == {}
