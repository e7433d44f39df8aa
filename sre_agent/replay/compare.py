"""One case under two setups: what would be different, and whether that is dangerous. Pure.

SAFETY: what nobody has judged before counts as more: another plan that may be carried out, whatever it needs; an incident that is
infrastructure only now; an answer where there was none. Policies on trial decide nothing and are not compared, nor are the
words of note and summary.
"""

from collections.abc import Iterator
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, computed_field

from sre_agent.incident.alert import AlertClass
from sre_agent.policy.decision import Verdict
from sre_agent.policy.difference import Judged
from sre_agent.policy.telling import people, verdict_words
from sre_agent.replay.replayed import Replayed
from sre_agent.replay.result import CaseResult, ProposedAction

PEOPLE = frozenset({"class", "owner", "receiver"})
"""Fields that say whose an incident is."""


class Kind(StrEnum):
    """What is different, the most dangerous first. A difference is of the first kind that fits it."""

    MORE_PERMISSIVE = "more_permissive"
    NOW_INFRA = "now_infra"
    FAILS_NOW = "fails_now"
    LESS_PERMISSIVE = "less_permissive"
    OTHER_OWNER = "other_owner"
    FAILED_BEFORE = "failed_before"
    OTHER_REASONS = "other_reasons"

    @property
    def dangerous(self) -> bool:
        """True for the first three: the agent may do more, or nobody knows what it would do."""
        return self in (Kind.MORE_PERMISSIVE, Kind.NOW_INFRA, Kind.FAILS_NOW)

    @property
    def wider(self) -> bool:
        """True when the candidate lets the agent go further: what a build is stopped for."""
        return self in (Kind.MORE_PERMISSIVE, Kind.NOW_INFRA)


