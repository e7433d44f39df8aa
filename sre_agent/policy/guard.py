"""The guard: may this be done, and how many people must say yes? Mints permits; nobody else does.

Every verdict asks the same policies three times, at 0, 1 and 2 approvals; the least count that is allowed is the
obligation. Verdict order: hand_back > deny > needs_approval > allow > default deny. The same policies decide at
proposal time (what if?) and at execution time (the real count). Pure: no clock, no I/O.
"""

from datetime import datetime

from sre_agent.incident.alert import AlertClass
from sre_agent.policy.bundle import Bundle
from sre_agent.policy.canonical import digest
from sre_agent.policy.checked import ENGINE_FAULTS, Unbelievable, check_probes
from sre_agent.policy.decision import Decision, Verdict
from sre_agent.policy.facts import GuardRequest, Situation
from sre_agent.policy.permit import Permit, seal
from sre_agent.policy.request import PROBES, Probe, remediation
from sre_agent.runbook.proposal import plan_hash

DEFAULT_DENY = "default-deny"
FAULT = "guard-fault"
NOT_READY = "guard-not-ready"
PLAN_CHANGED = "plan-changed"


class Guard:
    """One bundle, one deployment, one sealing key. With no bundle (a failed start) it denies everything."""

    def __init__(self, bundle: Bundle | None, agent_id: str, key: bytes) -> None:
        self._bundle = bundle
        self._agent_id = agent_id
        self._key = key

    @property
    def bundle_hash(self) -> str:
        """The hash of the policies in force; "" when there are none."""
        return self._bundle.hash if self._bundle else ""

    @property
    def ready(self) -> bool:
        """False when every verdict is deny because no bundle could be loaded."""
        return self._bundle is not None

    def decide(self, situation: Situation) -> Decision:
        """The verdict, and how many approvals it takes. Never raises for bad input: that is a fault, and denied."""
        return self._decided(situation, None)

    def permit(
        self, situation: Situation, *, approvals: int, permit_id: str, now: datetime, plan: str | None = None
    ) -> tuple[Decision, Permit | None]:
        """The verdict at the real count of approvals, and a sealed permit if and only if that is allow.

        `plan` is the plan hash that people judged, where there is one: a permit for another plan is refused.
        """
        decision = self._decided(situation, approvals)
        if decision.verdict is not Verdict.ALLOW:
            return decision, None
        current = plan_hash(situation.proposal, situation.facts.alert_class.value, self.bundle_hash)
        if plan is not None and plan != current:
            return self._refused(PLAN_CHANGED, "the plan is not the one that was judged", decision), None
        permit = Permit(
            id=permit_id,
            proposal=situation.proposal,
            plan_hash=current,
            facts_sha256=digest(situation.facts.model_dump(mode="json")),
            bundle_hash=self.bundle_hash,
            approvals=approvals,
            minted_at=now,
            seal="",
        )
        return decision, seal(self._key, permit)

    def _decided(self, situation: Situation, approvals: int | None) -> Decision:
        if self._bundle is None:
            return self._refused(NOT_READY, "no policies are loaded: the agent refuses everything until they are")
        try:
            # INVARIANT: bounds are checked here again, so that no caller's shortcut can reach Cedar's arithmetic.
            request = _revalidated(
                GuardRequest(
                    agent=self._agent_id,
                    proposal=situation.proposal,
                    declaration=situation.declaration,
                    facts=situation.facts,
                    claims=situation.claims,
                    approvals=0 if approvals is None else min(approvals, PROBES[-1]),
                )
            )
            return Judgement(self._bundle, request).decision(asked=approvals is None)
        except ENGINE_FAULTS as fault:
            # SAFETY: a guard that cannot judge refuses, and says so.
            return self._refused(FAULT, f"the guard could not judge this request: {type(fault).__name__}: {fault}")

    def _refused(self, rule: str, reason: str, before: Decision | None = None) -> Decision:
        known = before or Decision(verdict=Verdict.DENY, bundle_hash=self.bundle_hash)
        fault = reason if rule in (FAULT, NOT_READY) else None
        changes = {"verdict": Verdict.DENY, "approvals_required": None, "policy_ids": (rule,), "reasons": (reason,), "fault": fault}
        return known.model_copy(update=changes)


def _revalidated(request: GuardRequest) -> GuardRequest:
    return GuardRequest.model_validate_json(request.model_dump_json(warnings="none"))


class Judgement:
    """One request under one bundle: asks the engine and reads the ladder."""

    def __init__(self, bundle: Bundle, request: GuardRequest) -> None:
        self._bundle = bundle
        self._request = request

    def decision(self, *, asked: bool) -> Decision:
        """`asked`: how many approvals would it take? Otherwise: is it allowed at the request's own count?

        Raises one of ENGINE_FAULTS when the engine failed or its answer cannot be believed.
        """
        question = remediation(self._request)
        answers = self._bundle.engine.evaluate(question)
        check_probes(question, answers.probes, self._bundle.rules)
        verdict, required, ids = self._verdict(answers.probes, 0 if asked else self._request.approvals)
        body = self._request.model_dump(mode="json")
        return Decision(
            verdict=verdict,
            approvals_required=required,
            policy_ids=ids or (DEFAULT_DENY,),
            reasons=self._reasons(ids),
            nearest_grants=() if ids else self._bundle.grants_for(self._request.proposal.action),
            shadow_ids=answers.shadow_ids,
            bundle_hash=self._bundle.hash,
            request_sha256=digest(body),
            request=body,
        )

    def _verdict(self, probes: tuple[Probe, ...], count: int) -> tuple[Verdict, int | None, tuple[str, ...]]:
        """hand_back > deny > needs_approval > allow > default deny, with the approvals it takes and the deciding ids."""
        allowed = [p.decision == "Allow" for p in probes]
        # INVARIANT: one more approval never takes permission away.
        if allowed != sorted(allowed):
            raise Unbelievable("the policies allow less with more approvals")
        if not any(allowed):
            ids = probes[-1].policy_ids
            handed_back = any(self._bundle.rules[i].outcome is Verdict.HAND_BACK for i in ids)
            return (Verdict.HAND_BACK if handed_back else Verdict.DENY), None, ids
        self._check_class()
        least = allowed.index(True)
        if least <= count:
            return Verdict.ALLOW, 0, probes[count].policy_ids
        # The grants that hold at `least`, and the tiers that forbid anything less.
        return Verdict.NEEDS_APPROVAL, least, tuple(sorted({*probes[least].policy_ids, *probes[least - 1].policy_ids}))

    def _check_class(self) -> None:
        # SAFETY: the one promise of this product, held a second time, whatever the policies have become.
        facts = self._request.facts
        if facts.alert_class is not AlertClass.INFRA or facts.labelled_class is not AlertClass.INFRA:
            raise Unbelievable("the policies would allow an action on something that is not infra")

    def _reasons(self, ids: tuple[str, ...]) -> tuple[str, ...]:
        """One reason per id, in order, with the names that a person will ask for."""
        facts, proposal = self._request.facts, self._request.proposal
        details = {
            "refuse-facts-unavailable": facts.collector_errors,
            "deny-freeze": facts.active_freezes,
            "deny-unmet": facts.unmet,
        }
        rules = self._bundle.rules
        named = tuple(f"{rules[i].reason}: {', '.join(details[i])}" if details.get(i) else rules[i].reason for i in ids)
        return named or (f"no grant covers {proposal.action} on a {proposal.target.kind}",)
