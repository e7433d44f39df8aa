"""Small API objects and a view over them, for the detectors of Services, policies, nodes and dependencies."""

from datetime import UTC, datetime, timedelta

from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference

NOW = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
ONSET = NOW - timedelta(minutes=10)
NS = "shop"


def iso(at):
    return at.isoformat().replace("+00:00", "Z")


def ago(**span):
    return iso(NOW - timedelta(**span))


def meta(name, namespace=NS, **more):
    return {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}", "creationTimestamp": ago(days=2), **more}


def pod(app, n=1, *, up=True, namespace=NS, labels=None, container=None, status=None, **spec):
    """A pod of Deployment `app`; `up` False: it runs and has failed its readiness probe for an hour."""
    owner = {"kind": "ReplicaSet", "name": f"{app}-5d9f8b6c57", "uid": f"uid-rs-{app}", "controller": True}
    own = {"app": app} if labels is None else labels
    made = meta(f"{app}-5d9f8b6c57-{n:05}", namespace, labels={**own, "pod-template-hash": "5d9f8b6c57"}, ownerReferences=[owner])
    conditions = [{"type": "Ready", "status": str(up), "lastTransitionTime": ago(hours=1)}]
    phase = {"phase": "Running", "podIP": f"10.0.{len(app)}.{n}", "conditions": conditions, **(status or {})}
    containers = [{"name": "main", "ports": [{"name": "http", "containerPort": 8080}], **(container or {})}]
    return {"kind": "Pod", "metadata": made, "spec": {"nodeName": "n1", "containers": containers, **spec}, "status": phase}


def deployment(name, labels=None, replicas=1, ready=1, namespace=NS):
    template = {"metadata": {"labels": {"app": name} if labels is None else labels}}
    spec = {"replicas": replicas, "template": template}
    return {"kind": "Deployment", "metadata": meta(name, namespace), "spec": spec, "status": {"readyReplicas": ready}}


def service(name, selector=None, ports=((80, 8080),), namespace=NS, **spec):
    made = [{"port": port, "targetPort": target} for port, target in ports]
    selector = {"app": name} if selector is None else selector
    return {"kind": "Service", "metadata": meta(name, namespace), "spec": {"selector": selector, "ports": made, **spec}}


def endpoints(name, ready=0, waiting=0, namespace=NS):
    subset = {"addresses": [{"ip": f"10.1.0.{i}"} for i in range(ready)], "notReadyAddresses": [{"ip": "10.2.0.1"}] * waiting}
    return {"kind": "Endpoints", "metadata": meta(name, namespace), "subsets": [subset] if ready or waiting else []}


def variables(**values):
    return {"env": [{"name": k, "value": v} for k, v in values.items()]}


def log(lines, pod="api-5d9f8b6c57-00001", namespace=NS, previous=False):
    return {"namespace": namespace, "pod": pod, "container": "main", "previous": previous, "lines": list(lines)}


def view(*objects, logs=(), calls=(), series=(), labels=None, truncated=False, kinds=()):
    """e1 holds the objects, e2 ... the logs, then the call graph and the metrics."""
    told = [(EvidenceKind.KUBERNETES, {"items": list(objects), "kinds": list(kinds)})]
    told += [(EvidenceKind.LOGS, each) for each in logs]
    told += [(EvidenceKind.TOPOLOGY, {"calls": list(calls)})] if calls else []
    told += [(EvidenceKind.METRICS, list(series))] if series else []
    known = {"source": "s", "query": "", "status": EvidenceStatus.OK, "observed_at": NOW, "truncated": truncated}
    evidence = tuple(Evidence(id=f"e{n}", kind=kind, payload=payload, **known) for n, (kind, payload) in enumerate(told, start=1))
    alert = Alert(labels={"namespace": NS, **(labels or {})}, starts_at=ONSET)
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=ONSET, service=Reference(id="P1"), alerts=(alert,))
    hour = Window(start=NOW - timedelta(hours=1), end=NOW)
    return EvidenceView(scope=Scope(incident=incident, now=NOW, onset=ONSET, window=hour, change_window=hour), evidence=evidence)


def only(findings):
    """The one finding there is."""
    (found,) = findings
    return found
