"""Objects of a small namespace as `kubectl get -o json` shows them, for the detectors of workloads."""

from datetime import UTC, datetime, timedelta

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference

NOW = datetime(2026, 6, 9, 14, 30, tzinfo=UTC)
NAMESPACE = "shop"


def ago(minutes: float) -> str:
    """A time stamp so many minutes before NOW."""
    return (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def meta(name: str, age: float = 120, **more) -> dict:
    return {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", "creationTimestamp": ago(age), **more}


def owned(kind: str, name: str) -> list[dict]:
    return [{"kind": kind, "name": name, "uid": f"uid-{name}", "controller": True}]


def container(name: str = "app", image: str = "registry.example/shop/app:1.4", **more) -> dict:
    return {"name": name, "image": image, **more}


def running(name: str = "app", *, ready: bool = True, restarts: int = 0, since: float = 60, last: dict | None = None) -> dict:
    state = {"running": {"startedAt": ago(since)}}
    return {
        "name": name,
        "ready": ready,
        "restartCount": restarts,
        "state": state,
        "lastState": {"terminated": last} if last else {},
    }


def waiting(reason: str, message: str = "", name: str = "app", *, restarts: int = 0, last: dict | None = None) -> dict:
    state = {"waiting": {"reason": reason, "message": message}}
    return {
        "name": name,
        "ready": False,
        "restartCount": restarts,
        "state": state,
        "lastState": {"terminated": last} if last else {},
    }


def ended(code: int, reason: str = "Error", message: str = "", *, at: float = 1, ran: float = 0.5) -> dict:
    times = {"startedAt": ago(at + ran), "finishedAt": ago(at)}
    return {"exitCode": code, "reason": reason, **times, **({"message": message} if message else {})}


def crashing(
    code: int, message: str = "", *, reason: str = "Error", name: str = "app", restarts: int = 7, ran: float = 0.5
) -> dict:
    return waiting("CrashLoopBackOff", "back-off 5m0s", name, restarts=restarts, last=ended(code, reason, message, ran=ran))


def condition(kind: str, status: str, since: float = 30, **more) -> dict:
    return {"type": kind, "status": status, "lastTransitionTime": ago(since), **more}


def pod(name: str = "api-6d4f-x1", *statuses: dict, phase: str = "", spec: dict | None = None, **more) -> dict:
    """A pod of Deployment api (ReplicaSet api-6d4f) unless `owners` says otherwise; running and ready without statuses."""
    init, age, conditions = more.get("init", []), more.get("age", 120), more.get("conditions")
    well = all(s["ready"] for s in statuses)
    runs = any("running" in s["state"] for s in statuses) or not statuses or any(s.get("restartCount") for s in statuses)
    hash_ = name.split("-")[1] if "-" in name else ""
    info = meta(name, age, labels={"app": name.split("-")[0], "pod-template-hash": hash_}, ownerReferences=more.get("owners"))
    if info["ownerReferences"] is None:
        info["ownerReferences"] = owned("ReplicaSet", name.rpartition("-")[0])
    status = {
        "phase": phase or ("Running" if runs else "Pending"),
        "startTime": ago(age),
        "conditions": conditions or [condition("PodScheduled", "True", age), condition("Ready", str(well))],
        "containerStatuses": list(statuses) if statuses or phase == "Pending" else [running()],
        "initContainerStatuses": init,
    }
    made = {"nodeName": "node-1", "containers": [container()], **(spec or {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": info, "spec": made, "status": status}


def event(about: dict, reason: str, message: str, *, count: int = 6, last: float = 1, first: float = 20) -> dict:
    involved = {"kind": about["kind"], "name": about["metadata"]["name"], "namespace": about["metadata"].get("namespace", "")}
    return {
        "kind": "Event",
        "metadata": {"namespace": NAMESPACE, "name": f"{about['metadata']['name']}.{reason}"},
        "involvedObject": involved,
        "reason": reason,
        "message": message,
        "count": count,
        "firstTimestamp": ago(first),
        "lastTimestamp": ago(last),
    }


def node(name: str = "node-1", *, cpu: str = "4", memory: str = "8Gi", labels: dict | None = None, **spec) -> dict:
    return {
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}, "creationTimestamp": ago(9999)},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": ago(9999)}],
        },
    }


def workload(kind: str, name: str, spec: dict | None = None, status: dict | None = None, **more) -> dict:
    """A controller that is as it should be, but for what is given."""
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container()]}}
    well = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    return {
        "kind": kind,
        "metadata": {**meta(name, more.pop("age", 9000)), "generation": 1, **more},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template, **(spec or {})},
        "status": {**well, **(status or {})},
    }


def replica_set(name: str, deployment: str, revision: int, template: dict, age: float, replicas: int = 1) -> dict:
    notes = {"deployment.kubernetes.io/revision": str(revision)}
    info = meta(name, age, annotations=notes, ownerReferences=owned("Deployment", deployment))
    return {
        "kind": "ReplicaSet",
        "metadata": info,
        "spec": {"replicas": replicas, "template": template},
        "status": {"replicas": replicas},
    }


def service(name: str, **selector) -> dict:
    return {"kind": "Service", "metadata": meta(name), "spec": {"selector": selector or {"app": name}, "ports": [{"port": 80}]}}


def series(name: str, values: list[float], *, step: float = 60, **labels) -> dict:
    """Samples that end at NOW."""
    start = NOW.timestamp() - step * (len(values) - 1)
    samples = [[start + step * i, v] for i, v in enumerate(values)]
    return {"labels": {"__name__": name, "namespace": NAMESPACE, **labels}, "samples": samples}


def log(pod_name: str, *lines: str, container: str = "app", previous: bool = True) -> dict:
    return {"namespace": NAMESPACE, "pod": pod_name, "container": container, "previous": previous, "lines": list(lines)}


def seen(*objects: dict, metrics: tuple = (), logs: tuple = (), labels: dict | None = None) -> EvidenceView:
    """e1 the objects, e2 the metrics, e3... the logs."""
    alert = Alert(labels={"alert_type": "infra", "namespace": NAMESPACE, **(labels or {})})
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=NOW, service=Reference(id="P1"), alerts=(alert,))
    hour = Window.before(NOW, timedelta(hours=1))
    scope = Scope(incident=incident, now=NOW, onset=NOW - timedelta(minutes=10), window=hour, change_window=hour)
    parts = [(EvidenceKind.KUBERNETES, {"items": list(objects)}), (EvidenceKind.METRICS, list(metrics))]
    parts += [(EvidenceKind.LOGS, each) for each in logs]
    evidence = tuple(
        Evidence(id=f"e{i}", source="test", kind=kind, query="", status=EvidenceStatus.OK, observed_at=NOW, payload=payload)
        for i, (kind, payload) in enumerate(parts, 1)
    )
    return EvidenceView(scope=scope, evidence=evidence)
