"""What would have to be different: asked of the engine, for every case that the policies are tested with."""

from pathlib import Path

import pytest

from sre_agent.policy.case import situation
from sre_agent.policy.decision import Verdict
from sre_agent.policy.explain import APPROVALS, explain
from sre_agent.policy.load import load_cases
from sre_agent.policy.telling import explanation_lines
from sre_agent.policy.variation import Varied, nearest_numbers

CASES, BASES = load_cases(Path(__file__).parents[2] / "policies")
REFUSED = [c for c in CASES if c.expect.verdict in ("deny", "hand_back") and "default-deny" not in c.expect.because]

HELD_UP_TWICE: set[str] = set()
"""Cases with a refusal that no single change lifts."""


@pytest.mark.parametrize("case", REFUSED, ids=lambda c: c.id)
def test_every_change_that_is_named_does_what_is_said(case, bundle, guard) -> None:
    """Each change silences its refusal, and the verdict is then exactly the one that was promised; all at once pass."""
    asked = situation(case, BASES)
    found = explain(bundle, asked)
    assert {r.id for r in found.deciding} == set(case.expect.because)
    for reason in found.deciding:
        assert reason.changes or len(reason.reads) != 1, f"{reason.id}: nothing lifts it?"
        for change in reason.changes:
            then = Varied(asked).with_one(change.path, change.then)
            assert then is not None
            decision = guard.decide(then.situation)
            assert reason.id not in decision.policy_ids
            said = (change.verdict, change.approvals_required, change.policy_ids)
            assert (decision.verdict, decision.approvals_required, decision.policy_ids) == said
    if found.together is None:
        assert case.id in HELD_UP_TWICE, "one change each does not lift these refusals: name the case below if that is so"
        return
    assert found.together.verdict in (Verdict.ALLOW, Verdict.NEEDS_APPROVAL)
    then = Varied(asked).with_all(found.together.changes)
    assert then is not None
    assert guard.decide(then.situation).verdict is found.together.verdict


@pytest.mark.parametrize(
    ("base", "given", "path", "then"),
    [
        ("good-restart", {"facts.facts_age_s": 1_000_000}, "context.facts.facts_age_s", 120),
        ("good-restart", {"claims.confidence_bp": 0}, "context.claims.confidence_bp", 8000),
        ("good-failover", {"facts.redis_down_after_ms": 0}, "context.facts.redis_down_after_ms", 3000),
        ("good-restart", {"facts.replicas_ready": 3, "facts.replicas_desired": 101}, "context.facts.replicas_ready", 52),
        ("good-restart", {"proposal.target.namespace": "kube-x"}, "resource.namespace", "(another)"),
        ("good-failover", {"declaration.dataset": None}, "resource.stateful", True),
    ],
)
def test_the_nearest_value_is_found_at_the_edge(base, given, path, then, bundle, make) -> None:
    changes = [c for r in explain(bundle, make(base, **given)).deciding for c in r.changes]
    assert then in [c.then for c in changes if c.path == path]


def test_people_come_first_where_people_can_help(bundle, make) -> None:
    (tier,) = [r for r in explain(bundle, make("good-failover")).deciding if r.effect == "forbid"]
    assert (tier.changes[0].path, tier.changes[0].then, tier.changes[0].verdict) == (APPROVALS, 2, Verdict.ALLOW)
    assert "2 people saying yes: then allow" in "\n".join(explanation_lines(explain(bundle, make("good-failover"))))


def test_where_no_grant_holds_the_nearest_one_says_what_it_wants(bundle, make) -> None:
    found = explain(bundle, make("good-restart", **{"proposal.target.kind": "Node"}))
    assert found.deciding == ()
    (grant,) = found.nearest_grants
    assert (grant.id, [(c.path, c.then) for c in grant.changes]) == ("grant-restart-pod", [("resource.kind", "Pod")])
    assert "no grant covers restart_pod on a Node" in "\n".join(explanation_lines(found))


def test_a_refusal_that_two_things_hold_up_is_lifted_by_no_single_one(bundle, make) -> None:
    it = make("good-restart", **{"facts.class_disputed": True, "claims.alert_class": "model"})
    (reason,) = explain(bundle, it).deciding
    assert reason.changes == ()
    assert "no single thing lifts it" in "\n".join(explanation_lines(explain(bundle, it)))


def test_a_guard_that_fails_says_so_and_asks_nothing(make, bundle) -> None:
    class Broken:
        def evaluate(self, question):
            raise RuntimeError("no engine today")

    from dataclasses import replace

    found = explain(replace(bundle, engine=Broken()), make("good-restart"))
    assert (found.verdict, found.together) == (Verdict.DENY, None)
    assert "no engine today" in "\n".join(explanation_lines(found))


@pytest.mark.parametrize(("limit", "now", "nearest"), [(120, 500, [120]), (7, 8, [7]), (0, 1_000_000, [0]), (3, 1_000, [3])])
def test_the_search_for_numbers_is_exact_for_a_limit(limit, now, nearest) -> None:
    assert list(nearest_numbers(now, 0, 1_000_000, lambda v: v <= limit)) == nearest


def test_the_search_for_numbers_looks_both_ways_and_stops_at_the_bounds() -> None:
    assert list(nearest_numbers(50, 0, 1_000_000, lambda v: v < 20 or v > 90)) == [19, 91]
    assert list(nearest_numbers(50, 0, 60, lambda v: v > 90)) == []
