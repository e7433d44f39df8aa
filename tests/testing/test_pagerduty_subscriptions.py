"""Webhook subscriptions and the button of the stand-in behave as PagerDuty's, over real sockets."""

import json

import pytest

from sre_agent.intake.pagerduty import verify_signature
from tests.testing.pagerduty_peer import LABELS, ask

pytestmark = pytest.mark.slow


def test_a_new_subscription_shows_its_secret_once(pagerduty, receiver):
    wanted = {
        "webhook_subscription": {
            "type": "webhook_subscription",
            "delivery_method": {
                "type": "http_delivery_method",
                "url": receiver.url,
                "custom_headers": [{"name": "X-Token", "value": "v"}],
            },
            "events": ["incident.triggered"],
            "filter": {"type": "account_reference"},
        }
    }
    status, made, _ = ask(pagerduty, "POST", "/webhook_subscriptions", wanted)
    identity, secret = made["webhook_subscription"]["id"], made["webhook_subscription"]["delivery_method"]["secret"]
    assert (status, len(secret) >= 32) == (201, True)
    assert (
        ask(pagerduty, "GET", f"/webhook_subscriptions/{identity}")[1]["webhook_subscription"]["delivery_method"]["secret"] is None
    )
    assert ask(pagerduty, "POST", f"/webhook_subscriptions/{identity}/ping")[0] == 202
    pagerduty.acknowledge(pagerduty.trigger(pagerduty.add_incident("one", [LABELS])))
    assert pagerduty.webhooks.settle()
    assert len(receiver.got) == 2
    for headers, body in receiver.got:
        assert verify_signature(headers, body, {identity: secret}) == identity
        assert headers["x-token"] == "v"
    assert ask(pagerduty, "DELETE", f"/webhook_subscriptions/{identity}")[0] == 204


def subscription(url: str, kind: str = "service", to: str | None = "PSVC001", **more: object) -> dict[str, object]:
    fields = {"delivery_method": {"type": "http_delivery_method", "url": url}, "events": ["incident.triggered"]}
    return {"webhook_subscription": {"filter": {"type": f"{kind}_reference", "id": to}, **fields, **more}}


def test_a_subscription_gets_what_its_filter_means_once_it_is_active(pagerduty, receiver):
    pagerduty.add_team("PTEAM01", "Platform")
    pagerduty.add_service("PSVC002", "of a team", "PPLAT01", team="PTEAM01")
    root = "/webhook_subscriptions"
    made = [
        ask(pagerduty, "POST", root, subscription(receiver.url, *scope, active=False))[1]["webhook_subscription"]["id"]
        for scope in (("service", "PSVC001"), ("team", "PTEAM01"), ("account", None))
    ]
    both = [pagerduty.add_incident("one", [LABELS], service=s) for s in ("PSVC001", "PSVC002")]
    assert [pagerduty.trigger(i) for i in both] == both
    assert pagerduty.webhooks.deliveries == []
    for identity in made:
        assert ask(pagerduty, "PUT", f"{root}/{identity}", {"webhook_subscription": {"active": True}})[0] == 200
    for incident in both:
        pagerduty.trigger(incident)
    assert pagerduty.webhooks.settle()
    assert [d.subscription.id for d in pagerduty.webhooks.deliveries] == [made[0], made[2], made[1], made[2]]
    assert ask(pagerduty, "POST", f"{root}/{made[1]}/ping")[0] == 202
    assert pagerduty.webhooks.settle()
    assert pagerduty.webhooks.deliveries[-1].subscription.id == made[1]
    of_service = ask(pagerduty, "GET", f"{root}?filter_type=service&filter_id=PSVC001")[1]["webhook_subscriptions"]
    assert [s["id"] for s in of_service] == [made[0]]
    everybody = ask(pagerduty, "GET", f"{root}?filter_type=account")[1]["webhook_subscriptions"]
    assert [s["id"] for s in everybody] == [made[2]]


def test_ten_subscriptions_are_allowed_for_each_scope_and_an_address_is_never_changed(pagerduty, receiver):
    root = "/webhook_subscriptions"
    statuses = [ask(pagerduty, "POST", root, subscription(receiver.url))[0] for _ in range(10)]
    assert statuses == [201] * 10
    status, body, _ = ask(pagerduty, "POST", root, subscription(receiver.url))
    assert (status, body["error"]["code"]) == (400, 2019)
    assert ask(pagerduty, "POST", root, subscription(receiver.url, "account", None))[0] == 201
    identity = next(iter(pagerduty.webhooks.subscriptions))
    moved = {"webhook_subscription": {"delivery_method": {"url": "https://elsewhere.example"}}}
    assert ask(pagerduty, "PUT", f"{root}/{identity}", moved)[0] == 400
    for wrong in (
        subscription(receiver.url, "service", "PNOSUCH"),
        subscription("ftp://x"),
        subscription(receiver.url, "user", "PX"),
    ):
        assert ask(pagerduty, "POST", root, wrong)[0] in (400, 404)
    assert ask(pagerduty, "GET", f"{root}/{identity}/enable")[0] == 404
    assert ask(pagerduty, "DELETE", f"{root}/PNOSUCH")[0] == 404


def test_a_press_of_the_button_is_a_body_of_the_old_format_unsigned(pagerduty, receiver):
    incident = pagerduty.add_incident("one", [LABELS])
    assert pagerduty.press(incident, receiver.url, "the token") == 202
    assert pagerduty.press(incident, receiver.url, None, user=None) == 202
    (first, second) = ((headers, json.loads(body)["messages"]) for headers, body in receiver.got)
    assert (first[0]["x-sre-agent-token"], "x-sre-agent-token" in second[0]) == ("the token", False)
    assert "x-pagerduty-signature" not in first[0]
    ((message,), (unnamed,)) = first[1], second[1]
    assert (message["event"], message["incident"]["id"], message["log_entries"][0]["agent"]["id"]) == (
        "incident.custom",
        incident,
        pagerduty.person,
    )
    assert unnamed["log_entries"] == []
    assert pagerduty.press(incident, "http://127.0.0.1:9/nobody", None) == "ConnectionRefusedError"
