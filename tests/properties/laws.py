"""The laws, each a pure predicate over journal, ledger and audit: what it yields is what is wrong.

They use as little of the product's own reasoning as possible: class, budgets, eligibility and tiers are written
again here, from the guardrails and the declared data.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

from sre_agent.adapters.postgres.store import chain_break
from sre_agent.approval.request import ApprovalState
from sre_agent.audit.record import AuditRecord
from sre_agent.execution.ledger import Intent, IntentState, intent_key
from sre_agent.incident.alert import AlertClass
from sre_agent.incident.event import EventKind
from sre_agent.incident.incident import Incident
from sre_agent.policy.decision import Verdict
from sre_agent.policy.facts import Mode
from sre_agent.response.record import IncidentRecord, State
from sre_agent.runbook.proposal import plan_hash
from sre_agent.testing.turns import at_once
from sre_agent.testing.walkthrough import AGENT_USER
from tests.properties.books import MEMBERS
from tests.properties.laws_of_marks import announced_once, marked_in_the_end
from tests.properties.stage import Stage
from tests.properties.watched import Judged
from tests.properties.world import Entry, is_infra

LOOK_HOLDS = timedelta(seconds=5)
"""How old the last line's look at the incident may be when the effect happens."""

WITHDRAWS = {EventKind.RESOLVED, EventKind.REASSIGNED, EventKind.DELEGATED, EventKind.SNOOZED}
FAILED = {"recovery_failed", "recovery_unknown", "action_failed", "action_unknown"}
WINDOWS = {
    "target in 30 min": (timedelta(minutes=30), 1, lambda a, b: a.target_key == b.target_key),
    "service in 6 h": (timedelta(hours=6), 3, lambda a, b: a.service == b.service),
    "anywhere in 1 h": (timedelta(hours=1), 5, lambda a, b: True),
}


class Broken(AssertionError):
    """A law does not hold; the message begins with its name."""


def holds(stage: Stage, *names: str) -> None:
    """Raise Broken for the first law that does not hold (all laws but the final ones when none is named)."""
    for name in names or EVER:
        for wrong in LAWS[name](stage):
            raise Broken(f"{name}: {wrong}")


def _before(stage: Stage, seq: int, *what: str) -> list[Entry]:
    return [e for e in stage.world.journal[:seq] if e.what in what]


def _asked(stage: Stage, effect: Entry) -> Entry:
    """The last line that let this effect through: when it was asked."""
    return [e for e in _before(stage, effect.seq, "asked") if e.told == effect.told.key][-1]


def _audited(stage: Stage, seq: int, *kinds: str) -> list[tuple[int, AuditRecord]]:
    return [(e.seq, e.told) for e in _before(stage, seq, "audited") if e.told.entry.kind in kinds]


def _round_began(stage: Stage, incident_id: str, seq: int) -> int:
    return max((s for s, r in _audited(stage, seq, "incident_reopened") if r.entry.incident_id == incident_id), default=-1)


def _judged(stage: Stage, intent: Intent, seq: int) -> list[Judged]:
    judged = [e.told for e in _before(stage, seq, "judged")]
    return [j for j in judged if j.permit is not None and j.permit.id == intent.permit_id]


def decided_first(stage: Stage) -> Iterator[str]:
    """P1: no effect without an earlier intent and, before that, one decision to allow exactly this plan, on record."""
    for effect in stage.world.entries("effect"):
        intent: Intent = effect.told
        opened = [e for e in _before(stage, effect.seq, "opened") if e.told[0].key == intent.key]
        if len(opened) != 1:
            yield f"{len(opened)} intents before the effect {intent.key[:8]}"
            continue
        judged = _judged(stage, intent, opened[0].seq)
        if len(judged) != 1 or judged[0].decision.verdict is not Verdict.ALLOW:
            yield f"no decision to allow {intent.key[:8]}"
            continue
        permit = judged[0].permit
        plan = plan_hash(permit.proposal, "infra", permit.bundle_hash)
        if not (permit.plan_hash == intent.plan_hash == plan) or intent.key != intent_key(permit.proposal, plan):
            yield f"the effect {intent.key[:8]} is not what was permitted"
        wanted = {"plan_hash": plan, "bundle": permit.bundle_hash, "permit_id": permit.id}
        if not any(wanted.items() <= r.entry.detail.items() for _, r in _audited(stage, opened[0].seq, "action_permitted")):
            yield f"the audit chain holds no decision to allow {intent.key[:8]} before its intent"


