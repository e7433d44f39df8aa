"""Every number of a report, against small hand-made cases."""

from datetime import timedelta
from typing import Any

import pytest

from sre_agent.replay.agreement import agreement
from sre_agent.replay.expectation import HumanAction, HumanOutcome
from sre_agent.replay.replayed import Replayed
from sre_agent.replay.report.labels import LabelGap, label_gaps
from sre_agent.replay.report.mistake import EXPLAINED, MistakeKind, Severity, mistakes
from sre_agent.replay.report.saving import saving
from sre_agent.replay.report.spreadsheet import COLUMNS, cells
from sre_agent.replay.report.tally import Tally, by_pair
from tests.replay.made import AT, made

K = MistakeKind
RESTART = {"action": "restart_pod"}


def people(*did: tuple[str, str], minutes: float = 30, **keys: Any) -> HumanOutcome:
    """Each did (action, object), `minutes` after the page."""
    actions = tuple(HumanAction(at=AT + timedelta(minutes=minutes), action=a, target=t) for a, t in did)
    return HumanOutcome.model_validate({"actions": actions, **keys})


SAME, OTHER, NOTHING = people(("restart_pod", "pod/voice/api-1")), people(("scale_up", "deployment/api")), people()
CAUSE = {"kind": "pod_crash_loop", "object": "pod/api-1", "score": 0.9, "evidence": ("e1",)}


@pytest.mark.parametrize(
    ("done", "kinds"),
    [
        (made(RESTART, SAME), []),
        (made(RESTART, SAME, verdict="allow"), []),
        (made(RESTART, OTHER), [K.ASKED_OTHERWISE]),
        (made(RESTART, OTHER, verdict="allow"), [K.ALONE_OTHERWISE]),
        (made(RESTART, OTHER, verdict="deny"), [K.MISSED]),
        (made(RESTART, NOTHING), [K.ASKED_FOR_NOTHING]),
        (made(RESTART, NOTHING, verdict="allow"), [K.ALONE_FOR_NOTHING]),
        (made(RESTART, HumanOutcome()), []),
        (made(RESTART, None), []),
        (made(RESTART, people(("restart_pod", "pod/voice/api-1"), **{"class": "model"})), [K.NOT_INFRA, K.WRONG_CLASS]),
        (made(RESTART, SAME, verdict="hand_back"), [K.MISSED]),
        (made(None, SAME), [K.MISSED]),
        (made(None, SAME, verdict="no_action", policy_ids=()), [K.LEFT_ALONE]),
        (made(None, NOTHING, verdict="no_action", policy_ids=()), []),
        (made(None, people(("other", ""))), []),
        (made(None, people(**{"class": "tool"}), **{"class": "model"}), [K.WRONG_CLASS]),
        (made(None, people(**{"class": "tool"}), **{"class": "unknown"}), []),
        (made(None, people(cause="pod_crash_loop", cause_object="pod/voice/api-1"), root_causes=(CAUSE,)), []),
        (made(None, people(cause="pod_crash_loop", cause_object="pod/api-2"), root_causes=(CAUSE,)), [K.OTHER_CAUSE]),
        (made(None, people(cause="node_not_ready"), root_causes=(CAUSE,)), [K.OTHER_CAUSE]),
        (made(None, people(cause="node_not_ready")), []),
    ],
)
def test_each_kind_of_would_be_mistake(done: Replayed, kinds: list[MistakeKind]):
    assert [m.kind for m in mistakes(done, agreement(done))] == kinds


def test_what_was_tried_in_vain_was_not_missed():
    vain = HumanOutcome(actions=(HumanAction(at=AT, action="restart_pod", target="pod/api-1", helped=False),))
    assert mistakes(made(None, vain), agreement(made(None, vain))) == ()


def test_every_kind_has_a_severity_and_those_that_act_wrongly_are_grave():
    assert set(EXPLAINED) == set(MistakeKind)
    assert {k for k in MistakeKind if k.severity is Severity.GRAVE} == {K.NOT_INFRA, K.ALONE_OTHERWISE, K.ALONE_FOR_NOTHING}


@pytest.mark.parametrize(
    ("verdict", "minutes", "soak", "saved", "after_yes", "page"),
    [
        ("allow", 30, 300, 23.0, 0.0, True),
        ("needs_approval", 30, 300, 0.0, 23.0, False),
        ("allow", 5, 300, 0.0, 0.0, True),
        ("allow", 30, 600, 18.0, 0.0, True),
        ("deny", 30, 300, 0.0, 0.0, False),
    ],
)
def test_minutes_from_the_page_to_the_same_action_less_looking_and_soak(verdict, minutes, soak, saved, after_yes, page):
    done = made(RESTART, people(("restart_pod", "pod/api-1"), minutes=minutes), verdict=verdict, paged_at=AT)
    found = saving(done, agreement(done), soak)
    assert (found.minutes, found.after_yes, found.page) == (saved, after_yes, page)


