"""What customers may read: only of what they notice, on the page that is theirs, in declared words."""

from collections.abc import Mapping

import pytest

from sre_agent.handback.status_page import StatusPhase, draft, is_customer_facing
from sre_agent.incident.alert import Alert, AlertClass
from sre_agent.routing.file import Plan, Routing, StatusAudience, Vertical

PLANS = {
    "1499": Plan(name="enterprise", status_page=StatusAudience.PRIVATE),
    "499": Plan(name="business", status_page=StatusAudience.PUBLIC),
    "affiliate": Plan(name="affiliate", status_page=StatusAudience.AGGREGATE),
}
ROUTING = Routing(
    plans=PLANS,
    verticals={"healthcare": Vertical(), "real_estate": Vertical(), "slot_5": None},
    customer_facing=(('customer_facing="true"',), ('alertname=~"Checkout.*"', 'env="prod"')),
)
FIRST = (1, StatusPhase.INVESTIGATING)
SEEN = {"customer_facing": "true"}


def drafts(*labels: Mapping[str, str], kind: AlertClass = AlertClass.INFRA, routing: Routing = ROUTING, phase=FIRST):
    return draft("Q1", [Alert(labels=dict(each)) for each in labels], kind, routing, phase)


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"customer_facing": "false"},
        {"customer_facing": "True"},
        {"alertname": "CheckoutDown"},
        {"plan": "499", "vertical": "sales"},
    ],
)
def test_of_what_customers_do_not_notice_nothing_is_drafted(labels: dict[str, str]):
    assert drafts(labels) == ()


def test_one_list_of_matchers_that_holds_for_one_alert_is_enough():
    assert len(drafts({"alertname": "PodDown"}, {"alertname": "CheckoutDown", "env": "prod"})) == 1


@pytest.mark.parametrize("matchers", [(), ("no matcher",), ('customer_facing="true"', "=")])
def test_matchers_that_say_nothing_or_cannot_be_read_publish_nothing(matchers: tuple[str, ...]):
    assert not is_customer_facing(Alert(labels=SEEN), Routing(verticals={}, customer_facing=(matchers,)))


def test_an_alert_whose_labels_are_not_known_tells_customers_nothing():
    routing = Routing(verticals={}, customer_facing=(('team!="internal"',),))
    assert draft("Q1", [Alert(labels={}, labels_known=False)], AlertClass.INFRA, routing, FIRST) == ()


@pytest.mark.parametrize(
    ("plan", "audience"),
    [
        ("1499", "private"),
        ("499", "public"),
        ("affiliate", "aggregate"),
        ("", "public"),
        ("777", "public"),
        (" 1499 ", "private"),
    ],
)
def test_the_plan_says_which_page_is_told(plan: str, audience: str):
    (only,) = drafts({**SEEN, "plan": plan})
    assert only.audience.value == audience


def test_an_incident_of_several_plans_is_one_draft_for_each_page():
    found = drafts(*({**SEEN, "plan": p} for p in ("1499", "499", "149", "affiliate")), SEEN, {"plan": "1499"})
    assert [d.audience.value for d in found] == ["aggregate", "private", "public"]
    assert len({d.id for d in found}) == 3


def test_the_plan_of_an_alert_that_customers_do_not_notice_opens_no_page():
    (only,) = drafts({**SEEN, "plan": "499"}, {"plan": "1499"})
    assert only.audience is StatusAudience.PUBLIC


def test_the_vertical_is_named_only_where_the_file_declares_it():
    (known,) = drafts({**SEEN, "vertical": "healthcare"}, {**SEEN, "vertical": "real_estate"})
    assert known.name == "Problems with healthcare and real estate"
    for vertical in ("<b>acme-corp</b>", "slot_5", "Healthcare"):
        (unknown,) = drafts({**SEEN, "vertical": vertical})
        assert unknown.name == "Problems with our service"


@pytest.mark.parametrize("kind", list(AlertClass))
def test_nothing_that_an_alert_says_reaches_customers(kind: AlertClass):
    secrets = {name: f"zz-{name}" for name in ("alertname", "pod", "instance", "tool_name", "prompt", "team", "customer")}
    for phase in StatusPhase:
        alert = Alert(labels={**SEEN, **secrets, "vertical": "healthcare"}, annotations={"summary": "zz-summary"})
        (only,) = draft("zz-Q1", [alert], kind, ROUTING, (3, phase))
        assert "zz-" not in only.name + only.body
        assert "sre" not in (only.name + only.body).lower()


@pytest.mark.parametrize("kind", list(AlertClass))
def test_affiliates_read_neither_the_service_nor_what_kind_of_problem_it_is(kind: AlertClass):
    for phase in StatusPhase:
        (named,) = drafts({**SEEN, "plan": "affiliate", "vertical": "healthcare"}, kind=kind, phase=(1, phase))
        (bare,) = drafts({**SEEN, "plan": "affiliate"}, kind=AlertClass.UNKNOWN, phase=(1, phase))
        assert (named.name, named.body) == (bare.name, bare.body)


def test_each_class_has_words_of_its_own():
    bodies = {kind: drafts(SEEN, kind=kind)[0].body for kind in (AlertClass.INFRA, AlertClass.MODEL, AlertClass.TOOL)}
    assert len(set(bodies.values())) == 3


def test_the_end_keeps_the_name_and_says_that_it_is_over():
    (first,) = drafts({**SEEN, "vertical": "healthcare"})
    (last,) = drafts({**SEEN, "vertical": "healthcare"}, phase=(1, StatusPhase.RESOLVED))
    assert (last.name, last.phase) == (first.name, StatusPhase.RESOLVED)
    assert "over" in last.body
    assert (first.id, last.id) == ("Q1.1.public.investigating", "Q1.1.public.resolved")
