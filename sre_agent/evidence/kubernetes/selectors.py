"""Label selectors: which labels one takes in. Pure.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

from sre_agent.evidence.kubernetes.state import JsonObject, dig, entries, text


def takes(selector: object, labels: dict[str, str]) -> bool:
    """Whether a label selector takes these labels in; what it says in unknown words counts as yes."""
    wanted = dig(selector, "matchLabels")
    if isinstance(wanted, dict) and any(labels.get(k) != v for k, v in wanted.items()):
        return False
    return all(_holds(e, labels) for e in entries(selector, "matchExpressions"))


def _holds(expression: JsonObject, labels: dict[str, str]) -> bool:
    key, given = text(expression, "key"), expression.get("values")
    values = given if isinstance(given, list) else []
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return True