def only_infra(stage: Stage) -> Iterator[str]:
    """P2: nothing happens to an incident that is not infra, open and firing, by a look as young as the last line promises."""
    for effect in stage.world.entries("effect"):
        passed = [e for e in _before(stage, effect.seq, "passed") if e.told == effect.told.key][-1]
        seen = [e for e in _before(stage, passed.seq, "seen") if e.told.id == effect.told.incident_id]
        ends = [*(e.at for e in seen[1:]), passed.at][: len(seen)]
        if not any(_actionable(e.told) and end >= passed.at - LOOK_HOLDS for e, end in zip(seen, ends, strict=True)):
            yield f"{effect.told.incident_id} was not infra, open and firing when it was acted on"
        facts = [j.facts for j in _judged(stage, effect.told, effect.seq)]
        if any(f.alert_class is not AlertClass.INFRA or f.labelled_class is not AlertClass.INFRA for f in facts):
            yield f"{effect.told.incident_id} was judged to be something else, and acted on"


def _actionable(incident: Incident) -> bool:
    return is_infra(incident) and incident.open and bool(incident.firing) and not incident.snoozed


def one_at_a_time(stage: Stage) -> Iterator[str]:
    """P3: executions on one target never overlap, neither in the ledger nor at the target."""
    open_rows: dict[str, str] = {}
    at_work: dict[str, str] = {}
    for e in stage.world.journal:
        match e.what:
            case "opened":
                intent = e.told[0]
                if intent.target_key in open_rows:
                    yield f"two open intents on {intent.target_key}"
                open_rows[intent.target_key] = intent.key
            case "closed":
                open_rows.pop(e.told.target_key, None)
            case "asked":
                place = next(t.told[0].target_key for t in stage.world.entries("opened") if t.told[0].key == e.told)
                if place in at_work:
                    yield f"two at work on {place}"
                at_work[place] = e.told
            case "left":
                at_work = {k: v for k, v in at_work.items() if v != e.told}


def within_budget(stage: Stage) -> Iterator[str]:
    """P4: counts per window, what is under way included, never exceed their limits, whoever went first."""
    rows: list[Intent] = []
    given_back: set[str] = set()
    closed: set[str] = set()
    for e in stage.world.entries("opened", "closed"):
        if e.what == "closed":
            closed.add(e.told.key)
            given_back |= {e.told.key} if e.told.state is IntentState.NOT_DONE else set()
            continue
        new: Intent = e.told[0]
        counted = [r for r in rows if r.key not in given_back]
        if any(r.key not in closed for r in counted):
            yield f"{new.key[:8]} began while another was in flight"
        for name, (window, limit, same) in WINDOWS.items():
            recent = [r for r in counted if same(r, new) and (new.created_at - r.created_at < window or r.key not in closed)]
            if len(recent) + 1 > limit:
                yield f"{len(recent) + 1} actions on one {name}"
        if new.action == "redis_failover" and any(r.incident_id == new.incident_id and r.action == new.action for r in counted):
            yield f"a second failover for {new.incident_id}"
        rows.append(new)


def approved_enough(stage: Stage) -> Iterator[str]:
    """P5: enough distinct members said yes, in time, to exactly this plan; nobody said no; each approval was used once."""
    used: dict[str, str] = {}
    for effect in stage.world.entries("effect"):
        intent: Intent = effect.told
        opened = next(e for e in stage.world.entries("opened") if e.told[0].key == intent.key)
        record: IncidentRecord = opened.told[1]
        needed = _needed(stage, effect, opened)
        question = stage.store.question_of(record.approval_id)
        if needed == 0:
            continue
        if question is None:
            yield f"{intent.key[:8]} needed {needed} approvals and nobody was asked"
            continue
        (permit,) = (j.permit for j in _judged(stage, intent, opened.seq))
        judged_at = permit.minted_at
        yes = {a.person for a in question.answers if a.approve and question.created_at <= a.at < question.expires_at} & MEMBERS
        if len(yes) < needed:
            yield f"{intent.key[:8]} needed {needed} approvals and had those of {sorted(yes)}"
        if any(not a.approve for a in question.answers) or question.state is not ApprovalState.CONSUMED:
            yield f"{intent.key[:8]} went ahead on a question that was {question.state.value}"
        if question.plan_hash != intent.plan_hash or judged_at >= question.expires_at:
            yield f"{intent.key[:8]} went ahead on an approval of another plan, or too late"
        if used.setdefault(question.id, intent.key) != intent.key:
            yield f"approval {question.id} was used twice"