class Side(BaseModel):
    """What one setup made of the case, with the names of the printed line. `root_causes`: "kind object in namespace", best first.

    `error`: it failed, why, and nothing else is known. `bundle` is the hash of the policies with their data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    alert_class: AlertClass | None = Field(default=None, alias="class")
    owner: str = ""
    receiver: str = ""
    root_causes: tuple[str, ...] = ()
    proposal: ProposedAction | None = None
    verdict: Verdict | None = None
    approvals_required: int | None = None
    policy_ids: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    bundle: str = ""
    error: str = ""

    @property
    def room(self) -> int:
        """As policy.difference.Judged.room; what failed does nothing."""
        return 0 if self.verdict is None else Judged(verdict=self.verdict, approvals_required=self.approvals_required).room

    @property
    def plan(self) -> tuple[object, ...] | None:
        """What would be done to what; the runbook that says so is not part of it."""
        p = self.proposal
        return None if p is None else (p.action, p.target, tuple(sorted(p.parameters.items())))

    @property
    def words(self) -> str:
        """The verdict, and what it is about."""
        if self.verdict is None:
            return f"failed: {self.error}"
        about = f" {plan_words(self.proposal)}" if self.proposal is not None else ""
        return verdict_words(self.verdict, self.approvals_required) + about


class Difference(BaseModel):
    """One case that the two setups judge differently. `changed` names the fields, `why` says for people what kind it is."""

    model_config = ConfigDict(frozen=True)

    case: str
    place: str
    kind: Kind
    why: tuple[str, ...]
    changed: tuple[str, ...]
    before: Side
    after: Side

    @property
    def rank(self) -> tuple[int, int]:
        """To sort by: the kind, and within it what gained most room. Cases of one rank keep their order."""
        return list(Kind).index(self.kind), self.before.room - self.after.room

    @computed_field
    def dangerous(self) -> bool:
        """As Kind.dangerous, printed for who reads the JSON."""
        return self.kind.dangerous

    def line(self) -> str:
        """The documented JSON object, without a newline."""
        return self.model_dump_json(by_alias=True)


def compared(before: Replayed, after: Replayed) -> Difference | None:
    """What differs between the setup in force and a candidate; None when nothing does, or when both failed."""
    was, now = _side(before), _side(after)
    if was.error and now.error:
        return None
    changed = tuple(_changed(was, now))
    if not changed:
        return None
    kind, why = _kind(was, now, changed)
    return Difference(
        case=after.case if was.error else before.case,
        place=before.place,
        kind=kind,
        why=why,
        changed=changed,
        before=was,
        after=now,
    )


def _kind(was: Side, now: Side, changed: tuple[str, ...]) -> tuple[Kind, tuple[str, ...]]:
    if now.error:
        # SAFETY: what a candidate would do with a case that breaks it is unknown, and unknown is not "no more than before".
        return Kind.FAILS_NOW, ("nobody knows what the candidate would do: it fails on this case",)
    wider, infra = tuple(_wider(was, now)), _now_infra(was, now)
    if wider:
        return Kind.MORE_PERMISSIVE, (*wider, *infra)
    if infra:
        return Kind.NOW_INFRA, infra
    if was.error:
        return Kind.FAILED_BEFORE, ("it failed before, and may do nothing now",)
    if now.room < was.room:
        return Kind.LESS_PERMISSIVE, ("the agent may do less",)
    if PEOPLE & set(changed):
        return Kind.OTHER_OWNER, (f"other {', '.join(f for f in changed if f in PEOPLE)}",)
    return Kind.OTHER_REASONS, (f"the same room; other {', '.join(changed).replace('_', ' ')}",)


def _wider(was: Side, now: Side) -> Iterator[str]:
    """Why the candidate lets the agent go further; nothing when it does not."""
    if now.room == 0:
        return
    if was.error:
        yield f"it failed before, and now something may be done: {now.words}"
    elif was.room == 0:
        yield f"nothing could be done before, and now something may: {now.words}"
    elif was.plan != now.plan:
        # SAFETY: nobody judged this plan before, so it counts as more, however many people it takes.
        yield f"another plan than the one that was judged before: {plan_words(now.proposal)}, not {plan_words(was.proposal)}"
    elif now.room > was.room:
        yield f"fewer people have to agree: {_people(now)}, not {_people(was)}"


def _people(side: Side) -> str:
    return "nobody" if side.verdict is Verdict.ALLOW else people(side.approvals_required or 0)


def _now_infra(was: Side, now: Side) -> tuple[str, ...]:
    """SAFETY: the class is the first gate; whatever opens it is dangerous, also where another rule still refuses."""
    if now.alert_class is not AlertClass.INFRA or was.alert_class is AlertClass.INFRA:
        return ()
    return (f"counted as infra, and before as {was.alert_class.value if was.alert_class else 'nothing: it failed'}",)


def _changed(was: Side, now: Side) -> Iterator[str]:
    for name, field in Side.model_fields.items():
        if name != "bundle" and getattr(was, name) != getattr(now, name):
            yield field.alias or name


def _side(done: Replayed) -> Side:
    r: CaseResult | None = done.result
    if r is None:
        return Side(error=done.error or "there is no result")
    return Side(
        alert_class=r.alert_class,
        owner=r.owner,
        receiver=r.receiver,
        root_causes=tuple(f"{c.kind} {c.object}{f' in {c.namespace}' if c.namespace else ''}" for c in r.root_causes),
        proposal=r.proposal,
        verdict=r.verdict,
        approvals_required=r.approvals_required,
        policy_ids=r.policy_ids,
        reasons=r.reasons,
        bundle=done.told.bundle_hash if done.told is not None else "",
    )


def plan_words(proposal: ProposedAction | None) -> str:
    """The action, its target, its parameters and the runbook that says so."""
    if proposal is None:
        return "nothing"
    place = "/".join(filter(None, (proposal.target.kind, proposal.target.namespace, proposal.target.name)))
    parameters = "".join(f" {name}={value}" for name, value in proposal.parameters.items())
    return f"{proposal.action} on {place}{parameters} (runbook {proposal.runbook})"
