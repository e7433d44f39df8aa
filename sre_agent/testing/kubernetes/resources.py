"""Which resources the stand-in serves, and how a path names one."""

import re
from dataclasses import dataclass

from sre_agent.testing.kubernetes.status import ApiError


@dataclass(frozen=True)
class Resource:
    """One served resource. `group_version` is "v1", "apps/v1", ...; `plural` is its name in paths."""

    group_version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group; "" for core."""
        return self.group_version.rpartition("/")[0]


RESOURCES = {
    (r.group_version, r.plural): r
    for r in (
        Resource("v1", "pods", "Pod"),
        Resource("v1", "events", "Event"),
        Resource("v1", "services", "Service"),
        Resource("v1", "endpoints", "Endpoints"),
        Resource("v1", "serviceaccounts", "ServiceAccount"),
        Resource("v1", "limitranges", "LimitRange"),
        Resource("v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
        Resource("v1", "persistentvolumes", "PersistentVolume", namespaced=False),
        Resource("v1", "configmaps", "ConfigMap"),
        Resource("v1", "secrets", "Secret"),
        Resource("v1", "resourcequotas", "ResourceQuota"),
        Resource("v1", "nodes", "Node", namespaced=False),
        Resource("v1", "namespaces", "Namespace", namespaced=False),
        Resource("apps/v1", "deployments", "Deployment"),
        Resource("apps/v1", "replicasets", "ReplicaSet"),
        Resource("apps/v1", "statefulsets", "StatefulSet"),
        Resource("apps/v1", "daemonsets", "DaemonSet"),
        Resource("batch/v1", "jobs", "Job"),
        Resource("batch/v1", "cronjobs", "CronJob"),
        Resource("discovery.k8s.io/v1", "endpointslices", "EndpointSlice"),
        Resource("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy"),
        Resource("networking.k8s.io/v1", "ingresses", "Ingress"),
        Resource("networking.k8s.io/v1", "ingressclasses", "IngressClass", namespaced=False),
        Resource("storage.k8s.io/v1", "storageclasses", "StorageClass", namespaced=False),
        Resource("scheduling.k8s.io/v1", "priorityclasses", "PriorityClass", namespaced=False),
        Resource("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"),
        Resource("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget"),
        Resource("authorization.k8s.io/v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False),
    )
}
BY_KIND = {r.kind: r for r in RESOURCES.values()}

_PATH = re.compile(
    r"^/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+/v[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<sub>[^/]+))?)?$"
)


@dataclass(frozen=True)
class Address:
    """What a path names: a collection (`name` ""), an object, or a subresource of one."""

    resource: Resource
    namespace: str
    name: str
    sub: str

    @property
    def right(self) -> str:
        """The resource as RBAC writes it: "pods", "pods/eviction"."""
        return f"{self.resource.plural}/{self.sub}" if self.sub else self.resource.plural


def address(path: str) -> Address:
    """Parse a path (already unquoted). 404 when no such resource is served."""
    found = _PATH.match(path)
    if not found:
        raise ApiError(404, "the server could not find the requested resource")
    resource = RESOURCES.get((found["core"] or found["group"], found["plural"]))
    if resource is None:
        raise ApiError(404, "the server could not find the requested resource")
    return Address(resource, found["namespace"] or "", found["name"] or "", found["sub"] or "")
