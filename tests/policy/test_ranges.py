"""What is plainly always so, never so, or beyond 64 bits, is found without asking the prover; the rest is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_agent.policy.ranges import doubts
from sre_agent.policy.syntax import policies

HEAD = '@id("x") @reason("y") @outcome("deny") forbid (principal, action in Sre::Action::"runbook", resource) '
FACTS = "context.facts."
ALWAYS, NEVER, DEPENDS = "always", "never", ""


def said(text: str) -> str:
    (policy,) = policies(HEAD + text)
    return next((m.split()[0] for m in doubts(policy)), "")


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("when { context.facts.facts_age_s >= 0 }", ALWAYS),
        ("when { context.facts.facts_age_s > -1 }", ALWAYS),
        ("when { context.facts.facts_age_s <= 1000000 }", ALWAYS),
        ("when { context.claims.confidence_bp <= 10000 }", ALWAYS),
        ("when { context.claims.confidence_bp < 10000 }", DEPENDS),
        ("when { context.approvals <= 2 }", ALWAYS),
        ("unless { context.approvals >= 3 }", ALWAYS),
        ("unless { context.approvals >= 2 }", DEPENDS),
        ("when { resource.kind == resource.kind }", ALWAYS),
        ("when { !(context.facts.halted != context.facts.halted) }", ALWAYS),
        ("when { context.facts.replicas_ready * 100 + 1 > 0 }", ALWAYS),
        ("when { context.facts.facts_age_s > 0 }", DEPENDS),
        ("when { context.facts.facts_age_s < 0 }", NEVER),
        ("when { context.facts.halted } unless { context.facts.facts_age_s >= 0 }", NEVER),
        ("when { context.facts.halted && false }", NEVER),
        ("when { !context.facts.halted && context.facts.halted }", NEVER),
        ("when { context.facts.halted } unless { context.facts.managed }", DEPENDS),
        ("when { context.facts.active_freezes.isEmpty() }", DEPENDS),
        ("when { context.facts.replicas_ready * 9000000000000 > 5 }", DEPENDS),
        ("when { context.facts.replicas_ready * 10000000000000 > 5 }", "calculates"),
        ("when { context.facts.replicas_ready + 9223372036854775807 > 5 }", "calculates"),
        ("", ALWAYS),
    ],
)
def test_a_condition_is_judged_by_what_its_numbers_can_be(condition, wanted) -> None:
    assert said(condition + ";") == wanted


def test_never_is_written_as_one_action_without_conditions() -> None:
    assert list(doubts(policies(HEAD.replace('in Sre::Action::"runbook"', '== Sre::Action::"restart_pod"') + ";")[0])) == []


NUMBERS = ("facts_age_s", "evidence_kinds", "replicas_ready", "replicas_desired", "pods_touched")
term = st.one_of(st.sampled_from([FACTS + n for n in NUMBERS]), st.integers(-3, 1_000_003).map(str))
number = st.one_of(term, st.tuples(term, st.sampled_from("+*"), term).map(" ".join))
comparison = st.tuples(number, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), number).map(" ".join)
condition = st.recursive(
    comparison,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda t: f"({' '.join(t)})"), inner.map(lambda c: f"!({c})")
    ),
    max_leaves=4,
)


@given(condition, st.dictionaries(st.sampled_from(NUMBERS), st.sampled_from([0, 1, 2, 3, 119, 999_999, 1_000_000])))
def test_what_is_called_always_or_never_is_so_for_any_values(text, values) -> None:
    """Against Python's own arithmetic: nothing is called certain that has a counterexample."""
    found = said(f"when {{ {text} }};")
    if found in (ALWAYS, NEVER):
        names = {FACTS + n: str(values.get(n, 7)) for n in NUMBERS}
        plain = text.replace("&&", " and ").replace("||", " or ").replace("!(", " not (")
        for name, value in names.items():
            plain = plain.replace(name, value)
        assert eval(plain) is (found == ALWAYS)
