"""The given/expect cases of policies/tests, and what they must cover."""

from pathlib import Path

import pytest

from sre_agent.policy.case import Case, differences, situation
from sre_agent.policy.facts import Claims, Facts
from sre_agent.policy.load import load_cases

POLICIES = Path(__file__).parents[2] / "policies"
CASES, BASES = load_cases(POLICIES)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_case_holds(case: Case, guard) -> None:
    assert differences(case, guard.decide(situation(case, BASES))) == ()


def test_case_ids_are_unique() -> None:
    ids = [c.id for c in CASES]
    assert sorted(set(ids)) == sorted(ids)


def test_every_policy_determines_at_least_one_case(bundle) -> None:
    covered = {i for c in CASES for i in (*c.expect.because, *(c.expect.shadow or ()))}
    about_people = {r.id for r in bundle.rules.values() if "approve" in r.actions}
    assert {i for i in bundle.rules if i not in covered} == about_people


def test_a_wrong_expectation_is_told_apart(guard) -> None:
    case = next(c for c in CASES if c.id == "halted")
    wrong = case.model_copy(update={"expect": case.expect.model_copy(update={"verdict": "allow", "because": ("grant-x",)})})
    assert len(differences(wrong, guard.decide(situation(wrong, BASES)))) == 2


def test_the_schema_and_the_typed_facts_name_the_same_fields(bundle, guard, make) -> None:
    """A field on one side only would make every request unanswerable; a request that is answered has them all."""
    schema = (POLICIES / "schema.cedarschema").read_text()
    for model, entity in ((Facts, "Facts"), (Claims, "Claims")):
        body = schema.split(f"entity {entity} = {{")[1].split("};")[0]
        assert {line.split(":")[0].strip() for line in body.splitlines() if ":" in line} == set(model.model_fields)
    assert guard.decide(make("good-restart")).fault is None


def test_every_deciding_id_comes_with_a_reason_in_words(guard, bundle) -> None:
    for case in CASES:
        decision = guard.decide(situation(case, BASES))
        assert decision.policy_ids
        assert list(decision.policy_ids) == sorted(decision.policy_ids)
        assert len(decision.reasons) == len(decision.policy_ids)
