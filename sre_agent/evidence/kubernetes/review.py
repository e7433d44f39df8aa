"""SelfSubjectAccessReview: what is asked, and what was answered. Pure.

https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-access-review-v1/
"""

import json
from typing import Any

Right = tuple[str, str, str]
"""(verb, API group, resource or resource/subresource)."""


def question(right: Right, namespace: str) -> dict[str, Any]:
    """The review of one right of whoever asks; `namespace` "": everywhere, or outside namespaces."""
    verb, group, resource = right
    kind, _, part = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": kind, "subresource": part, "namespace": namespace}
    spec = {"resourceAttributes": {k: v for k, v in attributes.items() if v or k == "group"}}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}


def allowed(raw: bytes) -> bool | None:
    """Whether it is allowed; None when the answer is none of an API server's. SAFETY: anything but true is no."""
    try:
        answer = json.loads(raw)
    except ValueError:
        return None
    status = answer.get("status") if isinstance(answer, dict) and answer.get("kind") == "SelfSubjectAccessReview" else None
    if not isinstance(status, dict):
        return None
    return status.get("allowed") is True and status.get("denied") is not True


def version(raw: bytes) -> str | None:
    """The server's version ("v1.33.1"); None when the answer is none of an API server's."""
    try:
        answer = json.loads(raw)
    except ValueError:
        return None
    told = answer.get("gitVersion") if isinstance(answer, dict) else None
    return told[:60] if isinstance(told, str) else None
