"""The desk for presses as a process has it: real adapters, the real store, stand-ins over HTTP."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.approval.press import parse_press
from sre_agent.approval.request import ApprovalRequest, ApprovalState
from sre_agent.audit.record import first_break
from sre_agent.incident.errors import ConfigurationError
from sre_agent.policy.load import load_bundle
from sre_agent.response.record import IncidentRecord, JobKind, State, Step
from sre_agent.settings.load import fixed
from sre_agent.testing.memory_store import MemoryStore
from sre_agent.testing.pagerduty import PagerDutyStandIn
from sre_agent.testing.slack import Member, SlackStandIn
from sre_agent.testing.slack_press import pressed
from sre_agent.testing.slack_socket import SlackSocket
from sre_agent.wiring.slack import open_presses
from tests.house.tree import ROOT

ANA, BEN, CLEO = "U00000ANA", "U00000BEN", "U0000CLEO"
PLAN = "9f31c2d0" * 8
VALUE = "apr_1.9f31c2d0"


@pytest.fixture
def slack():
    with SlackStandIn() as standing:
        standing.join(Member(ANA), Member(BEN), Member(CLEO))
        yield standing


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "routing.yaml").write_text('receivers: {default: "PPLAT01"}\ntool_owners: {}\nprompt_owners: {}\n')
    return load_bundle(ROOT / "policies", tmp_path)


async def asked(store, required=2) -> None:
    """One question that waits for people of team platform."""
    now = datetime.now(UTC)
    record = await store.create(IncidentRecord(id="Q0EXAMPLE00001", received_at=now, updated_at=now), ())
    question = ApprovalRequest(
        id="apr_1", incident_id=record.id, plan_hash=PLAN, required=required, team="platform", question="Restart?", created_at=now,
        expires_at=now + timedelta(minutes=5),
    )  # fmt: skip
    await store.advance(record, Step(to=State.AWAITING_APPROVAL, changes={"approval_id": "apr_1"}, approval=question))


@asynccontextmanager
async def desk(slack, bundle, store, **settings):
    """Presses as a process takes them; what became of them is counted."""
    counts: Counter[tuple[str, str]] = Counter()
    given = {"SLACK_BOT_TOKEN": slack.bot_token, "SLACK_API_URL": slack.api_url, **settings}

    def counted(what, became):
        counts[what, became] += 1

    async with open_presses(fixed(given), bundle, store, counted) as presses:
        yield presses, counts


def press(slack, user, action="sre_approve", value=VALUE):
    return parse_press(pressed(slack, user, action, value))


@pytest.mark.slow
async def test_many_presses_in_two_processes_at_once_count_each_person_once_and_start_the_action_once(slack, bundle, database):
    store = PostgresStore(database)
    await asked(store)
    async with desk(slack, bundle, store) as (one, counts), desk(slack, bundle, PostgresStore(database)) as (other, more):
        lines = (one.line, other.line)
        await asyncio.gather(*(lines[n % 2].take(press(slack, user)) for n, user in enumerate([ANA, BEN, CLEO] * 6)))
        counts += more
    question = await store.approval("apr_1")
    assert (question.state, len(question.answers), len({a.person for a in question.answers})) == (ApprovalState.CONSUMED, 2, 2)
    assert (await store.load("Q0EXAMPLE00001")).state is State.EXECUTING
    (started,) = await database.rows("SELECT count(*) FROM procrastinate_jobs WHERE task_name = %s", (JobKind.EXECUTE.value,))
    assert started == (1,)
    assert counts["approve", "approved"] == 2
    assert counts["approve", "press-too-late"] + counts["approve", "press-not-taken"] == 16
    chain = await store.audit(None)
    assert (first_break(chain), sum(r.entry.kind == "press_refused" for r in chain)) == (None, 16)


@pytest.mark.slow
async def test_a_yes_and_a_no_racing_on_the_real_store_leave_one_decision(slack, bundle, database):
    store = PostgresStore(database)
    await asked(store, required=1)
    async with desk(slack, bundle, store) as (presses, _):
        view = {"callback_id": "sre_deny_reason", "private_metadata": f'{{"value": "{VALUE}", "channel": "C0INC"}}'}
        state = {"values": {"reason_block": {"reason": {"value": "not now"}}}}
        no = {**pressed(slack, BEN, "sre_deny", VALUE), "type": "view_submission", "view": {**view, "state": state}}
        await asyncio.gather(presses.line.take(press(slack, ANA)), presses.line.take(parse_press(no)))
    question, record = await store.approval("apr_1"), await store.load("Q0EXAMPLE00001")
    assert len(question.answers) == 1
    assert (question.state, record.state) in {
        (ApprovalState.CONSUMED, State.EXECUTING),
        (ApprovalState.DENIED, State.HANDED_BACK),
    }


async def test_a_database_that_is_away_settles_nothing_and_the_presser_is_told(slack, bundle):
    class Away(MemoryStore):
        async def approval(self, approval_id):
            raise ConfigurationError("the database cannot be reached")

        append_audit = approval

    async with desk(slack, bundle, Away()) as (presses, counts):
        assert "could not be settled" in (await presses.line.take(press(slack, ANA)) or "")
    assert counts == {("approve", "press-not-settled"): 1, ("approve", "unaudited"): 1}
    assert "press-not-settled" in slack.whispered(ANA)[0]


async def test_on_call_is_asked_of_pagerduty(slack, bundle):
    store = MemoryStore()
    await asked(store)
    with PagerDutyStandIn() as pagerduty:
        user = {"id": "P00000BEN", "type": "user", "name": "Ben", "summary": "Ben", "email": "ben@example.com"}
        pagerduty.account.users["P00000BEN"] = user
        pagerduty.account.on_call = {"PPLAT01": ["P00000BEN"]}
        settings = {
            "SRE_AGENT_APPROVERS_ON_CALL": "true",
            "PAGERDUTY_API_TOKEN": pagerduty.token,
            "PAGERDUTY_API_URL": pagerduty.url,
            "PAGERDUTY_FROM_EMAIL": "agent@example.com",
        }
        async with desk(slack, bundle, store, **settings) as (presses, counts):
            await presses.line.take(press(slack, ANA))
            await presses.line.take(press(slack, BEN))
    assert counts == {("approve", "press-not-on-call"): 1, ("approve", "approved"): 1}
    assert [a.person for a in (await store.approval("apr_1")).answers] == ["ben"]


async def test_on_call_without_pagerduty_stops_the_start(slack, bundle):
    with pytest.raises(ConfigurationError, match="PAGERDUTY_API_TOKEN"):
        async with desk(slack, bundle, MemoryStore(), SRE_AGENT_APPROVERS_ON_CALL="true"):
            pass


async def test_without_a_token_there_is_no_desk(slack, bundle):
    async with open_presses(fixed({}), bundle, MemoryStore(), lambda *_: None) as presses:
        assert presses is None


async def test_slack_that_is_away_stops_no_start(slack, bundle):
    async with desk(slack, bundle, MemoryStore(), SLACK_API_URL="http://127.0.0.1:9/api") as (presses, _):
        assert presses is not None


async def test_a_press_over_socket_mode_is_judged_as_any_other(slack, bundle):
    store, stop = MemoryStore(), asyncio.Event()
    await asked(store)
    async with SlackSocket(slack) as socket, desk(slack, bundle, store, SLACK_APP_TOKEN=slack.app_token) as (presses, counts):
        running = asyncio.create_task(presses.socket.run(stop))
        await socket.opened()
        await socket.send(pressed(slack, ANA, "sre_approve", VALUE))
        slack.join(Member("U0STRANGER", team_id="T0OTHER"))
        await socket.send(pressed(slack, "U0STRANGER", "sre_approve", VALUE))
        await socket.acked(2)
        stop.set()
        await asyncio.wait_for(running, 10)
    assert counts == {("approve", "approved"): 1, ("approve", "press-other-organisation"): 1}
    assert [a.person for a in (await store.approval("apr_1")).answers] == ["ana"]
