"""The fast part of the proofs: every goal on the shipped policies, and that the prover would notice if one broke."""

import ast
import re
from dataclasses import replace

import pytest

from sre_agent.evidence.redis.quorum import DOWN_AFTER_MS
from sre_agent.execution.budget import FAILOVERS, Limits
from sre_agent.facts.assemble import RESTRICTIVE
from sre_agent.incident.errors import ConfigurationError
from sre_agent.incident.target import Target
from sre_agent.policy import whitelist
from sre_agent.policy.decision import Verdict
from sre_agent.policy.facts import BOUND, Claims, Facts, Situation
from sre_agent.policy.guard import DEFAULT_DENY, Guard
from sre_agent.policy.lint import OPERATORS, lint, vocabulary
from sre_agent.policy.lock import SCHEMA, policy_texts
from sre_agent.policy.prove.concrete import Concrete
from sre_agent.policy.prove.goals import check_all
from sre_agent.policy.prove.invariants import RELATIONS, goals, promises
from sre_agent.policy.prove.liveness import liveness
from sre_agent.policy.prove.reading import ANSWERING, REMEDIATION, Reading, Ruleset, read_rules, rules_hash
from sre_agent.policy.prove.risk import RISK, Worse
from sre_agent.policy.prove.scene import Scene, scenes
from sre_agent.policy.prove.spelling import spelled
from sre_agent.policy.prove.vocabulary import ACTION, worlds
from sre_agent.policy.prove.wider import wider, wider_approvers
from sre_agent.policy.request import PROBES
from sre_agent.policy.syntax import OPERATORS as PROVABLE
from sre_agent.policy.syntax import Entity, Unsupported, policies
from tests.prove.holders import HOLDERS
from tests.prove.stage import POLICIES, ROOT, shipped

STAGE = shipped()
TEXTS = policy_texts(POLICIES)
REPORT = (ROOT / "docs" / "proofs.md").read_text(encoding="utf-8")


def edited(file: str, before: str, after: str) -> Ruleset:
    """The shipped rules with one text replaced; it must occur. Policies that stay the same stay the same objects."""
    assert before in TEXTS[file], before
    changed = {p.id: p for p in policies(TEXTS[file].replace(before, after))}
    return STAGE.rules.having(tuple(p if changed.get(p.id, p) == p else changed[p.id] for p in STAGE.rules.policies))


def on(rules: Ruleset) -> tuple[Scene, ...]:
    """The shipped scenes under other policies of the same schema."""
    return tuple(scene.having(rules) for scene in STAGE.scenes)


def broken(rules: Ruleset, number: str) -> bool:
    """Whether some goal of that number no longer holds."""
    asked = [g for g in goals() if g.number == number]
    assert asked
    where = on(rules) if rules.schema == STAGE.rules.schema else scenes(rules)
    return any(not o.held for o in check_all(asked, where))


def test_every_goal_is_proved() -> None:
    failed = [f"{o.number} {o.name}: {o.found}" for o in check_all(goals(), STAGE.scenes) if not o.held]
    assert failed == []


def test_every_policy_changes_a_verdict() -> None:
    assert [o.name for o in liveness(STAGE.scenes) if not o.held] == []


@pytest.mark.parametrize(("world", "count"), [(REMEDIATION, 100), (ANSWERING, 100)])
def test_cedar_and_both_readings_answer_alike(world: str, count: int) -> None:
    result = STAGE.compared(world, seed=2, count=count, z3_every=50)
    assert result.mismatches == []
    assert (result.requests, result.by_z3) == (count, 2)
    assert count // 5 < result.allowed < result.answers


