"""What people see in Slack, state by state: golden files, and what must hold of every message whatever telemetry says.

`GOLDEN=write pytest tests/adapters/test_slack_blocks.py` writes the files again; look at the difference before committing it.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sre_agent.adapters.slack.blocks import BUDGET, question_message
from sre_agent.adapters.slack.digest import digest_message
from sre_agent.adapters.slack.mrkdwn import escaped, length, linkable, said
from sre_agent.approval.press import parse_press
from sre_agent.approval.request import ApprovalState
from sre_agent.evidence.evidence import Evidence
from sre_agent.evidence.finding import Finding, FindingKind, RootCause
from sre_agent.handback.board import Question, Standing
from sre_agent.incident.target import Target
from sre_agent.runbook.proposal import Proposal
from sre_agent.testing.slack_limits import wrong_message
from tests.adapters.asked_questions import DIGESTS, STATES, answer, content, diagnosis, evidence, question, request, waiting
from tests.path.test_redaction_exits import TELLING, leaking

FOLDER = Path(__file__).parent / "slack_questions"
OURS = re.compile(r"<!date\^\d+\^\{time\}\|\d\d:\d\d UTC>|<https?://[^<>|\s]+\|[^<>|]*>")


def texts(value: Any) -> list[dict[str, Any]]:
    """Every text object."""
    if isinstance(value, list):
        return [t for item in value for t in texts(item)]
    if not isinstance(value, dict):
        return []
    if value.get("type") in ("plain_text", "mrkdwn"):
        return [value]
    return [t for item in value.values() for t in texts(item)]


def shown(blocks: list[dict[str, Any]]) -> str:
    return "\n".join(t["text"] for t in texts(blocks))


def sound(text: str, blocks: list[dict[str, Any]]) -> None:
    """Within Slack's limits and ours, and nothing in it is active but what this product put there."""
    assert wrong_message({"text": text, "blocks": blocks}) is None
    assert sum(length(t["text"]) for t in texts(blocks)) <= BUDGET
    assert length(text) <= 4_000
    for said_ in [text, *(t["text"] for t in texts(blocks) if t["type"] == "mrkdwn")]:
        assert "<" not in OURS.sub("", said_)
        assert ">" not in OURS.sub("", said_)
    assert all(t["verbatim"] is True for t in texts(blocks) if t["type"] == "mrkdwn")
    assert all(t["emoji"] is False for t in texts(blocks) if t["type"] == "plain_text")


@pytest.mark.parametrize("name", [*STATES, *DIGESTS])
def test_each_state_looks_as_it_did_when_somebody_last_looked(name: str) -> None:
    text, blocks = question_message(STATES[name]) if name in STATES else digest_message(DIGESTS[name])
    sound(text, blocks)
    told = json.dumps({"text": text, "blocks": blocks}, indent=1, ensure_ascii=False) + "\n"
    path = FOLDER / f"{name}.json"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(told, encoding="utf-8")
    assert told == path.read_text(encoding="utf-8"), f"{path.name} differs; if that is wanted, write it with GOLDEN=write"


def test_every_standing_has_a_look_of_its_own() -> None:
    assert {q.standing for q in STATES.values()} == set(Standing)
    headers = [question_message(q)[1][0]["text"]["text"] for name, q in STATES.items() if name not in ("superseded",)]
    assert len(set(headers)) == len(headers)


@pytest.mark.parametrize("name", list(STATES))
def test_buttons_stand_only_while_an_answer_counts(name: str) -> None:
    _, blocks = question_message(STATES[name])
    assert any(b["type"] == "actions" for b in blocks) == (name in ("waiting", "one-of-two"))


def test_a_question_that_was_answered_a_moment_ago_has_no_buttons_although_the_walk_still_waits() -> None:
    granted = question(request(ApprovalState.GRANTED, answer("ana"), answer("ben")))
    assert not any(b["type"] == "actions" for b in question_message(granted)[1])


def test_a_press_of_each_button_is_read_back_as_this_question_and_this_plan() -> None:
    _, blocks = question_message(question())
    (actions,) = [b for b in blocks if b["type"] == "actions"]
    assert actions["block_id"] == f"sre_ask:{request().id}"
    for button in actions["elements"]:
        payload = {"type": "block_actions", "user": {"id": "U1"}, "actions": [{"type": "button", **button}]}
        press = parse_press(payload)
        assert (press.approval_id, press.plan) == (request().id, request().plan_hash[:8])
    assert [b["action_id"] for b in actions["elements"]] == ["sre_approve", "sre_deny", "sre_details"]
    assert "confirm" in actions["elements"][0]


