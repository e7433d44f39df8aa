"""Load-time lints: what Cedar accepts and we do not. Every complaint names file, line and what to do.

Cedar's parser gives no positions, so each file is cut into statements first and every statement is parsed and
validated alone.
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from sre_agent.incident.errors import ConfigurationError
from sre_agent.policy.bundle import Rule
from sre_agent.policy.decision import Verdict
from sre_agent.policy.engine import ParsedPolicy, Vocabulary, parse_policy
from sre_agent.policy.ranges import doubts
from sre_agent.policy.syntax import OPERATORS, Policy, Unsupported, policies

OUTCOMES = {"hand_back": Verdict.HAND_BACK, "deny": Verdict.DENY}
GROUPS = frozenset({"runbook"})
"""Action groups: a grant must name single actions, or an action added later would be granted unseen."""

_POLICY_WORDS = frozenset({"Sre", "Action", "permit", "forbid", "when", "unless", "principal", "action", "resource", "context"})
_SCHEMA_WORDS = frozenset({"entity", "action", "type", "namespace", "enum", "appliesTo", "in", "Long", "String", "Bool", "Set"})

_TOKENS = re.compile(r'//[^\n]*|"(?:\\.|[^"\\])*"|;|\s+|[^\s;"/]+|/')


@dataclass(frozen=True)
class Statement:
    """One policy's text and the line of the file on which it begins."""

    text: str
    line: int


def statements(text: str) -> tuple[Statement, ...]:
    """A policy file cut at its semicolons; those in strings and comments do not count."""
    found: list[Statement] = []
    begin: int | None = None
    for token in _TOKENS.finditer(text):
        word = token.group()
        if begin is None and not word.isspace() and not word.startswith("//"):
            begin = token.start()
        if word == ";" and begin is not None:
            found.append(Statement(text[begin : token.end()], text.count("\n", 0, begin) + 1))
            begin = None
    if begin is not None:
        found.append(Statement(text[begin:], text.count("\n", 0, begin) + 1))
    return tuple(found)


def vocabulary(file: str, text: str) -> Vocabulary:
    """The schema, parsed. Raises ConfigurationError when it does not parse."""
    try:
        return Vocabulary(text)
    except ValueError as error:
        raise _complaint(file, Statement(text, 1), str(error), _SCHEMA_WORDS) from error


def lint(file: str, text: str, known: Vocabulary, *, shadow: bool = False) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    """The policies of one file that may be loaded, and what is wrong with the others ("file:line: ...")."""
    rules: list[Rule] = []
    wrong: list[str] = []
    for statement in statements(text):
        try:
            rules.append(_rule(file, statement, known, shadow=shadow))
        except ConfigurationError as error:
            wrong.append(str(error))
    return tuple(rules), tuple(wrong)


def shared_ids(rules: tuple[Rule, ...]) -> Iterator[str]:
    """A complaint for each policy whose id another one has already (Cedar would accept it)."""
    first: dict[str, Rule] = {}
    for rule in rules:
        if (other := first.setdefault(rule.id, rule)) is not rule:
            yield (
                f"{rule.file}:{rule.line}: policy id {rule.id!r} is used already at {other.file}:{other.line}; "
                "give it one of its own"
            )


def normal(text: str) -> str:
    """A policy's text without comments and with single spaces: equal for two that differ in layout only."""
    kept: list[str] = []
    for token in _TOKENS.finditer(text):
        word = token.group()
        gap = word.isspace() or word.startswith("//")
        if not gap or kept[-1:] != [" "]:
            kept.append(" " if gap else word)
    return "".join(kept).strip()