def test_a_sample_of_mutants_does_not_survive() -> None:
    sample = STAGE.mutants[:: len(STAGE.mutants) // 10]
    fates = [STAGE.trial.judge(m) for m in sample]
    assert [f for f in fates if f.survived] == []
    assert any(f.by_invariant for f in fates)
    assert any(f.by_case for f in fates)


def test_every_policy_and_mutant_reads_back_as_it_was_written() -> None:
    trees = [*STAGE.rules.policies, *(m.now for m in STAGE.mutants if m.now is not None)]
    assert all(policies(spelled(tree)) == (tree,) for tree in trees)
    assert len(trees) > 500


@pytest.mark.parametrize(
    ("file", "before", "after", "number"),
    [
        ("refuse_handback.cedar", 'unless { context.facts.labelled_class == Sre::AlertClass::"infra" }', "when { false }", "1"),
        ("refuse_handback.cedar", "when { context.facts.model_change_in_lookback }", "when { false }", "2"),
        ("refuse_handback.cedar", "confidence_bp >= 8000", "confidence_bp >= 7999", "4"),
        ("refuse_handback.cedar", "evidence_kinds >= 2", "evidence_kinds >= 1", "5"),
        ("grants.cedar", 'when { resource.kind == "Pod" }', "", "6"),
        ("deny_safety.cedar", 'like "kube-*"', 'like "kube-?*"', "7"),
        ("deny_safety.cedar", "pods_touched_pct > 10", "pods_touched_pct > 11", "8"),
        ("deny_safety.cedar", "unless { context.approvals >= 2 }", "unless { context.approvals >= 1 }", "9"),
        ("deny_safety.cedar", "facts_age_s > 120", "facts_age_s > 121", "13"),
        ("deny_safety.cedar", "service_actions_6h >= 3", "service_actions_6h > 3", "14"),
        ("deny_safety.cedar", "replicas_desired * 51", "replicas_desired * 50", "15"),
        ("deny_safety.cedar", "pods_touched_pct <= 25", "pods_touched_pct <= 26", "16"),
        ("deny_safety.cedar", "when { context.facts.global_actions_1h >= 5 }", "when { context.claims.veto }", "14"),
        ("deny_safety.cedar", "when { context.facts.halted }", "when { context.facts.halted && context.approvals == 0 }", "1"),
        ("deny_safety.cedar", "unless { context.facts.managed }", "unless { context.claims.confidence_bp < 9000 }", "19"),
        (
            "deny_safety.cedar",
            "unless { context.facts.managed }",
            "unless { context.facts.managed && context.approvals < 2 }",
            "20",
        ),
        ("deny_safety.cedar", "facts_age_s > 120", "facts_age_s > 120 || context.facts.facts_age_s < 5", "21"),
        ("deny_safety.cedar", "facts_age_s > 120", "facts_age_s > 119", "23"),
        (
            "deny_safety.cedar",
            'action == Sre::Action::"restart_pod", resource)\nunless { context.facts.pods_touched <=',
            'action in Sre::Action::"runbook", resource)\nunless { context.facts.pods_touched <=',
            "23",
        ),
        ("approvals.cedar", "context.now_s < resource.expires_at_s", "context.now_s <= resource.expires_at_s", "26"),
    ],
)
def test_a_careless_edit_breaks_the_proof_it_should(file: str, before: str, after: str, number: str) -> None:
    assert broken(edited(file, before, after), number)


def test_an_overflow_within_the_bounds_is_found() -> None:
    huge = "context.facts.replicas_desired * context.facts.replicas_desired * context.facts.replicas_desired * 51"
    rules = edited("deny_safety.cedar", "context.facts.replicas_desired * 51", huge)
    overflow = next(g for g in RELATIONS if g.number == "22" and g.world == REMEDIATION)
    (outcome,) = check_all([overflow], on(rules))
    assert not outcome.held
    assert outcome.found is not None
    assert outcome.found.values[("context", "facts", "replicas_desired")] > 100_000
    asked = outcome.found.given({ACTION: Entity("Sre::Action", "restart_pod")})
    with pytest.raises(OverflowError):
        Reading(rules, rules.world(REMEDIATION), Concrete(asked)).allowed()


def test_a_promise_that_is_broken_comes_with_a_request_that_breaks_it() -> None:
    rules = edited("refuse_handback.cedar", "unless { context.facts.evidence_kinds >= 2 }", "when { false }")
    (outcome,) = check_all([g for g in goals() if g.number == "5"], on(rules))
    assert outcome.found is not None
    assert outcome.found.values[("context", "facts", "evidence_kinds")] < whitelist.MIN_EVIDENCE_KINDS


def test_a_policy_that_never_matters_is_told_apart() -> None:
    # Beside deny-facts-stale this one has nothing left to refuse.
    extra = policies('@id("deny-older-still") @outcome("deny") forbid (principal, action in Sre::Action::"runbook", resource) '
                     "when { context.facts.facts_age_s > 500 };")  # fmt: skip
    rules = STAGE.rules.having((*STAGE.rules.policies, *extra))
    assert [o.name for o in liveness(on(rules)) if not o.held] == ["deny-older-still changes a verdict"]


def test_a_bundle_is_not_wider_than_itself() -> None:
    assert wider(STAGE.rules, STAGE.rules) is None
    assert wider_approvers(STAGE.rules, STAGE.rules) is None


def test_a_wider_bundle_is_shown_by_a_request_that_the_guard_confirms() -> None:
    new = edited("deny_safety.cedar", "global_actions_1h >= 5", "global_actions_1h >= 6")
    found = wider(STAGE.rules, new)
    assert found is not None
    assert found.facts.global_actions_1h == 5
    told = Situation(proposal=found.proposal, declaration=found.declaration, facts=found.facts, claims=found.claims)
    decision = Guard(STAGE.bundle, "test", b"k").decide(told)
    assert (decision.verdict, decision.policy_ids) == (Verdict.DENY, ("deny-budget-global",))
    assert wider(new, STAGE.rules) is None


def test_whoever_may_approve_under_new_rules_only_is_shown() -> None:
    new = edited("approvals.cedar", "when { resource.requesters.contains(principal) }", "when { false }")
    found = wider_approvers(STAGE.rules, new)
    assert found is not None
    assert found["principal"] in found["resource.requesters"]
    assert wider_approvers(new, STAGE.rules) is None


def test_a_new_action_is_wider_and_schemas_that_contradict_each_other_are_refused() -> None:
    schema = TEXTS[SCHEMA]
    grant = '\n@id("grant-new") @reason("x") permit (principal is Sre::Agent, action == Sre::Action::"reboot", resource);'
    more = schema.replace("action runbook;", "action runbook;\n  action reboot in [runbook] appliesTo "
                          "{ principal: Agent, resource: Workload, context: Remediation };")  # fmt: skip
    new = read_rules({**TEXTS, SCHEMA: more, "grants.cedar": TEXTS["grants.cedar"] + grant})
    found = wider(STAGE.rules, new)
    assert found is not None
    assert found.proposal.action == "reboot"
    assert broken(new, "6")
    other = read_rules({SCHEMA: schema.replace("uid: String", "uid: Bool"), "none.cedar": ""})
    with pytest.raises(Unsupported, match=r"resource\.uid is a"):
        wider(STAGE.rules, other)


@pytest.mark.parametrize(
    "condition",
    [
        "context.facts has halted",
        "if context.facts.halted then true else false",
        'ip("10.0.0.1").isLoopback()',
        'context.facts.active_freezes.containsAny(["x"])',
        "context.facts.facts_age_s - 1 > 120",
        'context.facts.active_freezes == ["x"]',
    ],
)
def test_what_the_prover_cannot_translate_cannot_be_loaded(condition: str) -> None:
    scope = 'principal, action in Sre::Action::"runbook", resource'
    text = f'@id("deny-x") @outcome("deny") @reason("x")\nforbid ({scope}) when {{ {condition} }};'
    rules, wrong = lint("x.cedar", text, vocabulary("schema", TEXTS[SCHEMA]))
    assert (rules, len(wrong)) == ((), 1)
    assert wrong[0].startswith("x.cedar:1: ")
    with pytest.raises(Unsupported, match="deny-x"):
        STAGE.scenes[0].having(STAGE.rules.having(policies(text))).plain.allowed()


def test_the_loader_and_the_prover_have_one_list_of_operators() -> None:
    assert OPERATORS is PROVABLE


@pytest.mark.parametrize(
    ("before", "after"),
    [("halted: Bool,", "halted?: Bool,"), ("halted: Bool,", "halted: decimal,"), ("entity Team;", "entity Team tags String;"),
     ("halted: Bool,", "halted: Bool, unbounded: Long,")],
)  # fmt: skip
def test_a_schema_that_is_not_understood_is_an_error(before: str, after: str) -> None:
    with pytest.raises(Unsupported):
        worlds(TEXTS[SCHEMA].replace(before, after, 1))


def test_every_integer_has_the_bounds_that_pydantic_enforces() -> None:
    symbols = STAGE.rules.world(REMEDIATION).symbols
    for model, place in ((Facts, "facts"), (Claims, "claims")):
        for name, field in model.model_json_schema()["properties"].items():
            kind = symbols[("context", place, name)]
            if kind.sort == "Long":
                assert (kind.low, kind.high) == (field["minimum"], field["maximum"])
                assert kind.high <= BOUND
    assert symbols[("context", "approvals")].high == whitelist.MOST_APPROVALS == PROBES[-1]


def test_the_whitelist_the_schema_and_the_grants_name_the_same_actions() -> None:
    listed = {row.action for row in whitelist.WHITELIST}
    granted = {a.id for p in STAGE.rules.policies if p.effect == "permit" for a in p.actions or ()} - {"approve"}
    assert listed == set(STAGE.rules.world(REMEDIATION).actions) == granted
    assert listed.isdisjoint(whitelist.NEVER)
    assert {whitelist.row_of(action).data_bearing for action in FAILOVERS} == {True}


def test_what_is_never_done_is_refused_whoever_approves() -> None:
    guard = Guard(STAGE.bundle, "test", b"k")
    good = next(s for case, s in STAGE.cases if case.expect.verdict == "allow")
    for action in whitelist.NEVER:
        asked = good.model_copy(update={"proposal": good.proposal.model_copy(update={"action": action})})
        assert guard.decide(asked).verdict is Verdict.DENY


def test_the_limits_of_the_ledger_are_those_of_the_policies() -> None:
    assert Limits() == Limits(
        per_target_30m=whitelist.ACTIONS_PER_TARGET_30M,
        per_service_6h=whitelist.ACTIONS_PER_SERVICE_6H,
        global_1h=whitelist.ACTIONS_GLOBAL_1H,
        global_24h=whitelist.ACTIONS_GLOBAL_24H,
        in_flight_global=whitelist.IN_FLIGHT_GLOBAL,
        failovers_per_incident=whitelist.FAILOVERS_PER_INCIDENT,
    )
    assert DOWN_AFTER_MS == whitelist.MIN_DOWN_AFTER_MS


def test_the_riskier_end_of_every_fact_is_what_a_failed_collector_answers() -> None:
    assert set(RISK) == set(Facts.model_fields)
    ends = {Worse.MORE: BOUND, Worse.LESS: 0, Worse.TRUE: True, Worse.FALSE: False}
    for name, worse in RISK.items():
        if worse in ends:
            assert RESTRICTIVE[name] == ends[worse], name
        elif worse is Worse.FILLED and name in RESTRICTIVE:
            assert RESTRICTIVE[name]


def test_what_a_collector_finds_missing_is_never_allowed() -> None:
    rules = edited("deny_safety.cedar", "unless { context.facts.unmet.isEmpty() }", "when { false }")
    assert broken(rules, "G52")


def test_every_protected_name_is_a_fact_of_its_own() -> None:
    protected = STAGE.bundle.declared.protected
    assert {"kube-system", "sre-agent"} <= set(protected.namespaces)
    for namespace in protected.namespaces:
        assert protected.covers(Target(kind="Pod", namespace=namespace, name="x", uid="u"))
    for key in protected.objects:
        kind, *_, name = key.split("/")
        assert protected.covers(Target(kind=kind.capitalize(), name=name, uid="u"))


def test_hand_back_wins_over_deny_and_every_refusal_names_somebody() -> None:
    guard = Guard(STAGE.bundle, "test", b"k")
    for _, told in STAGE.cases:
        decision = guard.decide(told)
        outcomes = {STAGE.bundle.rules[i].outcome for i in decision.policy_ids if i != DEFAULT_DENY}
        assert decision.policy_ids
        if decision.verdict in (Verdict.DENY, Verdict.HAND_BACK):
            assert (decision.verdict is Verdict.HAND_BACK) is (Verdict.HAND_BACK in outcomes)


def test_every_invariant_has_a_holder_that_exists() -> None:
    assert [h.number for h in HOLDERS] == [str(n) for n in range(1, 32)]
    proved = {goal.number for goal in goals()}
    for holder in HOLDERS:
        assert holder.number in proved or holder.tests, holder.number
        for test in holder.tests:
            file, name = test.split("::")
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            defined = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
            assert name in defined, test


def test_the_committed_report_is_about_the_policies_in_force() -> None:
    hint = "the policies or the goals changed since: run 'make prove' and commit docs/proofs.md"
    assert rules_hash(TEXTS) in REPORT, hint
    assert {g.name for g in goals() if g.name.replace("|", "\\|") not in REPORT} == set(), hint
    assert "NOT PROVED" not in REPORT
    assert re.search(r"\| mutants \| \d{3,}, 0 survived \|", REPORT)


def test_z3_is_a_development_tool_and_its_absence_is_said_in_words(monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "z3", None)
    with pytest.raises(ConfigurationError, match=r"sre-agent\[prove\]"):
        scenes(STAGE.rules)


def test_the_promises_are_about_different_things() -> None:
    names = [p.name for p in promises()]
    assert len(set(names)) == len(names)
    row = replace(whitelist.RESTART_POD, tier=whitelist.Tier.DATA)
    assert row.data_bearing
    assert not whitelist.RESTART_POD.data_bearing
