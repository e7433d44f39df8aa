"""Everything one incident's page says, from its record. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any

from sre_agent.approval.request import ApprovalRequest, ApprovalState
from sre_agent.audit.record import AuditRecord, anchor
from sre_agent.evidence.finding import Finding, RootCause
from sre_agent.execution.ledger import Intent
from sre_agent.handback.changed import change_behind, change_lines
from sre_agent.policy.bundle import Rule
from sre_agent.policy.decision import Decision, Verdict
from sre_agent.policy.facts import BOUND
from sre_agent.response.record import IncidentRecord, State
from sre_agent.runbook.proposal import Proposal
from sre_agent.runbook.runbook import Runbook
from sre_agent.verification.verify import shortfall
from sre_agent.web.pages.charting import charts_of
from sre_agent.web.pages.drawing import Drawn
from sre_agent.web.pages.moments import onset_of
from sre_agent.web.pages.story import Story, story_of
from sre_agent.web.pages.words import INTENTS, RECOVERIES, STATES, Sign, verdict_words

MOST_FINDINGS = 12
MOST_CAUSES = 6
MOST_EVIDENCE = 60
_WORKLOADS = frozenset({"Pod", "Deployment", "StatefulSet"})
_QUICK = frozenset({State.EXECUTING, State.VERIFYING, State.INVESTIGATING, State.RECEIVED})


@dataclass(frozen=True)
class Seen:
    """What the page is made of, as it was read at one moment."""

    record: IncidentRecord
    trail: Sequence[AuditRecord] = ()
    intents: Sequence[Intent] = ()
    question: ApprovalRequest | None = None


@dataclass(frozen=True)
class Cause:
    """A ranked cause with the finding behind it."""

    root: RootCause
    finding: Finding | None


@dataclass(frozen=True)
class DecidedBy:
    """One policy (or a rule of the walk itself: not `known`) behind the decision, with its reason in words."""

    id: str
    reason: str
    known: bool
    outcome: str = ""


@dataclass(frozen=True)
class Plan:
    """What is proposed: the step, on which live object, what it is expected to do, and how it would be undone."""

    proposal: Proposal
    runbook: Runbook | None
    numbers: tuple[tuple[str, str], ...]
    hash: str


@dataclass(frozen=True)
class Asked:
    """The question to people. `why_not`: why this visitor gets no form, "" when they do."""

    request: ApprovalRequest
    open: bool
    why_not: str


@dataclass(frozen=True)
class Acted:
    """One row of the ledger."""

    intent: Intent
    sign: Sign


@dataclass(frozen=True)
class IncidentView:
    """One incident's page. `poll` is after how many seconds it is worth asking again, None when it is over."""

    record: IncidentRecord
    state: Sign
    poll: int | None
    onset: datetime
    causes: tuple[Cause, ...]
    others: tuple[Finding, ...]
    changed: tuple[str, ...]
    plan: Plan | None
    asked: Asked | None
    verdict: str
    decided: tuple[DecidedBy, ...]
    facts: tuple[tuple[str, str], ...]
    acted: tuple[Acted, ...]
    recovery: Sign | None
    shortfall: tuple[str, ...]
    charts: tuple[Drawn, ...]
    story: Story
    checklist: tuple[str, ...]
    anchor: str


def view_of(seen: Seen, rules: Mapping[str, Rule], runbooks: Mapping[str, Runbook], why_not: str) -> IncidentView:
    """The page. `why_not` is what the desk would say to this visitor's yes."""
    record = seen.record
    diagnosis, plan = record.diagnosis, _plan(record, runbooks)
    causes = _causes(record)
    behind = {id(c.finding) for c in causes}
    others = tuple(f for f in diagnosis.findings if id(f) not in behind)[:MOST_FINDINGS] if diagnosis else ()
    last = record.samples[-1] if record.samples else None
    return IncidentView(
        record=record,
        state=STATES[record.state],
        poll=None if record.state.final else 3 if record.state in _QUICK else 5,
        onset=onset_of(record),
        causes=causes,
        others=others,
        changed=_changed(record),
        plan=plan,
        asked=_asked(seen.question, why_not),
        verdict=verdict_words(record.decision) if record.decision else "",
        decided=_decided(record.decision, rules),
        facts=_facts(record.decision),
        acted=tuple(Acted(i, INTENTS[i.state]) for i in seen.intents),
        recovery=RECOVERIES[record.recovery] if record.recovery else None,
        shortfall=shortfall(last, record.verification) if last is not None and record.verification is not None else (),
        charts=charts_of(record, plan.runbook if plan else None),
        story=story_of(record, seen.trail),
        checklist=_checklist(record, runbooks),
        anchor=anchor(seen.trail[-1]) if seen.trail else "",
    )


