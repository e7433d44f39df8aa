from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sre_agent.policy.whitelist import WHITELIST
from sre_agent.replay.agreement import AgreementKind, agreement
from sre_agent.replay.done import PHRASES, Told, done
from sre_agent.replay.expectation import HumanAction, HumanOutcome
from sre_agent.replay.replayed import Replayed
from tests.replay.made import made

AT = datetime(2026, 3, 4, 3, 30, tzinfo=UTC)
K = AgreementKind


def did(what: str = "", minutes: int = 0, **keys: Any) -> HumanAction:
    return HumanAction(at=AT + timedelta(minutes=minutes), what=what, **keys)


def beside(*actions: HumanAction, outcome: bool = True, **proposed: Any) -> Replayed:
    proposal = {"action": "restart_pod", "kind": "Pod", "namespace": "voice", "name": "api-7c9d8b6f5-x2x9q"} | proposed
    return made(proposal=proposal, outcome=HumanOutcome(actions=actions) if outcome else None)


def test_the_same_action_on_the_same_object_agrees_and_says_when():
    found = agreement(
        beside(did(action="restart_pod", target="pod/voice/api-7c9d8b6f5-x2x9q"), did("went to bed", -9, action="other"))
    )
    assert (found.kind, found.at, found.action) == (K.AGREE, AT, "restart_pod")
    assert [d.told for d in found.people] == [Told.OTHER, Told.WRITTEN]


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        (did(action="restart_pod", target="pod/api-7c9d8b6f5-x2x9q"), K.AGREE),
        (did(action="restart_pod", target="pod/staging/api-7c9d8b6f5-x2x9q"), K.DISAGREE),
        (did(action="restart_pod", target="pod/api-7c9d8b6f5-zzzzz"), K.DISAGREE),
        (did(action="restart_pod", target="pod/api-7c9d8b6f5-x2x9q", helped=False), K.DISAGREE),
        (did(action="restart_pod"), K.SAME_ACTION),
        (did(action="restart_pod", target="deployment/api"), K.SAME_ACTION),
        (did(action="rollout_restart", target="deployment/api"), K.DISAGREE),
        (did("called the vendor", action="other"), K.DISAGREE),
        (did("kubectl delete pod api-7c9d8b6f5-x2x9q -n voice"), K.AGREE),
        (did("deleted pod/api-7c9d8b6f5-x2x9q; its replacement came up"), K.AGREE),
        (did("deleted the pod; its replacement started on a fresh emptyDir"), K.SAME_ACTION),
        (did("deleted the pod api-1; api-7c9d8b6f5-x2x9q came back by itself"), K.SAME_ACTION),
        (did("deleted pod/api-1"), K.DISAGREE),
        (did("deleted the pod api-7c9d8b6f5-x2x9q, no effect"), K.UNCLEAR),
        (did("did not restart the pod api-7c9d8b6f5-x2x9q"), K.UNCLEAR),
        (did("restarted all pods"), K.UNCLEAR),
        (did("kubectl rollout restart deployment/api"), K.DISAGREE),
        (did("looked into it"), K.UNCLEAR),
        (did(""), K.UNCLEAR),
    ],
)
def test_what_one_person_did_beside_a_proposed_restart(action: HumanAction, kind: AgreementKind):
    assert agreement(beside(action)).kind is kind


def test_a_thing_that_cannot_be_told_beside_others_is_unclear_and_not_disagreement():
    found = agreement(beside(did(action="scale_up", target="deployment/api"), did("fixed it", 3)))
    assert (found.kind, found.at) == (K.UNCLEAR, None)


def test_an_ordinary_word_is_no_name_in_free_text():
    redis = {"action": "redis_failover", "kind": "RedisMaster", "namespace": None, "name": "cache"}
    assert agreement(beside(did("cleared the cache and ran SENTINEL FAILOVER sessions"), **redis)).kind is K.SAME_ACTION
    assert agreement(beside(did("SENTINEL FAILOVER of redis/cache"), **redis)).kind is K.AGREE
    assert agreement(beside(did("SENTINEL FAILOVER of redis/tokens"), **redis)).kind is K.DISAGREE


def test_nothing_done_nothing_known_and_nothing_proposed_are_three_things():
    assert agreement(beside()).kind is K.PEOPLE_DID_NOTHING
    assert agreement(beside(outcome=False)).kind is K.NOT_TOLD
    assert agreement(made(proposal={"action": "restart_pod"}, outcome=HumanOutcome())).kind is K.NOT_TOLD
    assert agreement(made(outcome=HumanOutcome(actions=()))).kind is K.NO_PROPOSAL
    assert agreement(Replayed(case="c", place="c", error="broken")).kind is K.FAILED


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("kubectl rollout restart deployment/dialog-router", "rollout_restart"),
        ("scaled deployment/api up to 6", "scale_up"),
        ("scaled down, then up again", None),
        ("kubectl rollout undo deployment/billing-api", "rollback_deployment"),
        ("rolled back the billing-api deployment", "rollback_deployment"),
        ("rolled back; the tag had never been pushed", None),
        ("rolled back the prompt", None),
        ("rolled the deployment forward", None),
        ("kubectl cordon worker-7", "cordon_node"),
        ("kubectl uncordon worker-7", "uncordon_node"),
        ("cordoned worker-7, later uncordoned it", None),
        ("a sentinel failover had happened before we looked", None),
        ("CLUSTER FAILOVER on 10.0.0.7", "redis_cluster_failover"),
        ("patronictl switchover --candidate pg-2", "postgres_switchover"),
        ("paused the reminders queue", "pause_queue"),
        ("resumed the queue", "resume_queue"),
        ("restarted the pod\nand should have done so earlier", None),
    ],
)
def test_a_text_is_one_action_or_none(text: str, action: str | None):
    found = done(did(text))
    assert (found.action or None, found.told) == (action, Told.READ if action else Told.UNTOLD)


def test_every_action_of_the_whitelist_has_phrases_and_nothing_else_has():
    assert set(PHRASES) == {row.action for row in WHITELIST}


@pytest.mark.parametrize("keys", [{"action": "drop_table"}, {"target": "api"}, {"target": "Pod/x"}, {"target": "pod/a/b/c"}])
def test_an_unknown_action_or_an_object_without_a_kind_is_an_error(keys: dict[str, str]):
    with pytest.raises(ValueError, match=r"is none of|is not kind/name"):
        did(**keys)
