"""A small shop on three nodes, as `kubectl get -o json` would print it, well in every part; faults are put into it by name.

web calls cart and redis, cart calls postgres, mailer calls nobody. Everything is as old as a day, but for what a fault changes.
"""

import copy
from datetime import UTC, datetime, timedelta

from sre_agent.evidence.series import Series

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
NAMESPACE = "shop"


def ago(**span):
    """The time that long before NOW, as the API writes it."""
    return (NOW - timedelta(**span)).isoformat().replace("+00:00", "Z")


DAY, LATELY = ago(days=1), ago(minutes=12)


def meta(name, labels=None, namespace=NAMESPACE, owner=None, made=DAY):
    found = {"name": name, "uid": f"uid-{namespace}-{name}", "creationTimestamp": made, "labels": labels or {}, "generation": 1}
    if namespace:
        found["namespace"] = namespace
    if owner:
        found["ownerReferences"] = [
            {"kind": owner["kind"], "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"], "controller": True}
        ]
    return found


def node(name):
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": DAY, "reason": "KubeletReady"}]
    conditions += [
        {"type": t, "status": "False", "lastTransitionTime": DAY} for t in ("MemoryPressure", "DiskPressure", "PIDPressure")
    ]
    room = {"cpu": "4", "memory": "16Gi", "pods": "110"}
    labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": "a"}
    return {
        "kind": "Node",
        "metadata": meta(name, labels, ""),
        "spec": {},
        "status": {"conditions": conditions, "allocatable": room, "capacity": room},
    }


def container(name, port, env):
    return {
        "name": name,
        "image": f"registry.example.com/{name}:1.0",
        "ports": [{"containerPort": port, "name": "main"}] if port else [],
        "env": [{"name": k, "value": v} for k, v in env.items()],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 10} if port else {},
    }


def running(name, restarts=0):
    return {
        "name": name,
        "ready": True,
        "restartCount": restarts,
        "state": {"running": {"startedAt": DAY}},
        "lastState": {},
        "image": "x",
    }


def pod(name, owner, spec, labels, where):
    conditions = [
        {"type": t, "status": "True", "lastTransitionTime": DAY}
        for t in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    ]
    status = {
        "phase": "Running",
        "conditions": conditions,
        "podIP": "10.0.0.9",
        "startTime": DAY,
        "containerStatuses": [running(c["name"]) for c in spec["containers"]],
    }
    return {
        "kind": "Pod",
        "metadata": meta(name, labels, owner=owner),
        "spec": {**copy.deepcopy(spec), "nodeName": where},
        "status": status,
    }


