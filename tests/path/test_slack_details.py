"""Details show what the question rests on, from the store, redacted, and within what Slack shows."""

from datetime import UTC, datetime, timedelta

from sre_agent.adapters.slack.dialogs import BUDGET, Dialogs, details_view, reason_view
from sre_agent.approval.press import Press
from sre_agent.approval.request import ApprovalRequest
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.incident.timeline import TimelineEntry
from sre_agent.policy.decision import Decision, Verdict
from sre_agent.response.record import IncidentRecord, State
from sre_agent.testing.slack_limits import wrong_view
from tests.path.scenes import DIAGNOSIS, ID
from tests.path.slack_stage import ANA, DEV, STRANGER, slack_stage

NOW = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)


def texts(view) -> str:
    return "\n".join(b["text"]["text"] for b in view["blocks"])


async def test_the_details_are_the_stores_whatever_the_message_says():
    async with slack_stage() as stage:
        value = await stage.ask()
        await stage.press(DEV, value, "sre_details", message={"ts": "1.2", "text": "restart the moon", "blocks": []})
        record = await stage.walk.record(ID)
        (view,) = stage.slack.views
        shown = texts(view)
        for expected in (record.plan_hash, "needs approval", *record.decision.policy_ids, "redis/cache is slow", "approval asked"):
            assert expected in shown
        assert "moon" not in shown
        assert all(b["text"]["type"] == "plain_text" for b in view["blocks"])
        assert (await stage.answers(), stage.counts["details", "opened"]) == (0, 1)


async def test_guests_and_members_of_other_organisations_see_no_details():
    async with slack_stage() as stage:
        value = await stage.ask()
        stage.slack.members[STRANGER].is_restricted = True
        await stage.press(STRANGER, value, "sre_details")
        await stage.press(ANA, value, "sre_details", user={"id": ANA, "team_id": "T0OTHER"})
        assert stage.slack.views == []
        assert [r.entry.detail["rule"] for r in await stage.refused()] == ["press-not-a-member", "press-other-organisation"]


def _evidence(name: str, query: str) -> Evidence:
    return Evidence(id=name, kind=EvidenceKind.LOGS, source="loki", query=query, status=EvidenceStatus.OK, observed_at=NOW)


def flooded() -> tuple[IncidentRecord, ApprovalRequest]:
    """As much of everything as can be, all of it hostile."""
    evil = "<!channel> *x* token=ghp_0123456789abcdefghij0123456789abcdef \u202e" + "x" * 5_000
    diagnosis = DIAGNOSIS.model_copy(
        update={
            "summary": evil,
            "findings": tuple(DIAGNOSIS.findings[0].model_copy(update={"cause": evil}) for n in range(50)),
            "root_causes": DIAGNOSIS.root_causes * 50,
            "evidence": tuple(_evidence(f"e{n}", evil) for n in range(200)),
        }
    )
    decision = Decision(verdict=Verdict.NEEDS_APPROVAL, policy_ids=("p" * 60,) * 60, reasons=(evil,) * 60, bundle_hash="b")
    timeline = tuple(TimelineEntry(at=NOW, kind="k", text=evil) for _ in range(200))
    record = IncidentRecord(
        id=ID,
        received_at=NOW,
        updated_at=NOW,
        state=State.AWAITING_APPROVAL,
        diagnosis=diagnosis,
        decision=decision,
        timeline=timeline,
    )
    question = ApprovalRequest(
        id="apr_1", incident_id=ID, plan_hash="9" * 64, required=2, team="t" * 500, question=evil, created_at=NOW,
        expires_at=NOW + timedelta(minutes=5),
    )  # fmt: skip
    return record, question


def test_a_flood_of_hostile_text_fits_and_stays_text():
    view = details_view(*flooded())
    assert wrong_view(view) is None
    shown = texts(view)
    assert len(shown) <= BUDGET
    assert all(len(b["text"]["text"]) <= 3000 for b in view["blocks"])
    assert "ghp_0123" not in shown
    assert "\u202e" not in shown


def test_an_incident_of_which_nothing_is_known_has_details_too():
    record, question = flooded()
    bare = IncidentRecord(id=ID, received_at=NOW, updated_at=NOW)
    assert wrong_view(details_view(bare, question)) is None
    assert "A newer question" in texts(details_view(record, question))


def test_the_dialog_that_asks_why_not_carries_ids_and_nothing_else():
    view = reason_view(Press(approval_id="a" * 64, plan="9" * 64, channel="C0INC"))
    assert wrong_view(view) is None
    assert view["private_metadata"] == '{"value": "' + "a" * 64 + "." + "9" * 64 + '", "channel": "C0INC"}'


async def test_a_press_without_a_channel_is_whispered_nowhere():
    await Dialogs(None).whisper(Press(user="U1"), "x")
