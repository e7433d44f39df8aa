from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sre_agent.evidence.ai.quality import PromptVersion, Score
from sre_agent.evidence.change import Change, ChangeKind
from sre_agent.evidence.evidence import EvidenceKind, EvidenceStatus
from sre_agent.evidence.redis.state import RedisState
from sre_agent.evidence.series import Series
from sre_agent.facts.incident import covered
from sre_agent.incident.alert import Alert
from sre_agent.incident.errors import Permanent
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.replay.case import Case, LogFile, load_case
from sre_agent.replay.case_shapes import Observation, QualityFile, TopologyFile
from sre_agent.replay.recorded import RecordedChanges, RecordedKubernetes, RecordedRedis, recorded_sources
from sre_agent.response.assess import scope_of

AT = datetime(2026, 3, 4, 3, 11, tzinfo=UTC)
BEFORE, AFTER = AT - timedelta(minutes=5), AT + timedelta(seconds=1)
INCIDENTS = Path(__file__).parent.parent / "incidents"


def iso(at):
    return at.isoformat().replace("+00:00", "Z")


def case(labels=None, **files):
    alert = Alert(labels=labels or {}, starts_at=BEFORE)
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=BEFORE, service=Reference(id="P1"), alerts=(alert,))
    return Case(id="c1", at=AT, incident=incident, **files)


async def gathered(case, kind=None):
    scope = scope_of(case.incident, case.at)
    found = [e for s in recorded_sources(case) for e in await s.gather(scope)]
    return [e for e in found if kind is None or e.kind is kind]


def pod(name, namespace="voice", created=BEFORE, **spec):
    meta = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "creationTimestamp": iso(created)}
    return {"kind": "Pod", "metadata": meta, "spec": spec, "status": {"phase": "Running"}}


def event(name, seen):
    about = {"kind": "Pod", "name": "api-1", "namespace": "voice", "uid": "uid-api-1"}
    meta = {"name": name, "namespace": "voice", "creationTimestamp": iso(BEFORE)}
    return {"kind": "Event", "metadata": meta, "involvedObject": about, "reason": name, "lastTimestamp": iso(seen)}


async def test_nothing_stamped_after_the_clock_of_the_case_is_visible_anywhere():
    full = case(
        {"namespace": "voice", "prompt": "p"},
        metrics=(
            Series(labels={"__name__": "a"}, samples=((AT.timestamp(), 1.0), (AFTER.timestamp(), 666.0))),
            Series(labels={"__name__": "later"}, samples=((AFTER.timestamp(), 666.0),)),
        ),
        kubernetes=(pod("api-1"), pod("late", created=AFTER), event("Seen", AT), event("Late", AFTER)),
        logs=(LogFile("voice", "api-1", "main", False, (f"{iso(AT)} ok", "  more", f"{iso(AFTER)} 666", "  trace of 666"), False),),
        changes=(Change(at=AT, kind=ChangeKind.DEPLOY, target="x"), Change(at=AFTER, kind=ChangeKind.DEPLOY, target="666")),
        langfuse=QualityFile(
            scores=(Score(name="s", timestamp=AT, value=1.0), Score(name="s", timestamp=AFTER, value=666.0)),
            prompts=(
                PromptVersion(name="p", version="1", created_at=BEFORE, updated_at=AT),
                PromptVersion(name="p", version="666", created_at=BEFORE, updated_at=AFTER),
            ),
        ),
    )
    found = await gathered(full)
    assert [e.kind.value for e in found] == ["metrics", "kubernetes", "kubernetes", "logs", "changes", "langfuse", "alert"]
    assert all(e.status is EvidenceStatus.OK for e in found)
    assert all(e.observed_at <= AT for e in found)
    told = str([e.payload for e in found])
    assert "666" not in told
    assert "late" not in told.lower()
    assert "  more" in told
    assert [o["metadata"]["name"] for o in await RecordedKubernetes(full).objects("Pod", "voice")] == ["api-1"]
    assert [c.target for c in await RecordedChanges(full).changes("Q1", "P1", BEFORE, AFTER)] == ["x"]


async def test_a_missing_file_is_no_data_only_where_the_incident_gives_reason_to_ask():
    bare = await gathered(case())
    assert [(e.kind, e.status) for e in bare] == [
        (EvidenceKind.METRICS, EvidenceStatus.NO_DATA),
        (EvidenceKind.CHANGES, EvidenceStatus.NO_DATA),
        (EvidenceKind.ALERT, EvidenceStatus.OK),
    ]
    asked = await gathered(case({"namespace": "voice", "redis_master": "cache", "alert_type": "model"}))
    assert [e.kind.value for e in asked] == ["metrics", "kubernetes", "redis", "changes", "langfuse", "alert"]
    assert all(e.status is EvidenceStatus.NO_DATA for e in asked[:-1])


async def test_without_a_change_feed_the_lookback_is_not_covered_and_with_an_empty_one_it_is():
    class Seen:
        evidence = ()

    for changes, expected in ((None, False), ((), True)):
        seen = Seen()
        seen.evidence = tuple(await gathered(case(changes=changes)))
        assert covered(seen, langfuse=False) is expected


async def test_metrics_are_as_old_as_their_newest_sample():
    old = AT - timedelta(minutes=10)
    (evidence,) = await gathered(
        case(metrics=(Series(labels={"__name__": "a"}, samples=((old.timestamp(), 1.0),)),)), EvidenceKind.METRICS
    )
    assert evidence.observed_at == old