def _causes(record: IncidentRecord) -> tuple[Cause, ...]:
    diagnosis = record.diagnosis
    if diagnosis is None:
        return ()
    by_key = {(f.kind, f.object, f.namespace): f for f in diagnosis.findings}
    return tuple(Cause(c, by_key.get((c.kind, c.object, c.namespace))) for c in diagnosis.root_causes[:MOST_CAUSES])


def _changed(record: IncidentRecord) -> tuple[str, ...]:
    """The change behind it, in the note's words: versions, when, who, and the scores before and since."""
    found = change_behind(record.diagnosis) if record.diagnosis else None
    # The first two are the note's own empty line and heading.
    return tuple(change_lines(found, "")[2:]) if found is not None else ()


def _plan(record: IncidentRecord, runbooks: Mapping[str, Runbook]) -> Plan | None:
    """The step that was proposed and not refused on the spot: what the guard denied is under "decided", not "proposed"."""
    p = record.proposal
    if p is None:
        return None
    return Plan(p, runbooks.get(p.runbook), _numbers(record), record.plan_hash or "")


def _numbers(record: IncidentRecord) -> tuple[tuple[str, str], ...]:
    """What the step touches, in the numbers that the guard saw."""
    facts = dict(_section(record.decision, "facts"))
    told: list[tuple[str, str]] = [(k, str(v)) for k, v in sorted(record.proposal.parameters.items())] if record.proposal else []
    kind = record.proposal.target.kind if record.proposal else ""
    # BOUND stands for "not known": the guard then refuses, and nobody is shown a million pods.
    if kind in _WORKLOADS and 0 < facts.get("replicas_desired", 0) < BOUND:
        told.append(("ready now", f"{facts.get('replicas_ready')} of {facts['replicas_desired']} replicas"))
        told.append(("touched", f"{facts.get('pods_touched')} pod(s), {facts.get('pods_touched_pct')} %"))
        told.append(("budget left", f"{facts.get('pdb_disruptions_allowed')} disruption(s) allowed"))
    if kind.startswith("Redis"):
        yes = {True: "yes", False: "no"}
        told.append(("replica in sync", yes.get(bool(facts.get("redis_replica_in_sync")), "")))
        told.append(("sentinels agree", yes.get(bool(facts.get("redis_sentinels_agree")), "")))
    if record.level_before is not None:
        told.append(("service level now", f"{record.level_before:.3g}"))
    return tuple(told)


def _asked(request: ApprovalRequest | None, why_not: str) -> Asked | None:
    if request is None:
        return None
    return Asked(request, request.state is ApprovalState.PENDING, why_not)


def _decided(decision: Decision | None, rules: Mapping[str, Rule]) -> tuple[DecidedBy, ...]:
    """Policies and reasons side by side: the walk's own rules have more reasons than ids."""
    if decision is None:
        return ()
    pairs = zip_longest(decision.policy_ids, decision.reasons, fillvalue="")
    return tuple(DecidedBy(i, why, i in rules, _effect(rules[i], decision.verdict) if i in rules else "") for i, why in pairs)


def _effect(rule: Rule, verdict: Verdict) -> str:
    """What a policy did here. One that forbids until enough people agree has asked for them."""
    if rule.effect == "permit":
        return "grants"
    if verdict in (Verdict.NEEDS_APPROVAL, Verdict.ALLOW):
        return "asks for people"
    return "hands back" if rule.outcome is Verdict.HAND_BACK else "denies"


def _section(decision: Decision | None, name: str) -> Mapping[str, Any]:
    found = decision.request.get(name) if decision is not None else None
    return found if isinstance(found, dict) else {}


def _facts(decision: Decision | None) -> tuple[tuple[str, str], ...]:
    """What the guard knew, by name."""
    return tuple((k.replace("_", " "), _plain(v)) for k, v in sorted(_section(decision, "facts").items()))


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list | tuple) else str(value)


def _checklist(record: IncidentRecord, runbooks: Mapping[str, Runbook]) -> tuple[str, ...]:
    """Next steps for people once it is theirs: of the first runbook, by id, that knows the top cause."""
    top = record.diagnosis.top if record.diagnosis else None
    theirs = record.state is State.HANDED_BACK or (record.decision is not None and record.decision.verdict is Verdict.HAND_BACK)
    if top is None or not theirs:
        return ()
    return next((r.checklist for _, r in sorted(runbooks.items()) if top.kind in r.findings and r.checklist), ())
