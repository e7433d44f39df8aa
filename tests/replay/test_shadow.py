"""A replayed case beside its outcome: what counts as agreement, what as harm, and what cannot be told."""

from datetime import timedelta
from typing import Any

import pytest

from sre_agent.policy.autonomy import Standing, standing
from sre_agent.replay.expectation import HumanOutcome
from sre_agent.replay.replayed import Replayed
from sre_agent.replay.shadow import of_case
from tests.replay.made import AT, made

NOW = AT + timedelta(days=1)
RESTART = {"action": "restart_pod"}
SAME = {"at": AT, "what": "restarted it", "action": "restart_pod", "target": "pod/voice/api-1"}
ALLOW = {"verdict": "allow", "approvals_required": 0, "decision_sha256": "d" * 64}


def outcome(*actions: dict[str, Any], **more: Any) -> HumanOutcome:
    return HumanOutcome.model_validate({"actions": list(actions)} | more)


def seen(told: HumanOutcome | None, **changes: Any) -> Replayed:
    return made(RESTART, told, **(ALLOW | changes)).model_copy(update={"content_sha256": "c" * 64})


def earned(done: Replayed) -> Standing:
    return standing((of_case(done, NOW).signed("ana", NOW),), "restart_pod", "voice", NOW)


def test_the_same_to_the_same_object_agrees_and_its_signature_counts() -> None:
    done = seen(outcome(SAME))
    found = of_case(done, NOW)
    assert (found.agreed, found.words, found.service) == (True, "agreed", "voice")
    assert earned(done).shadow == 1


@pytest.mark.parametrize(
    "told",
    [
        outcome(),
        outcome(SAME | {"action": "scale_up"}),
        outcome(SAME | {"target": "pod/voice/api-2"}),
        outcome(SAME, **{"class": "model"}),
        outcome(SAME | {"what": "who knows", "action": None, "target": ""}, **{"class": "tool"}),
    ],
)
def test_what_the_agent_would_have_done_alone_and_people_did_not_is_harm(told: HumanOutcome) -> None:
    found = of_case(seen(told), NOW)
    assert (found.agreed, found.harmful, found.words) == (False, True, "HARMFUL")
    assert earned(seen(told)).last_setback is not None


def test_where_it_would_have_asked_a_disagreement_does_no_harm_unless_it_was_not_infrastructure() -> None:
    asks = {"verdict": "needs_approval", "approvals_required": 1}
    found = of_case(seen(outcome(), **asks), NOW)
    assert (found.agreed, found.harmful) == (False, False)
    assert earned(seen(outcome(), **asks)).differed == 1
    assert of_case(seen(outcome(**{"class": "model"}), **asks), NOW).harmful


@pytest.mark.parametrize(
    ("told", "changes", "why"),
    [
        (None, {}, "nobody wrote down"),
        (outcome(SAME | {"target": ""}), {}, "to which object"),
        (outcome(SAME | {"what": "looked around", "action": None, "target": ""}), {}, "cannot be told"),
        (outcome(SAME), {"verdict": "deny"}, "would not have let"),
        (outcome(SAME), {"verdict": "hand_back"}, "would not have let"),
        (outcome(SAME), {"at": NOW + timedelta(seconds=1)}, "future"),
    ],
)
def test_what_cannot_be_told_counts_neither_way(told: HumanOutcome | None, changes: dict[str, Any], why: str) -> None:
    found = of_case(seen(told, **changes), NOW)
    assert (found.agreed, found.harmful) == (None, False)
    assert why in found.why


def test_no_proposal_and_a_broken_case_count_neither_way() -> None:
    assert of_case(made(None, outcome()), NOW).agreed is None
    assert of_case(Replayed(case="c", place="c", error="broken"), NOW).agreed is None


def test_a_refused_plan_for_what_was_not_infrastructure_did_no_harm() -> None:
    assert of_case(seen(outcome(**{"class": "model"}), verdict="deny"), NOW).harmful is False


def test_a_secret_in_the_name_of_a_case_is_not_signed_for() -> None:
    done = seen(outcome(SAME)).model_copy(update={"case": "token=ghp_abcdefghijklmnopqrstuvwxyz0123456789"})
    assert "ghp_" not in of_case(made(RESTART, outcome(SAME), **ALLOW, case=done.case), NOW).case
