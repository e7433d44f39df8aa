"""Rules sent through the routes: who would be woken, who perhaps, and what is not to be complained about."""

import pytest

from sre_agent.incident.alert import AlertClass
from sre_agent.rules.finding import Severity
from sre_agent.rules.owner import owner_of
from tests.rules.linting import ROUTING, ids, linted

RECEIVERS = """
receivers:
  - name: default
  - name: pd-platform
    pagerduty_configs: [{routing_key: "<secret>"}]
  - name: pd-ai-eng
    pagerduty_configs: [{routing_key: "<secret>"}]
  - name: pd-integration-owners
    pagerduty_configs: [{routing_key: "<secret>"}]
  - name: platform-slack
    slack_configs: [{channel: "#platform"}]
  - name: agent
    webhook_configs:
      - url: https://sre.example.com/webhooks/alertmanager
        http_config: {authorization: {credentials_file: /t}}
"""


def routes(*children: str, root: str = "default") -> str:
    return f"route:\n  receiver: {root}\n  group_interval: 30s\n  routes: [{', '.join(children)}]{RECEIVERS}"


def child(matchers: str, receiver: str, more: str = "") -> str:
    return f"{{matchers: [{matchers}], receiver: {receiver}{more}}}"


def rule(labels: str, expression: str = "x > 1", name: str = "A") -> str:
    return f"- alert: {name}\n  expr: {expression}\n  for: 5m\n  labels: {{team: t, severity: page, {labels}}}\n"


MODEL, INFRA, TOOL = "alert_type: model", "alert_type: infra", "alert_type: tool, tool_name: crm"
BY_CLASS = (
    child("'alert_type=\"model\"'", "pd-ai-eng"),
    child("'alert_type=\"tool\"'", "pd-integration-owners"),
    child("'alert_type=\"infra\"'", "pd-platform"),
)


@pytest.mark.parametrize("labels", [MODEL, INFRA, TOOL])
def test_each_class_at_its_own_receiver_is_fine(labels: str):
    assert ids(linted(rule(labels), routes(*BY_CLASS))) == []


@pytest.mark.parametrize(
    ("labels", "receiver", "told"),
    [
        (MODEL, "pd-platform", ["SRA201"]),
        (MODEL, "pd-integration-owners", ["SRA201"]),
        (TOOL, "pd-platform", ["SRA201"]),
        (INFRA, "pd-ai-eng", ["SRA201"]),
        (MODEL, "platform-slack", []),
        (MODEL, "pd-ai-eng", []),
        (MODEL, "agent", []),
    ],
)
def test_a_class_at_another_teams_pager_is_an_error_at_the_rule(labels: str, receiver: str, told: list[str]):
    examined = linted(rule(labels), routes(child("'team=\"t\"'", receiver)))
    assert ids(examined) == told
    for finding in examined.open:
        assert finding.severity is Severity.ERROR
        assert (finding.path, finding.place.line) == ("0.yaml", 4)
        assert f"goes to {receiver}, by the route on line 4 of 1.yaml" in finding.why


def test_an_earlier_route_counts_and_a_later_one_does_not():
    by_severity = child("'severity=\"page\"'", "pd-platform")
    assert ids(linted(rule(MODEL), routes(by_severity, *BY_CLASS))) == ["SRA201"]
    assert "SRA201" not in ids(linted(rule(MODEL), routes(*BY_CLASS, by_severity)))


def test_a_route_that_asks_the_series_is_told_once_and_only_where_they_may_have_the_label():
    by_namespace = child("'namespace=\"voice\"'", "pd-platform")
    examined = linted(rule(MODEL) + rule(MODEL, name="B"), routes(by_namespace, *BY_CLASS))
    assert ids(examined) == ["SRA202"]
    assert "A (0.yaml:4) and 1 more may come to pd-platform" in examined.open[0].why
    assert ids(linted(rule(MODEL, "sum(x) > 1"), routes(by_namespace, *BY_CLASS))) == []
    assert ids(linted(rule(MODEL, 'max by (namespace) (x{namespace="chat"}) > 1'), routes(by_namespace, *BY_CLASS))) == []
    assert ids(linted(rule(MODEL, 'max by (namespace) (x{namespace="voice"}) > 1'), routes(by_namespace, *BY_CLASS))) == ["SRA201"]


def test_what_comes_after_a_route_that_may_take_the_alert_is_not_certain():
    may_take = child("'namespace=\"voice\"'", "platform-slack")
    then = child("'team=\"t\"'", "pd-platform")
    assert ids(linted(rule(MODEL), routes(may_take, then))) == ["SRA202"]
    assert ids(linted(rule(MODEL), routes(may_take.replace("}", ", continue: true}"), then))) == ["SRA201"]


