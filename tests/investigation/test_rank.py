from datetime import timedelta

import pytest

from sre_agent.evidence.evidence import EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.incident.alert import AlertStatus
from sre_agent.investigation.rank import rank

POD_LABELS = {"alert_type": "infra", "namespace": "voice", "pod": "api-7f9c-x2"}


def kinds(ranked):
    return [c.kind for c in ranked.root_causes]


def test_full_memory_explains_a_slow_primary_so_no_failover_is_on_top(made):
    view = made.view([made.evidence(EvidenceKind.REDIS, made.redis_state(), id="e1")])
    ranked = rank([made.finding(strength=1.0), made.finding(K.REDIS_MEMORY_FULL, strength=0.6)], view)
    assert kinds(ranked) == [K.REDIS_MEMORY_FULL, K.REDIS_PRIMARY_SLOW]
    assert [f.kind for f in ranked.causes] == [K.REDIS_MEMORY_FULL]


def test_a_bad_config_explains_a_crash_loop_of_the_same_pod(made):
    view = made.view(labels=POD_LABELS)
    pods = {"object": "pod/api-7f9c-x2", "namespace": "voice"}
    ranked = rank(
        [made.finding(K.POD_CRASH_LOOP, strength=1.0, **pods), made.finding(K.POD_BAD_CONFIG, strength=0.7, **pods)], view
    )
    assert [f.kind for f in ranked.causes] == [K.POD_BAD_CONFIG]


def test_a_sick_node_comes_before_the_pods_on_it_and_not_before_others(made):
    items = [made.evidence(EvidenceKind.KUBERNETES, {"items": [made.pod(node="n1")]}, id="e1")]
    crash = made.finding(K.POD_CRASH_LOOP, "pod/api-7f9c-x2", namespace="voice", strength=1.0)
    on_it = rank([crash, made.finding(K.NODE_PRESSURE, "node/n1", strength=0.6)], made.view(items, labels=POD_LABELS))
    assert kinds(on_it) == [K.NODE_PRESSURE, K.POD_CRASH_LOOP]
    elsewhere = rank([crash, made.finding(K.NODE_PRESSURE, "node/n2", strength=0.6)], made.view(items, labels=POD_LABELS))
    assert kinds(elsewhere) == [K.POD_CRASH_LOOP, K.NODE_PRESSURE]


@pytest.mark.parametrize(("redis_first", "top"), [(True, K.REDIS_PRIMARY_DOWN), (False, K.POD_NOT_READY)])
def test_a_store_explains_its_clients_only_when_it_failed_first(made, redis_first, top):
    view = made.view(labels=POD_LABELS)
    early, late = made.ONSET, made.ONSET + timedelta(minutes=1)
    ranked = rank(
        [
            made.finding(K.POD_NOT_READY, "pod/api-7f9c-x2", namespace="voice", onset=late if redis_first else early),
            made.finding(K.REDIS_PRIMARY_DOWN, strength=0.5, onset=early if redis_first else late),
        ],
        view,
    )
    assert kinds(ranked)[0] is top


def test_a_deploy_and_a_shift_are_context_beside_a_typed_cause_and_causes_without_one(made):
    context = [
        made.finding(K.METRIC_SHIFTED, "app/api", strength=1.0),
        made.finding(K.DEPLOYED_BEFORE_ONSET, "deployment/api", strength=1.0),
    ]
    with_typed = rank([*context, made.finding(strength=0.4)], made.view())
    assert kinds(with_typed) == [K.REDIS_PRIMARY_SLOW, K.DEPLOYED_BEFORE_ONSET, K.METRIC_SHIFTED]
    assert kinds(rank(context, made.view([made.evidence(EvidenceKind.METRICS, [], id="e1")]))) == [
        K.DEPLOYED_BEFORE_ONSET,
        K.METRIC_SHIFTED,
    ]


def test_a_prompt_change_is_the_cause_unless_infrastructure_near_the_incident_explains_it(made):
    prompt = made.finding(K.PROMPT_CHANGED, "prompt/router", strength=0.5)
    shift = made.finding(K.METRIC_SHIFTED, "app/api", strength=1.0)
    assert kinds(rank([shift, prompt], made.view()))[0] is K.PROMPT_CHANGED
    assert kinds(rank([prompt, made.finding()], made.view()))[0] is K.REDIS_PRIMARY_SLOW
    elsewhere = made.finding(K.POD_CRASH_LOOP, "pod/x", namespace="other", strength=1.0)
    assert kinds(rank([elsewhere, prompt], made.view(labels=POD_LABELS)))[0] is K.PROMPT_CHANGED


def test_at_most_five_causes_with_scores_that_never_rise(made):
    many = [made.finding(K.POD_CRASH_LOOP, f"pod/p{i}", namespace="voice", strength=0.5 + i / 20) for i in range(8)]
    ranked = rank([*many, made.finding(strength=0.3)], made.view(labels={}))
    scores = [c.score for c in ranked.root_causes]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    assert [f.id for f in ranked.findings] == [f"f{i}" for i in range(1, 10)]


def test_the_order_of_detectors_does_not_matter(made):
    findings = [
        made.finding(),
        made.finding(K.PROMPT_CHANGED, "prompt/p"),
        made.finding(K.POD_CRASH_LOOP, "pod/a", namespace="voice"),
        made.finding(K.METRIC_SHIFTED, "app/a"),
    ]
    assert rank(findings, made.view()) == rank(findings[::-1], made.view())


def test_families_that_compete_are_several_causes_and_weak_or_far_ones_are_not(made):
    def several(*others):
        return rank([made.finding(strength=0.9), *others], made.view()).outcome.several_causes

    assert several(made.finding(K.TOOL_RATE_LIMITED, "tool/crm", strength=0.8))
    assert not several(made.finding(K.TOOL_RATE_LIMITED, "tool/crm", strength=0.6))
    assert not several(made.finding(K.POD_CRASH_LOOP, "pod/x", namespace="elsewhere", strength=1.0))
    assert not several(made.finding(K.METRIC_SHIFTED, "app/x", strength=1.0))
    assert not several()


def test_healthy_needs_the_place_of_a_firing_alert_to_have_been_seen(made):
    metrics = made.evidence(EvidenceKind.METRICS, [], id="e1")
    state = made.evidence(EvidenceKind.REDIS, made.redis_state(), id="e2")
    assert rank([], made.view([metrics, state])).outcome.healthy
    unseen = rank([], made.view([metrics])).outcome
    assert (unseen.healthy, unseen.enough_data) == (False, False)
    assert rank([], made.view([metrics], status=AlertStatus.RESOLVED)).outcome.healthy


def test_silence_from_a_source_that_failed_is_never_healthy(made):
    state = made.evidence(EvidenceKind.REDIS, made.redis_state(), id="e1")
    broken = made.evidence(EvidenceKind.METRICS, None, id="e2", status=EvidenceStatus.ERROR)
    for view in (made.view([state, broken]), made.view([]), made.view([], status=AlertStatus.RESOLVED)):
        outcome = rank([], view).outcome
        assert (outcome.healthy, outcome.enough_data) == (False, False)
    assert not rank([], made.view([state]), trustworthy=False).outcome.enough_data
