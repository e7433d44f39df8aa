"""The policy engine behind a small protocol: Cedar, with every handle parsed once. The only import of cedarpy.

Cedar: default deny, forbid wins. Known sharp edge: a forbid that raises an evaluation error is skipped, so an
answer with any error in it must be refused by the caller (policy.guard does). The schema is passed with every
call: without it missing and mistyped fields would be allowed through.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import cedarpy
from cedarpy import pst

from sre_agent.policy.canonical import canonical
from sre_agent.policy.request import Answers, Probe, Question

ENGINE = "cedarpy 4.12"
"""The engine the bundle is locked for; pinned in pyproject.toml to the same minor version."""


class PolicyEngine(Protocol):
    """Answers a question once per context, in the contexts' order. May raise: the guard then refuses."""

    def evaluate(self, question: Question) -> Answers:
        """One probe per context. Policy ids are the policies' own @id, not positions."""
        ...


class CedarEngine:
    """Immutable: policies and schema are parsed at construction and reused for every call.

    `shadow` policies are evaluated at a question's first context and never enforced. Raises ValueError when a
    text does not parse. It does not validate policies: policy.load does.
    """

    def __init__(self, schema: str, policies: str, shadow: str = "") -> None:
        self._schema = cedarpy.Schema.from_str(schema)
        self._policies = cedarpy.PolicySet.from_str(policies)
        self._shadow = cedarpy.PolicySet.from_str(shadow) if shadow.strip() else None

    def evaluate(self, question: Question) -> Answers:
        """See PolicyEngine. Raises ValueError when an entity does not fit the schema."""
        entities = cedarpy.Entities.from_json_str(canonical(question.entities), self._schema)
        requests = [
            {
                "principal": question.principal,
                "action": {"type": "Sre::Action", "id": question.action},
                "resource": question.resource,
                "context": context,
                "correlation_id": correlation_id,
            }
            for correlation_id, context in question.contexts.items()
        ]
        # SAFETY: the schema goes with every call; without it missing and mistyped fields would be let through.
        answers = cedarpy.is_authorized_batch(requests, self._policies, entities, schema=self._schema)
        probes = tuple(_probe(a) for a in answers)
        if self._shadow is None:
            return Answers(probes)
        (tried,) = cedarpy.is_authorized_batch(requests[:1], self._shadow, entities, schema=self._schema)
        return Answers(probes, _probe(tried).policy_ids)


def _probe(answer: cedarpy.AuthzResult) -> Probe:
    names: Mapping[str, str] = answer.diagnostics.id_annotations_by_reason
    return Probe(
        correlation_id=answer.correlation_id or "",
        decision=answer.decision.value,
        policy_ids=tuple(sorted(names.get(r, r) for r in answer.diagnostics.reasons)),
        errors=tuple(answer.diagnostics.errors),
    )


@dataclass(frozen=True)
class ParsedPolicy:
    """What the lints need to know of one policy's syntax tree.

    `actions` are the action (or group) ids its scope names, empty when unconstrained. `reads` are the context
    paths it touches ("context.claims.veto"); `operators` the names of the node kinds in its conditions.
    """

    effect: str
    annotations: Mapping[str, str]
    actions: tuple[str, ...]
    reads: frozenset[str]
    operators: frozenset[str]


class Vocabulary:
    """A parsed schema: what policies may talk about. Raises ValueError when it does not parse."""

    def __init__(self, text: str) -> None:
        self._schema = cedarpy.Schema.from_str(text)
        self.words = frozenset(re.findall(r"[A-Za-z_]\w*", text))

    def complaints(self, policy: str) -> tuple[str, ...]:
        """The validator's complaints about one policy's text; empty when it is well typed."""
        return tuple(e.error for e in cedarpy.validate_policies(policy, self._schema).errors)


def parse_policy(text: str) -> ParsedPolicy | None:
    """One statement, parsed. None for a template. Raises ValueError when it does not parse or is not exactly one."""
    tree = cedarpy.policies_to_pst(text)
    if tree.templates:
        return None
    if len(tree.static_policies) != 1:
        raise ValueError(f"expected one policy, found {len(tree.static_policies)}")
    (policy,) = tree.static_policies.values()
    reads, operators = _walk(policy)
    return ParsedPolicy(policy.effect, dict(policy.annotations), _actions(policy.action), reads, operators)


_OPERATORS: Mapping[type, str] = {
    pst.HasAttr: "has",
    pst.Like: "like",
    pst.Is: "is",
    pst.IfThenElse: "if",
    pst.Record: "record",
    pst.Slot: "slot",
}


def _actions(scope: pst.ActionConstraint) -> tuple[str, ...]:
    match scope:
        case pst.ActionEq(entity=entity):
            return (entity.id,)
        case pst.ActionIn(entities=entities):
            return tuple(e.id for e in entities)
        case _:
            return ()


def _walk(policy: pst.Template) -> tuple[frozenset[str], frozenset[str]]:
    """Every attribute path and every node kind in the conditions."""
    reads: set[str] = set()
    operators: set[str] = set()
    stack: list[object] = [c.expr for c in policy.clauses]
    while stack:
        node = stack.pop()
        path = _path(node)
        if path:
            # A whole chain is one read; a variable used bare ("context" itself) is recorded as just its name.
            reads.add(path)
            continue
        operator = node.op if isinstance(node, pst.UnaryOp | pst.BinaryOp) else _OPERATORS.get(type(node))
        if operator is not None:
            operators.add(operator)
        stack.extend(_children(node))
    return frozenset(reads), frozenset(operators)


def _path(node: object) -> str:
    """The dotted path of a variable or of a chain of attributes over one, else ""."""
    names: list[str] = []
    while isinstance(node, pst.GetAttr):
        names.append(node.attr)
        node = node.base
    return ".".join([node.name, *reversed(names)]) if isinstance(node, pst.Var) else ""


def _children(node: object) -> list[object]:
    match node:
        case pst.UnaryOp(arg=arg):
            return [arg]
        case pst.BinaryOp(left=left, right=right):
            return [left, right]
        case pst.GetAttr(base=base) | pst.HasAttr(base=base) | pst.Like(base=base):
            return [base]
        case pst.Is(base=base, in_expr=inside):
            return [base] if inside is None else [base, inside]
        case pst.IfThenElse(cond=cond, then_expr=then, else_expr=other):
            return [cond, then, other]
        case pst.Set(elements=elements):
            return list(elements)
        case pst.Record(fields=fields):
            return list(fields.values())
        case _:
            return []