async def test_kubernetes_shows_what_the_live_source_would_and_everything_when_the_labels_point_nowhere():
    things = (pod("api-1", nodeName="n1"), pod("other-1", namespace="elsewhere"), {"kind": "Node", "metadata": {"name": "n1"}})
    for labels, names in (
        ({"namespace": "voice"}, {"api-1", "n1"}),
        ({"node": "n1"}, {"api-1", "n1"}),
        ({"severity": "page"}, {"api-1", "other-1", "n1"}),
        ({"namespace": "typo"}, {"api-1", "other-1", "n1"}),
    ):
        found = await gathered(case(labels, kubernetes=things), EvidenceKind.KUBERNETES)
        assert {item["metadata"]["name"] for e in found for item in e.payload["items"]} == names


async def test_readers_refuse_what_was_not_recorded_instead_of_looking_healthy():
    empty = case({"redis_master": "cache"}, redis={"sessions": RedisState(name="sessions")})
    assert (await RecordedRedis(empty).read("sessions")).name == "sessions"
    with pytest.raises(Permanent, match="holds no state of the Redis master 'cache'"):
        await RecordedRedis(empty).read("cache")
    with pytest.raises(Permanent, match=r"kubernetes\.json"):
        await RecordedKubernetes(empty).objects("Pod", None)
    with pytest.raises(Permanent, match=r"changes\.json"):
        await RecordedChanges(empty).changes("Q1", "P1", BEFORE, AT)


async def test_an_untagged_incident_sees_every_recorded_master_and_other_files_as_they_are():
    states = {name: RedisState(name=name) for name in ("b", "a")}
    seen = Observation(source="kubernetes", operation="describe pod", args={"name": "x"}, status="error", output="forbidden")
    found = await gathered(
        case(redis=states, postgres={"primary": {}}, topology=TopologyFile(calls=(("a", "b"),)), observations=(seen,))
    )
    assert [e.payload["name"] for e in found if e.kind is EvidenceKind.REDIS] == ["a", "b"]
    assert [e.payload for e in found if e.kind is EvidenceKind.TOPOLOGY] == [{"calls": [["a", "b"]]}]
    (text,) = [e for e in found if e.kind is EvidenceKind.TEXT]
    assert (text.status, text.error, text.payload["operation"]) == (EvidenceStatus.ERROR, "forbidden", "describe pod")
    assert any(e.kind is EvidenceKind.POSTGRES for e in found)


async def test_the_same_case_gives_the_same_evidence_in_the_same_order():
    shipped = load_case(INCIDENTS / "pod-crash-loop")
    first, second = [await gathered(shipped) for _ in range(2)]
    assert first == second
    kinds = {EvidenceKind.METRICS, EvidenceKind.KUBERNETES, EvidenceKind.LOGS, EvidenceKind.CHANGES, EvidenceKind.ALERT}
    assert {e.kind for e in first} == kinds


async def test_the_neighbourhood_is_shown_with_the_kinds_that_were_recorded_and_without_anybody_s_secrets():
    def thing(kind, name, namespace="voice", **more):
        return {"kind": kind, "metadata": {"name": name, "namespace": namespace, "creationTimestamp": iso(BEFORE)}, **more}

    dns = {**pod("coredns-1", namespace="kube-system"), "kind": "Pod"}
    dns["metadata"]["labels"] = {"k8s-app": "kube-dns"}
    things = (
        pod("api-1"),
        thing("Service", "api"),
        thing("NetworkPolicy", "deny"),
        thing("Certificate", "web"),
        thing("Service", "other", "elsewhere"),
        thing("Secret", "keys", data={"password": "czNjcmV0"}),
        thing("ConfigMap", "settings", data={"HOST": "db", "prompt": "You are " * 50}),
        dns,
    )
    found = await gathered(case({"namespace": "voice"}, kubernetes=things), EvidenceKind.KUBERNETES)
    shown = {i["metadata"]["name"]: i for e in found for i in e.payload["items"]}
    assert set(shown) == {"api-1", "api", "deny", "web", "keys", "settings", "coredns-1"}
    assert shown["keys"]["data"] == {"password": ""}
    assert shown["settings"]["data"] == {"HOST": "db", "prompt": ""}
    kinds = {e.query: e.payload["kinds"] for e in found}
    assert kinds["network"] == ["NetworkPolicy", "Service"]


async def test_what_the_objects_tell_of_changes_is_shown_beside_the_change_feed():
    old, new = AT - timedelta(days=3), AT - timedelta(minutes=30)
    owner = [{"kind": "Deployment", "name": "api", "uid": "u", "controller": True}]

    def revision(n, at):
        meta = {"name": f"api-{n}", "namespace": "voice", "creationTimestamp": iso(at), "ownerReferences": owner}
        meta["annotations"] = {"deployment.kubernetes.io/revision": str(n)}
        return {
            "kind": "ReplicaSet",
            "metadata": meta,
            "spec": {"template": {"spec": {"containers": [{"name": "a", "image": f"a:{n}"}]}}},
        }

    deployed = {"kind": "Deployment", "metadata": {"name": "api", "namespace": "voice", "uid": "u", "creationTimestamp": iso(old)}}
    things = (deployed, revision(1, old), revision(2, new), revision(3, AFTER))
    found = await gathered(case({"namespace": "voice"}, kubernetes=things), EvidenceKind.CHANGES)
    assert [(e.source, [c["to_version"] for c in e.payload]) for e in found] == [("changes", []), ("kubernetes", ["a:2"])]
