"""The invariants that are proved, by name and number, from the one table of limits and actions (policy.whitelist).

What each number means, and where those that are not formulas are tested, is in `ledger.py`.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from sre_agent.policy import whitelist as limit
from sre_agent.policy.breakers import REFUSING, Breaker
from sre_agent.policy.prove.concrete import GREATEST_LONG, LEAST_LONG
from sre_agent.policy.prove.goals import Goal, promised, reachable
from sre_agent.policy.prove.reading import ANSWERING, REMEDIATION
from sre_agent.policy.prove.risk import worst
from sre_agent.policy.prove.scene import FACTS as FACTS_PATH
from sre_agent.policy.prove.scene import Scene
from sre_agent.policy.prove.solver import Term
from sre_agent.policy.prove.vocabulary import APPROVALS
from sre_agent.policy.syntax import ARITHMETIC, Expression, Names, Operation, Path, Policy, expression, parts
from sre_agent.policy.whitelist import WHITELIST, Promise, Row

FACTS: Final = "context.facts"
INFRA: Final = 'Sre::AlertClass::"infra"'
PROD: Final = 'resource.env == Sre::Environment::"prod"'

_GUARDRAIL: Final = {
    Breaker.STORM: "G37",
    Breaker.BLOCKING_ALERT: "G38",
    Breaker.MAJOR_INCIDENT: "G38",
    Breaker.COOLDOWN: "G43",
    Breaker.FAILING: "G44",
    Breaker.INEFFECTIVE: "G45",
    Breaker.RATCHET: "G46",
    Breaker.FLAPPING: "G48",
    Breaker.VERIFYING: "G47",
}
"""Where each breaker that refuses comes from."""

GENERAL: Final = (
    Promise("1", "only infra, labelled infra", f"{FACTS}.alert_class == {INFRA} && {FACTS}.labelled_class == {INFRA}"),
    Promise("1", "never while halted", f"!{FACTS}.halted"),
    Promise(
        "1",
        "only in a mode that acts",
        f'{FACTS}.mode == Sre::Mode::"auto" || ({FACTS}.mode == Sre::Mode::"approve" && context.approvals >= 1)',
    ),
    Promise(
        "2",
        "no model or prompt change in the lookback, and the lookback was covered",
        f"!{FACTS}.model_change_in_lookback && {FACTS}.lookback_covered",
    ),
    Promise("3", "no conflicting evidence", f"!{FACTS}.evidence_conflict"),
    Promise(
        "4",
        "confidence within its range",
        f"context.claims.confidence_bp >= {limit.MIN_CONFIDENCE_BP} && context.claims.confidence_bp <= {limit.MAX_CONFIDENCE_BP}",
    ),
    Promise("5", "independent kinds of evidence", f"{FACTS}.evidence_kinds >= {limit.MIN_EVIDENCE_KINDS}"),
    Promise("7", "nothing protected, no kube- namespace", f'!{FACTS}.protected && !(resource.namespace like "kube-*")'),
    Promise(
        "8",
        "in production unasked: only a restart of a small share",
        f'action == Sre::Action::"restart_pod" && {FACTS}.pods_touched_pct <= {limit.UNASKED_PODS_PCT}',
        given=f"{PROD} && context.approvals == 0",
    ),
    Promise("12", "never during a freeze", f"{FACTS}.active_freezes.isEmpty()"),
    Promise("13", "never on old facts", f"{FACTS}.facts_age_s <= {limit.MAX_FACTS_AGE_S}"),
    Promise("14", "budget per target", f"{FACTS}.target_actions_30m < {limit.ACTIONS_PER_TARGET_30M}"),
    Promise("14", "budget per service", f"{FACTS}.service_actions_6h < {limit.ACTIONS_PER_SERVICE_6H}"),
    Promise("14", "budget everywhere", f"{FACTS}.global_actions_1h < {limit.ACTIONS_GLOBAL_1H}"),
    Promise("14", "budget of a day", f"{FACTS}.global_actions_24h < {limit.ACTIONS_GLOBAL_24H}"),
    Promise("14", "in flight on the target", f"{FACTS}.in_flight_target < {limit.IN_FLIGHT_PER_TARGET}"),
    Promise("14", "in flight everywhere", f"{FACTS}.in_flight_global < {limit.IN_FLIGHT_GLOBAL}"),
    Promise("18", "the model does not see another class", f"context.claims.alert_class == {FACTS}.alert_class"),
    Promise("18", "nobody disputes the class", f"!{FACTS}.class_disputed"),
    Promise("G05", "declared as managed", f"{FACTS}.managed"),
    Promise("G19", "one live target with an identity", f'{FACTS}.target_resolved && resource.uid != ""'),
    Promise("G32", "what a model chose, a person approves", "context.approvals >= 1", given=f"{FACTS}.nominated_by_model"),
    Promise("G39", "an acknowledged incident is asked about", "context.approvals >= 1", given=f"{FACTS}.human_acknowledged"),
    Promise("G15", "only while the incident is open and fires", f"{FACTS}.incident_open && {FACTS}.alert_firing"),
    Promise("G52", "every condition of the action's own is met", f"{FACTS}.unmet.isEmpty()"),
    Promise("2", "nothing that would change a model, a prompt or configuration", f"!{FACTS}.touches_behaviour"),
    Promise("P8", "never when a fact could not be read", f"{FACTS}.collector_errors.isEmpty()"),
    *(Promise(_GUARDRAIL[b], f"never while the breaker {b} is tripped", f'!{FACTS}.breakers.contains("{b}")') for b in REFUSING),
    Promise(
        "G39",
        "where people are at work, a person approves",
        "context.approvals >= 1",
        given=f'{FACTS}.breakers.contains("{Breaker.HUMAN_ACTIVITY}")',
    ),
    Promise("P10", "never against the model's veto", "!context.claims.veto"),
)

GENERAL_EDGES: Final = (
    f"context.claims.confidence_bp == {limit.MIN_CONFIDENCE_BP}",
    f"context.claims.confidence_bp == {limit.MAX_CONFIDENCE_BP}",
    f"{FACTS}.evidence_kinds == {limit.MIN_EVIDENCE_KINDS}",
    f"{FACTS}.facts_age_s == {limit.MAX_FACTS_AGE_S}",
    f"{FACTS}.target_actions_30m == {limit.ACTIONS_PER_TARGET_30M - 1}",
    f"{FACTS}.service_actions_6h == {limit.ACTIONS_PER_SERVICE_6H - 1}",
    f"{FACTS}.global_actions_1h == {limit.ACTIONS_GLOBAL_1H - 1}",
    f"{FACTS}.global_actions_24h == {limit.ACTIONS_GLOBAL_24H - 1}",
    f"{FACTS}.in_flight_target == {limit.IN_FLIGHT_PER_TARGET - 1}",
    f"{FACTS}.in_flight_global == {limit.IN_FLIGHT_GLOBAL - 1}",
    f'{FACTS}.mode == Sre::Mode::"approve"',
    f"{FACTS}.human_acknowledged",
    f"{FACTS}.nominated_by_model",
    f'{FACTS}.breakers.contains("{Breaker.HUMAN_ACTIVITY}")',
)
"""Must stay possible for every action: with the promises these pin every limit from both sides."""

MAY_APPROVE: Final = (
    "principal in resource.owner && !resource.requesters.contains(principal) && "
    'context.digest != "" && context.digest == resource.digest && context.now_s < resource.expires_at_s'
)
"""Who may approve, no more and no less."""


def only(row: Row) -> str:
    """The condition that a request is for the row's action."""
    return f'action == Sre::Action::"{row.action}"'


