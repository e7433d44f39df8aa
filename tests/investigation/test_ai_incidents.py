"""From evidence to the class: what the AI detectors say can take an infra label away, and never give one."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.incident.alert import AlertClass
from sre_agent.investigation.examine import examine
from sre_agent.triage.ownership import Ownership
from sre_agent.triage.triage import Triage
from sre_agent.triage.weaken import weaken
from sre_agent.wiring.discovery import detectors
from tests.detectors.ai_view import NOW, ONSET, counter, day, gauge, scores, use, view

DETECTORS = detectors()
OWNERS = Ownership(prompt_owners={"triage": "dana"}, tool_owners={"crm": "Sales systems"})
LABELS = {"alert_type": "infra", "namespace": "voice", "pod": "api-7f9c-x2"}
LIVE = ONSET - timedelta(hours=2, minutes=10)
PROMPT_CHANGE = {"at": LIVE.isoformat(), "kind": "prompt", "target": "prompt/triage", "from_version": "3", "to_version": "4"}


def versions(fall):
    old = scores(0.91, ONSET - timedelta(hours=12), LIVE, prompt="triage", version="3")
    return old + scores(0.91 - fall, LIVE, NOW, prompt="triage", version="4", seed="new")


def crashing():
    pod = {
        "kind": "Pod",
        "metadata": {"name": "api-7f9c-x2", "namespace": "voice", "uid": "u-1", "creationTimestamp": "2026-03-04T01:00:00Z"},
        "spec": {"nodeName": "n1"},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": (ONSET - timedelta(minutes=3)).isoformat()}],
            "containerStatuses": [
                {
                    "name": "api",
                    "ready": False,
                    "restartCount": 9,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"reason": "Error", "exitCode": 1, "finishedAt": ONSET.isoformat()}},
                }
            ],
        },
    }
    node = {"kind": "Node", "metadata": {"name": "n1"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    return Evidence(
        id="e9",
        source="kubernetes",
        kind=EvidenceKind.KUBERNETES,
        query="",
        status=EvidenceStatus.OK,
        observed_at=NOW,
        payload={"items": [pod, node]},
    )


def judged(*series, labelled=AlertClass.INFRA, broken=False, **more):
    """(examined, triage after the evidence)."""
    looked = view(*series, labels=LABELS, **more)
    if broken:
        looked = looked.model_copy(update={"evidence": (*looked.evidence, crashing())})
    examined = examine(looked, DETECTORS)
    diagnosis = Diagnosis(findings=examined.findings, root_causes=examined.root_causes, outcome=examined.outcome)
    before = Triage(labelled=labelled, alert_class=labelled, owner="platform", receiver="pd-platform")
    return examined, weaken(before, diagnosis, OWNERS)


def test_an_infra_label_on_a_prompt_regression_becomes_model_and_goes_to_the_prompts_owner():
    examined, triage = judged(changes=[PROMPT_CHANGE], langfuse={"scores": versions(0.1)})
    assert examined.causes[0].kind is K.PROMPT_REGRESSION
    assert (triage.alert_class, triage.owner) == (AlertClass.MODEL, "dana")


def test_a_crash_loop_beside_an_unrelated_prompt_change_stays_infra():
    examined, triage = judged(changes=[PROMPT_CHANGE], langfuse={"scores": versions(0.0)}, broken=True)
    assert examined.causes[0].kind is K.POD_CRASH_LOOP
    assert K.PROMPT_CHANGED in {f.kind for f in examined.findings}
    assert triage.alert_class is AlertClass.INFRA


def test_a_model_swap_seen_only_in_the_calls_takes_an_infra_label_away():
    calls = [use(h, 200, "nw-1" if h > 2 else "nw-2", prompt="triage") for h in range(12, -1, -1)]
    examined, triage = judged(langfuse={"models": calls})
    assert examined.causes[0].kind is K.MODEL_CHANGED
    assert triage.alert_class is AlertClass.MODEL


@pytest.mark.parametrize(
    ("series", "models", "kind", "expected"),
    [
        ([("llm_requests_total", {"provider": "acme"})], [], K.MODEL_PROVIDER_ERRORS, AlertClass.MODEL),
        ([("tool_requests_total", {"tool_name": "crm"})], [], K.TOOL_ERRORS, AlertClass.TOOL),
        ([("tool_requests_total", {"tool_name": t}) for t in ("crm", "calendar", "search")], [], K.TOOL_ERRORS, AlertClass.TOOL),
        ([], [*day(errors=1), use(0, 150, errors=60)], K.MODEL_PROVIDER_ERRORS, AlertClass.MODEL),
        ([], [*day(tokens=500), use(0, 200, tokens=3000 * 200)], K.TOKEN_SPIKE, AlertClass.MODEL),
    ],
)
def test_every_fault_outside_takes_an_infra_label_away_when_nothing_of_ours_is_broken(series, models, kind, expected):
    made = [s for name, who in series for s in (counter(name, 4, 1, code="200", **who), counter(name, 0.01, 3, code="503", **who))]
    examined, triage = judged(*made, langfuse={"models": models} if models else None)
    assert examined.causes[0].kind is kind
    assert triage.alert_class is expected


def test_a_quiet_world_leaves_the_label_alone():
    calm = [
        gauge("llm_latency_seconds_p95", 0.5, 0.5, provider="acme"),
        counter("llm_requests_total", 4, 4, provider="acme", code="200"),
    ]
    examined, triage = judged(*calm, langfuse={"models": [*day(errors=1, tokens=500), use(0, tokens=100_000, errors=1)]})
    assert examined.findings == ()
    assert triage.alert_class is AlertClass.INFRA


@settings(max_examples=40, deadline=None)
@given(
    fall=st.sampled_from([-0.1, 0.0, 0.03, 0.3]),
    errors=st.integers(0, 200),
    tokens=st.sampled_from([1, 100_000, 10_000_000]),
    model=st.sampled_from(["nw-large-2", "nw-3"]),
    labelled=st.sampled_from(list(AlertClass)),
    broken=st.booleans(),
)
def test_whatever_langfuse_says_it_adds_no_infra_finding_and_makes_none_stronger(fall, errors, tokens, model, labelled, broken):
    told = {"scores": versions(fall), "models": [*day(errors=2, tokens=500), use(0, 200, model, errors=errors, tokens=tokens)]}
    without, before = judged(labelled=labelled, broken=broken)
    with_it, after = judged(labelled=labelled, broken=broken, langfuse=told, changes=[PROMPT_CHANGE])
    infra = {(f.kind, f.object): f.strength for f in without.findings if f.alert_class is AlertClass.INFRA}
    assert {(f.kind, f.object): f.strength for f in with_it.findings if f.alert_class is AlertClass.INFRA} == infra
    if after.alert_class is AlertClass.INFRA:
        assert before.alert_class is AlertClass.INFRA
