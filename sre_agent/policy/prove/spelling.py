"""From a tree back to text: every policy of ours, and every mutant, can be put before Cedar itself."""

from sre_agent.policy.syntax import (
    INFIX,
    Clause,
    Constant,
    Entity,
    Expression,
    Like,
    Listed,
    Operation,
    Path,
    Policy,
    Scope,
    Unsupported,
)


def spelled(policy: Policy) -> str:
    """A policy as Cedar text; parsing it gives the same tree."""
    notes = "".join(f"@{name}({_quoted(value)})\n" for name, value in policy.notes)
    scope = f"{_scope('principal', policy.principal)}, {_actions(policy)}, {_scope('resource', policy.resource)}"
    clauses = "".join(f"\n{_clause(c)}" for c in policy.clauses)
    return f"{notes}{policy.effect} ({scope}){clauses};\n"


def _clause(clause: Clause) -> str:
    return f"{clause.word} {{ {_expression(clause.condition)} }}"


def _scope(variable: str, scope: Scope) -> str:
    kind = f" is {scope.type}" if scope.type else ""
    if scope.entity is None:
        return f"{variable}{kind}"
    return f"{variable}{kind} {'==' if scope.relation == 'eq' else 'in'} {_entity(scope.entity)}"


def _actions(policy: Policy) -> str:
    if policy.actions is None:
        return "action"
    if policy.exact:
        return f"action == {_entity(policy.actions[0])}"
    return f"action in [{', '.join(_entity(a) for a in policy.actions)}]"


def _expression(node: Expression) -> str:
    match node:
        case Constant(value=bool(value)):
            return "true" if value else "false"
        case Constant(value=int(value)):
            return f"({value})" if value < 0 else str(value)
        case Constant(value=value):
            return _quoted(str(value))
        case Entity():
            return _entity(node)
        case Path(names=names):
            return ".".join(names)
        case Like(base=base, pieces=pieces):
            return f"({_expression(base)} like {_pattern(pieces)})"
        case Listed(items=items):
            return f"[{', '.join(_expression(i) for i in items)}]"
        case Operation(name=name, operands=operands):
            return _operation(name, [_expression(o) for o in operands])


def _operation(name: str, parts: list[str]) -> str:
    if name in INFIX:
        return f"({parts[0]} {INFIX[name]} {parts[1]})"
    match name:
        case "not":
            return f"(!({parts[0]}))"
        case "is_empty":
            return f"{parts[0]}.isEmpty()"
        case "contains":
            return f"{parts[0]}.contains({parts[1]})"
    raise Unsupported(f"the operator {name} has no spelling")


def _entity(entity: Entity) -> str:
    return f"{entity.type}::{_quoted(entity.id)}"


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _pattern(pieces: tuple[str, ...]) -> str:
    return '"' + "*".join(_escaped(piece).replace("*", "\\*") for piece in pieces) + '"'


def _escaped(text: str) -> str:
    return "".join(c if c.isprintable() and c not in '"\\' else f"\\u{{{ord(c):x}}}" for c in text)
