"""Questions in every state, as the walk would put them: what the tests of the Slack messages look at."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sre_agent.approval.request import Answer, ApprovalRequest, ApprovalState
from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import Finding, FindingKind, RootCause
from sre_agent.handback.board import DigestView, Question, Standing, Waiting
from sre_agent.handback.note import NoteContent
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.target import Target
from sre_agent.runbook.proposal import Proposal
from sre_agent.triage.triage import Triage
from sre_agent.verification.verify import Recovery, Sample, VerificationPlan

AT = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
NAMES = {"ana": "Ana Example", "ben": "Ben Example", "cleo": "Cleo Example"}
SUMMARY = "redis/cache: its primary 10.20.3.11 answers in fits while both replicas are fine"


def evidence(number: int, link: str = "", source: str = "prometheus") -> Evidence:
    return Evidence(
        id=f"e{number}",
        source=source,
        kind=EvidenceKind.METRICS,
        query="redis_probe_latency_seconds",
        status=EvidenceStatus.OK,
        observed_at=AT,
        link=link,
    )


def diagnosis(**more: Any) -> Diagnosis:
    finding = Finding(
        id="f1",
        kind=FindingKind.REDIS_PRIMARY_SLOW,
        object="redis/cache",
        cause="4 of 10 PINGs timed out, p99 0.3 s; CPU idle",
        strength=0.9,
        evidence=("e1", "e2"),
    )
    fields: dict[str, Any] = {
        "findings": (finding,),
        "root_causes": (RootCause(kind=finding.kind, object=finding.object, score=0.91, evidence=finding.evidence),),
        "summary": SUMMARY,
        "evidence": (
            evidence(1, "https://prometheus.example/graph?g0.expr=redis_latency"),
            evidence(2, source="redis"),
        ),
    }
    return Diagnosis.model_validate({**fields, **more})


def content(**more: Any) -> NoteContent:
    fields: dict[str, Any] = {
        "incident_id": "Q0EXAMPLE00001",
        "status": "awaiting approval",
        "triage": Triage(labelled=AlertClass.INFRA, alert_class=AlertClass.INFRA, owner="platform", receiver="pd-platform"),
        "diagnosis": diagnosis(),
        "proposal": Proposal(
            incident_id="Q0EXAMPLE00001",
            runbook="redis-failover",
            action="redis_failover",
            target=Target(kind="RedisMaster", name="cache", uid="f98e691eb04ef70fc6df92bd31690fe1d0b7eb1f"),
            parameters={"attempts": 1},
        ),
        "worst_case": "Writes stand still for a few seconds. If the fence breaks, some acknowledged writes are lost.",
        "undo": "None automatic: failing back is a new decision.",
        "link": "https://sre.example/incidents/Q0EXAMPLE00001",
    }
    return NoteContent.model_validate({**fields, **more})


def answer(person: str, approve: bool = True, reason: str = "") -> Answer:
    return Answer(person=person, approve=approve, via="slack", at=AT + timedelta(minutes=1), reason=reason)


def request(state: ApprovalState = ApprovalState.PENDING, *answers: Answer, **more: Any) -> ApprovalRequest:
    fields: dict[str, Any] = {
        "id": "apr_0123456789abcdef01234567",
        "incident_id": "Q0EXAMPLE00001",
        "plan_hash": "9f31c2d0" * 8,
        "required": 2,
        "team": "platform",
        "question": f"redis_failover on RedisMaster/-/cache (uid f98e691e)? {SUMMARY}",
        "created_at": AT,
        "expires_at": AT + timedelta(minutes=5),
        "state": state,
        "answers": answers,
    }
    return ApprovalRequest.model_validate({**fields, **more})


def question(asked: ApprovalRequest | None = None, **more: Any) -> Question:
    fields: dict[str, Any] = {
        "request": asked or request(),
        "content": content(),
        "title": "[FIRING:1] RedisLatencyHigh",
        "number": 4242,
        "url": "https://example.pagerduty.com/incidents/Q0EXAMPLE00001",
        "service": "voice-platform",
        "effects": ("before: primary 10.20.3.11:6379 at offset 77401223318; 10.20.3.12:6379 300 bytes behind",),
        "may_approve": ("ana", "ben", "cleo"),
        "names": NAMES,
    }
    return Question.model_validate({**fields, **more})


def _verified(recovery: Recovery, level: float) -> NoteContent:
    plan = VerificationPlan(started_at=AT, below=0.25, unit="seconds", level_before=0.412, soak_s=300, within_s=600)
    sample = Sample(at=AT + timedelta(minutes=6), alert_firing=False, level=level, state_ok=True)
    measured = {"blocked_s": 1.62, "new_primary": "10.20.3.12:6379", "offset": 77401223318, "offset_after": 77401223990}
    return content(measured=measured, level_before=0.412, verification=plan, samples=(sample,), recovery=recovery)


YES = (answer("ana"), answer("ben"))
SPENT = request(ApprovalState.CONSUMED, *YES)


def ended(standing: Standing, became: str, asked: ApprovalRequest = SPENT, **more: Any) -> Question:
    return question(asked, standing=standing, became=became, **more)


STATES: dict[str, Question] = {
    "waiting": question(),
    "one-of-two": question(request(ApprovalState.PENDING, answer("ana"))),
    "approved": ended(Standing.APPROVED, "", request(ApprovalState.GRANTED, *YES)),
    "executing": ended(Standing.EXECUTING, "approved by ana and ben"),
    "verifying": ended(Standing.VERIFYING, "10.20.3.12:6379 leads", content=content(measured={"blocked_s": 1.62})),
    "recovered": ended(
        Standing.RECOVERED,
        "recovered 41 s after the action, well for the whole soak of 300 s",
        content=_verified(Recovery.RECOVERED, 0.031),
    ),
    "not-recovered": ended(
        Standing.NOT_RECOVERED,
        "handed back: not recovered after the action: p99 0.39 s; the service level should be below 0.25",
        content=_verified(Recovery.NOT_RECOVERED, 0.39),
    ),
    "failed": ended(Standing.FAILED, "handed back: failed: the replica did not catch up; writes go on at the old primary"),
    "not-done": ended(Standing.NOT_DONE, "handed back: not done: halted: the kill switch is engaged"),
    "unknown": ended(Standing.UNKNOWN, "handed back: it is unknown whether the action took effect: no answer"),
    "denied": ended(
        Standing.DENIED,
        "handed back: denied by ben: a deploy is running",
        request(ApprovalState.DENIED, answer("ana"), answer("ben", approve=False, reason="a deploy is running")),
    ),
    "expired": ended(Standing.EXPIRED, "handed back: nobody approved in time", request(ApprovalState.EXPIRED)),
    "withdrawn": ended(
        Standing.WITHDRAWN, "plan withdrawn: a person reassigned the incident", request(ApprovalState.CANCELLED), names={}
    ),
    "handed-back": ended(Standing.HANDED_BACK, "handed back: execute failed for good: ConfigurationError: no write kubeconfig"),
    "superseded": ended(
        Standing.EXPIRED,
        "handed back: nobody approved in time",
        request(ApprovalState.EXPIRED),
        superseded=True,
        content=NoteContent(incident_id="Q0EXAMPLE00001", status="superseded", triage=content().triage),
    ),
}


def waiting(number: int, **more: Any) -> Waiting:
    fields: dict[str, Any] = {
        "approval_id": f"apr_{number:024x}",
        "incident": f"#{4200 + number}",
        "service": "voice-platform",
        "action": "restart pod",
        "target": f"Pod/voice/gateway-{number}",
        "team": "platform",
        "given": 0,
        "required": 1,
        "expires_at": AT + timedelta(minutes=10),
        "link": f"https://sre.example/incidents/Q{number}",
    }
    return Waiting.model_validate({**fields, **more})


DIGESTS: dict[str, DigestView] = {
    "digest": DigestView(id="dig_1", per_hour=6, total=3, waiting=(waiting(7), waiting(8, link=""))),
    "digest-empty": DigestView(id="dig_1", per_hour=6, total=3),
    "digest-many": DigestView(id="dig_1", per_hour=6, total=40, waiting=tuple(waiting(n) for n in range(40))),
}
