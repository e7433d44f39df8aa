"""What can be said of a policy without asking anybody: does its arithmetic stay in bounds, does it depend on anything?

Interval arithmetic over the bounds that pydantic enforces. It decides what is plainly so (`age >= 0`, `x || true`, `x == x`);
everything subtler is for the prover (policy.prove). Pure.
"""

from collections.abc import Iterator
from functools import cache

from sre_agent.policy.facts import BOUND, Claims, Facts
from sre_agent.policy.request import PROBES
from sre_agent.policy.syntax import Constant, Expression, Names, Operation, Path, Policy

MOST = 2**63 - 1
"""Cedar's integers have 64 bits. One that leaves them is an error, and a refusal that errs is skipped."""
MOMENT = 10**12
"""More seconds since 1970 than any time of ours, either way."""

Range = tuple[int, int]
_UNLIMITED: Range = (-(10**30), 10**30)


class Overflow(ValueError):
    """Arithmetic that can leave 64 bits; the message says how far it can get."""


def doubts(policy: Policy) -> Iterator[str]:
    """What is plainly wrong with a policy's conditions, in words for whoever wrote it."""
    try:
        truths = [(clause.word, _truth(clause.condition)) for clause in policy.clauses]
    except Overflow as overflow:
        yield f"calculates beyond 64 bits ({overflow}), and a refusal that errs is skipped; compare smaller numbers"
        return
    holding = [truth if word == "when" else None if truth is None else not truth for word, truth in truths]
    does = "refuse" if policy.effect == "forbid" else "grant"
    grouped = policy.actions is None or not policy.exact
    if policy.effect == "forbid" and all(h is True for h in holding) and (holding or grouped):
        yield "always applies: it would refuse everything it is about; look at its conditions, or name one action and give it none"
    if any(h is False for h in holding):
        yield f"never applies: it would {does} nothing; look at its conditions, or remove it"


def _truth(e: Expression) -> bool | None:
    """Whether a condition holds for every request (True), for none (False), or it depends (None)."""
    match e:
        case Constant(value=bool(value)):
            return value
        case Operation(name="not", operands=(inner,)):
            truth = _truth(inner)
            return None if truth is None else not truth
        case Operation(name="and" | "or" as name, operands=(left, right)):
            return _joined(name, left, right)
        case Operation(name=name, operands=(left, right)):
            return _compared(name, left, right)
    return None


def _joined(name: str, left: Expression, right: Expression) -> bool | None:
    deciding = name == "or"
    truths = (_truth(left), _truth(right))
    opposite = left == Operation("not", (right,)) or right == Operation("not", (left,))
    if deciding in truths or opposite:
        return deciding
    return None if None in truths else not deciding


def _compared(name: str, left: Expression, right: Expression) -> bool | None:
    (a, b), (c, d) = _range(left), _range(right)
    same = left == right
    match name:
        case "eq" | "not_eq":
            known = True if same or (a == b == c == d and _is_number(left)) else False if b < c or d < a else None
            return known if name == "eq" or known is None else not known
        case "less":
            return True if b < c else False if a >= d or same else None
        case "less_eq":
            return True if b <= c or same else False if a > d else None
        case "greater":
            return _compared("less", right, left)
        case "greater_eq":
            return _compared("less_eq", right, left)
    return None


def _range(e: Expression) -> Range:
    """The least and the greatest a number can be; unlimited for what is no number. Raises Overflow."""
    match e:
        case Constant(value=int(value)) if not isinstance(value, bool):
            return (value, value)
        case Path(names=names):
            return _bounds(names) or _UNLIMITED
        case Operation(name="add" | "mul" as name, operands=(left, right)):
            return _calculated(name, _range(left), _range(right))
    return _UNLIMITED


def _calculated(name: str, left: Range, right: Range) -> Range:
    ends = [a + b if name == "add" else a * b for a in left for b in right]
    low, high = min(ends), max(ends)
    if low < -MOST - 1 or high > MOST:
        raise Overflow(f"as far as {high if high > MOST else low}")
    return low, high


def _is_number(e: Expression) -> bool:
    return _range(e) != _UNLIMITED


@cache
def _bounds(names: Names) -> Range | None:
    """The bounds of a path that holds a number; None for any other."""
    match names:
        case ("context", "facts" | "claims" as part, name):
            model = Facts if part == "facts" else Claims
            field = model.model_json_schema()["properties"].get(name, {})
            return (field.get("minimum", 0), field.get("maximum", BOUND)) if field.get("type") == "integer" else None
        case ("context", "approvals"):
            return PROBES[0], PROBES[-1]
        case ("context", "now_s") | ("resource", "expires_at_s"):
            return -MOMENT, MOMENT
        case _:
            return None
