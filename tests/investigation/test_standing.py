"""What a proposal may rest on: never what is weak, only said, hidden by a guess, or cleared up by a look a model asked for."""

from datetime import timedelta

import pytest

from sre_agent.evidence.evidence import EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.incident.alert import Alert
from sre_agent.investigation.examine import examine
from sre_agent.investigation.rank import rank

PLACE = {"alertname": "A", "alert_type": "infra", "namespace": "shop"}


def item(kind, name, owner=None, **more):
    meta = {"name": name, "namespace": "shop", "labels": {"app": name.partition("-")[0]}}
    if owner:
        meta["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "controller": True}]
    return {"kind": kind, "metadata": meta, **more}


def world(url):
    """Deployment web, whose pod has `url` in its environment, and Deployment cache behind the Service of that name."""
    env = {"containers": [{"name": "main", "env": [{"name": "URL", "value": url}]}]}
    return [
        item("Pod", "web-1-a", ("ReplicaSet", "web-1"), spec=env),
        item("Pod", "cache-1-a", ("ReplicaSet", "cache-1"), spec={}),
        item("ReplicaSet", "web-1", ("Deployment", "web")),
        item("ReplicaSet", "cache-1", ("Deployment", "cache")),
        item("Service", "cache", spec={"selector": {"app": "cache"}}),
    ]


@pytest.fixture
def crash(made):
    return made.finding(K.POD_CRASH_LOOP, "pod/cache-1-a", namespace="shop", strength=0.9, onset=made.ONSET)


@pytest.fixture
def degraded(made):
    late = made.ONSET + timedelta(minutes=1)
    return made.finding(K.DEPLOYMENT_DEGRADED, "deployment/web", namespace="shop", strength=0.85, onset=late)


def seen(made, *objects):
    return made.view([made.evidence(EvidenceKind.KUBERNETES, {"items": list(objects)}, id="e1")], labels=PLACE)


def test_a_rival_that_only_a_name_in_an_environment_explains_still_competes(made, crash, degraded):
    ranked = rank([crash, degraded], seen(made, *world("redis://cache:6379")))
    assert [f.kind for f in ranked.causes] == [K.POD_CRASH_LOOP]  # it is a symptom in the order that people read
    assert ranked.outcome.several_causes  # and nothing is done before a person has looked
    assert rank([crash, degraded], seen(made, *world("nothing"))).outcome.several_causes


def test_a_rival_that_something_else_than_the_first_cause_explains_still_competes(made, crash):
    claim = made.finding(K.CLAIM_UNBOUND, "claim/data", namespace="shop", strength=0.6)
    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    stuck = made.finding(K.POD_VOLUME_FAILED, "pod/db-0", namespace="shop", strength=0.9)
    first = made.finding(K.REDIS_PRIMARY_SLOW, "redis/cache", strength=0.95)
    labels = {**PLACE, "redis_master": "cache"}
    objects = made.evidence(EvidenceKind.KUBERNETES, {"items": [item("Pod", "db-0", spec={"volumes": volumes})]}, id="e1")
    ranked = rank([first, claim, stuck], made.view([objects], labels=labels))
    assert [f.kind for f in ranked.causes] == [K.REDIS_PRIMARY_SLOW, K.CLAIM_UNBOUND]
    assert ranked.outcome.several_causes
    assert not rank([first, claim], made.view([objects], labels=labels)).outcome.several_causes


def test_what_the_first_cause_explains_through_its_own_objects_is_no_rival(made):
    rollout = made.finding(K.ROLLOUT_STUCK, "deployment/cache", namespace="shop", strength=0.9)
    init = made.finding(K.POD_IMAGE_PULL_FAILED, "pod/cache-1-a", namespace="shop", strength=0.9)
    assert not rank([init, rollout], seen(made, *world(""))).outcome.several_causes


def test_no_proposal_rests_on_a_weak_finding_and_none_takes_its_place(made):
    objects = made.evidence(EvidenceKind.KUBERNETES, {"items": []}, id="e1")
    weak, far = made.finding(strength=0.49), made.finding(K.POD_CRASH_LOOP, "pod/x", namespace="elsewhere", strength=0.49)
    changed = made.finding(K.PROMPT_CHANGED, "prompt/p", strength=0.4)
    slow, crash = made.finding(strength=0.5), made.finding(K.POD_CRASH_LOOP, "pod/x", namespace="elsewhere")
    for found, standing in (
        ((weak,), []),
        ((weak, far), []),
        ((changed, crash), []),  # the weak change ranks first, and the crash far away does not make up for it
        ((slow,), [K.REDIS_PRIMARY_SLOW]),
        ((slow, far), [K.REDIS_PRIMARY_SLOW]),
    ):
        examined = examine(made.view([objects]), [lambda _, found=found: found])
        assert [f.kind for f in examined.standing] == standing, found


def test_a_look_that_a_model_asked_for_settles_nothing_that_was_open_before_it(made):
    """Two families compete; the look brings a node that explains one of them."""
    first = made.finding(strength=0.9)
    pod = made.finding(K.POD_NOT_READY, "pod/api-7f9c-x2", namespace="voice", strength=0.8)
    node = made.finding(K.NODE_PRESSURE, "node/n1", strength=0.6, evidence=("e2",))
    labels = {"alertname": "A", "alert_type": "infra", "redis_master": "cache", "namespace": "voice"}
    before = made.evidence(EvidenceKind.KUBERNETES, {"items": [made.pod()]}, id="e1")
    look = before.model_copy(update={"id": "e2"})

    def detect(view):
        return (first, pod, node) if len(view.evidence) > 1 else (first, pod)

    assert examine(made.view([before], labels=labels), [detect]).outcome.several_causes
    assert examine(made.view([before, look], labels=labels), [detect], planned=1).outcome.several_causes


@pytest.fixture
def watchdog(made):
    def healthy(*alerts, strength=0.9, evidence=None, found=()):
        items = evidence or [made.evidence(EvidenceKind.ALERT, [], id="e1")]
        view = made.view(items)
        incident = view.scope.incident.model_copy(update={"alerts": tuple(Alert(labels=labels) for labels in alerts)})
        view = view.model_copy(update={"scope": view.scope.model_copy(update={"incident": incident})})
        purpose = made.finding(K.ALERT_ALWAYS_FIRES, "app/watchdog", strength=strength)
        return rank([purpose, *found], view).outcome.healthy

    return healthy


def test_one_alert_that_fires_on_purpose_never_makes_an_incident_of_others_healthy(watchdog):
    assert watchdog({"alertname": "Watchdog"})
    assert not watchdog({"alertname": "Watchdog"}, {"alertname": "PodCrashLooping", "pod": "api-1"})
    assert not watchdog()


def test_a_name_alone_shows_no_purpose_where_an_object_is_named_something_is_silent_or_it_has_a_severity(made, watchdog):
    silent = [made.evidence(EvidenceKind.METRICS, None, id="e1", status=EvidenceStatus.ERROR)]
    assert watchdog({"alertname": "Watchdog", "namespace": "monitoring"}, strength=0.6)
    assert not watchdog({"alertname": "Watchdog", "pod": "api-1"}, strength=0.6)
    assert not watchdog({"alertname": "Watchdog"}, strength=0.6, evidence=silent)
    assert not watchdog({"alertname": "Watchdog"}, strength=0.5)
    # A rule that is a constant is proof, whoever else is silent.
    assert watchdog({"alertname": "Watchdog", "pod": "api-1"}, evidence=silent)
