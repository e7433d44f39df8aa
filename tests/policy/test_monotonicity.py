"""More risk, or less trust, never turns a refusal into permission (hypothesis over the real bundle)."""

from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sre_agent.incident.alert import AlertClass
from sre_agent.policy.decision import Decision, Verdict
from sre_agent.policy.facts import Claims, Mode, Situation

NOW = datetime(2026, 3, 4, tzinfo=UTC)
SETTINGS = settings(deadline=None, derandomize=True, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])

RANK = {Verdict.ALLOW: 0, Verdict.NEEDS_APPROVAL: 1, Verdict.DENY: 9, Verdict.HAND_BACK: 9}

# Near the edges of the rules, so that a good share of the situations is allowed.
GROWING = {
    "facts_age_s": (0, 119, 120, 121, 1_000_000),
    "target_actions_30m": (0, 0, 1, 2),
    "service_actions_6h": (0, 2, 3, 4),
    "global_actions_1h": (0, 4, 5),
    "global_actions_24h": (0, 9, 10),
    "in_flight_target": (0, 0, 1),
    "in_flight_global": (0, 0, 1),
    "incident_failovers": (0, 0, 1),
    "pods_touched_pct": (1, 10, 11, 25, 26, 100),
}
SHRINKING = {
    "evidence_kinds": (0, 1, 2, 3),
    "replicas_ready": (0, 1, 6, 7, 11, 12),
    "pdb_disruptions_allowed": (0, 1, 2),
    "redis_down_after_ms": (0, 2999, 3000, 30_000),
}
WORSE_WHEN_TRUE = ("class_disputed", "evidence_conflict", "model_change_in_lookback", "human_acknowledged", "nominated_by_model",
                   "halted", "protected")  # fmt: skip
WORSE_WHEN_FALSE = ("lookback_covered", "alert_firing", "incident_open", "managed", "target_resolved", "sentinel_aware")
MODES = (Mode.AUTO, Mode.APPROVE, Mode.OBSERVE)


def cost(decision: Decision) -> int:
    """0 allow, 1 or 2 approvals, 9 refused."""
    assert decision.fault is None
    return decision.approvals_required or RANK[decision.verdict]


situations = st.fixed_dictionaries(
    {
        "base": st.sampled_from(["good-restart", "good-failover"]),
        **{name: st.sampled_from(values) for name, values in (GROWING | SHRINKING).items()},
        "flaws": st.lists(st.sampled_from([*WORSE_WHEN_TRUE, *WORSE_WHEN_FALSE]), max_size=1),
        "mode": st.sampled_from(MODES),
    }
)


def build(make, drawn) -> Situation:
    facts = {name: drawn[name] for name in (*GROWING, *SHRINKING)}
    if drawn["base"] == "good-failover":
        facts = {n: v for n, v in facts.items() if not n.startswith(("pods", "replicas", "pdb"))}
    facts |= {name: name in WORSE_WHEN_TRUE for name in drawn["flaws"]}
    it = make(drawn["base"])
    return it.model_copy(update={"facts": it.facts.model_copy(update={**facts, "mode": drawn["mode"]})})


def worse_facts(it: Situation, name: str, step: int) -> Situation:
    value = getattr(it.facts, name)
    if name in GROWING:
        value = min(value + step, 1_000_000)
    elif name in SHRINKING:
        value = max(value - step, 0)
    elif name == "mode":
        value = MODES[min(MODES.index(value) + 1, 2)]
    else:
        value = name in WORSE_WHEN_TRUE
    return it.model_copy(update={"facts": it.facts.model_copy(update={name: value})})


@SETTINGS
@given(
    drawn=situations,
    name=st.sampled_from([*GROWING, *SHRINKING, *WORSE_WHEN_TRUE, *WORSE_WHEN_FALSE, "mode"]),
    step=st.sampled_from([1, 2, 100, 10_000]),
)
def test_more_risk_never_costs_less(drawn, name, step, guard, make) -> None:
    it = build(make, drawn)
    assert cost(guard.decide(worse_facts(it, name, step))) >= cost(guard.decide(it))


@SETTINGS
@given(
    drawn=situations,
    claims=st.builds(Claims, alert_class=st.sampled_from(AlertClass), confidence_bp=st.integers(0, 10_000), veto=st.booleans()),
)
def test_what_a_model_says_can_only_restrict(drawn, claims, guard, make) -> None:
    neutral = build(make, drawn)
    claimed = neutral.model_copy(update={"claims": claims})
    assert cost(guard.decide(claimed)) >= cost(guard.decide(neutral))


@SETTINGS
@given(drawn=situations)
def test_one_more_approval_never_takes_a_permit_away(drawn, guard, make) -> None:
    it = build(make, drawn)
    minted = [guard.permit(it, approvals=n, permit_id="p", now=NOW)[1] is not None for n in (0, 1, 2)]
    assert minted == sorted(minted)
    needed = guard.decide(it).approvals_required
    assert minted == [needed is not None and n >= needed for n in (0, 1, 2)]


@SETTINGS
@given(drawn=situations, ids=st.permutations(["a", "b", "c"]))
def test_the_order_of_names_in_a_fact_changes_nothing(drawn, ids, guard, make) -> None:
    it = build(make, drawn)
    one, two = (
        guard.decide(it.model_copy(update={"facts": it.facts.model_copy(update={"collector_errors": tuple(names)})}))
        for names in (sorted(ids), ids)
    )
    assert (one.verdict, one.policy_ids) == (two.verdict, two.policy_ids)
