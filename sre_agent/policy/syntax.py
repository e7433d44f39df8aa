"""The policy language we use, as a tree of our own: the part of Cedar that the prover, and so the loader, understands.

Cedar's parser gives its own tree; this module turns it into a smaller one and refuses what is not in it, so that a
policy that could not be proved cannot be loaded either. Besides engine.py the only import of cedarpy.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import cedarpy
from cedarpy import pst

Names = tuple[str, ...]
"""A chain of attributes over a variable: ("context", "facts", "halted"), or the variable alone: ("action",)."""

LOGIC: Mapping[str, str] = {"and": "&&", "or": "||"}
COMPARISONS: Mapping[str, str] = {"eq": "==", "not_eq": "!=", "less": "<", "less_eq": "<=", "greater": ">", "greater_eq": ">="}
ARITHMETIC: Mapping[str, str] = {"add": "+", "mul": "*"}
INFIX: Mapping[str, str] = {**LOGIC, **COMPARISONS, **ARITHMETIC, "in": "in"}
OPERATORS = frozenset({*INFIX, "not", "is_empty", "contains", "like"})
"""Every operator a policy may use, by Cedar's name for its node. Lint and prover both read this set."""


class Unsupported(ValueError):
    """A construct that is not translated; the message names the policy. Whoever meets it refuses the whole bundle."""


@dataclass(frozen=True)
class Entity:
    """An entity id such as Sre::AlertClass::"infra"; `type` with its namespace."""

    type: str
    id: str


@dataclass(frozen=True)
class Constant:
    """A constant: boolean, integer or text."""

    value: bool | int | str


@dataclass(frozen=True)
class Path:
    """A variable or an attribute of one."""

    names: Names


@dataclass(frozen=True)
class Operation:
    """One of OPERATORS but `like`, over its operands in the order written."""

    name: str
    operands: tuple["Expression", ...]


@dataclass(frozen=True)
class Like:
    """A wildcard match. `pieces` is the pattern cut at its wildcards: "kube-*" is ("kube-", "")."""

    base: "Expression"
    pieces: tuple[str, ...]


@dataclass(frozen=True)
class Listed:
    """A set written out."""

    items: tuple["Expression", ...]


Expression = Constant | Entity | Path | Operation | Like | Listed


@dataclass(frozen=True)
class Scope:
    """Whom a policy is about: of a type ("" for any), and equal to or in one entity (None for any)."""

    type: str = ""
    relation: Literal["eq", "in"] = "eq"
    entity: Entity | None = None


@dataclass(frozen=True)
class Clause:
    """One condition."""

    word: Literal["when", "unless"]
    condition: Expression


@dataclass(frozen=True)
class Policy:
    """One policy. `actions` is None for any action; `exact` when the scope says == and not in."""

    effect: Literal["permit", "forbid"]
    notes: tuple[tuple[str, str], ...]
    clauses: tuple[Clause, ...]
    actions: tuple[Entity, ...] | None = None
    exact: bool = False
    principal: Scope = field(default_factory=Scope)
    resource: Scope = field(default_factory=Scope)

    @property
    def id(self) -> str:
        """Its @id."""
        return dict(self.notes).get("id", "(no id)")

    @property
    def nodes(self) -> tuple[Expression, ...]:
        """Everything in its conditions."""
        return tuple(node for clause in self.clauses for node in parts(clause.condition))

    @property
    def outcome(self) -> str:
        """Its @outcome; "" for a permit."""
        return dict(self.notes).get("outcome", "")


def policies(text: str) -> tuple[Policy, ...]:
    """Every policy of a text, in order. Raises Unsupported, or ValueError when it does not parse."""
    tree = cedarpy.policies_to_pst(text)
    if tree.templates:
        raise Unsupported("templates are not used here")
    ordered = sorted(tree.static_policies.items(), key=lambda item: int(item[0].removeprefix("policy")))
    return tuple(_policy(p) for _, p in ordered)