def promises() -> tuple[Promise, ...]:
    """Every promise about what the agent may do: the general ones, and those of every row."""
    listed = ", ".join(f'Sre::Action::"{row.action}"' for row in WHITELIST)
    return (
        *GENERAL,
        Promise("6", "only actions of the whitelist", f"action in [{listed}]"),
        *(promise for row in WHITELIST for promise in _of(row)),
    )


def _of(row: Row) -> Iterator[Promise]:
    action = row.action
    kinds = ", ".join(f'"{kind}"' for kind in row.kinds)
    yield Promise("6", f"{action}: only on {', '.join(row.kinds)}", f"[{kinds}].contains(resource.kind)", given=only(row))
    if row.data_bearing:
        enough = f"context.approvals >= {limit.PERSONS_FOR_DATA}"
        yield Promise("9", f"{action}: two people for data", enough, given=only(row))
    for environment, least in row.approvals.items():
        where = f'{only(row)} && resource.env == Sre::Environment::"{environment}"'
        yield Promise("23", f"{action}: {least} approvals in {environment}", f"context.approvals >= {least}", given=where)
    stateful = "false" if row.stateful is None else f"context.approvals >= {row.stateful}"
    yield Promise("11", f"{action}: on stateful workloads", stateful, given=f"{only(row)} && resource.stateful")
    for promise in row.promises:
        given = only(row) if promise.given == "true" else f"{only(row)} && {promise.given}"
        yield Promise(promise.number, f"{action}: {promise.name}", promise.holds, given=given)


def goals() -> tuple[Goal, ...]:
    """Every goal about a bundle but liveness and width: see liveness.py and wider.py."""
    return (*(promised(p, REMEDIATION) for p in promises()), *RELATIONS, *possibilities(), *APPROVERS)


def possibilities() -> tuple[Goal, ...]:
    """That the promises are not kept by refusing everything: every row, at exactly its approvals, at every edge."""
    return tuple(goal for row in WHITELIST for goal in _reached(row))


