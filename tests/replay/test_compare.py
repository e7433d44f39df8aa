"""One case under two setups: every kind of difference, and which of them are dangerous."""

from typing import Any

import pytest

from sre_agent.incident.alert import AlertClass
from sre_agent.incident.target import Target
from sre_agent.policy.decision import Verdict
from sre_agent.replay.compare import Difference, Kind, compared
from sre_agent.replay.compare_telling import blocks
from sre_agent.replay.replayed import Replayed
from sre_agent.replay.result import CaseResult, PrintedUsage, ProposedAction

POD = Target(kind="Pod", namespace="voice", name="api-1", uid="u1")
RESTART = ProposedAction(runbook="restart-pod", action="restart_pod", target=POD)
SCALE = ProposedAction(runbook="scale-up", action="scale_up", target=POD, parameters={"replicas": 3})
USAGE = PrintedUsage(reasoner="rules", calls=0, input_tokens=0, output_tokens=0, usd=0.0, fallback=None)

ALLOW = {"verdict": Verdict.ALLOW, "approvals_required": 0, "proposal": RESTART}
ONE = {"verdict": Verdict.NEEDS_APPROVAL, "approvals_required": 1, "proposal": RESTART}
TWO = {"verdict": Verdict.NEEDS_APPROVAL, "approvals_required": 2, "proposal": RESTART}
DENY = {"verdict": Verdict.DENY, "proposal": RESTART}
BACK = {"verdict": Verdict.HAND_BACK}
NOTHING = {"verdict": Verdict.NO_ACTION}


def done(**said: Any) -> Replayed:
    whole: dict[str, Any] = {
        "case": "c",
        "labelled_class": AlertClass.INFRA,
        "alert_class": AlertClass.INFRA,
        "owner": "platform",
        "receiver": "pd-platform",
        "root_causes": (),
        "summary": "",
        "proposal": None,
        "approvals_required": None,
        "policy_ids": ("some-rule",),
        "reasons": ("because",),
        "would_execute": False,
        "note": "",
        "findings": (),
        "model": USAGE,
    }
    return Replayed(case="c", place="cases/c", result=CaseResult(**(whole | said)))


FAILED = Replayed(case="c", place="cases/c", error="c/case.json, line 1: broken")


def found(before: Replayed, after: Replayed) -> Difference:
    difference = compared(before, after)
    assert difference is not None
    return difference


LADDER = [NOTHING, BACK, DENY, TWO, ONE, ALLOW]


@pytest.mark.parametrize("before", LADDER)
@pytest.mark.parametrize("after", LADDER)
def test_more_room_is_more_permissive_and_less_room_is_less(before: dict[str, Any], after: dict[str, Any]) -> None:
    rooms = {id(NOTHING): 0, id(BACK): 0, id(DENY): 0, id(TWO): 1, id(ONE): 2, id(ALLOW): 3}
    was, now = rooms[id(before)], rooms[id(after)]
    difference = compared(done(**before), done(**after))
    if before is after:
        assert difference is None
        return
    assert difference is not None
    kind = Kind.MORE_PERMISSIVE if now > was else Kind.LESS_PERMISSIVE if now < was else Kind.OTHER_REASONS
    assert (difference.kind, difference.kind.wider) == (kind, now > was)


@pytest.mark.parametrize("plan", [SCALE, RESTART.model_copy(update={"target": POD.model_copy(update={"name": "api-2"})})])
@pytest.mark.parametrize("after", [ALLOW, ONE, TWO])
def test_another_plan_counts_as_more_permissive_whatever_it_needs_because_nobody_judged_it(plan, after) -> None:
    difference = found(done(**ALLOW), done(**(after | {"proposal": plan})))
    assert difference.kind is Kind.MORE_PERMISSIVE
    assert "another plan" in difference.why[0]


def test_other_parameters_are_another_plan() -> None:
    more = SCALE.model_copy(update={"parameters": {"replicas": 5}})
    assert found(done(**(ONE | {"proposal": SCALE})), done(**(ONE | {"proposal": more}))).kind is Kind.MORE_PERMISSIVE


def test_another_plan_that_may_not_be_carried_out_is_no_danger() -> None:
    assert found(done(**DENY), done(**(DENY | {"proposal": SCALE}))).kind is Kind.OTHER_REASONS