class World:
    """The objects by (kind, name), the logs and the labels of the alert."""

    def __init__(self):
        self.items = [node(f"n{i}") for i in (1, 2, 3)]
        self.logs, self.metrics = {}, []
        self.labels = {"alertname": "ShopErrors", "alert_type": "infra", "namespace": NAMESPACE, "severity": "page"}
        self.workload("web", 2, 8080, {"CART_URL": "http://cart:8080", "REDIS_URL": "redis://redis:6379/0"})
        self.workload("cart", 2, 8080, {"DB_HOST": "postgres", "DB_PORT": "5432"})
        self.workload("redis", 1, 6379, {})
        self.workload("mailer", 1, 0, {})
        self.database()
        for name, port in (("web", 80), ("cart", 8080), ("redis", 6379), ("postgres", 5432)):
            self.service(name, port, {80: 8080}.get(port, port))
        self.dns()

    def workload(self, name, count, port, env):
        """A Deployment with its ReplicaSet and pods."""
        labels, spec = {"app": name}, {"containers": [container(name, port, env)]}
        counts = {
            "replicas": count,
            "readyReplicas": count,
            "availableReplicas": count,
            "updatedReplicas": count,
            "observedGeneration": 1,
        }
        conditions = [
            {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "lastTransitionTime": DAY},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "lastTransitionTime": DAY},
        ]
        template = {"metadata": {"labels": labels}, "spec": spec}
        common = {"replicas": count, "selector": {"matchLabels": labels}, "template": copy.deepcopy(template)}
        deployment = {
            "kind": "Deployment",
            "metadata": meta(name, labels),
            "spec": common,
            "status": {**counts, "conditions": conditions},
        }
        deployment["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "1"}
        hashed = {**labels, "pod-template-hash": "5d9c"}
        replica_set = {
            "kind": "ReplicaSet",
            "metadata": meta(f"{name}-5d9c", hashed, owner=deployment),
            "spec": copy.deepcopy(common),
            "status": dict(counts),
        }
        replica_set["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "1"}
        self.items += [deployment, replica_set]
        self.items += [pod(f"{name}-5d9c-{i}", replica_set, spec, hashed, f"n{1 + (i + len(name)) % 3}") for i in range(count)]

    def database(self):
        """A StatefulSet of one with its claim and volume."""
        labels, spec = {"app": "postgres"}, {"containers": [container("postgres", 5432, {})]}
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data-postgres-0"}}]
        counts = {"replicas": 1, "readyReplicas": 1, "currentReplicas": 1, "updatedReplicas": 1}
        common = {
            "replicas": 1,
            "serviceName": "postgres",
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        }
        owner = {"kind": "StatefulSet", "metadata": meta("postgres", labels), "spec": common, "status": counts}
        claim = {"kind": "PersistentVolumeClaim", "metadata": meta("data-postgres-0", labels)}
        claim |= {"spec": {"storageClassName": "standard", "volumeName": "pv-1"}, "status": {"phase": "Bound"}}
        storage = {"kind": "StorageClass", "metadata": meta("standard", namespace=""), "provisioner": "example.com/disk"}
        self.items += [owner, pod("postgres-0", owner, spec, labels, "n1"), claim, storage]

    def service(self, name, port, target):
        """A Service and its Endpoints."""
        spec = {
            "selector": {"app": name},
            "ports": [{"port": port, "targetPort": target, "protocol": "TCP"}],
            "clusterIP": "10.1.0.1",
            "type": "ClusterIP",
        }
        ready = [{"ip": "10.0.0.9", "targetRef": {"kind": "Pod", "name": p["metadata"]["name"]}} for p in self.pods(name)]
        subsets = [{"addresses": ready, "ports": [{"port": target}]}]
        self.items += [{"kind": "Service", "metadata": meta(name, {"app": name}), "spec": spec, "status": {"loadBalancer": {}}}]
        self.items += [{"kind": "Endpoints", "metadata": meta(name, {"app": name}), "subsets": subsets}]

    def dns(self):
        """CoreDNS in kube-system: a Deployment, a pod and a Service."""
        before = len(self.items)
        self.workload("coredns", 1, 53, {})
        self.service("coredns", 53, 53)
        for item in self.items[before:]:
            item["metadata"] |= {"namespace": "kube-system", "labels": {**item["metadata"]["labels"], "k8s-app": "kube-dns"}}

    def get(self, kind, name):
        """One object."""
        return next(i for i in self.items if (i["kind"], i["metadata"]["name"]) == (kind, name))

    def pods(self, app):
        """The pods of a workload."""
        return [i for i in self.items if i["kind"] == "Pod" and i["metadata"]["labels"].get("app") == app]

    def drop(self, *gone):
        """Take objects out of the world."""
        self.items = [i for i in self.items if i not in gone]

    def event(self, about, reason, message, count=9, kind="Warning"):
        """Something that was said about an object, last a minute ago."""
        involved = {"kind": about["kind"], "name": about["metadata"]["name"], "uid": about["metadata"]["uid"]}
        involved |= {"namespace": about["metadata"].get("namespace", "")}
        self.items.append(
            {
                "kind": "Event",
                "metadata": meta(f"ev{len(self.items)}", namespace=about["metadata"].get("namespace") or "default", made=LATELY),
                "involvedObject": involved, "type": kind, "reason": reason, "message": message, "count": count,
                "firstTimestamp": LATELY, "lastTimestamp": ago(minutes=1),
            }
        )  # fmt: skip

    def throttled(self, sick, name, share):
        """CPU metrics of a container that is held back in this share of its periods, for an hour."""
        labels = {"namespace": NAMESPACE, "pod": sick["metadata"]["name"], "container": name}
        at = [NOW.timestamp() - 60 * n for n in range(60, -1, -1)]
        for metric, step in (("container_cpu_cfs_periods_total", 600), ("container_cpu_cfs_throttled_periods_total", 600 * share)):
            samples = tuple((t, float(n * step)) for n, t in enumerate(at))
            self.metrics.append(Series(labels={"__name__": metric, **labels}, samples=samples))

    def unready(self, app, which=None, since=LATELY):
        """Pods whose containers are not ready since; what stands on them counts them."""
        sick = [p for i, p in enumerate(self.pods(app)) if which is None or i in which]
        for p in sick:
            for c in p["status"]["conditions"]:
                if c["type"] in ("Ready", "ContainersReady"):
                    c |= {"status": "False", "lastTransitionTime": since, "reason": "ContainersNotReady"}
            for c in p["status"]["containerStatuses"]:
                c["ready"] = False
        left = len(self.pods(app)) - len(sick)
        for item in self.items:
            if item["kind"] in ("Deployment", "ReplicaSet", "StatefulSet") and item["metadata"]["labels"].get("app") == app:
                item["status"] |= {"readyReplicas": left, "availableReplicas": left, "unavailableReplicas": len(sick)}
                for c in item["status"].get("conditions", ()):
                    if c["type"] == "Available" and not left:
                        c |= {"status": "False", "reason": "MinimumReplicasUnavailable", "lastTransitionTime": since}
            if item["kind"] == "Endpoints" and item["metadata"]["name"] == app:
                names = {p["metadata"]["name"] for p in sick}
                for subset in item["subsets"]:
                    subset["notReadyAddresses"] = [a for a in subset["addresses"] if a["targetRef"]["name"] in names]
                    subset["addresses"] = [a for a in subset["addresses"] if a["targetRef"]["name"] not in names]
        return sick

    def waiting(self, app, reason, message="", which=None, ended=None, restarts=0):
        """Pods whose container waits for a reason, perhaps after it ended."""
        sick = self.unready(app, which)
        last = {"terminated": {**ended, "startedAt": ago(minutes=3), "finishedAt": ago(minutes=2)}} if ended else {}
        for p in sick:
            p["status"]["phase"] = "Running" if ended else "Pending"
            p["status"]["containerStatuses"] = [
                {
                    "name": c["name"], "ready": False, "restartCount": restarts, "image": c["image"],
                    "state": {"waiting": {"reason": reason, "message": message}},
                    "lastState": last,
                }
                for c in p["spec"]["containers"]
            ]  # fmt: skip
        return sick

    def crashing(self, app, code=1, reason="Error", lines=(), which=None):
        """Pods in CrashLoopBackOff with what their log said before."""
        sick = self.waiting(
            app, "CrashLoopBackOff", "back-off 5m0s restarting failed container", which, {"exitCode": code, "reason": reason}, 8
        )
        for p in sick:
            self.event(p, "BackOff", f"Back-off restarting failed container {app} in pod {p['metadata']['name']}_shop")
            if lines:
                self.logs[p["metadata"]["name"], app] = [f"{ago(minutes=2)} {line}" for line in lines]
        return sick

    def unplaced(self, app, message, which=None):
        """Pods that no node takes."""
        sick = self.unready(app, which)
        for p in sick:
            p["spec"]["nodeName"] = ""
            p["status"] |= {"phase": "Pending", "containerStatuses": []}
            p["status"]["conditions"] = [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": message,
                    "lastTransitionTime": LATELY,
                }
            ]
            self.event(p, "FailedScheduling", message)
        return sick