def test_somebody_woken_at_night_finds_all_that_counts_and_first_what_is_asked() -> None:
    _, blocks = question_message(question())
    told = shown(blocks)
    assert told.startswith("Approve redis failover: cache?")
    wanted = (
        "[FIRING:1] RedisLatencyHigh", "#4242", "infra, platform", "03:16 UTC", "2 of team platform, 0 so far", "strength 90%",
        "e1 prometheus", "redis_failover on RedisMaster cache", "uid f98e691eb04ef70fc6df92bd31690fe1d0b7eb1f", "attempts=1",
        "at offset 77401223318", "Worst case:", "Undo:", "Ana Example, Ben Example, Cleo Example",
    )  # fmt: skip
    assert [w for w in wanted if w not in told] == []


def test_who_answered_already_is_not_among_those_who_may_still_approve() -> None:
    told = shown(question_message(STATES["one-of-two"])[1])
    assert "May approve: Ben Example, Cleo Example" in told
    assert "Yes from Ana Example" in told


def test_markup_in_alert_text_pings_nobody_and_links_nowhere() -> None:
    attack = "<!channel> <@U0ANA> <https://evil.example|runbook> @here & <#C0INC>"
    hostile = question(title=attack, service=attack, content=content(diagnosis=diagnosis(summary=attack), worst_case=attack))
    text, blocks = question_message(hostile)
    sound(text, blocks)
    active = "".join(t["text"] for t in texts(blocks) if t["type"] == "mrkdwn")
    assert "evil.example" not in "".join(OURS.findall(active))
    sound(*digest_message(DIGESTS["digest"].model_copy(update={"waiting": (waiting(1, service=attack, target=attack),)})))


def test_secrets_leave_no_message_whatever_field_they_stand_in() -> None:
    hostile = question(
        request(team=TELLING, question=TELLING),
        title=TELLING,
        service=TELLING,
        became=TELLING,
        effects=(TELLING,),
        names={"ana": TELLING},
        content=content(diagnosis=diagnosis(summary=TELLING), worst_case=TELLING, undo=TELLING),
    )
    for q in (hostile, hostile.model_copy(update={"standing": Standing.FAILED}), hostile.model_copy(update={"superseded": True})):
        text, blocks = question_message(q)
        assert leaking(json.dumps(blocks) + text) == set()
    told = digest_message(DIGESTS["digest"].model_copy(update={"waiting": (waiting(1, service=TELLING, target=TELLING),)}))
    assert leaking(json.dumps(told)) == set()


@pytest.mark.parametrize(
    "url",
    [
        "", "javascript:alert(1)", "https://", "https://user:pass@host/", "https://host/a|b", "https://host/<x>", "https://host/ x",
        "https://host/\n", "https://host/" + "a" * 300, "https://host/" + "&" * 100, "https://host/?token=ghp_" + "Zx9Qw8" * 6,
        "https://[::1", "https://h\u00f6st/",
    ],
)  # fmt: skip
def test_an_address_that_is_not_plain_is_shown_as_no_link(url: str) -> None:
    assert not linkable(url)
    told = shown(question_message(question(url=url, content=content(diagnosis=diagnosis(evidence=(evidence(1, url),)))))[1])
    assert "|#4242>" not in told
    assert "|e1 prometheus>" not in told


SMILE = "\U0001f600"


CUT = [("abcdef", 4, "abc\u2026"), ("a&b", 5, "a\u2026"), (SMILE * 3, 4, f"{SMILE}\u2026")]


@pytest.mark.parametrize(("text", "most", "cut"), CUT)
def test_what_is_cut_carries_a_mark_and_no_half_of_anything(text: str, most: int, cut: str) -> None:
    assert escaped(text, most) == cut
    assert length(escaped(text, most)) <= most


def test_what_fits_is_not_cut_and_nothing_is_not_empty() -> None:
    assert (said("abcd", 4), said(" \n", 4), escaped("<", 4)) == ("abcd", "-", "&lt;")