def test_what_only_the_default_receiver_gets_is_told_unless_that_is_the_agent():
    only_model = (child("'alert_type=\"model\"'", "pd-ai-eng"),)
    assert ids(linted(rule(TOOL), routes(*only_model))) == ["SRA203"]
    assert ids(linted(rule(TOOL), routes(*only_model, root="agent"))) == []
    assert ids(linted(rule(TOOL), routes())) == []
    assert "SRA203" not in ids(linted(rule("alert_type: nobody"), routes(*only_model)))


def test_a_label_that_only_a_route_asks_for_may_come_from_outside():
    by_cluster = child("'cluster=\"eu\"'", "pd-platform")
    assert ids(linted(rule(INFRA, "sum(x) > 1"), routes(by_cluster))) == ["SRA110"]
    assert "SRA203" in ids(linted(rule(INFRA, "sum(x) > 1") + rule("cluster: us", name="B"), routes(by_cluster)))
    assert ids(linted(rule(MODEL, "sum(x) > 1"), routes(by_cluster, *BY_CLASS))) == ["SRA202"]


def test_two_pagers_are_told_at_the_route_that_continues():
    examined = linted(
        rule(INFRA),
        routes(child("'alert_type=\"infra\"'", "pd-platform", ", continue: true"), child("'team=\"t\"'", "oncall")) + PAGER,
    )
    assert ids(examined) == ["SRA205"]
    assert "wakes pd-platform here and oncall" in examined.open[0].why
    chat = linted(rule(INFRA), routes(child("'team=\"t\"'", "platform-slack", ", continue: true"), *BY_CLASS))
    assert ids(chat) == []


PAGER = "  - {name: oncall, opsgenie_configs: [{api_key: x}]}\n"


def test_routes_whose_order_alone_decides_are_told_and_narrower_ones_first_are_not():
    crossed = (child("'team=\"t\"'", "oncall"), child("'alert_type=\"infra\"'", "pd-platform"))
    assert ids(linted(rule(INFRA), routes(*crossed) + PAGER)) == ["SRA206"]
    narrower = (child("'alert_type=\"infra\"', 'team=\"t\"'", "oncall"), child("'alert_type=\"infra\"'", "pd-platform"))
    assert ids(linted(rule(INFRA), routes(*narrower) + PAGER)) == []
    other = (child("'team=\"u\"'", "oncall"), child("'alert_type=\"infra\"'", "pd-platform"))
    assert ids(linted(rule(INFRA), routes(*other) + PAGER)) == []


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("'a=\"x\"'", "'a=\"x\"'", True),
        ("'a=\"x\"'", "'a=\"x\"', 'b=\"y\"'", True),
        ("'a=~\"x|y\"'", "'a=\"x\"'", True),
        ("'a!=\"z\"'", "'a=\"x\"'", True),
        ("'a=~\".*\"'", "'b=\"x\"'", True),
        ("", "'b=\"x\"'", True),
        ("'a=\"x\"'", "'a=\"y\"'", False),
        ("'a=\"x\"', 'b=\"y\"'", "'a=\"x\"'", False),
        ("'a=~\"x|y\"'", "'a=~\"x\"'", False),
        ("'a=\"x\"'", "'a=\"x\"', 'a=\"y\"'", True),
    ],
)
def test_routes_that_an_earlier_one_takes_everything_from_are_never_reached(first: str, second: str, told: bool):
    assert ("SRA204" in ids(linted(routes(child(first, "pd-platform"), child(second, "pd-ai-eng"))))) is told
    assert "SRA204" not in ids(
        linted(routes(child(first, "pd-platform", ", continue: true"), child(second.split(", 'a=\"y\"'")[0], "pd-ai-eng")))
    )


def test_a_route_that_contradicts_the_ones_around_it_is_told_once():
    inner = child("'a=\"y\"'", "pd-platform", ", routes: [" + child("'b=\"z\"'", "default") + "]")
    examined = linted(routes(child("'a=\"x\"'", "default", f", routes: [{inner}]")))
    assert ids(examined) == ["SRA204"]
    assert "no alert has two values of a" in examined.open[0].why


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("pd-platform", AlertClass.INFRA),
        ("platform", AlertClass.INFRA),
        ("Platform PagerDuty", AlertClass.INFRA),
        ("pagerduty_ai_eng", AlertClass.MODEL),
        ("ai-eng", AlertClass.MODEL),
        ("pd-integration-owners", AlertClass.TOOL),
        ("integration-owners-pd", AlertClass.TOOL),
        ("platforms", None),
        ("default", None),
        ("engineering", None),
        ("platform-and-ai-eng", None),
        ("", None),
    ],
)
def test_receivers_belong_to_whom_their_name_says_and_doubtful_ones_to_nobody(name: str, owner: AlertClass | None):
    assert owner_of(name, ROUTING) == owner


