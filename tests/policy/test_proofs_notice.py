"""The provers themselves: a wrong translation, an answer that does not come and a mutant that lives are all noticed."""

import pytest

from sre_agent.policy.prove.differential import Comparison, compare
from sre_agent.policy.prove.goals import Outcome
from sre_agent.policy.prove.mutants import Mutant
from sre_agent.policy.prove.reading import REMEDIATION
from sre_agent.policy.prove.report import Run, render
from sre_agent.policy.prove.requests import example_of, request_of
from sre_agent.policy.prove.solver import Prover, Undecided
from sre_agent.policy.prove.trial import Fate, Trial
from sre_agent.policy.request import remediation
from sre_agent.policy.syntax import Entity, Unsupported, policies
from tests.prove.holders import HOLDERS
from tests.prove.stage import shipped

STAGE = shipped()
WORLD = STAGE.rules.world(REMEDIATION)
HALTED = next(p for p in STAGE.rules.policies if p.id == "deny-halted")


def slip(condition: str) -> Mutant:
    """deny-halted with another condition."""
    text = '@id("deny-halted") @outcome("deny") @reason("x") forbid (principal, action in Sre::Action::"runbook", resource)'
    (now,) = policies(f"{text} when {{ {condition} }};")
    return Mutant("deny-halted", "by hand", now)


def test_rules_that_are_read_differently_from_cedar_are_told_apart() -> None:
    misread = slip("context.facts.halted && context.facts.service_actions_6h > 5").rules(STAGE.rules)
    good = STAGE.seeds(REMEDIATION)[0]
    examples = [good, good.given({("context", "facts", "halted"): True})]
    assert compare(STAGE.rules, WORLD, STAGE.bundle.engine, examples, z3_every=1).mismatches == []
    found = compare(misread, WORLD, STAGE.bundle.engine, examples, z3_every=1).mismatches
    assert found
    assert all("deny-halted" in line and "Cedar says" in line for line in found)


def test_a_question_that_is_too_hard_is_an_error_and_no_proof() -> None:
    scene = next(s for s in STAGE.scenes if s.world.name == REMEDIATION)
    with pytest.raises(Undecided):
        Prover(scene.assumed, effort=1).possible(scene.plain.allowed())


def test_a_slip_that_nothing_notices_survives_and_one_that_means_nothing_does_not() -> None:
    trial = Trial(STAGE.bundle, STAGE.rules, ())
    unseen = trial.judge(slip("context.facts.halted || resource.has_prompts"))
    same = trial.judge(slip("context.facts.halted || (context.facts.halted && context.facts.managed)"))
    assert (unseen.survived, unseen.equivalent) == (True, False)
    assert (same.survived, same.equivalent) == (False, True)
    uneven = trial.judge(slip("context.facts.halted || context.facts.service_actions_6h == 1"))
    assert uneven.by_invariant.startswith("21 ")
    looser = trial.judge(slip("context.facts.halted && context.facts.managed && !context.facts.halted"))
    assert looser.by_invariant == "1 never while halted"


def test_a_slip_that_does_not_load_is_noticed_by_the_loader() -> None:
    fate = STAGE.trial.judge(slip("context.facts.haltet"))
    assert "haltet" in fate.by_load
    assert not fate.survived


def test_a_request_and_its_example_are_the_same_both_ways() -> None:
    for example in STAGE.seeds(REMEDIATION)[::3]:
        request = request_of(example, WORLD)
        again = example_of(remediation(request), str(request.approvals), WORLD)
        assert {n: v for n, v in again.values.items() if n != ("resource",)} == {
            n: v for n, v in example.values.items() if n != ("resource",)
        }


def test_an_example_that_the_guard_could_not_be_asked_is_refused() -> None:
    example = STAGE.seeds(REMEDIATION)[0]
    strange = example.given({("resource", "env"): Entity("Sre::Environment", "moon")})
    with pytest.raises(Unsupported, match=r"resource\.env"):
        request_of(strange, WORLD)


def test_everything_that_failed_is_in_the_report_and_among_the_failures() -> None:
    run = Run(
        rules="0" * 64,
        policies=1,
        outcomes=(Outcome("12", "never during a freeze", False),),
        live=(Outcome("23", "deny-x changes a verdict", False),),
        compared={"Remediation": Comparison(requests=9, mismatches=["Cedar says no"])},
        fates=(Fate("deny-x", "delete"), Fate("deny-y", "delete", by_load="no"), Fate("deny-z", "negate", equivalent=True)),
    )
    assert len(run.failures(10)) == 5
    page = render(run, HOLDERS, "2026-01-01")
    assert "**NOT PROVED**" in page
    assert "| mutants | 3, 1 survived |" in page
    assert "0 of 1 goals proved" in page
    assert all(f"| {holder.number} |" in page for holder in HOLDERS)
