"""Who is on call, from the stand-in over real HTTP."""

import pytest

from sre_agent.adapters.pagerduty.gateway import Gateway, Patience
from sre_agent.adapters.pagerduty.oncalls import OnCalls
from sre_agent.adapters.pagerduty.transport import Credentials, PdpyrasTransport
from sre_agent.incident.errors import Permanent, Transient
from sre_agent.testing.pagerduty import PagerDutyStandIn
from sre_agent.testing.pagerduty_faults import Fault


@pytest.fixture
def pagerduty():
    with PagerDutyStandIn() as standing:
        yield standing


@pytest.fixture
async def on_calls(pagerduty):
    transport = PdpyrasTransport(Credentials(token=pagerduty.token, from_email="", api_url=pagerduty.url))
    asked = OnCalls(Gateway(transport, patience=Patience(deadline_s=2.0, attempts=1)))
    yield asked
    await asked.aclose()


async def test_only_who_is_on_call_for_that_policy_is_named(pagerduty, on_calls):
    policy, other = list(pagerduty.account.policies)[:2]
    users = list(pagerduty.account.users)
    pagerduty.account.on_call = {policy: users[:1], other: users[1:2]}
    assert await on_calls.on_call(policy) == {users[0]}


async def test_a_row_of_another_policy_is_nobody_on_call(pagerduty, on_calls):
    rows = [{"escalation_policy": {"id": "POTHER1"}, "user": {"id": "PUSER01"}}, {"user": {"id": "PUSER02"}}, {}, 7]
    pagerduty.faults.add(Fault(path="/oncalls", status=200, body={"oncalls": rows, "more": False}))
    assert await on_calls.on_call("PPLATF1") == frozenset()


async def test_a_policy_that_is_none_and_a_list_that_cannot_be_had_are_errors(pagerduty, on_calls):
    with pytest.raises(Permanent, match=r"routing\.yaml"):
        await on_calls.on_call("../users")
    pagerduty.faults.add(Fault(path="/oncalls", status=503))
    with pytest.raises(Transient):
        await on_calls.on_call("PPLATF1")
    pagerduty.faults.add(Fault(path="/oncalls", status=200, body={}))
    with pytest.raises(Permanent):
        await on_calls.on_call("PPLATF1")