def test_the_same_plan_out_of_another_runbook_is_told_and_no_danger() -> None:
    renamed = RESTART.model_copy(update={"runbook": "restart-one-pod"})
    difference = found(done(**ONE), done(**(ONE | {"proposal": renamed})))
    assert (difference.kind, difference.changed) == (Kind.OTHER_REASONS, ("proposal",))


@pytest.mark.parametrize("was", [c for c in AlertClass if c is not AlertClass.INFRA])
def test_a_class_that_becomes_infra_is_dangerous_even_where_nothing_may_be_done(was: AlertClass) -> None:
    difference = found(done(**BACK, alert_class=was), done(**BACK))
    assert (difference.kind, difference.kind.wider, difference.kind.dangerous) == (Kind.NOW_INFRA, True, True)
    assert found(done(**BACK), done(**BACK, alert_class=was)).kind is Kind.OTHER_OWNER


@pytest.mark.parametrize("changed", [{"owner": "data"}, {"receiver": "pd-data"}, {"alert_class": AlertClass.MODEL}])
def test_another_owner_receiver_or_class_is_told_as_such(changed: dict[str, Any]) -> None:
    assert found(done(**BACK), done(**(BACK | changed))).kind is Kind.OTHER_OWNER


def test_other_reasons_and_policies_alone_are_the_least() -> None:
    difference = found(done(**ONE), done(**ONE, reasons=("for another reason",), policy_ids=("other-rule",)))
    assert (difference.kind, difference.changed) == (Kind.OTHER_REASONS, ("policy_ids", "reasons"))


def test_note_and_summary_are_words_and_not_compared() -> None:
    assert compared(done(**ONE), done(**ONE, note="other", summary="words")) is None


def test_a_candidate_that_fails_on_a_case_is_dangerous_because_nobody_knows_what_it_would_do() -> None:
    difference = found(done(**DENY), FAILED)
    assert (difference.kind, difference.kind.dangerous, difference.kind.wider) == (Kind.FAILS_NOW, True, False)
    assert difference.after.error == FAILED.error


@pytest.mark.parametrize(("after", "kind"), [(ONE, Kind.MORE_PERMISSIVE), (DENY, Kind.NOW_INFRA)])
def test_an_answer_where_there_was_none_counts_as_unjudged(after: dict[str, Any], kind: Kind) -> None:
    assert found(FAILED, done(**after)).kind is kind


def test_a_case_that_failed_and_is_not_the_agents_now_is_no_danger() -> None:
    assert found(FAILED, done(**BACK, alert_class=AlertClass.MODEL)).kind is Kind.FAILED_BEFORE


def test_what_fails_under_both_is_no_difference() -> None:
    assert compared(FAILED, FAILED.model_copy(update={"error": "something else"})) is None


def test_the_printed_object_reads_back_and_says_that_it_is_dangerous() -> None:
    difference = found(done(**DENY), done(**ALLOW))
    assert Difference.model_validate_json(difference.line()) == difference
    assert '"dangerous":true' in difference.line()


def test_what_gained_most_stands_first_and_kinds_follow_their_danger() -> None:
    ordered = [
        found(done(**DENY), done(**ALLOW)),
        found(done(**TWO), done(**ONE)),
        found(done(**BACK, alert_class=AlertClass.MODEL), done(**BACK)),
        found(done(**ONE), FAILED),
        found(done(**ALLOW), done(**DENY)),
        found(done(**BACK), done(**BACK, owner="data")),
        found(FAILED, done(**BACK, alert_class=AlertClass.MODEL)),
        found(done(**ONE), done(**ONE, reasons=())),
    ]
    mixed = [*ordered[1::2], *ordered[::2]]
    assert sorted(mixed, key=lambda d: d.rank) == ordered


def test_each_block_says_verdict_and_policies_of_both_sides_and_else_only_what_differs() -> None:
    ((heading, dangerous, rows),) = blocks([found(done(**TWO), done(**ONE, policy_ids=("grant",)))])
    assert (heading, dangerous) == ("more permissive: c: fewer people have to agree: 1 person, not 2 people", True)
    assert [what for what, _, _ in rows] == ["verdict", "decided by"]
    assert rows[1][1:] == ("some-rule", "grant")
    ((_, _, rows),) = blocks([found(done(**DENY), FAILED)])
    assert [what for what, _, _ in rows] == ["verdict"]