def _needed(stage: Stage, effect: Entry, opened: Entry) -> int:
    """How many people must have said yes, by the guardrails' tiers."""
    if effect.told.action == "redis_failover":
        return 2
    (judged,) = _judged(stage, effect.told, opened.seq)
    facts, began = judged.facts, _round_began(stage, effect.told.incident_id, opened.seq)
    taken = _heard(stage, effect, began, {EventKind.ACKNOWLEDGED})
    asks = facts.mode is Mode.APPROVE or facts.nominated_by_model or facts.human_acknowledged or facts.pods_touched_pct > 10
    return 1 if asks or taken else 0


def _heard(stage: Stage, effect: Entry, began: int, kinds: set[EventKind]) -> bool:
    """Whether a person's word of these kinds had been taken in, in this round, before the last line was asked."""
    asked = _asked(stage, effect).seq
    heard = [e.told[0] for e in _before(stage, asked, "heard") if e.seq > began]
    mine = [h for h in heard if h.incident_id == effect.told.incident_id and h.kind in kinds]
    return any(h.agent_id != AGENT_USER or h.kind is EventKind.RESOLVED for h in mine)


def people_first(stage: Stage) -> Iterator[str]:
    """W: once a person's resolving, moving or snoozing was taken in, nothing is done in that round any more."""
    for effect in stage.world.entries("effect"):
        incident_id = effect.told.incident_id
        if _heard(stage, effect, _round_began(stage, incident_id, effect.seq), WITHDRAWS):
            yield f"{incident_id} was acted on after a person had taken it"


def withdrawn_is_withdrawn(stage: Stage) -> Iterator[str]:
    """W2: after a plan was withdrawn nothing more is asked of people or begun, until the incident is reopened."""
    withdrawn: set[str] = set()
    for e in stage.world.entries("audited"):
        kind, incident_id = e.told.entry.kind, e.told.entry.incident_id
        if kind in ("approval_requested", "execution_started") and incident_id in withdrawn:
            yield f"{kind} for {incident_id} after its plan was withdrawn"
        withdrawn = withdrawn | {incident_id} if kind == "plan_withdrawn" else withdrawn
        withdrawn = withdrawn - {incident_id} if kind == "incident_reopened" else withdrawn


def done_is_done(stage: Stage) -> Iterator[str]:
    """W3: an incident is said to have been acted on only by an intent of the same round that the ledger closed as done."""
    for seq, record in _audited(stage, len(stage.world.journal), "action_executed"):
        incident_id = record.entry.incident_id
        closed = [e for e in _before(stage, seq, "closed") if e.seq > _round_began(stage, incident_id, seq)]
        if not any(e.told.incident_id == incident_id and e.told.state is IntentState.DONE for e in closed):
            yield f"{incident_id} was said to have been acted on, and no intent of this round was done"


def halted_means_halted(stage: Stage) -> Iterator[str]:
    """P6: no intent while the switch is engaged; no effect whose last line was asked and answered while it was."""
    engaged = False
    since: dict[str, bool] = {}
    for e in stage.world.journal:
        match e.what:
            case "halt":
                engaged = e.told
                since = {k: v and engaged for k, v in since.items()}
            case "asked":
                since[e.told] = engaged
            case "passed" if since.get(e.told):
                yield f"the last line let {e.told[:8]} through while halted"
            case "opened" if engaged:
                yield f"intent {e.told[0].key[:8]} was written while halted"


def once(stage: Stage) -> Iterator[str]:
    """P7: at most one effect per key, and none under a key that the ledger says was not done."""
    effects = stage.world.entries("effect")
    keys = [e.told.key for e in effects]
    yield from (f"{keys.count(k)} effects under {k[:8]}" for k in sorted(set(keys)) if keys.count(k) > 1)
    not_done = {e.told.key for e in stage.world.entries("closed") if e.told.state is IntentState.NOT_DONE}
    yield from (f"the ledger says that {k[:8]} was not done" for k in keys if k in not_done)


