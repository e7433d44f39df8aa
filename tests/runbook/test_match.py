import pytest

from sre_agent.evidence.finding import Finding, FindingKind, RootCause
from sre_agent.evidence.finding_reason import FindingReason
from sre_agent.runbook.match import CANNOT_HELP, applicable, checklist_for
from sre_agent.runbook.runbook import Runbook


def book(id, *kinds, action=None):
    return Runbook(id=id, title=id, summary="s", findings=kinds, action=action, worst_case="w", undo="u")


def about(kind):
    return Finding(kind=kind, object="o/x", cause="c", strength=1.0, evidence=("e1",))


BOOKS = (
    book("b-failover", FindingKind.REDIS_PRIMARY_SLOW, action="redis_failover"),
    book("a-restart", FindingKind.POD_CRASH_LOOP, action="restart_pod"),
    book("memory", FindingKind.REDIS_MEMORY_FULL),
)


def test_the_runbook_of_the_top_cause_comes_first_and_others_follow():
    slow, crash = about(FindingKind.REDIS_PRIMARY_SLOW), about(FindingKind.POD_CRASH_LOOP)
    assert [(r.id, f.kind) for r, f in applicable([slow, crash], BOOKS)] == [("b-failover", slow.kind), ("a-restart", crash.kind)]


def test_a_top_cause_without_an_action_leaves_nothing_applicable_even_if_a_lesser_cause_has_one():
    assert applicable([about(FindingKind.REDIS_MEMORY_FULL), about(FindingKind.POD_CRASH_LOOP)], BOOKS) == ()
    assert applicable([], BOOKS) == ()


def test_a_checklist_is_found_for_a_cause_with_and_without_action():
    for kind, expected in ((FindingKind.REDIS_MEMORY_FULL, "memory"), (FindingKind.POD_CRASH_LOOP, "a-restart")):
        found = checklist_for(RootCause(kind=kind, object="o/x", score=1.0, evidence=("e1",)), BOOKS)
        assert found is not None
        assert found.id == expected
    assert checklist_for(RootCause(kind=FindingKind.TOOL_ERRORS, object="o/x", score=1.0, evidence=("e1",)), BOOKS) is None


@pytest.mark.parametrize("reason", FindingReason)
def test_no_restart_is_applicable_for_a_reason_that_a_new_pod_would_meet_again(reason):
    crash = about(FindingKind.POD_CRASH_LOOP).model_copy(update={"reason": reason})
    found = applicable([crash, about(FindingKind.REDIS_PRIMARY_SLOW)], BOOKS)
    # Nor does the next cause take its place: the first one goes to a person.
    assert (found == ()) is (reason in CANNOT_HELP["restart_pod"])
    slow = about(FindingKind.REDIS_PRIMARY_SLOW).model_copy(update={"reason": reason})
    assert [r.id for r, _ in applicable([slow], BOOKS)] == ["b-failover"]


def test_what_others_need_or_lack_and_a_node_without_memory_is_not_mended_by_a_restart():
    for reason in (FindingReason.DEPENDENCY_UNREACHABLE, FindingReason.NODE_OUT_OF_MEMORY, FindingReason.SECRET_MISSING):
        assert reason in CANNOT_HELP["restart_pod"] & CANNOT_HELP["rollout_restart"]
    assert not {FindingReason.APP_ERROR, FindingReason.MEMORY_LIMIT, FindingReason.LIVENESS_FAILED} & CANNOT_HELP["restart_pod"]
