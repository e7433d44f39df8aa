"""Targets, protected objects, freezes and routing as declared."""

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.incident.target import Target
from sre_agent.policy.calendar import Freezes
from sre_agent.policy.declarations import Blocking, Protected, Targets, keys_of
from sre_agent.policy.facts import TargetDeclaration


def targets(**entries: str) -> Targets:
    return Targets({k: TargetDeclaration(managed=True, team=v) for k, v in entries.items()})


def test_a_target_that_nobody_declared_is_not_managed() -> None:
    assert targets().find(Target(kind="RedisMaster", name="cache")) == TargetDeclaration()


def test_a_redis_master_is_declared_as_redis() -> None:
    found = targets(**{"redis/cache": "platform"}).find(Target(kind="RedisMaster", name="cache", uid="r1"))
    assert found.team == "platform"


@pytest.mark.parametrize(
    ("pod", "key"),
    [
        ("api-7d4b9c6f5-x2x4z", "deployment/voice/api"),
        ("api-7d4b9c6f5-x2x4z", "deployment/api"),
        ("queue-0", "statefulset/voice/queue"),
        ("logger-x2x4z", "daemonset/voice/logger"),
        ("api-7d4b9c6f5-x2x4z", "pod/voice/api-7d4b9c6f5-x2x4z"),
        ("anything", "namespace/voice"),
    ],
)
def test_a_pod_takes_the_declaration_of_its_owner(pod, key) -> None:
    assert targets(**{key: "platform"}).find(Target(kind="Pod", namespace="voice", name=pod)).managed


@pytest.mark.parametrize("pod", ["api-worker", "api-aeiou-aeiou", "apix-7d4b9c6f5-x2x4z", "api"])
def test_a_pod_of_another_name_does_not(pod) -> None:
    assert not targets(**{"deployment/voice/api": "platform"}).find(Target(kind="Pod", namespace="voice", name=pod)).managed


def test_a_pod_of_another_namespace_does_not() -> None:
    declared = targets(**{"deployment/voice/api": "platform"})
    assert not declared.find(Target(kind="Pod", namespace="sales", name="api-7d4b9c6f5-x2x4z")).managed


def test_the_most_specific_key_wins() -> None:
    declared = targets(**{"namespace/voice": "many", "deployment/api": "some", "deployment/voice/api": "one"})
    assert declared.find(Target(kind="Pod", namespace="voice", name="api-7d4b9c6f5-x2x4z")).team == "one"
    assert keys_of(Target(kind="Node", name="n1")) == ("node/n1",)


def test_protection_covers_namespaces_objects_and_their_pods() -> None:
    protected = Protected(namespaces=("argocd",), objects=("deployment/sre-agent", "redis/own"))
    assert protected.covers(Target(kind="Pod", namespace="argocd", name="x"))
    assert protected.covers(Target(kind="Pod", namespace="ops", name="sre-agent-7d4b9c6f5-x2x4z"))
    assert protected.covers(Target(kind="RedisMaster", name="own"))
    assert not protected.covers(Target(kind="RedisMaster", name="cache"))


def calendar(**scope: str) -> Freezes:
    window = {"id": "w", "from": "2026-03-29T00:00:00", "to": "2026-03-29T04:00:00", "tz": "Europe/Vienna", "scope": scope}
    return Freezes.model_validate({"windows": [window]})


PROD = TargetDeclaration(environment="prod", team="platform", service="voice")


def test_a_freeze_holds_from_its_start_until_before_its_end_in_its_own_zone() -> None:
    # Clocks go forward in Vienna that night: four hours on the wall are three hours in the world.
    start, end = datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 2, tzinfo=UTC)
    tick = timedelta(seconds=1)
    active = {t: calendar().active(t, PROD, None) for t in (start - tick, start, end - tick, end)}
    assert list(active.values()) == [(), ("w",), ("w",), ()]


@pytest.mark.parametrize(
    ("scope", "declaration", "namespace", "frozen"),
    [
        ({}, PROD, None, True),
        ({"environment": "prod"}, PROD, None, True),
        ({"environment": "staging"}, PROD, None, False),
        ({"environment": "prod"}, TargetDeclaration(environment="live-eu"), None, True),
        ({"team": "ai-eng"}, PROD, None, False),
        ({"team": "ai-eng"}, TargetDeclaration(), None, True),
        ({"service": "voice", "namespace": "a"}, PROD, "b", False),
        ({"service": "voice", "namespace": "a"}, PROD, "a", True),
        ({"namespace": "a"}, PROD, None, True),
    ],
)
def test_a_freeze_covers_its_scope_and_whatever_is_not_known_to_be_outside(scope, declaration, namespace, frozen) -> None:
    now = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert bool(calendar(**scope).active(now, declaration, namespace)) is frozen


def test_the_shipped_routing_names_every_receiver(bundle) -> None:
    assert set(bundle.declared.ownership.receivers) == {"pd-platform", "pd-ai-eng", "pd-integration-owners", "default"}
    assert not bundle.declared.ownership.escalation_policy("pd-platform")


@pytest.mark.parametrize("name", ["", "Kube API", 'x"} or vector(1) #', "a|b", ".*", "é", "a\n"])
def test_the_name_of_a_blocking_alert_cannot_be_anything_but_a_name(name) -> None:
    wrong = Blocking(blocking_alerts=("KubeAPIDown", name), major_priorities=())
    assert [p.path for p in wrong.problems()] == [("blocking_alerts", 1)]


def test_an_empty_priority_would_match_nothing_and_is_refused() -> None:
    assert [p.path for p in Blocking(blocking_alerts=(), major_priorities=("P1", " ")).problems()] == [("major_priorities", 1)]


def test_what_blocks_is_asked_for_by_exact_names_and_nothing_declared_asks_nothing() -> None:
    some = Blocking(blocking_alerts=("KubeAPIDown", "etcd_NoLeader"), major_priorities=("P1",))
    assert some.query == 'ALERTS{alertstate="firing",alertname=~"KubeAPIDown|etcd_NoLeader"}'
    assert [some.major(p) for p in ("P1", "p1 ", "P10", "", None)] == [True, True, False, False, False]
    assert Blocking(blocking_alerts=(), major_priorities=()).query == ""