def faults_deny(stage: Stage) -> Iterator[str]:
    """P8: a guard that fails denies, says that it failed, and mints nothing."""
    for e in stage.world.entries("judged"):
        j: Judged = e.told
        if j.faulty and (j.permit is not None or j.decision.verdict is not Verdict.DENY or j.decision.fault is None):
            yield f"a failing guard answered {j.decision.verdict.value}"


def chain_unbroken(stage: Stage) -> Iterator[str]:
    """P9: the chain follows, and ends where its head says."""
    chain = at_once(stage.store.audit(None))
    head = (chain[-1].sequence, chain[-1].hash) if chain else None
    if chain and chain_break(chain, head) is not None:
        yield f"broken at {chain_break(chain, head)}"


def no_second_attempt(stage: Stage) -> Iterator[str]:
    """P11: an action that failed or did not help is handed back, and never tried again in its incident."""
    tried: dict[str, str] = {}
    failed: set[tuple[str, str]] = set()
    for e in stage.world.entries("opened", "audited"):
        if e.what == "opened":
            intent = e.told[0]
            if (intent.incident_id, intent.action) in failed:
                yield f"{intent.action} was tried again in {intent.incident_id}"
            tried[intent.incident_id] = intent.action
        elif e.told.entry.kind in FAILED and e.told.entry.incident_id in tried:
            if e.told.entry.detail["to"] != State.HANDED_BACK.value:
                yield f"{e.told.entry.incident_id} was not handed back after {e.told.entry.kind}"
            failed.add((e.told.entry.incident_id, tried[e.told.entry.incident_id]))


def nothing_hangs(stage: Stage) -> Iterator[str]:
    """L1: when all is quiet every incident has come to an end, and so has every intent."""
    for record in stage.store.all_records():
        if not record.state.final:
            yield f"{record.id} is still {record.state.value}"
        if at_once(stage.ledger.unfinished(record.id)):
            yield f"{record.id} has an intent without an end"


def told_once(stage: Stage) -> Iterator[str]:
    """L2: an incident that recovered or was handed back carries exactly one note, and it says so."""
    for record in stage.store.all_records():
        notes = stage.tracker.notes.get(record.id, [])
        ended = record.state in (State.RECOVERED, State.HANDED_BACK)
        if len(notes) > 1 or (ended and len(notes) != 1):
            yield f"{record.id} is {record.state.value} and carries {len(notes)} notes"
        elif ended and f"Status: {record.state.value.replace('_', ' ')}" not in notes[0]:
            yield f"the note of {record.id} does not say {record.state.value}: {notes[0][:60]!r}"


def asked_once(stage: Stage) -> Iterator[str]:
    """L3: a question stands in one message, and asks nobody anything that is over; an owner is asked in once for a digest."""
    shown = stage.board.questions
    yield from (f"{q.request.id} still asks, and is over" for q in shown if q.open)
    yield from (f"{d.id} still lists what is over" for d in stage.board.digests if d.waiting)
    if stage.world.entries("stalled"):
        return  # a process that slept past its lease posts what its heir, who looked, had to post as well
    ids = [q.request.id for q in shown] + [d.id for d in stage.board.digests]
    yield from (f"{i} stands in {ids.count(i)} messages" for i in sorted(set(ids)) if ids.count(i) > 1)
    asked = [(message.partition("]")[0], policy) for _, policy, message in stage.tracker.asked_in]
    yield from (f"{a} was asked in {asked.count(a)} times" for a in sorted(set(asked)) if asked.count(a) > 1)


LAWS: dict[str, Callable[[Stage], Iterator[str]]] = {
    "P1": decided_first,
    "P2": only_infra,
    "P3": one_at_a_time,
    "P4": within_budget,
    "P5": approved_enough,
    "P6": halted_means_halted,
    "P7": once,
    "P8": faults_deny,
    "P9": chain_unbroken,
    "P11": no_second_attempt,
    "W": people_first,
    "W2": withdrawn_is_withdrawn,
    "W3": done_is_done,
    "W4": announced_once,
    "L1": nothing_hangs,
    "L2": told_once,
    "L3": asked_once,
    "L4": marked_in_the_end,
}
FINAL = ("L1", "L2", "L3", "L4", "P9")
EVER = tuple(name for name in LAWS if name not in FINAL)
