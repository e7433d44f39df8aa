"""Between the prover's examples and the guard's own requests, both ways, checked against each other."""

from typing import Any

from sre_agent.incident.target import Target
from sre_agent.policy.canonical import canonical
from sre_agent.policy.facts import Claims, Facts, GuardRequest, TargetDeclaration
from sre_agent.policy.prove.concrete import Example, Value
from sre_agent.policy.prove.vocabulary import ACTION, APPROVALS, PRINCIPAL, RESOURCE, Kind, World
from sre_agent.policy.request import Question, remediation, uid
from sre_agent.policy.syntax import Entity, Names, Unsupported
from sre_agent.runbook.proposal import Proposal

_PLAIN = {"type", "id"}


def example_of(question: Question, context_id: str, world: World) -> Example:
    """A question at one of its contexts, as the prover sees it. Raises KeyError when a path of the world is missing."""
    known = {(e["uid"]["type"], e["uid"]["id"]): e for e in question.entities}
    roots = {"principal": question.principal, "resource": question.resource, "context": question.contexts[context_id]}

    def read(names: Names) -> Any:
        value: Any = roots[names[0]]
        for name in names[1:]:
            value = (known[(value["type"], value["id"])]["attrs"] if _is_uid(value) else value)[name]
        return value

    values = {n: _value(read(n), kind) for n, kind in world.symbols.items() if n != ACTION}
    values[ACTION] = Entity(world.symbols[ACTION].type, question.action)
    parents = {
        Entity(*key): frozenset(Entity(p["type"], p["id"]) for p in entity["parents"])
        for key, entity in known.items()
        if entity["parents"]
    }
    return Example(values, parents)


def request_of(example: Example, world: World) -> GuardRequest:
    """An example as the guard would be asked it.

    Raises Unsupported, naming the path, when the guard's marshalling (policy.request) would not give that example back.
    """
    values = example.values
    facts = {n[-1]: _plain(v) for n, v in values.items() if n[:2] == ("context", "facts") and n[-1] in Facts.model_fields}
    claims = {n[-1]: _plain(v) for n, v in values.items() if n[:2] == ("context", "claims")}
    resource = {n[-1]: _plain(v) for n, v in values.items() if len(n) == 2 and n[0] == "resource"}
    target = Target(kind=resource["kind"], namespace=resource["namespace"] or None, name="example", uid=resource["uid"] or None)
    declaration = TargetDeclaration(
        managed=facts["managed"],
        environment=resource["env"],
        team=resource["owner"],
        sentinel_aware=facts["sentinel_aware"],
        stateful=resource["stateful"],
        has_prompts=resource["has_prompts"],
    )
    request = GuardRequest(
        agent=str(_plain(values[PRINCIPAL])),
        proposal=Proposal(incident_id="example", runbook="example", action=str(_plain(values[ACTION])), target=target),
        declaration=declaration,
        facts=Facts.model_validate_json(canonical(facts)),
        claims=Claims.model_validate_json(canonical(claims)),
        approvals=int(str(values[APPROVALS])),
    )
    _check_same(example, example_of(remediation(request), str(request.approvals), world))
    return request


def answering(example: Example) -> Question:
    """An example of somebody answering, as approval.decide would ask it."""
    values = example.values
    principal, resource = values[PRINCIPAL], values[RESOURCE]
    if not isinstance(principal, Entity) or not isinstance(resource, Entity):
        raise TypeError("principal and resource are entities")
    who = {
        "uid": _uid(principal),
        "attrs": {},
        "parents": sorted((_uid(p) for p in example.parents.get(principal, ())), key=str),
    }
    plan = {
        "uid": _uid(resource),
        "attrs": {n[-1]: _json(v) for n, v in values.items() if len(n) == 2 and n[0] == "resource"},
        "parents": [],
    }
    moment = {n[-1]: _json(v) for n, v in values.items() if n[0] == "context"}
    return Question(_uid(principal), str(_plain(values[ACTION])), _uid(resource), (who, plan), {"now": moment})


def _check_same(wanted: Example, got: Example) -> None:
    for names, value in got.values.items():
        # A workload's id is made of kind, namespace and name; no policy may depend on it (it is not a symbol of ours).
        if names != RESOURCE and wanted.values[names] != value:
            raise Unsupported(f"{'.'.join(names)}: the guard would ask with {value!r}, the prover meant {wanted.values[names]!r}")


def _is_uid(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == _PLAIN


def _value(raw: Any, kind: Kind) -> Value:
    if kind.sort == "Set":
        element = kind.element or Kind("String")
        return frozenset(v for v in (_value(item, element) for item in raw) if isinstance(v, str | Entity))
    if kind.sort == "Entity":
        return Entity(raw["type"], raw["id"])
    found: bool | int | str = raw
    return found


def _plain(value: Value) -> Any:
    if isinstance(value, frozenset):
        return sorted(_plain(v) for v in value)
    return value.id if isinstance(value, Entity) else value


def _json(value: Value) -> Any:
    if isinstance(value, frozenset):
        return sorted((_json(v) for v in value), key=str)
    return _uid(value) if isinstance(value, Entity) else value


def _uid(entity: Entity) -> dict[str, str]:
    return uid(entity.type.removeprefix("Sre::"), entity.id)
