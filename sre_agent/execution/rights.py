"""What the two identities need in a cluster, and the manifests that grant it and nothing else. Pure data.

Every action names the rights of its write identity (`Action.rights`), the Kubernetes source those of the read identity; the
manifests follow from them. The admission policy is a second fence inside the cluster: it holds even if this program, or
whoever took its write token, asks for more than the roles of some later day would grant.
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/ (v1, Kubernetes 1.30 and later)
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sre_agent.incident.errors import ConfigurationError

Right = tuple[str, str, str]
"""(verb, API group, resource or resource/subresource), as RBAC writes them: ("create", "", "pods/eviction")."""

Manifest = dict[str, Any]

CLUSTER_SCOPED = frozenset({"nodes", "namespaces", "persistentvolumes"})
READ_NAME = "sre-agent-read"
WRITE_NAME = "sre-agent-write"
POLICY_NAME = "sre-agent-write-fence"
LABELS = {"app.kubernetes.io/name": "sre-agent", "app.kubernetes.io/managed-by": "sre-agent-rbac"}

ASKING: Right = ("create", "authorization.k8s.io", "selfsubjectaccessreviews")
"""Asking what oneself may do. Every authenticated user may; older API servers show it to admission policies as well."""

_OPERATIONS = {"create": "CREATE", "patch": "UPDATE", "update": "UPDATE", "delete": "DELETE"}
"""Verbs that change something, and what admission calls them. Reads never pass admission."""
_KINDS = frozenset({"pod", "node", "deployment", "statefulset", "daemonset", "replicaset", "job", "service"})
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NEVER = frozenset({"*", "deletecollection", "escalate", "bind", "impersonate"})


@dataclass(frozen=True)
class Footprint:
    """What the manifests are made for: who reads and writes what, where the identities live (`home`), where the agent may
    act (`namespaces`), and what it may not touch whoever asks: `protected` namespaces, with all that begin with kube-, and
    `objects` as data/protected.yaml names them ("deployment/sre-agent", "deployment/ops/sre-agent")."""

    read: tuple[Right, ...]
    write: tuple[Right, ...]
    home: str
    namespaces: tuple[str, ...]
    protected: tuple[str, ...]
    objects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for verb, _, resource in (*self.read, *self.write):
            if verb in _NEVER or "*" in resource:
                raise ConfigurationError(f"{verb} {resource} is no right to ask for: name single verbs and resources")
        for namespace in (self.home, *self.namespaces):
            if not _NAME.fullmatch(namespace):
                raise ConfigurationError(f"{namespace!r} is no name of a namespace")
        for namespace in self.namespaces:
            if namespace == self.home:
                raise ConfigurationError(f"namespace {namespace} is the agent's own: it never acts there")
            if namespace in self.protected or namespace.startswith("kube-"):
                raise ConfigurationError(f"namespace {namespace} is protected (data/protected.yaml): the agent never acts there")


def manifests(footprint: Footprint) -> tuple[tuple[str, Manifest], ...]:
    """(what it is for, the object), in the order to apply them. Cluster-wide writes only where an action needs them."""
    inside = [r for r in footprint.write if not _cluster_wide(r)]
    outside = [r for r in footprint.write if _cluster_wide(r)]
    made: list[tuple[str, Manifest]] = [
        ("the identity that looks", _account(READ_NAME, footprint.home)),
        ("the identity that acts; only the hands get its token", _account(WRITE_NAME, footprint.home)),
        ("what may be looked at, everywhere", _role("ClusterRole", READ_NAME, footprint.read)),
        ("", _binding("ClusterRoleBinding", READ_NAME, footprint.home)),
    ]
    if outside:
        made.append(("what may be done to things outside namespaces", _role("ClusterRole", WRITE_NAME, outside)))
        made.append(("", _binding("ClusterRoleBinding", WRITE_NAME, footprint.home)))
    for namespace in footprint.namespaces:
        made.append((f"what may be done in {namespace}", _role("Role", WRITE_NAME, inside, namespace)))
        made.append(("", _binding("RoleBinding", WRITE_NAME, footprint.home, namespace)))
    made.append(("the second fence: whatever the roles say, nothing else passes for the identity that acts", _fence(footprint)))
    made.append(("", _fence_binding()))
    return tuple(made)


def _cluster_wide(right: Right) -> bool:
    return right[2].split("/")[0] in CLUSTER_SCOPED


def _meta(name: str, namespace: str = "") -> Manifest:
    return {"name": name, **({"namespace": namespace} if namespace else {}), "labels": dict(LABELS)}


def _account(name: str, home: str) -> Manifest:
    # The write token is handed to the hands as a kubeconfig; no pod gets it by being scheduled under this name.
    mounted = name == READ_NAME
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta(name, home), "automountServiceAccountToken": mounted}


def _role(kind: str, name: str, rights: Iterable[Right], namespace: str = "") -> Manifest:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": _meta(name, namespace),
        "rules": _rules(rights),
    }


def _rules(rights: Iterable[Right]) -> list[Manifest]:
    """One rule per API group and set of verbs, resources sorted."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for verb, group, resource in rights:
        verbs.setdefault((group, resource), set()).add(verb)
    resources: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, resource), allowed in sorted(verbs.items()):
        resources.setdefault((group, tuple(sorted(allowed))), []).append(resource)
    return [{"apiGroups": [g], "resources": r, "verbs": list(v)} for (g, v), r in sorted(resources.items())]