def suggestion(word: str, known: frozenset[str] | tuple[str, ...]) -> str:
    """ "; did you mean 'x'?" for the closest known word, or nothing."""
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _rule(file: str, statement: Statement, known: Vocabulary, *, shadow: bool) -> Rule:
    try:
        parsed = parse_policy(statement.text)
    except ValueError as error:
        raise _complaint(file, statement, f"this policy does not parse: {error}", known.words | _POLICY_WORDS) from error
    if parsed is None:
        raise ConfigurationError(f"{file}:{statement.line}: templates are not used here; name the principal and the resource type")
    for message in known.complaints(statement.text):
        raise _complaint(file, statement, message, known.words | _POLICY_WORDS)
    for message in _objections(parsed, shadow=shadow):
        raise ConfigurationError(f"{file}:{statement.line}: policy {parsed.annotations.get('id', '(no id)')!r} {message}")
    for message in doubts(_provable(file, statement)):
        raise ConfigurationError(f"{file}:{statement.line}: policy {parsed.annotations['id']!r} {message}")
    notes = parsed.annotations
    effect: str = parsed.effect
    return Rule(
        id=notes["id"],
        effect="permit" if effect == "permit" else "forbid",
        outcome=OUTCOMES.get(notes.get("outcome", "")),
        reason=notes["reason"],
        actions=parsed.actions,
        reads=parsed.reads,
        file=file,
        line=statement.line,
        shadow=shadow,
        text=normal(statement.text),
    )


def _provable(file: str, statement: Statement) -> Policy:
    """What the prover cannot translate is not loaded: its list of constructs is the loader's."""
    try:
        (policy,) = policies(statement.text)
    except Unsupported as error:
        raise ConfigurationError(f"{file}:{statement.line}: {error}; say it with other means, or nothing can be proved") from error
    return policy


def _objections(policy: ParsedPolicy, *, shadow: bool) -> Iterator[str]:
    """What we refuse of a policy that Cedar finds well typed."""
    for name in ("id", "reason"):
        if not policy.annotations.get(name, "").strip():
            yield f'has no @{name}("..."); every policy says who it is and why, in words for a person'
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", policy.annotations.get("id", "")):
        yield "has an id that is not lower-case words joined by hyphens"
    unsupported = sorted(policy.operators - OPERATORS)
    if unsupported:
        yield f"uses {', '.join(unsupported)}, which is not among the supported operators: {', '.join(sorted(OPERATORS))}"
    if policy.effect == "permit":
        yield from _grant_objections(policy, shadow=shadow)
    else:
        yield from _refusal_objections(policy)


def _grant_objections(policy: ParsedPolicy, *, shadow: bool) -> Iterator[str]:
    if shadow:
        yield "is a permit in shadow/; only refusals can be tried in the shadow"
    if not policy.actions or not GROUPS.isdisjoint(policy.actions):
        yield 'grants every action; name each one: action == Sre::Action::"..."'
    # SAFETY: what a model says may restrict and never permit.
    if any(r == "context" or r == "context.claims" or r.startswith("context.claims.") for r in policy.reads):
        yield "is a grant that reads context.claims; what a model says can only restrict"


def _refusal_objections(policy: ParsedPolicy) -> Iterator[str]:
    outcome = policy.annotations.get("outcome", "")
    if outcome not in OUTCOMES:
        yield f'has outcome {outcome!r}; write @outcome("hand_back") or @outcome("deny"){suggestion(outcome, tuple(OUTCOMES))}'
    if outcome == "hand_back" and "context.approvals" in policy.reads:
        yield 'hands back but reads context.approvals; a tier is @outcome("deny")'


def _complaint(file: str, statement: Statement, message: str, words: frozenset[str]) -> ConfigurationError:
    """The engine's message, at the line of the name it is about, with the closest name that exists."""
    text = re.sub(r"\[policy\d+\] |for policy `policy\d+`[,:]? ?", "", message)
    line, hint = statement.line, ""
    # The engine quotes the names it means, or ends on them; an unknown one says more than a known one.
    quoted = re.findall(r"`([^`]+)`|'([^']+)'|: (\S+)$", text)
    named = [w for groups in quoted for w in re.findall(r"[A-Za-z_]\w*|[^\w\s]+", "".join(groups))]
    for word in sorted(named, key=lambda w: w in words or not w[0].isalpha()):
        edge = r"\b" if word[0].isalnum() or word[0] == "_" else ""
        at = re.search(f"{edge}{re.escape(word)}{edge}", statement.text)
        if at is not None:
            line = statement.line + statement.text.count("\n", 0, at.start())
            hint = "" if word in words or not edge else suggestion(word, words)
            break
    return ConfigurationError(f"{file}:{line}: {text}{hint}")
