"""The stand-in behaves as PagerDuty does, over real sockets."""

import http.client
import json
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from sre_agent.incident.event import EventKind
from sre_agent.intake.alert_details import alerts_from_rest
from sre_agent.intake.pagerduty import parse_event, verify_signature
from sre_agent.testing.pagerduty_alerts import AlertShape
from sre_agent.testing.pagerduty_faults import Drop, Fault, rate_limited
from sre_agent.testing.pagerduty_webhooks import DeliveryState
from tests.testing.pagerduty_peer import LABELS, ask

pytestmark = pytest.mark.slow


def test_rest_wraps_pages_and_refuses_as_pagerduty_does(pagerduty):
    incident = pagerduty.add_incident("many", [LABELS] * 130)
    status, first, _ = ask(pagerduty, "GET", f"/incidents/{incident}/alerts?limit=100&total=true")
    _, second, _ = ask(pagerduty, "GET", f"/incidents/{incident}/alerts?limit=100&offset=100")
    assert (status, len(first["alerts"]), first["more"], first["total"]) == (200, 100, True, 130)
    assert (len(second["alerts"]), second["more"], second["total"]) == (30, False, None)
    assert ask(pagerduty, "GET", f"/incidents/{incident}/alerts?limit=101")[0] == 400
    assert ask(pagerduty, "GET", f"/incidents/{incident}/alerts?limit=100&offset=9950")[0] == 400
    assert ask(pagerduty, "GET", "/incidents/QNOSUCH0000001")[:2][1]["error"]["code"] == 2100
    assert ask(pagerduty, "GET", f"/incidents/{incident}", token="wrong")[0] == 401
    assert ask(pagerduty, "GET", f"/incidents/{pagerduty.incident(incident)['incident_number']}")[1]["incident"]["id"] == incident
    status, body, _ = ask(pagerduty, "GET", "/incidents?since=2026-01-01T00:00:00Z&until=2026-12-01T00:00:00Z")
    assert (status, body["error"]["code"]) == (400, 2005)


def test_writes_need_a_sender_that_exists(pagerduty):
    incident = pagerduty.add_incident("one", [LABELS])
    note = {"note": {"content": "hello"}}
    assert ask(pagerduty, "POST", f"/incidents/{incident}/notes", note, sender=None)[0] == 400
    assert ask(pagerduty, "POST", f"/incidents/{incident}/notes", note, sender="x@y.test")[1]["error"]["code"] == 1008
    assert ask(pagerduty, "POST", f"/incidents/{incident}/notes", {"wrong": 1})[0] == 400
    status, made, _ = ask(pagerduty, "POST", f"/incidents/{incident}/notes", note)
    assert status == 201
    assert ask(pagerduty, "PUT", f"/incidents/{incident}/notes/{made['note']['id']}", {"note": {"content": "changed"}})[0] == 200
    assert pagerduty.notes(incident) == ["changed"]
    assert [(w.method, w.status) for w in pagerduty.writes] == [
        ("POST", 400),
        ("POST", 400),
        ("POST", 400),
        ("POST", 201),
        ("PUT", 200),
    ]


def test_the_state_machine_refuses_to_act_on_a_resolved_incident(pagerduty):
    incident = pagerduty.add_incident("one", [LABELS])
    put = {"incident": {"type": "incident_reference", "status": "resolved"}}
    assert ask(pagerduty, "PUT", f"/incidents/{incident}", put)[1]["incident"]["status"] == "resolved"
    assert ask(pagerduty, "PUT", f"/incidents/{incident}", put)[1]["error"]["code"] == 1001
    assert {a["status"] for a in ask(pagerduty, "GET", f"/incidents/{incident}/alerts")[1]["alerts"]} == {"resolved"}
    both = {"incident": {"escalation_policy": {"id": "PAIENG1"}, "assignments": []}}
    assert ask(pagerduty, "PUT", f"/incidents/{pagerduty.add_incident('two', [LABELS])}", both)[0] == 400


