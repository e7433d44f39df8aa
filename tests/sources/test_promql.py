import pytest

from sre_agent.incident.alert import Alert
from sre_agent.incident.incident import Incident, IncidentStatus, Reference
from sre_agent.sources.promql import LONGEST_EXPRESSION, MAX_ALERTED, Selector, compared, selectors_of
from sre_agent.testing.selector import parse_selector


def names(expression: str) -> list[str]:
    return [s.name for s in compared(expression)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("up == 0", ["up"]),
        ("vector(1)", []),
        ("absent(up{job='api'})", ["up"]),
        ("sum by (namespace, pod) (rate(http_requests_total[5m])) > 3", ["http_requests_total"]),
        ("sum(rate(errors_total[5m])) by (pod) / sum(rate(requests_total[5m])) by (pod)", ["errors_total", "requests_total"]),
        ("a * on (pod) group_left (node) kube_pod_info", ["a", "kube_pod_info"]),
        ("topk(5, x) and on () y unless z", ["x", "y", "z"]),
        ("histogram_quantile(0.99, sum by (le) (rate(d_bucket[5m:1m] offset 1h))) >= bool 2", ["d_bucket"]),
        ("job:errors:rate5m > 1e+3", ["job:errors:rate5m"]),
        ("# a comment about nothing{}\nup # another", ["up"]),
        ('label_replace(up, "dst", "$1", "src", "(.*)")', ["up"]),
        ('{"my.metric", env="prod"} > 1', ["my.metric"]),
        ('{__name__="up", job="x"}', ["up"]),
        ("x @ end() - x @ start()", ["x"]),
        ("NaN > Inf", []),
        ("", []),
    ],
)
def test_the_metrics_of_an_expression_are_found(expression, expected):
    assert names(expression) == expected


def test_matchers_are_read_with_their_escapes_and_written_again():
    (found,) = compared(r"""up{a="x\"y\\z",b!='q',c=~`d\..*`,}""")
    assert found.matchers == (("a", "=", 'x"y\\z'), ("b", "!=", "q"), ("c", "=~", r"d\..*"))
    assert found.within({}) == r'up{a="x\"y\\z",b!="q",c=~"d\\..*"}'


def test_labels_of_the_alert_narrow_it_and_an_equality_of_its_own_stands():
    selector = Selector("up", (("job", "=", "api"), ("pod", "=~", "a.*")))
    assert selector.within({"job": "other", "pod": "a-1", "namespace": ""}) == 'up{job="api",pod=~"a.*",pod="a-1"}'


def test_a_metric_whose_name_is_no_plain_word_is_asked_by_its_name_in_quotes():
    assert Selector("my.metric").within({"env": "prod"}) == '{__name__="my.metric",env="prod"}'


@pytest.mark.parametrize("evil", ['x"} or {__name__=~".+', "a\\", 'b\\"', "c\nd", "} # ", "`", "(.*)"])
def test_a_hostile_label_value_stays_inside_its_string(evil):
    predicates = parse_selector(Selector("up").within({"pod": evil, 'x="y",z': "1"}))
    assert [name for name, _ in predicates] == ["__name__", "pod"]
    assert predicates[1][1](evil)
    assert not predicates[1][1]("anything")


@pytest.mark.parametrize(
    "broken", ['up{a="x', "up{", "up[5m", "sum by (", '{"', "up{a=~}", "up{=,}", "}{)(", '"""', "up{a='x\\", "\x00\ud800"]
)
def test_what_is_no_expression_is_read_as_far_as_it_is_plain_and_never_raises(broken):
    assert all(isinstance(s.within({"pod": "p"}), str) for s in compared(broken))


def test_an_expression_without_a_name_and_an_equality_selects_too_much_and_is_left_out():
    assert compared('{pod=~".+"} > 1') == ()


def test_length_and_number_are_bounded():
    assert compared("up + " * LONGEST_EXPRESSION) == ()
    assert len(compared(" + ".join(f"m{i}" for i in range(50)))) == MAX_ALERTED


def test_identities_come_from_the_labels_and_from_nothing_else():
    alert = Alert(labels={"namespace": "voice", "pod": "api-1", "service": "api", "odd": "x"})
    incident = Incident(
        id="Q1",
        status=IncidentStatus.TRIGGERED,
        created_at="2026-03-04T03:00:00Z",  # pyright: ignore
        service=Reference(id="P1"),
        alerts=(alert,),
    )
    assert selectors_of(incident) == ('{namespace="voice",pod="api-1"}', '{service="api"}')