def _reached(row: Row) -> Iterator[Goal]:
    action = only(row)
    for environment, least in row.approvals.items():
        where = (action, f'resource.env == Sre::Environment::"{environment}"', f"context.approvals == {least}")
        yield reachable("23", f"{row.action}: possible with {least} approvals in {environment}", REMEDIATION, where)
    if row.stateful is not None:
        where = (action, "resource.stateful", f"context.approvals == {row.stateful}")
        yield reachable("23", f"{row.action}: possible on a stateful workload with {row.stateful}", REMEDIATION, where)
    for kind in row.kinds:
        yield reachable("23", f"{row.action}: possible on {kind}", REMEDIATION, (action, f'resource.kind == "{kind}"'))
    yield indifferent(row)
    for edge in (*GENERAL_EDGES, *row.edges):
        yield reachable("23", f"{row.action}: possible at the edge {edge}", REMEDIATION, (action, edge))


def indifferent(row: Row) -> Goal:
    """The action stays possible while every fact that no promise of its row speaks of is at its worst.

    So an action's refusals are those that its row tells of, and no rule for another action reaches it by a slip.
    """
    spoken = mentioned((*GENERAL, *_of(row)))

    def question(scene: Scene) -> tuple[Term, ...]:
        symbols = scene.symbols
        pins = [
            symbols.equal(symbols.symbol(names, kind), symbols.value(worst(names[-1], kind), kind))
            for names, kind in scene.world.symbols.items()
            if names[:2] == FACTS_PATH and names not in spoken
        ]
        return scene.plain.allowed(), scene.plain.condition(expression(only(row))), *pins

    return Goal("23", f"{row.action}: possible whatever the other facts say", REMEDIATION, question, must_be_possible=True)


def mentioned(promised: Iterable[Promise]) -> frozenset[Names]:
    """Every path that some promises speak of."""
    texts = (text for promise in promised for text in (promise.given, promise.holds))
    return frozenset(node.names for text in texts for node in parts(expression(text)) if isinstance(node, Path))


def _claims_widen(scene: Scene) -> tuple[Term, ...]:
    return scene.plain.allowed(), scene.symbols.negation(scene.siblings["neutral"].allowed())


def _approval_takes_away(scene: Scene) -> tuple[Term, ...]:
    symbols = scene.symbols
    more = scene.siblings["approved"].algebra.symbol(APPROVALS, scene.world.symbols[APPROVALS])
    within = symbols.at_most(more, symbols.constant(limit.MOST_APPROVALS))
    return within, scene.plain.allowed(), symbols.negation(scene.siblings["approved"].allowed())


def _risk_permits(scene: Scene) -> tuple[Term, ...]:
    return *scene.safer_relation, scene.plain.allowed(), scene.symbols.negation(scene.siblings["safer"].allowed())


def _overflows(scene: Scene) -> tuple[Term, ...]:
    symbols = scene.symbols
    low, high = symbols.constant(LEAST_LONG), symbols.constant(GREATEST_LONG)
    beyond: list[Term] = []
    for policy in scene.rules.policies:
        if _applies(policy, scene):
            for node in arithmetic(policy):
                value = scene.plain.number(node)
                beyond.append(symbols.negation(symbols.every([symbols.at_most(low, value), symbols.at_most(value, high)])))
    return (symbols.some(beyond),)


def _applies(policy: Policy, scene: Scene) -> bool:
    return scene.possible(scene.plain.satisfied(policy)) is not None


def arithmetic(policy: Policy) -> tuple[Expression, ...]:
    """Every sum and product in a policy's conditions."""
    return tuple(node for node in policy.nodes if isinstance(node, Operation) and node.name in ARITHMETIC)


def _approver_refused(scene: Scene) -> tuple[Term, ...]:
    return scene.plain.condition(expression(MAY_APPROVE)), scene.symbols.negation(scene.plain.allowed())


RELATIONS: Final = (
    Goal("19", "what a model says cannot widen", REMEDIATION, _claims_widen),
    Goal("20", "one more approval never takes a permission away", REMEDIATION, _approval_takes_away),
    Goal("21", "more risk never turns a refusal into a permission", REMEDIATION, _risk_permits),
    Goal("22", "no arithmetic overflows within the bounds", REMEDIATION, _overflows),
    Goal("22", "no arithmetic overflows within the bounds, who may approve", ANSWERING, _overflows),
)

APPROVERS: Final = (
    promised(Promise("26", "only a member of the owning team, for the same plan, in time, not who asked", MAY_APPROVE), ANSWERING),
    Goal("26", "every member of the owning team who did not ask may approve in time", ANSWERING, _approver_refused),
    reachable("23", "somebody may approve", ANSWERING, ("true",)),
)