def test_faults_happen_once_each_and_in_order(pagerduty):
    incident = pagerduty.add_incident("one", [LABELS])
    pagerduty.faults.add(rate_limited(reset_s=7), rate_limited(reset_s=None), Fault(status=502, body="<html>bad gateway</html>"))
    address = urlsplit(pagerduty.url)
    status, body, headers = ask(pagerduty, "GET", f"/incidents/{incident}")
    assert (status, body["error"]["code"], headers["ratelimit-reset"]) == (429, 2020, "7")
    assert ask(pagerduty, "GET", f"/incidents/{incident}")[2]["ratelimit-reset"] is None
    with pytest.raises(json.JSONDecodeError):
        ask(pagerduty, "GET", f"/incidents/{incident}")
    assert ask(pagerduty, "GET", f"/incidents/{incident}")[0] == 200
    pagerduty.faults.add(Fault("POST", ".*/notes", drop=Drop.BEFORE), Fault("POST", ".*/notes", drop=Drop.AFTER))
    for expected in ([], ["hello"]):
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            ask(pagerduty, "POST", f"/incidents/{incident}/notes", {"note": {"content": "hello"}})
        assert pagerduty.notes(incident) == expected
    assert address.hostname == "127.0.0.1"


@pytest.mark.parametrize("shape", [s for s in AlertShape if s is not AlertShape.REMOVED])
def test_every_shape_can_be_read_back_by_the_agent(pagerduty, shape):
    incident = pagerduty.add_incident("one", [LABELS], shape=shape)
    (raw,) = ask(pagerduty, "GET", f"/incidents/{incident}/alerts")[1]["alerts"]
    (alert,) = alerts_from_rest(raw)
    assert (alert.labels, alert.labels_known) == (LABELS, True)


@pytest.mark.parametrize(
    "shape", [AlertShape.ARRAY, AlertShape.JSON_STRING, AlertShape.TEXT, AlertShape.GRAFANA, AlertShape.LISTED]
)
def test_groups_of_firing_and_resolved_alerts_can_be_read_back(pagerduty, shape):
    incident = pagerduty.add_incident("none yet", [])
    pagerduty.add_alert(incident, [LABELS, {**LABELS, "redis_master": "b"}], [{**LABELS, "alert_type": "model"}], shape)
    alerts = [a for raw in ask(pagerduty, "GET", f"/incidents/{incident}/alerts")[1]["alerts"] for a in alerts_from_rest(raw)]
    assert [(a.labels["alert_type"], a.status.value) for a in alerts] == [
        ("infra", "firing"),
        ("infra", "firing"),
        ("model", "resolved"),
    ]


def test_removed_details_leave_no_labels(pagerduty):
    incident = pagerduty.add_incident("large", [LABELS], shape=AlertShape.REMOVED)
    (raw,) = ask(pagerduty, "GET", f"/incidents/{incident}/alerts")[1]["alerts"]
    assert [a.labels_known for a in alerts_from_rest(raw)] == [False]


def test_what_happens_to_an_incident_is_sent_signed_and_in_order(pagerduty, receiver):
    pagerduty.send_webhooks_to(receiver.url, "secret-one", "secret-two")
    incident = pagerduty.trigger(pagerduty.add_incident("Redis prüfen", [LABELS]))
    pagerduty.acknowledge(incident)
    pagerduty.annotate(incident, "looking")
    pagerduty.delegate(incident, "PAIENG1")
    pagerduty.reassign(incident)
    pagerduty.snooze(incident)
    pagerduty.resolve(incident)
    pagerduty.reopen(incident)
    assert pagerduty.webhooks.settle()
    events = []
    for headers, body in receiver.got:
        assert verify_signature(headers, body, {"PWEBHK1": "secret-two"}) == "PWEBHK1"
        assert verify_signature(headers, body, {"PWEBHK1": "secret-one"}) == "PWEBHK1"
        events.append(parse_event(headers, body, datetime(2026, 1, 1, tzinfo=UTC)))
    assert [e.kind for e in events] == [
        EventKind.TRIGGERED,
        EventKind.ACKNOWLEDGED,
        EventKind.ANNOTATED,
        EventKind.DELEGATED,
        EventKind.REASSIGNED,
        EventKind.ACKNOWLEDGED,  # delegated, nobody held it any more; a snooze holds it
        EventKind.RESOLVED,
        EventKind.REOPENED,
    ]
    assert {e.incident_id for e in events} == {incident}
    assert len({e.event_id for e in events}) == len({e.delivery_id for e in events}) == len(events)
    assert events[1].agent_id == pagerduty.person
    assert events[0].agent_id is None