def test_matchers_in_every_form_that_alertmanager_takes_are_read():
    for matchers in (
        '\'{alert_type="model", team="t"}\'',
        "alert_type=model",
        '\'alert_type="model",team="t"\'',
        "'alert_type =~ \"mod.*\"'",
    ):
        assert ids(linted(rule(MODEL), routes(child(matchers, "pd-ai-eng")))) == [], matchers
    assert (
        ids(linted(rule(MODEL), routes("{match: {alert_type: model}, match_re: {team: t|u}, receiver: pd-ai-eng}")))
        == ["SRA207"] * 2
    )


def test_a_key_in_a_file_is_compared_and_never_shown():
    key = "0123456789abcdef0123456789abcdef"
    receivers = (
        f"- {{name: a, pagerduty_configs: [{{routing_key: {key}}}]}}\n- {{name: b, pagerduty_configs: [{{service_key: {key}}}]}}\n"
    )
    text = f"route: {{receiver: a}}\nreceivers:\n{receivers}"
    examined = linted(text)
    assert ids(examined) == ["SRA210"]
    assert key not in repr([(f.why, f.todo) for f in examined.findings])
    for blank in ("<secret>", "$KEY", "'{{ .Values.key }}'", "''"):
        assert ids(linted(text.replace(key, blank))) == []


def test_two_services_for_single_alerts_may_have_their_reason():
    text = routes(child("'alertname=\"A\"'", "a"), child("'alertname=\"B\"'", "b"))
    text += "".join(f"  - {{name: {n}, pagerduty_configs: [{{routing_key_file: /{n}}}]}}\n" for n in "abc")
    assert ids(linted(text)) == []
    assert ids(linted(text.replace("routes: [", "routes: [" + child("'alertname=\"C\"'", "c") + ", "))) == ["SRA209"]
    assert ids(linted(text.replace("routes: [", "routes: [" + child("'team=\"C\"'", "c") + ", "))) == []


@pytest.mark.parametrize(
    ("http", "told"),
    [
        ("{authorization: {credentials: x}}", []),
        ("{basic_auth: {username: x}}", []),
        ("{bearer_token_file: /x}", []),
        ("{tls_config: {cert_file: /x}}", []),
        ("{tls_config: {ca_file: /x}}", ["SRA212"]),
        ("{}", ["SRA212"]),
    ],
)
def test_every_way_to_prove_who_sends_counts(http: str, told: list[str]):
    text = "route: {receiver: a}\nreceivers:\n- name: a\n  webhook_configs: [{url: 'http://x/y', http_config: %s}]\n"
    assert ids(linted(text % http)) == told
    assert ids(linted(f"global: {{http_config: {http}}}\n" + text.replace(", http_config: %s", ""))) == told


def test_a_secret_address_needs_no_authorization_and_the_agents_door_always_does():
    text = "route: {receiver: a, group_interval: 30s}\nreceivers:\n- name: a\n  webhook_configs: [{%s}]\n"
    assert ids(linted(text % "url_file: /x")) == []
    assert [f.severity for f in linted(text % "url: 'http://x/y'").open] == [Severity.WARNING]
    assert [f.severity for f in linted(text % "url: 'http://x/webhooks/alertmanager'").open] == [Severity.ERROR]


def test_the_default_timeout_and_short_waits_are_fine():
    text = "global: {resolve_timeout: 5m}\n" + routes().replace(
        "group_interval: 30s", "group_wait: 30s, group_interval: 5m".replace(", ", "\n  ")
    )
    assert ids(linted(text)) == []


def test_a_child_that_leads_to_the_agent_inherits_the_interval():
    text = routes(child("'a=\"x\"'", "agent"))
    assert ids(linted(text)) == []
    assert ids(linted(text.replace("group_interval: 30s", "group_interval: 3m"))) == ["SRA218"]
    assert ids(linted(text.replace("group_interval: 30s", "group_wait: 5s"))) == ["SRA218"]
    assert ids(linted(text.replace("30s", "3m").replace("receiver: agent", "receiver: agent, group_interval: 1m"))) == []