def _binding(kind: str, name: str, home: str, namespace: str = "") -> Manifest:
    role = "Role" if kind == "RoleBinding" else "ClusterRole"
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": _meta(name, namespace),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": home}],
    }


def _fence(footprint: Footprint) -> Manifest:
    """A policy that sees every change the write identity asks for. failurePolicy Fail: what cannot be judged is refused."""
    mine = f'request.userInfo.username == "system:serviceaccount:{footprint.home}:{WRITE_NAME}"'
    everything = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": _meta(POLICY_NAME),
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"matchPolicy": "Equivalent", "resourceRules": [everything]},
            "matchConditions": [{"name": "the-write-identity", "expression": mine}],
            "variables": [_variable("part", "subResource"), _variable("place", "namespace"), _variable("name", "name")],
            "validations": _validations(footprint),
        },
    }


def _variable(name: str, field: str) -> Manifest:
    """A field of the request that is left out, not empty, where it does not apply: reading it plainly would be an error."""
    return {"name": name, "expression": f'has(request.{field}) ? request.{field} : ""'}


def _validations(footprint: Footprint) -> list[Manifest]:
    """Each must hold. What the write identity may do, then where it may never, then where it may."""
    allowed = " || ".join(f"({_cel(r)})" for r in sorted({*footprint.write, ASKING}) if r[0] in _OPERATIONS)
    inside = f'variables.place == "" || variables.place in {_listed(footprint.namespaces)}'
    never = {*footprint.protected, footprint.home}
    guarded = f'!variables.place.startsWith("kube-") && !(variables.place in {_listed(never)})'
    checks = [
        ("the write identity may do only what a registered action does", allowed),
        ("this namespace is protected", guarded),
        ("the agent may not act in this namespace", inside),
    ]
    objects = [_object(key) for key in sorted(footprint.objects) if key.split("/")[0] in _KINDS]
    if objects:
        checks.append(("this object is protected", " && ".join(f"!({o})" for o in objects)))
    return [{"expression": cel, "message": f"sre-agent: {message}", "reason": "Forbidden"} for message, cel in checks]


def _listed(names: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{n}"' for n in sorted(names)) + "]"


def _object(key: str) -> str:
    kind, *namespace, name = key.split("/")
    place = f' && variables.place == "{namespace[0]}"' if namespace else ""
    return f'request.resource.resource == "{kind}s" && variables.name == "{name}"{place}'


def _cel(right: Right) -> str:
    verb, group, resource = right
    kind, _, part = resource.partition("/")
    return (
        f'request.operation == "{_OPERATIONS[verb]}" && request.resource.group == "{group}" && '
        f'request.resource.resource == "{kind}" && variables.part == "{part}"'
    )


def _fence_binding() -> Manifest:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": _meta(POLICY_NAME),
        "spec": {"policyName": POLICY_NAME, "validationActions": ["Deny", "Audit"]},
    }


def union(rights: Iterable[Sequence[Right]]) -> tuple[Right, ...]:
    """Every right once, sorted."""
    return tuple(sorted({r for some in rights for r in some}))