def test_a_delivery_is_repeated_with_its_id_until_it_is_taken_and_holds_up_the_next(pagerduty, receiver):
    receiver.answers = [500, 429, 503]
    pagerduty.send_webhooks_to(receiver.url, "s")
    incident = pagerduty.trigger(pagerduty.add_incident("one", [LABELS]))
    pagerduty.acknowledge(incident)
    assert pagerduty.webhooks.settle()
    assert [d.attempts for d in pagerduty.webhooks.deliveries] == [[500, 429, 503, 202], [202]]
    ids = [headers["x-webhook-id"] for headers, _ in receiver.got]
    assert len(set(ids[:4])) == 1
    assert ids[4] != ids[0]


def test_no_answer_is_repeated_too(pagerduty, receiver):
    slow = threading.Event()
    receiver.answers = [lambda: 202 + slow.wait(0.7)]
    pagerduty.send_webhooks_to(receiver.url, "s")
    pagerduty.ping()
    assert pagerduty.webhooks.settle()
    assert pagerduty.webhooks.deliveries[0].attempts == ["TimeoutError", 202]


def test_three_drops_disable_the_subscription_until_it_is_enabled(pagerduty, receiver):
    receiver.answers = [401, 400, 404]
    subscription = pagerduty.send_webhooks_to(receiver.url, "s")
    for _ in range(4):
        pagerduty.ping()
    assert pagerduty.webhooks.settle()
    assert [d.state for d in pagerduty.webhooks.deliveries] == [DeliveryState.DROPPED] * 4
    assert [len(d.attempts) for d in pagerduty.webhooks.deliveries] == [1, 1, 1, 0]
    assert subscription.temporarily_disabled
    assert pagerduty.ping() == []
    assert ask(pagerduty, "POST", "/webhook_subscriptions/PWEBHK1/enable")[0] == 200
    (delivery,) = pagerduty.ping()
    assert pagerduty.webhooks.settle()
    assert delivery.state is DeliveryState.DELIVERED


def test_duplicates_have_the_same_delivery_id(pagerduty, receiver):
    pagerduty.send_webhooks_to(receiver.url, "s")
    pagerduty.webhooks.duplicates = 2
    pagerduty.ping()
    assert pagerduty.webhooks.settle()
    assert len(receiver.got) == 3
    assert len({(headers["x-webhook-id"], body) for headers, body in receiver.got}) == 1


def test_merging_resolves_the_source_and_moves_its_alerts(pagerduty):
    target, source = (pagerduty.add_incident(t, [LABELS]) for t in ("target", "source"))
    pagerduty.merge(target, source)
    assert pagerduty.incident(source)["resolve_reason"]["incident"]["id"] == target
    assert len(ask(pagerduty, "GET", f"/incidents/{target}/alerts")[1]["alerts"]) == 2


def test_change_events_are_found_by_service_and_by_relation(pagerduty):
    incident = pagerduty.add_incident("one", [LABELS])
    now = datetime.now(UTC)
    pagerduty.add_change("deploy api 43", now - timedelta(hours=1))
    pagerduty.add_change("old", now - timedelta(days=100))
    pagerduty.add_change("related", now - timedelta(hours=2), related_to=incident)
    assert [c["summary"] for c in ask(pagerduty, "GET", "/services/PSVC001/change_events")[1]["change_events"]] == ["deploy api 43"]
    (related,) = ask(pagerduty, "GET", f"/incidents/{incident}/related_change_events")[1]["change_events"]
    assert related["correlation_reason"] == {"reason": "related_service"}
