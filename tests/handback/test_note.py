"""The note: its marker first, everything a person needs, nothing when nothing is known, and never too long."""

from datetime import UTC, datetime

import pytest

from sre_agent.evidence.budget import Spend
from sre_agent.evidence.diagnosis import Claim, Diagnosis, ModelUsage
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.handback.note import LIMIT, NoteContent, marker, render
from sre_agent.incident.alert import AlertClass
from sre_agent.policy.decision import Decision, Verdict
from sre_agent.triage.triage import Triage
from sre_agent.verification.verify import Recovery, Sample, VerificationPlan

AT = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)


def note(**more) -> str:
    return render(NoteContent(incident_id="Q1", status="handed back", **more))


def test_the_marker_is_the_first_line_whatever_is_known() -> None:
    assert note().splitlines()[0] == marker("Q1")


def test_a_class_that_evidence_weakened_shows_the_label_too() -> None:
    triage = Triage(
        labelled=AlertClass.INFRA, alert_class=AlertClass.MODEL, owner="ai-eng", receiver="pd-ai-eng", flags=("weakened",)
    )
    assert "Class: model (labelled infra); owner: ai-eng [weakened]" in note(triage=triage)


def test_what_could_not_be_asked_is_said() -> None:
    blind = Evidence(
        id="e1",
        source="prometheus",
        kind=EvidenceKind.METRICS,
        query="q",
        status=EvidenceStatus.ERROR,
        observed_at=AT,
        error="cannot be reached",
    )
    assert "Could not be asked: prometheus (cannot be reached)" in note(diagnosis=Diagnosis(evidence=(blind,)))


def test_one_source_that_failed_twice_the_same_way_is_said_once_and_what_to_do_is_not_cut_off() -> None:
    why = (
        "Langfuse at http://langfuse.example/api/public/v2/prompts answered 401: check LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY"
    )
    failed = [
        Evidence(
            id=i,
            source="langfuse",
            kind=EvidenceKind.LANGFUSE,
            query=i,
            status=EvidenceStatus.ERROR,
            observed_at=AT,
            error=why,
        )
        for i in ("e1", "e2")
    ]
    assert f"Could not be asked: langfuse ({why})\n" in note(diagnosis=Diagnosis(evidence=tuple(failed))) + "\n"


def test_a_model_that_failed_cost_or_vetoed_is_said() -> None:
    usage = ModelUsage(reasoner="openai", calls=2, input_tokens=900, output_tokens=80, usd=0.01, fallback="model-down")
    text = note(diagnosis=Diagnosis(usage=usage, veto=Claim[str](value="do not touch")))
    assert "The model did not help (model-down); the rules reasoner took over." in text
    assert "2 request(s), 900 in, 80 out, 0.0100 USD" in text
    assert "vetoed: do not touch" in text


def test_what_a_crash_lost_and_what_other_rounds_cost_is_said() -> None:
    usage = ModelUsage(reasoner="openai", calls=3, input_tokens=900, output_tokens=80, usd=0.01, lost=1, answered=2)
    text = note(diagnosis=Diagnosis(usage=usage), model_total=Spend(calls=7, usd=0.05))
    assert "Model: 3 request(s) (1 lost in a crash), 900 in, 80 out, 0.0100 USD" in text
    assert "Model, all rounds of this incident: 7 request(s), 0.0500 USD" in text
    assert "all rounds" not in note(diagnosis=Diagnosis(usage=usage), model_total=usage.spend)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_has_words_and_names_its_policies(verdict) -> None:
    decision = Decision(verdict=verdict, approvals_required=1, policy_ids=("some-rule",), reasons=("because",))
    text = note(decision=decision)
    assert "(policies: some-rule)" in text
    assert "- because" in text


def test_verification_shows_before_after_and_the_soak() -> None:
    plan = VerificationPlan(started_at=AT, below=0.25, unit="seconds", soak_s=300, within_s=600)
    looks = (Sample(at=AT, level=0.012, alert_firing=False, state_ok=True, detail="leads with 2 replica(s)"),)
    text = note(verification=plan, samples=looks, level_before=0.61, recovery=Recovery.RECOVERED)
    assert "recovered: service level 0.610 seconds before, 0.012 seconds after; soak 300 s" in text
    assert "leads with 2 replica(s)" in text


def test_a_flood_of_telemetry_cannot_make_the_note_too_long_or_hide_its_head() -> None:
    text = note(diagnosis=Diagnosis(summary="x" * 50_000))
    assert len(text) <= LIMIT
    assert text.splitlines()[0] == marker("Q1")
    assert text.endswith("[note shortened]")


def test_why_it_is_not_well_after_the_action_is_said_though_the_target_itself_looks_well() -> None:
    plan = VerificationPlan(started_at=AT, below=0.25, unit="seconds", level_before=0.61, soak_s=300, within_s=600)
    look = Sample(at=AT, level=0.012, alert_firing=True, state_ok=True, detail="leads with 2 replica(s)")
    text = note(verification=plan, samples=(look,), level_before=0.61, recovery=Recovery.NOT_RECOVERED)
    assert "Last look: leads with 2 replica(s); but the alert still fires" in text
    assert "but" not in note(verification=plan, samples=(look.model_copy(update={"alert_firing": False}),))