def test_nothing_is_saved_where_people_did_otherwise_and_no_page_of_low_urgency():
    other = made(RESTART, OTHER, verdict="allow", paged_at=AT)
    assert saving(other, agreement(other), 300).minutes == 0
    low = made(RESTART, SAME, verdict="allow", paged_at=AT, urgency="low")
    assert (saving(low, agreement(low), 300).minutes, saving(low, agreement(low), 300).page) == (23.0, False)


@pytest.mark.parametrize(
    ("done", "gaps"),
    [
        (made(), []),
        (made(label_gaps=("untagged", "no_team"), labelled_class="unknown", **{"class": "unknown"}), ["untagged", "no_team"]),
        (made(**{"class": "model"}), ["found_other"]),
        (made(None, people(**{"class": "tool"})), ["was_other"]),
        (made(None, people(**{"class": "tool"}), labelled_class="unknown", **{"class": "unknown"}), []),
        (made(label_gaps=("a later flag",)), []),
    ],
)
def test_labels_to_mend(done: Replayed, gaps: list[str]):
    assert [LabelGap(g) for g in gaps] == list(label_gaps(done))


def test_the_sum_counts_each_case_once():
    tally = Tally({"restart-pod": 600})
    answers = [
        {"source": "redis", "kind": "redis", "status": "no_data"},
        {"source": "loki", "kind": "logs", "status": "error"},
        {"source": "loki", "kind": "text", "status": "ok"},
        {"source": "langfuse", "kind": "langfuse", "status": "error"},
    ]
    model = {"reasoner": "openai", "calls": 2, "input_tokens": 10, "output_tokens": 5, "usd": 0.25, "fallback": "over-budget"}
    for done in (
        made(RESTART, SAME, verdict="allow", case="a", paged_at=AT),
        made(RESTART, OTHER, case="b"),
        made(case="c", policy_ids=("not-enough-data",), answers=answers, model=model),
        made(case="d", root_causes=(CAUSE,)),
        made(None, people(**{"class": "model"}), case="e", **{"class": "model", "policy_ids": ("refuse-not-infra",)}),
        Replayed(case="f", place="f", error="case.json, line 1: broken"),
    ):
        tally.add(done)
    assert (tally.minutes, tally.after_yes, tally.pages) == (18.0, 0.0, 1)
    assert tally.verdicts == {"allow": 1, "needs_approval": 1, "hand_back": 3}
    assert tally.agreements == {"agree": 1, "disagree": 1, "no_proposal": 3}
    assert by_pair(tally.classes, 1) == {("infra", "infra"): 4, ("infra", "model"): 1}
    assert by_pair(tally.classes, 2) == {("infra", "model"): 1}
    assert {name: (e.count, e.cases) for name, e in tally.refusals.items()} == {
        "not-enough-data": (1, ["c"]),
        "no-runbook": (1, ["d"]),
        "refuse-not-infra": (1, ["e"]),
    }
    assert {name: (s.empty, s.failing, s.handed_back) for name, s in tally.sources.items()} == {
        "redis": (1, 0, 1),
        "langfuse": (0, 1, 1),
    }
    book = tally.runbooks["restart-pod"]
    assert (book.proposed, book.alone, book.asked, book.refused, book.agreed, book.disagreed) == (2, 1, 1, 0, 1, 1)
    assert {kind: e.cases for kind, e in tally.uncovered.items()} == {"pod_crash_loop": ["d"]}
    assert (tally.usd, tally.calls, tally.tokens, tally.fallbacks) == (0.25, 2, 15, 1)
    assert [r.case for r in tally.failed] == ["f"]
    assert [r.case for r in tally.mistaken] == ["b"]
    assert tally.sources.keys() == {"redis", "langfuse"}


def test_the_worst_cases_come_first_and_stay_in_their_order():
    tally = Tally()
    for case, outcome, verdict in (
        ("a", SAME, "hand_back"),
        ("b", OTHER, "allow"),
        ("c", OTHER, "needs_approval"),
        ("d", NOTHING, "allow"),
    ):
        tally.add(made(RESTART, outcome, verdict=verdict, case=case))
    assert [r.case for r in tally.mistaken] == ["b", "d", "c", "a"]


def test_a_strangers_text_is_redacted_and_is_no_formula_in_a_spreadsheet():
    token = "xoxb-" + "123456789012-123456789012-abcdefABCDEF123456789012"
    row = Tally().add(Replayed(case='=HYPERLINK("http://x")', place="@x", error=f"token {token}"))
    told = dict(zip(COLUMNS, cells(row), strict=True))
    assert told["case"].startswith("'=")
    assert told["place"] == "'@x"
    assert "abcdefABCDEF" not in told["error"]
    assert Tally().add(Replayed(case="c", place="x", error=f"token {token}")) == Tally().add(
        Replayed(case="c", place="x", error=f"token {token}")
    )