HOSTILE = ["<!channel>", "<@U1>", "&" * 4000, SMILE * 3000, "x" * 20_000, "\x00\ud800", ""]
ANY = st.text(max_size=60) | st.sampled_from(HOSTILE)
LINKS = st.sampled_from(["", "https://h.example/a?b=1&c=2", "https://h.example/|x", "https://h.example/" + "a" * 280]) | ANY


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """A question with any text in any field that holds text."""
    objects = draw(st.lists(ANY, min_size=0, max_size=5))
    kind = FindingKind.REDIS_PRIMARY_SLOW
    cited = tuple(f"e{n}" for n in range(9))
    found = tuple(Finding(kind=kind, object=o, cause=draw(ANY), strength=0.5, evidence=cited) for o in objects)
    seen: tuple[Evidence, ...] = tuple(evidence(n, draw(LINKS), draw(ANY)) for n in range(9))
    causes = tuple(RootCause(kind=kind, object=o, score=0.5, evidence=cited) for o in objects)
    target = Target(kind=draw(ANY), namespace=draw(st.none() | ANY), name=draw(ANY), uid=draw(st.none() | ANY))
    parameters = draw(st.dictionaries(ANY, ANY, max_size=3))
    plan = Proposal(incident_id="Q1", runbook="r", action=draw(ANY), target=target, parameters=parameters)
    answers = tuple(answer(draw(ANY), approve=draw(st.booleans()), reason=draw(ANY)) for _ in range(draw(st.integers(0, 5))))
    return question(
        request(draw(st.sampled_from(ApprovalState)), *answers, team=draw(ANY), question=draw(ANY)),
        content=content(
            diagnosis=diagnosis(findings=found, root_causes=causes, summary=draw(ANY), evidence=seen),
            proposal=draw(st.none() | st.just(plan)),
            worst_case=draw(ANY),
            undo=draw(ANY),
            link=draw(LINKS),
            measured=draw(st.dictionaries(ANY, ANY | st.floats(), max_size=3)),
        ),
        title=draw(ANY),
        number=draw(st.none() | st.integers(0, 10**9)),
        url=draw(LINKS),
        service=draw(ANY),
        standing=draw(st.sampled_from(Standing)),
        became=draw(ANY),
        effects=tuple(draw(st.lists(ANY, max_size=6))),
        may_approve=tuple(draw(st.lists(ANY, max_size=12))),
        names=draw(st.dictionaries(ANY, ANY, max_size=4)),
        superseded=draw(st.booleans()),
    )


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(questions())
def test_any_text_in_any_field_stays_within_the_limits_and_activates_nothing(drawn: Question) -> None:
    sound(*question_message(drawn))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.builds(waiting, st.integers(0, 99), service=ANY, action=ANY, target=ANY, team=ANY, link=LINKS), max_size=14))
def test_any_text_in_a_digest_stays_within_the_limits_and_activates_nothing(lines: list[Any]) -> None:
    sound(*digest_message(DIGESTS["digest"].model_copy(update={"waiting": tuple(lines), "total": len(lines)})))


def test_every_field_at_its_longest_is_still_within_the_budget() -> None:
    long, link = "&<>" * 4000, "https://h.example/" + "a" * 280
    kind, cited = FindingKind.REDIS_PRIMARY_SLOW, tuple(f"e{n}" for n in range(9))
    found = tuple(Finding(kind=kind, object=f"{n}{long}", cause=long, strength=0.5, evidence=cited) for n in range(5))
    causes = tuple(RootCause(kind=f.kind, object=f.object, score=0.5, evidence=cited) for f in found)
    seen = tuple(evidence(n, link, long) for n in range(9))
    plan = Proposal(incident_id="Q1", runbook="r", action=long, target=Target(kind=long, namespace=long, name=long, uid=long))
    full = question(
        request(ApprovalState.PENDING, *(answer(f"{n}{long}") for n in range(6)), team=long),
        content=content(
            diagnosis=diagnosis(findings=found, root_causes=causes, summary=long, evidence=seen),
            proposal=plan.model_copy(update={"parameters": {long: long}}),
            worst_case=long,
            undo=long,
            link=link,
        ),
        title=long,
        url=link,
        service=long,
        effects=(long,) * 6,
        may_approve=tuple(f"{n}{long}" for n in range(12)),
    )
    text, blocks = question_message(full)
    sound(text, blocks)
    assert "\u2026" in shown(blocks)
