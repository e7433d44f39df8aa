"""Who is on call now (PagerDuty REST v2, GET /oncalls): every level of one escalation policy."""

from sre_agent.adapters.pagerduty.gateway import Gateway
from sre_agent.incident.errors import Permanent
from sre_agent.intake.untrusted import fields, pagerduty_id


class OnCalls:
    """Reads through a gateway; raises what it raises."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def on_call(self, policy: str) -> frozenset[str]:
        """User ids of who is on call for the policy. Raises Permanent for what is no policy's id."""
        if pagerduty_id(policy) is None:
            raise Permanent(f"{policy[:60]!r} is not the id of a PagerDuty escalation policy; correct routing.yaml")
        rows = await self._gateway.pages("/oncalls", "oncalls", {"escalation_policy_ids[]": [policy]})
        # SAFETY: a row of another policy, whatever the filter made of the question, is nobody on call for this one.
        own = [fields(r) for r in rows if fields(fields(r).get("escalation_policy")).get("id") == policy]
        found = (pagerduty_id(fields(r.get("user")).get("id")) for r in own)
        return frozenset(u for u in found if u is not None)

    async def aclose(self) -> None:
        """Give the connections back."""
        await self._gateway.aclose()
