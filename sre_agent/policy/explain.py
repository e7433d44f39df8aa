"""Why this verdict, and what would have to be different for another one. Pure: nothing but questions to the engine.

For each refusal behind a verdict every fact that it reads is changed alone, to the value nearest to the present one at
which the engine no longer names that refusal. Nothing is read out of a policy's text, so what is said here is what the
engine would do.
"""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from sre_agent.policy.bundle import Bundle, Rule
from sre_agent.policy.decision import Decision, Verdict
from sre_agent.policy.facts import Situation
from sre_agent.policy.guard import Guard
from sre_agent.policy.request import PROBES
from sre_agent.policy.variation import Value, Varied, ask, choices, nearest_numbers, number_at

APPROVALS = "context.approvals"
ROUNDS = 5
"""How often lifting refusals may make others speak up before we stop."""


class Change(BaseModel):
    """One thing that is different: `path` as the policies name it, `now` and `then` as plain values.

    `verdict`, `approvals_required` and `policy_ids` are what the guard would say with this change alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    now: Value
    then: Value
    verdict: Verdict
    approvals_required: int | None
    policy_ids: tuple[str, ...]


class Reason(BaseModel):
    """One policy behind the verdict (or a grant that comes near), and the single changes that would turn it around:
    a refusal that would no longer fire, a grant that would hold. `reads` is everything it looks at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    effect: str
    outcome: str
    reason: str
    place: str
    reads: tuple[str, ...]
    changes: tuple[Change, ...] = ()


class Together(BaseModel):
    """A situation that would pass: every refusal lifted by its first change, and those that then speak up as well."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    changes: dict[str, Value]
    verdict: Verdict
    approvals_required: int | None
    policy_ids: tuple[str, ...]


class Explanation(BaseModel):
    """A decision, made understandable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Verdict
    approvals_required: int | None
    fault: str | None
    reasons: tuple[str, ...]
    deciding: tuple[Reason, ...]
    nearest_grants: tuple[Reason, ...]
    together: Together | None
    shadow_ids: tuple[str, ...]
    bundle_hash: str
    request_sha256: str


def explain(bundle: Bundle, situation: Situation, agent: str = "sre-agent") -> Explanation:
    """The verdict on a situation, every policy behind it, and what would have to change. Never raises for bad input."""
    asker = _Asker(bundle, Varied(situation), agent)
    decision = asker.decision
    said = zip(decision.policy_ids, decision.reasons, strict=True)
    deciding = tuple(asker.reason(bundle.rules[i], reason) for i, reason in said if i in bundle.rules)
    return Explanation(
        verdict=decision.verdict,
        approvals_required=decision.approvals_required,
        fault=decision.fault,
        reasons=decision.reasons,
        deciding=deciding,
        nearest_grants=tuple(asker.reason(bundle.rules[i], bundle.rules[i].reason) for i in decision.nearest_grants),
        together=asker.together(),
        shadow_ids=decision.shadow_ids,
        bundle_hash=decision.bundle_hash,
        request_sha256=decision.request_sha256,
    )


class _Asker:
    """One situation under one bundle, and all the what-ifs about it."""

    def __init__(self, bundle: Bundle, varied: Varied, agent: str) -> None:
        self._bundle = bundle
        self._varied = varied
        self._agent = agent
        self._guard = Guard(bundle, agent, b"")
        self.decision: Decision = self._guard.decide(varied.situation)

    @property
    def _count(self) -> int:
        """The count of approvals at which the deciding refusals are in force."""
        required = self.decision.approvals_required
        return PROBES[-1] if required is None else max(0, required - 1)

    def reason(self, rule: Rule, said: str) -> Reason:
        """The policy with what it `said`, and what would turn it around."""
        asked = self.decision.fault is None and (rule.effect == "forbid" or self.decision.verdict is Verdict.DENY)
        return Reason(
            id=rule.id,
            effect=rule.effect,
            outcome="" if rule.outcome is None else rule.outcome.value,
            reason=said,
            place=f"{rule.file}:{rule.line}",
            reads=tuple(sorted(rule.reads)),
            changes=tuple(self._changes(rule)) if asked else (),
        )

    def together(self) -> Together | None:
        """All refusals lifted at once; None when nothing refuses, or when one of them cannot be lifted by one thing."""
        changes: dict[str, Value] = {}
        asker, after = self, self.decision
        for _ in range(ROUNDS):
            refusals = [self._bundle.rules[i] for i in after.policy_ids if i in self._bundle.rules]
            refusals = [r for r in refusals if r.effect == "forbid"]
            if after.verdict not in (Verdict.DENY, Verdict.HAND_BACK) or not refusals:
                break
            for rule in refusals:
                first = next(asker._changes(rule), None)
                if first is None:
                    return None
                changes.setdefault(first.path, first.then)
            varied = self._varied.with_all(changes)
            if varied is None:
                return None
            asker = _Asker(self._bundle, varied, self._agent)
            after = asker.decision
        if not changes:
            return None
        return Together(
            changes=changes, verdict=after.verdict, approvals_required=after.approvals_required, policy_ids=after.policy_ids
        )

    def _changes(self, rule: Rule) -> Iterator[Change]:
        """The nearest change of each thing the policy reads: approvals, which people can give; what lifts more than this
        policy; the rest."""
        if APPROVALS in rule.reads:
            yield from self._more_approvals(rule)
        found: list[Change] = []
        for path in sorted(rule.reads - {APPROVALS}):
            now = self._varied.value(path)
            if now is not None:
                found += (self._change(path, now, then) for then in self._turning(rule, path))
        yield from sorted(found, key=lambda c: c.verdict in (Verdict.DENY, Verdict.HAND_BACK))

    def _turning(self, rule: Rule, path: str) -> Iterator[Value]:
        """Values of one path at which the policy is turned around: all of a closed set, the nearest of numbers."""
        listed = choices(self._varied, path, self._bundle.declared)
        yield from (v for v in listed if self._turned(rule, path, v))
        number = number_at(self._varied, path)
        if number is not None:
            yield from nearest_numbers(*number, lambda v: self._turned(rule, path, v))

    def _turned(self, rule: Rule, path: str, value: Value) -> bool:
        varied = self._varied.with_one(path, value)
        ids = None if varied is None else ask(self._bundle, varied, self._agent)
        if ids is None:
            return False
        return (rule.id in ids[self._count]) != (rule.effect == "forbid")

    def _more_approvals(self, rule: Rule) -> Iterator[Change]:
        """The least count at which the policy is silent."""
        ids = ask(self._bundle, self._varied, self._agent) or ()
        required = self.decision.approvals_required
        for n in PROBES[self._count + 1 :]:
            if rule.id not in ids[n]:
                enough = required is not None and n >= required
                yield Change(
                    path=APPROVALS,
                    now=0,
                    then=n,
                    verdict=Verdict.ALLOW if enough else self.decision.verdict,
                    approvals_required=required,
                    policy_ids=tuple(sorted(ids[n])) if enough else self.decision.policy_ids,
                )
                return

    def _change(self, path: str, now: Value, then: Value) -> Change:
        varied = self._varied.with_one(path, then)
        after = self._guard.decide((varied or self._varied).situation)
        return Change(
            path=path,
            now=now,
            then=then,
            verdict=after.verdict,
            approvals_required=after.approvals_required,
            policy_ids=after.policy_ids,
        )
