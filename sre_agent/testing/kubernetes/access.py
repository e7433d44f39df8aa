"""Who is asking, and what they may: bearer tokens and RBAC rights."""

from dataclasses import dataclass

from sre_agent.testing.kubernetes.resources import Address
from sre_agent.testing.kubernetes.status import ApiError, Json

Right = tuple[str, str]
"""(verb, resource) as RBAC writes them: ("create", "pods/eviction"). "*" stands for any resource without a subresource."""

READ: frozenset[Right] = frozenset({("get", "*"), ("list", "*"), ("get", "pods/log")})
WRITE_PODS: frozenset[Right] = frozenset({("get", "pods"), ("get", "pods/log"), ("create", "pods/eviction")})
_SUBRESOURCES = ("pods/log", "pods/eviction", "pods/status", "poddisruptionbudgets/status", "deployments/scale")
EVERYTHING: frozenset[Right] = frozenset(
    {(v, r) for v in ("get", "list", "create", "patch", "update", "delete") for r in ("*", *_SUBRESOURCES)}
)


@dataclass(frozen=True)
class Identity:
    """A service account with its token. `namespaces` empty: everywhere (a ClusterRole); else nothing cluster-wide."""

    name: str
    token: str
    rights: frozenset[Right]
    namespaces: frozenset[str] = frozenset()

    def may(self, verb: str, right: str, namespace: str) -> bool:
        """Whether a role grants it."""
        if self.namespaces and namespace not in self.namespaces:
            return False
        return (verb, right) in self.rights or ("/" not in right and (verb, "*") in self.rights)


def authorize(identity: Identity, verb: str, at: Address) -> None:
    """403 in the API server's words when no role grants it. Self reviews are everybody's right."""
    if at.resource.kind == "SelfSubjectAccessReview" or identity.may(verb, at.right, at.namespace):
        return
    where = f' in the namespace "{at.namespace}"' if at.namespace else " at the cluster scope"
    what = f'User "{identity.name}" cannot {verb} resource "{at.right}" in API group "{at.resource.group}"{where}'
    subject = f'{at.resource.plural} "{at.name}" is forbidden' if at.name else f"{at.resource.plural} is forbidden"
    raise ApiError(403, f"{subject}: {what}", {"name": at.name, "kind": at.resource.plural})


def review(identity: Identity, body: Json) -> Json:
    """Answer a SelfSubjectAccessReview."""
    asked = body.get("spec", {}).get("resourceAttributes", {})
    sub = asked.get("subresource")
    right = f"{asked.get('resource', '')}/{sub}" if sub else asked.get("resource", "")
    allowed = identity.may(asked.get("verb", ""), right, asked.get("namespace", ""))
    status: Json = {"allowed": allowed} if allowed else {"allowed": False, "reason": "no RBAC policy matched"}
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "metadata": {"creationTimestamp": None},
        "spec": body.get("spec", {}),
        "status": status,
    }