def expression(text: str) -> Expression:
    """A condition standing alone. Raises Unsupported, or ValueError when it does not parse."""
    (policy,) = policies(f'@id("condition") permit (principal, action, resource) when {{ {text} }};')
    return policy.clauses[0].condition


def parts(whole: Expression) -> Iterator[Expression]:
    """An expression and everything in it."""
    yield whole
    match whole:
        case Operation(operands=inner) | Listed(items=inner):
            for part in inner:
                yield from parts(part)
        case Like(base=base):
            yield from parts(base)
        case _:
            pass


def _policy(tree: pst.Template) -> Policy:
    try:
        actions, exact = _actions(tree.action)
        return Policy(
            effect=tree.effect,
            notes=tuple(sorted(tree.annotations.items())),
            clauses=tuple(Clause("when" if isinstance(c, pst.When) else "unless", _expression(c.expr)) for c in tree.clauses),
            actions=actions,
            exact=exact,
            principal=_scope(tree.principal),
            resource=_scope(tree.resource),
        )
    except Unsupported as error:
        raise Unsupported(f"policy {tree.annotations.get('id', '(no id)')!r}: {error}") from error


def _actions(scope: pst.ActionConstraint) -> tuple[tuple[Entity, ...] | None, bool]:
    match scope:
        case pst.ScopeAny():
            return None, False
        case pst.ActionEq(entity=one):
            return (_entity(one),), True
        case pst.ActionIn(entities=many):
            return tuple(_entity(e) for e in many), False
    raise Unsupported(f"the action scope {type(scope).__name__} is not supported")


def _scope(scope: pst.PrincipalOrResourceConstraint) -> Scope:
    match scope:
        case pst.ScopeAny():
            return Scope()
        case pst.ScopeIs(entity_type=kind):
            return Scope(type=str(kind))
        case pst.ScopeEq(entity=pst.EntityUid() as one):
            return Scope(relation="eq", entity=_entity(one))
        case pst.ScopeIn(entity=pst.EntityUid() as one):
            return Scope(relation="in", entity=_entity(one))
        case pst.ScopeIsIn(entity_type=kind, entity=pst.EntityUid() as one):
            return Scope(str(kind), "in", _entity(one))
    raise Unsupported(f"the scope {type(scope).__name__} is not supported")


def _expression(node: pst.Expr) -> Expression:
    match node:
        case pst.BoolLit(value=constant) | pst.LongLit(value=constant) | pst.StringLit(value=constant):
            return Constant(constant)
        case pst.EntityLit(value=one):
            return _entity(one)
        case pst.Var(name=name):
            return Path((name,))
        case pst.GetAttr(base=base, attr=attr):
            inner = _expression(base)
            if isinstance(inner, Path):
                return Path((*inner.names, attr))
        case pst.UnaryOp(op=op, arg=arg) if op in OPERATORS:
            return Operation(op, (_expression(arg),))
        case pst.BinaryOp(op=op, left=left, right=right) if op in OPERATORS:
            return Operation(op, (_operand(left, op == "contains"), _operand(right, op == "in")))
        case pst.Like(base=base, pattern=pattern):
            return Like(_expression(base), _pieces(pattern))
        case _:
            pass
    called = node.op if isinstance(node, pst.UnaryOp | pst.BinaryOp) else type(node).__name__
    raise Unsupported(f"{called} is not supported")


def _operand(node: pst.Expr, may_be_listed: bool) -> Expression:
    """An operand; a set written out is one only where it is asked for what is in it."""
    if isinstance(node, pst.Set) and may_be_listed:
        return Listed(tuple(_expression(e) for e in node.elements))
    return _expression(node)


def _pieces(pattern: tuple[pst.PatternElem, ...]) -> tuple[str, ...]:
    pieces = [""]
    for element in pattern:
        if isinstance(element, pst.Char):
            pieces[-1] += element.value
        else:
            pieces.append("")
    return tuple(pieces)


def _entity(uid: pst.EntityUid) -> Entity:
    return Entity(str(uid.type), uid.id)
